package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"aftershock/blob"
	"aftershock/collector"
	"aftershock/internal/freeport"
	"aftershock/schema"
)

// issue writes a certificate of that number and its key, and returns their paths.
func issue(t *testing.T, dir string, number int64, changed time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(number), Subject: pkix.Name{CommonName: "door"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, changed, changed); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestARenewedCertificateIsTaken(t *testing.T) {
	dir, start := t.TempDir(), time.Now().Add(-time.Hour)
	cert, key := issue(t, dir, 1, start)
	config, err := serveCertificate(cert, key, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	c := &certificate{cert: cert, key: key, log: zerolog.Nop()}
	c.times = c.changed()
	if err := c.read(); err != nil {
		t.Fatal(err)
	}
	number := func(pair *tls.Certificate, err error) int64 {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.SerialNumber.Int64()
	}
	if n := number(config.GetCertificate(nil)); n != 1 {
		t.Errorf("certificate %d", n)
	}
	issue(t, dir, 2, start.Add(time.Minute))
	if n := number(config.GetCertificate(nil)); n != 1 {
		t.Errorf("certificate %d, although it was looked at a moment ago", n)
	}
	if n := number(c.get(nil)); n != 2 { // nobody has looked for long
		t.Errorf("certificate %d", n)
	}
	if err := os.WriteFile(key, []byte("half a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.looked = time.Time{}
	if n := number(c.get(nil)); n != 2 {
		t.Errorf("certificate %d", n)
	}
	issue(t, dir, 3, start.Add(2*time.Minute))
	c.looked = time.Time{}
	if n := number(c.get(nil)); n != 3 {
		t.Errorf("certificate %d", n)
	}
	if _, err := serveCertificate(cert, filepath.Join(dir, "none"), zerolog.Nop()); err == nil {
		t.Error("a key that is not there")
	}
}

// Reports come over HTTPS, over HTTP/2, and over HTTP/2 in the clear as proxies speak it.
func TestTheDoorSpeaksHTTPSAndHTTP2(t *testing.T) {
	blobs, err := blob.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	door := collector.New(collector.Options{
		Append: func(context.Context, *schema.RawCrash) error { return nil }, Blobs: blobs, Annotations: schema.DefaultRegistry,
		Now: time.Now, Log: zerolog.Nop(), Metrics: prometheus.NewRegistry(), InlineMax: -1,
	})
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile("upload_file_minidump", "a.dmp")
	if err != nil {
		t.Fatal(err)
	}
	part.Write(bytes.Repeat([]byte("MDMP"), 100_000)) //nolint:errcheck // into memory
	w.Close()
	cert, key := issue(t, t.TempDir(), 1, time.Now())
	for name, tc := range map[string]struct {
		tls    bool
		set    func(*http.Protocols)
		proto  string
		scheme string
	}{
		"HTTPS":            {true, func(p *http.Protocols) { p.SetHTTP1(true) }, "HTTP/1.1", "https://"},
		"HTTP/2":           {true, func(p *http.Protocols) { p.SetHTTP2(true) }, "HTTP/2.0", "https://"},
		"HTTP/2, in clear": {false, func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }, "HTTP/2.0", "http://"},
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(doorHandler(door, nil))
			if tc.tls {
				if server.TLSConfig, err = serveCertificate(cert, key, zerolog.Nop()); err != nil {
					t.Fatal(err)
				}
			}
			address := freeport.Address(t)
			ctx, stop := context.WithCancel(t.Context())
			ended, up := make(chan error, 1), make(chan struct{})
			go func() { ended <- serveWith(ctx, address, server, zerolog.Nop(), func() { close(up) }) }()
			<-up
			var protocols http.Protocols
			tc.set(&protocols)
			client := &http.Client{Transport: &http.Transport{Protocols: &protocols, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // its own
			for range 3 {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, tc.scheme+address+"/submit", bytes.NewReader(body.Bytes()))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", w.FormDataContentType())
				res, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || res.StatusCode != http.StatusOK || res.Proto != tc.proto || !strings.HasPrefix(string(text), "CrashID=bp-") {
					t.Errorf("%s %s %q %v", res.Proto, res.Status, text, err)
				}
			}
			// Who is refused before its body has come reads why.
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, tc.scheme+address+"/submit", bytes.NewReader(body.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "text/plain")
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || string(text) != "Discarded=malformed_wrong_content_type" {
				t.Errorf("%s %q %v", res.Status, text, err)
			}
			client.CloseIdleConnections()
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}
