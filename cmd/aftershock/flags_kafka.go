package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/rs/zerolog"

	"aftershock/internal/loopback"
	"aftershock/schema"
	"aftershock/stream"
)

// kafkaFlags say how to reach Kafka.
type kafkaFlags struct {
	Brokers []string `help:"Kafka brokers, host:port." required:""`
	securityFlags
	registryFlag
}

func (f kafkaFlags) kafka(log zerolog.Logger) (stream.Kafka, error) {
	security, err := f.security(f.Brokers)
	if err == nil {
		err = f.use(false)
	}
	return stream.Kafka{Brokers: f.Brokers, Security: security, Log: log}, err
}

// registryFlag says where the ids of schemas come from.
type registryFlag struct {
	SchemaRegistry string `help:"Schema registry, http[s]://[user:password@]host:port, whose ids events are to carry; without it they carry those of the release. The same for every role, and from the first event on." placeholder:"URL"`
}

// use lets events carry the registry's ids; with register it may be new to it.
func (f registryFlag) use(register bool) error {
	if f.SchemaRegistry == "" {
		return nil
	}
	ids, err := stream.SchemaIDs(context.Background(), f.SchemaRegistry, register)
	if err != nil {
		return err
	}
	return schema.UseIDs(ids)
}

// securityFlags say how to prove to Kafka who we are. There is no flag for the
// password: command lines are there for everybody on the machine to read.
type securityFlags struct {
	KafkaTLS                 bool   `name:"kafka-tls" help:"Speak TLS with the brokers, and check their certificates against the hosts of their addresses."`
	KafkaCA                  string `name:"kafka-ca" placeholder:"FILE" help:"Certificates (PEM) that the brokers' must be signed by; the default is the system's."`
	KafkaCert                string `placeholder:"FILE" help:"Client certificate (PEM)."`
	KafkaKey                 string `placeholder:"FILE" help:"Its key (PEM)."`
	KafkaSASL                string `name:"kafka-sasl" enum:",plain,scram-sha-256,scram-sha-512" default:"" help:"How to log in: plain, scram-sha-256 or scram-sha-512."`
	KafkaUser                string `help:"Who logs in. The password is read from $AFTERSHOCK_KAFKA_PASSWORD or --kafka-password-file, never from the command line."`
	KafkaPasswordFile        string `placeholder:"FILE" help:"File with the password and nothing else; a newline at its end is not part of it."`
	KafkaSASLPlainWithoutTLS bool   `name:"kafka-sasl-plain-without-tls" help:"Send the password readable to brokers on other machines."`
}

// passwordVariable holds the password.
const passwordVariable = "AFTERSHOCK_KAFKA_PASSWORD"

// set names a flag that is given, or nothing.
func (f securityFlags) set() string {
	for _, flag := range []struct {
		name string
		is   bool
	}{
		{"--kafka-tls", f.KafkaTLS},
		{"--kafka-ca", f.KafkaCA != ""},
		{"--kafka-cert", f.KafkaCert != ""},
		{"--kafka-key", f.KafkaKey != ""},
		{"--kafka-sasl", f.KafkaSASL != ""},
		{"--kafka-user", f.KafkaUser != ""},
		{"--kafka-password-file", f.KafkaPasswordFile != ""},
		{"--kafka-sasl-plain-without-tls", f.KafkaSASLPlainWithoutTLS},
		{"$" + passwordVariable, os.Getenv(passwordVariable) != ""},
	} {
		if flag.is {
			return flag.name
		}
	}
	return ""
}

// security reads the files that the flags name.
func (f securityFlags) security(brokers []string) (s stream.Security, err error) {
	inVariable := os.Getenv(passwordVariable)
	if err := f.check(brokers, inVariable != ""); err != nil {
		return s, err
	}
	if f.KafkaTLS {
		if s.TLS, err = stream.NewTLS(f.KafkaCA, f.KafkaCert, f.KafkaKey); err != nil {
			return s, err
		}
	}
	if f.KafkaSASL == "" {
		return s, nil
	}
	password := inVariable
	if f.KafkaPasswordFile != "" {
		if password, err = readPassword(f.KafkaPasswordFile); err != nil {
			return s, err
		}
	}
	s.SASL, err = stream.NewSASL(f.KafkaSASL, f.KafkaUser, password)
	return s, err
}

// check refuses flags that do not go together: half a configuration must not
// become a connection that is less safe than was meant.
func (f securityFlags) check(brokers []string, inVariable bool) error {
	inFile := f.KafkaPasswordFile != ""
	switch {
	case !f.KafkaTLS && (f.KafkaCA != "" || f.KafkaCert != "" || f.KafkaKey != ""):
		return &usageError{"--kafka-ca, --kafka-cert and --kafka-key are for TLS: add --kafka-tls"}
	case f.KafkaCert != "" && f.KafkaKey == "":
		return &usageError{"--kafka-cert has no key: add --kafka-key"}
	case f.KafkaCert == "" && f.KafkaKey != "":
		return &usageError{"--kafka-key has no certificate: add --kafka-cert"}
	case f.KafkaUser == "" && (inFile || inVariable):
		return &usageError{"there is a password and no user: add --kafka-user, or remove --kafka-password-file and $" + passwordVariable}
	case f.KafkaSASL == "" && f.KafkaUser != "":
		return &usageError{"--kafka-user has no mechanism: add --kafka-sasl scram-sha-512, or what the brokers ask for"}
	case f.KafkaSASL != "" && f.KafkaUser == "":
		return &usageError{"--kafka-sasl has no user: add --kafka-user"}
	case f.KafkaSASL != "" && !inFile && !inVariable:
		return &usageError{"--kafka-user has no password: set $" + passwordVariable + " or add --kafka-password-file"}
	case inFile && inVariable:
		return &usageError{"two passwords: remove --kafka-password-file or $" + passwordVariable}
	case f.KafkaSASL == stream.SASLPlain && !f.KafkaTLS && !f.KafkaSASLPlainWithoutTLS:
		// SCRAM never sends the password; only this mechanism gives it to the network.
		for _, b := range brokers {
			if !loopback.Is(b) {
				return &usageError{fmt.Sprintf("--kafka-sasl plain would send the password readable to %s: add --kafka-tls, use scram-sha-512, or accept it with --kafka-sasl-plain-without-tls", b)}
			}
		}
	}
	return nil
}

// maxPasswordBytes bounds a password: a larger file is something else.
const maxPasswordBytes = 4096

func readPassword(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("--kafka-password-file: %w", err)
	}
	defer file.Close()                                                //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxPasswordBytes+2)) // and a newline, and one byte too many
	if err != nil {
		return "", fmt.Errorf("--kafka-password-file: %w", err)
	}
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	switch {
	case len(text) == 0:
		return "", fmt.Errorf("--kafka-password-file: %s is empty", path)
	case len(text) > maxPasswordBytes:
		return "", fmt.Errorf("--kafka-password-file: %s is larger than %d bytes", path, maxPasswordBytes)
	case bytes.ContainsAny(text, "\r\n"):
		return "", fmt.Errorf("--kafka-password-file: %s has more than one line", path)
	}
	return string(text), nil
}
