package upload

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"testing"

	"aftershock/symbolcache"
)

// Trust lets zips be fetched from a test's server.
func Trust(t *testing.T, of *x509.Certificate) {
	pool := x509.NewCertPool()
	pool.AddCert(of)
	publicClient = func(named ...string) *http.Client {
		c := symbolcache.PublicClient(named...)
		c.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: pool}
		return c
	}
	t.Cleanup(func() { publicClient = symbolcache.PublicClient })
}
