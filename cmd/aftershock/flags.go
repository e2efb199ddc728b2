package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"aftershock/blob"
	"aftershock/processor"
	"aftershock/schema"
	"aftershock/stream"
)

// instanceFlag tells members of a consumer group apart.
type instanceFlag struct {
	Instance string `help:"Name of this instance: unique in its role, and the same after a restart. By default 0, and under Kubernetes the pod's name."`
}

// instance is the name.
func (f instanceFlag) instance() string {
	if f.Instance != "" {
		return f.Instance
	}
	if os.Getenv("KUBERNETES_SERVICE_HOST") != "" {
		if name, err := os.Hostname(); err == nil && name != "" {
			return name
		}
	}
	return "0"
}

// deadLetterFlags stop a role that dead-letters too much.
type deadLetterFlags struct {
	DeadLettersInARow int     `help:"Stop when more records in a row are dead-lettered: not they are at fault then, but the build or what it needs. 0 never stops." name:"dead-letters-in-a-row" default:"50"`
	DeadLettersShare  float64 `help:"Stop when more than this share of the last 200 records is dead-lettered; 0 never stops." default:"0.5"`
}

func (f deadLetterFlags) guard() stream.Guard {
	return stream.Guard{InARow: f.DeadLettersInARow, Share: f.DeadLettersShare}
}

// Validate is called by the flags' parser.
func (f *deadLetterFlags) Validate() error {
	switch {
	case f.DeadLettersInARow < 0:
		return errors.New("--dead-letters-in-a-row: want 0 or more")
	case f.DeadLettersShare < 0 || f.DeadLettersShare > 1:
		return errors.New("--dead-letters-share: want 0 to 1")
	}
	return nil
}

// processFlags bound what a processor does.
type processFlags struct {
	Memory        int64         `help:"Bytes of memory that a processor aims to stay below; large dumps wait for each other, and so do large symbol files that are compiled. A dump that alone needs more is dead-lettered, a symbol file is malformed." default:"536870912"`
	SymbolModules int           `help:"Modules whose symbols one crash may ask the sources for." default:"256"`
	SymbolBytes   int64         `help:"Bytes of symbol files that one crash may have fetched before it asks for no more." default:"4294967296"`
	SymbolTime    time.Duration `help:"How long one crash may wait for symbols. What it could not wait for is said (timeout), and asked for again when the sources are well." default:"10s"`
	LaneShare     float64       `help:"Share of the workers that crashes to be processed again may have: they go behind live crashes. A replay has the share of its signature version." default:"0.5"`
}

// budget is what one crash may cost in symbols.
func (f *processFlags) budget() processor.Budget {
	return processor.Budget{Modules: f.SymbolModules, Bytes: f.SymbolBytes, Time: f.SymbolTime}
}

// compileBytes is what compilers of symbol files may hold: large ones are rare,
// and come one at a time.
func (f *processFlags) compileBytes() int64 { return f.Memory / 4 * 3 }

// minMemory lets a dump of 25 MB be processed.
const minMemory = 128 << 20

// Validate is called by the flags' parser.
func (f *processFlags) Validate() error {
	switch {
	case f.Memory < minMemory:
		return fmt.Errorf("--memory: want at least %d", minMemory)
	case f.SymbolModules < 1 || f.SymbolBytes < 1 || f.SymbolTime <= 0:
		return errors.New("--symbol-modules, --symbol-bytes, --symbol-time: want more than 0")
	case f.LaneShare < 0 || f.LaneShare > 1:
		return errors.New("--lane-share: want 0 to 1")
	}
	return nil
}

// metricsFlag is where health and metrics are served, and traces sent.
type metricsFlag struct {
	MetricsListen string   `help:"Address of /metrics, /healthz and /readyz." default:"127.0.0.1:9464"`
	AllowHost     []string `help:"Names by which servers on the loopback interface may be called, beside localhost and its addresses." placeholder:"NAME"`
	traceFlags
}

// blobFlag is where blobs lie.
type blobFlag struct {
	Blob string `help:"Blob store, the same for the door and the processors: a directory, or s3://bucket/prefix?endpoint=URL&region=R with credentials from the environment." placeholder:"DIR|URL" required:""`
}

// openBlobs opens the blob store that a flag names and looks whether it is there.
func openBlobs(ctx context.Context, name string) (blob.Backend, error) {
	b, err := blob.Open(name)
	if errors.Is(err, blob.ErrBadName) {
		return nil, &usageError{fmt.Sprintf("--blob: %v", err)}
	}
	if err != nil {
		return nil, err
	}
	return b, b.Check(ctx)
}

// servable tells whether this binary can process a signature version: its number never
// changes its meaning, so it must have the process version, and the registry must be known.
func servable(v schema.SignatureVersion, processVersion int32, known func(hash string) bool) error {
	switch {
	case v.ProcessVersion != processVersion:
		return fmt.Errorf("signature version %d was announced with process version %d, this binary has %d", v.Number, v.ProcessVersion, processVersion)
	case !known(v.RegistryHash):
		return fmt.Errorf("signature version %d was announced with annotation registry %.12s, which this binary has not and nobody has kept", v.Number, v.RegistryHash)
	}
	return nil
}
