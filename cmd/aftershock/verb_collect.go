package main

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// collectVerb runs the door alone.
type collectVerb struct {
	kafkaFlags
	doorFlags
	metricsFlag
	blobFlag
}

// Run takes reports until SIGTERM.
func (v *collectVerb) Run(r *run) error {
	if err := v.check(); err != nil {
		return err
	}
	kafka, err := v.kafka(r.log)
	if err != nil {
		return err
	}
	blobs, err := openBlobs(r.ctx, v.Blob)
	if err != nil {
		return err
	}
	role := func(ctx context.Context, roles *roles) error {
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error { roles.followVersions(ctx); return nil })
		g.Go(func() error { return roles.collect(ctx, v.doorFlags, blobs, roles.checkDoor) })
		return g.Wait()
	}
	if v.Spool != "" {
		return runUnchecked(r, kafka, "", v.metricsFlag, role)
	}
	return runRole(r, kafka, "", v.metricsFlag, doorUses, role)
}
