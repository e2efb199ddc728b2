package stream_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

const rightPassword, wrongPassword = "canary-right", "canary-wrong"

// as is the cluster as a user sees it, by SCRAM-SHA-256.
func as(t *testing.T, k stream.Kafka, user string) stream.Kafka {
	t.Helper()
	mechanism, err := stream.NewSASL(stream.SASLScramSHA256, user, rightPassword)
	if err != nil {
		t.Fatal(err)
	}
	k.Security.SASL = mechanism
	return k
}

func TestPasswordsAreProven(t *testing.T) {
	t.Parallel()
	for mechanism, name := range map[string]string{
		stream.SASLPlain: "PLAIN", stream.SASLScramSHA256: "SCRAM-SHA-256", stream.SASLScramSHA512: "SCRAM-SHA-512",
	} {
		t.Run(mechanism, func(t *testing.T) {
			k, c := streamtest.Cluster(t, kfake.EnableSASL(), kfake.Superuser(name, "ada", rightPassword))
			var logged streamtest.Log
			k.Log = zerolog.New(&logged)
			login := func(ctx context.Context, password string) error {
				m, err := stream.NewSASL(mechanism, "ada", password)
				if err != nil {
					t.Fatal(err)
				}
				k.Security = stream.Security{SASL: m}
				err = stream.CreateTopics(ctx, k, 1, schema.Topic{Name: "made", Partitions: 1})
				if shown := fmt.Sprintf("%v %+v %#v %v %s", err, k.Security, k.Security, m, &logged); strings.Contains(shown, password) {
					t.Errorf("the password is shown: %s", shown)
				}
				return err
			}
			// This broker hangs up on a wrong password, and the client tries again for a while.
			short, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := login(short, wrongPassword); err == nil || c.TopicInfo("made") != nil {
				t.Errorf("the wrong password: %v", err)
			}
			// Kafka's own answer to a wrong password is final, and says what is wrong.
			c.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
				resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
				resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
				return resp, nil, true
			})
			if err := login(t.Context(), wrongPassword); !errors.Is(err, kerr.SaslAuthenticationFailed) {
				t.Errorf("the broker's answer: %v", err)
			}
			if err := login(t.Context(), rightPassword); err != nil {
				t.Errorf("the right password: %v", err)
			}
		})
	}
	if _, err := stream.NewSASL("kerberos", "ada", rightPassword); err == nil || !strings.Contains(err.Error(), stream.SASLScramSHA512) {
		t.Errorf("an unknown mechanism: %v", err)
	}
}

// authority is a certificate authority of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
	file string // its certificate
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir(), key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.file = filepath.Join(a.dir, "ca.pem")
	writePEM(t, a.file, "CERTIFICATE", der)
	return a
}

// issue writes a certificate for a host, or for a client when host is empty.
func (a *authority) issue(t *testing.T, name string, host net.IP) (cert, key string) {
	t.Helper()
	k := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if host != nil {
		template.IPAddresses = []net.IP{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &k.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(a.dir, name+".pem"), filepath.Join(a.dir, name+".key")
	writePEM(t, cert, "CERTIFICATE", der)
	writePEM(t, key, "EC PRIVATE KEY", secret)
	return cert, key
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTLSBelievesOnlyItsAuthority(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	serve := func(name string, host net.IP) stream.Kafka {
		cert, key := ours.issue(t, name, host)
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		clients := x509.NewCertPool()
		clients.AddCert(ours.cert)
		k, _ := streamtest.Cluster(t, kfake.TLS(&tls.Config{
			Certificates: []tls.Certificate{pair}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
		}))
		return k
	}
	loopback, elsewhere := serve("broker", net.IPv4(127, 0, 0, 1)), serve("another", net.IPv4(192, 0, 2, 1))
	cert, key := ours.issue(t, "client", nil)
	strangerCert, strangerKey := theirs.issue(t, "stranger", nil)
	for name, tc := range map[string]struct {
		k             stream.Kafka
		ca, cert, key string
		want          string // in the error; empty for none
	}{
		"our authority":                     {loopback, ours.file, cert, key, ""},
		"another authority":                 {loopback, theirs.file, cert, key, "unknown authority"},
		"the system's authorities":          {loopback, "", cert, key, "unknown authority"},
		"a broker with another's name":      {elsewhere, ours.file, cert, key, "192.0.2.1"},
		"no client certificate":             {loopback, ours.file, "", "", "certificate required"},
		"a client of another authority":     {loopback, ours.file, strangerCert, strangerKey, "tls:"},
		"no TLS for a broker that wants it": {k: loopback, want: "create topics"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.cert != "" || tc.ca != "" {
				c, err := stream.NewTLS(tc.ca, tc.cert, tc.key)
				if err != nil {
					t.Fatal(err)
				}
				tc.k.Security.TLS = c
			}
			err := stream.CreateTopics(t.Context(), tc.k, 1, schema.Topic{Name: "made", Partitions: 1})
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("err = %v, want %q", err, tc.want)
			}
		})
	}
}

func TestTLSFilesMustHoldWhatTheyAreFor(t *testing.T) {
	a := newAuthority(t, "ours")
	cert, key := a.issue(t, "client", nil)
	otherCert, _ := a.issue(t, "other", nil)
	for name, tc := range map[string]struct{ ca, cert, key, want string }{
		"no such authority":      {ca: filepath.Join(a.dir, "absent.pem"), want: "absent.pem"},
		"an authority without":   {ca: key, want: "holds no certificate"},
		"no such certificate":    {cert: filepath.Join(a.dir, "absent.pem"), key: key, want: "absent.pem"},
		"a key of another":       {cert: otherCert, key: key, want: "does not match"},
		"a certificate as a key": {cert: cert, key: cert, want: "client certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := stream.NewTLS(tc.ca, tc.cert, tc.key); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("err = %v, want %q", err, tc.want)
			}
		})
	}
}

// A whole way with both: what is said of the parts holds of them together.
func TestRecordsTravelOverTLSWithAPassword(t *testing.T) {
	a := newAuthority(t, "ours")
	cert, key := a.issue(t, "broker", net.IPv4(127, 0, 0, 1))
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	k, _ := streamtest.Cluster(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}),
		kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "ada", rightPassword), kfake.SeedTopics(1, "in"))
	k = as(t, k, "ada")
	if k.Security.TLS, err = stream.NewTLS(a.file, "", ""); err != nil {
		t.Fatal(err)
	}
	streamtest.Put(t, k, &kgo.Record{Topic: "in", Key: []byte("a")})
	if got := streamtest.Committed(t, k, "in", 1); len(got) != 1 {
		t.Errorf("%d records", len(got))
	}
}
