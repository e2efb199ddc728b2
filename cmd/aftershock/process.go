package main

import (
	"context"

	"golang.org/x/sync/errgroup"
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
	blobs, err := openBlobs(v.Blob)
	if err != nil {
		return err
	}
	symbols, err := v.cache()
	if err != nil {
		return err
	}
	registry := newRegistry()
	roles := newRoles(v.kafka(r.log), v.Instance, r.log, registry)
	g, ctx := newGroup(r.ctx)
	g.Go(func() error { return serve(ctx, v.MetricsListen, observe(registry, roles.health), r.log, nil) })
	g.Go(func() error { roles.process(ctx, blobs, symbols); return nil })
	return g.Wait()
}

// newGroup runs the parts of a verb: the first that fails ends the others.
func newGroup(ctx context.Context) (*errgroup.Group, context.Context) {
	return errgroup.WithContext(ctx)
}
