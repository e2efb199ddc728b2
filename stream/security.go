package stream

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Security says how clients and brokers prove to each other who they are. The
// zero value is plain TCP and nobody's proof.
type Security struct {
	// TLS encrypts, and checks a broker's certificate against the host of its
	// address; nil means no TLS.
	TLS *tls.Config
	// SASL is who we are; nil means that nobody asks. See NewSASL.
	SASL sasl.Mechanism
}

// SASL mechanisms.
const (
	SASLPlain       = "plain" // sends the password as it is: only for TLS
	SASLScramSHA256 = "scram-sha-256"
	SASLScramSHA512 = "scram-sha-512"
)

// NewSASL returns the proof of a user by password. What it returns prints
// without the password.
func NewSASL(mechanism, user, password string) (sasl.Mechanism, error) {
	switch mechanism {
	case SASLPlain:
		return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
	case SASLScramSHA256:
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism(), nil
	case SASLScramSHA512:
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("no SASL mechanism %q: choose %s, %s or %s", mechanism, SASLPlain, SASLScramSHA256, SASLScramSHA512)
}

// NewTLS returns a configuration that believes the certificates in the file ca,
// or the system's when ca is empty, and shows the certificate in the file cert,
// if it is named, with the key in the file key. Files are PEM.
func NewTLS(ca, cert, key string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("certificate authorities: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("certificate authorities: %s holds no certificate in PEM", ca)
		}
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("client certificate %s with key %s: %w", cert, key, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

func (s Security) options() []kgo.Opt {
	var opts []kgo.Opt
	if s.TLS != nil {
		opts = append(opts, kgo.DialTLSConfig(s.TLS)) // the name comes from each broker's address
	}
	if s.SASL != nil {
		opts = append(opts, kgo.SASL(s.SASL))
	}
	return opts
}
