package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// certificateLook is between looks at whether the files have changed.
const certificateLook = 10 * time.Second

// certificate is what a server shows, read again when its files change: who renews it need
// not restart anything.
type certificate struct {
	cert, key string
	log       zerolog.Logger

	mu     sync.Mutex
	now    *tls.Certificate
	looked time.Time
	times  [2]time.Time // of the files, when they were read last
}

// serveCertificate is the configuration of a server with the certificate.
func serveCertificate(cert, key string, log zerolog.Logger) (*tls.Config, error) {
	c := &certificate{cert: cert, key: key, log: log, looked: time.Now()}
	c.times = c.changed()
	if err := c.read(); err != nil {
		return nil, fmt.Errorf("--tls-cert, --tls-key: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
}

func (c *certificate) read() error {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err == nil {
		c.now = &pair
	}
	return err
}

// changed are the times at which the files changed.
func (c *certificate) changed() (times [2]time.Time) {
	for i, path := range []string{c.cert, c.key} {
		if info, err := os.Stat(path); err == nil {
			times[i] = info.ModTime()
		}
	}
	return times
}

// get is asked for every connection. One that cannot be read changes nothing: it may be
// half written.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) > certificateLook {
		c.looked = time.Now()
		if times := c.changed(); times != c.times {
			if err := c.read(); err != nil {
				c.log.Error().Err(err).Msg("the certificate before stays")
			} else {
				c.times = times
				c.log.Info().Msg("a new certificate")
			}
		}
	}
	return c.now, nil
}
