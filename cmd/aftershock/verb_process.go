package main

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
)

// processVerb runs a processor alone.
type processVerb struct {
	kafkaFlags
	processFlags
	deadLetterFlags
	symbolFlags
	instanceFlag
	metricsFlag
	blobFlag
}

// Validate is called by the flags' parser, which calls one only.
func (v *processVerb) Validate() error {
	return errors.Join(v.processFlags.Validate(), v.deadLetterFlags.Validate())
}

// Run processes until SIGTERM.
func (v *processVerb) Run(r *run) error {
	kafka, err := v.kafka(r.log)
	if err != nil {
		return err
	}
	blobs, err := openBlobs(r.ctx, v.Blob)
	if err != nil {
		return err
	}
	return runRole(r, kafka, v.instance(), v.metricsFlag, processUses, func(ctx context.Context, roles *roles) error {
		caches, err := v.caches(r.log, roles.metrics, nil, v.compileBytes())
		if err != nil {
			return err
		}
		defer caches.close()
		limitMemory(v.Memory)
		roles.process(ctx, v.processFlags, v.deadLetterFlags, blobs, caches)
		return nil
	})
}

// limitMemory lets the garbage collector work harder rather than go past so many
// bytes, unless whoever started this process has set a limit of their own.
func limitMemory(bytes int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(bytes)
	}
}
