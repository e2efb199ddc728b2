package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"aftershock/internal/loopback"
	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// Flags that do not go together end with the code of wrong use and the way out,
// before anybody is connected to.
func TestKafkaSecurityFlagsMustGoTogether(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "password")
	writeFile(t, secret, []byte("canary-in-file\n"))
	const remote, here = "kafka.example.org:9092", "127.0.0.1:1"
	plain := []string{"--kafka-sasl", "plain", "--kafka-user", "ada", "--kafka-password-file", secret}
	for name, tc := range map[string]struct {
		broker   string
		args     []string
		variable string
		want     string
	}{
		"an authority without TLS":    {remote, []string{"--kafka-ca", "ca.pem"}, "", "add --kafka-tls"},
		"a certificate without TLS":   {remote, []string{"--kafka-cert", "c.pem", "--kafka-key", "c.key"}, "", "add --kafka-tls"},
		"a certificate without a key": {remote, []string{"--kafka-tls", "--kafka-cert", "c.pem"}, "", "add --kafka-key"},
		"a key without a certificate": {remote, []string{"--kafka-tls", "--kafka-key", "c.key"}, "", "add --kafka-cert"},
		"a password without a user":   {remote, []string{"--kafka-password-file", secret}, "", "add --kafka-user"},
		"a variable without a user":   {remote, nil, "canary", "add --kafka-user"},
		"a user without a mechanism":  {remote, []string{"--kafka-user", "ada"}, "canary", "add --kafka-sasl"},
		"a mechanism without a user":  {remote, []string{"--kafka-sasl", "scram-sha-256"}, "", "add --kafka-user"},
		"a user without a password":   {remote, []string{"--kafka-sasl", "scram-sha-256", "--kafka-user", "ada"}, "", "set $AFTERSHOCK_KAFKA_PASSWORD"},
		"two passwords":               {remote, plain, "canary", "two passwords"},
		"plain text over the network": {remote, plain, "", "--kafka-sasl-plain-without-tls"},
		"an unknown mechanism":        {here, []string{"--kafka-sasl", "gssapi"}, "", "--kafka-sasl"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(passwordVariable, tc.variable)
			for _, verb := range [][]string{
				{"topics", "create"},
				{"topics", "check"},
				{"up", "--data-dir", t.TempDir()},
				{"collect", "--blob", t.TempDir()},
				{"process", "--blob", t.TempDir()},
				{"sink", "telemetry"},
				{"sink", "clickhouse", "--clickhouse-url", "http://127.0.0.1:1"},
				{"stats", "--clickhouse-url", "http://127.0.0.1:1"},
			} {
				var out, errs bytes.Buffer
				code := Main(append(append(verb, "--brokers", tc.broker), tc.args...), &out, &errs)
				if code != exitUsage || !strings.Contains(errs.String(), tc.want) || strings.Contains(errs.String(), "canary") {
					t.Errorf("%q: exit %d: %s", verb, code, &errs)
				}
			}
		})
	}
}

func TestEmbeddedBrokerRefusesSecurityFlags(t *testing.T) {
	for name, tc := range map[string]struct{ flag, value, variable, want string }{
		"TLS":        {"--kafka-tls", "", "", "--kafka-tls is for real brokers"},
		"a user":     {"--kafka-user", "ada", "", "--kafka-user is for real brokers"},
		"a password": {"", "", "canary", "$AFTERSHOCK_KAFKA_PASSWORD is for real brokers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(passwordVariable, tc.variable)
			args := []string{"up", "--data-dir", t.TempDir()}
			for _, arg := range []string{tc.flag, tc.value} {
				if arg != "" {
					args = append(args, arg)
				}
			}
			var out, errs bytes.Buffer
			if code := Main(args, &out, &errs); code != exitUsage || !strings.Contains(errs.String(), tc.want) || !strings.Contains(errs.String(), "--brokers") {
				t.Errorf("exit %d: %s", code, &errs)
			}
		})
	}
}

func TestPlainPasswordsMayGoToThisMachine(t *testing.T) {
	for broker, want := range map[string]bool{
		"127.0.0.1:9092": true, "localhost:9092": true, "[::1]:9092": true, "127.0.0.1": true, "::1": true,
		"10.0.0.1:9092": false, "localhost.example.org:9092": false, "kafka": false, "": false,
	} {
		if got := loopback.Is(broker); got != want {
			t.Errorf("loopback(%q) = %v", broker, got)
		}
	}
	f := securityFlags{KafkaSASL: stream.SASLPlain, KafkaUser: "ada"}
	if err := f.check([]string{"127.0.0.1:9092", "10.0.0.1:9092"}, true); err == nil {
		t.Error("one of the brokers is on another machine")
	}
	f.KafkaSASLPlainWithoutTLS = true
	if err := f.check([]string{"10.0.0.1:9092"}, true); err != nil {
		t.Errorf("accepted by flag: %v", err)
	}
}

func TestPasswordFileHoldsOnePasswordAndNothingElse(t *testing.T) {
	for name, tc := range map[string]struct{ text, want, err string }{
		"a password":         {"secret", "secret", ""},
		"with a newline":     {"secret\n", "secret", ""},
		"of another system":  {"secret\r\n", "secret", ""},
		"with spaces":        {" se cret ", " se cret ", ""},
		"at the limit":       {strings.Repeat("x", maxPasswordBytes) + "\n", strings.Repeat("x", maxPasswordBytes), ""},
		"one past the limit": {strings.Repeat("x", maxPasswordBytes+1), "", "larger than"},
		"a large file":       {strings.Repeat("x", 1<<20), "", "larger than"},
		"empty":              {"\n", "", "is empty"},
		"two lines":          {"canary\nsecret", "", "more than one line"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "password")
			writeFile(t, path, []byte(tc.text))
			got, err := readPassword(path)
			if got != tc.want || (err == nil) != (tc.err == "") || err != nil && (!strings.Contains(err.Error(), tc.err) || strings.Contains(err.Error(), "canary")) {
				t.Errorf("%.20q, %v", got, err)
			}
		})
	}
	if _, err := readPassword(filepath.Join(t.TempDir(), "absent")); err == nil || !strings.Contains(err.Error(), "--kafka-password-file") {
		t.Errorf("no file: %v", err)
	}
}

// The flags lead to the broker: with the right password a verb does its work.
func TestVerbLogsIn(t *testing.T) {
	k, c := streamtest.Cluster(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "ada", testPassword))
	t.Setenv(passwordVariable, testPassword)
	var out, errs bytes.Buffer
	args := []string{"topics", "create", "--brokers", k.Brokers[0], "--replication", "1", "--kafka-sasl", "scram-sha-512", "--kafka-user", "ada"}
	if code := Main(args, &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	if c.TopicInfo(schema.TopicRaw) == nil {
		t.Error("no topics were made")
	}
}
