package main

import (
	"fmt"

	"aftershock/blob"
	"aftershock/schema"
)

// instanceFlag tells members of a consumer group apart.
type instanceFlag struct {
	Instance string `help:"Name of this instance: unique in its role, and the same after a restart." default:"0"`
}

// metricsFlag is where health and metrics are served.
type metricsFlag struct {
	MetricsListen string `help:"Address of /metrics, /healthz and /readyz." default:"127.0.0.1:9464"`
}

// doorFlags are the collector's.
type doorFlags struct {
	CollectorListen string `help:"Address of the door: POST /submit." default:"127.0.0.1:8000"`
	InlineMax       int    `help:"Largest compressed dump, in bytes, that travels inside its event; 0 sends every dump to the blob store." default:"65536"`
	MaxBody         int64  `help:"Largest body of a report on the wire, in bytes." default:"52428800"`
}

// openBlobs opens the blob store that a flag names.
func openBlobs(dir string) (blob.Store, error) {
	if dir == "" {
		return nil, &usageError{"--blob names no directory"}
	}
	return blob.NewDir(dir)
}

// servable tells whether this binary can process a signature version: its
// number never changes its meaning, so all three parts must be the same.
func servable(v schema.SignatureVersion, processVersion int32, registry *schema.Registry) error {
	switch {
	case v.ProcessVersion != processVersion:
		return fmt.Errorf("signature version %d was announced with process version %d, this binary has %d", v.Number, v.ProcessVersion, processVersion)
	case v.RegistryHash != registry.Hash():
		return fmt.Errorf("signature version %d was announced with annotation registry %.12s, this binary has %.12s", v.Number, v.RegistryHash, registry.Hash())
	}
	return nil
}
