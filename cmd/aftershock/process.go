package main

import (
	"context"

	"aftershock/symbolcache"
)

// processVerb runs a processor alone.
type processVerb struct {
	kafkaFlags
	symbolFlags
	instanceFlag
	metricsFlag
	Blob string `help:"Directory of the blob store, the same for the door and the processors." required:""`
}

// Run processes until SIGTERM.
func (v *processVerb) Run(r *run) error {
	kafka, err := v.kafka(r.log)
	if err != nil {
		return err
	}
	blobs, err := openBlobs(v.Blob)
	if err != nil {
		return err
	}
	return runRole(r, kafka, v.Instance, v.metricsFlag, processUses, func(ctx context.Context, roles *roles) error {
		symbols, err := v.cache(r.log, symbolcache.NewMetrics(roles.metrics), nil)
		if err != nil {
			return err
		}
		defer symbols.Close() //nolint:errcheck // what it keeps is on disk already
		roles.process(ctx, blobs, symbols)
		return nil
	})
}
