package main

import "context"

// collectVerb runs the door alone.
type collectVerb struct {
	kafkaFlags
	doorFlags
	metricsFlag
	blobFlag
}

// Run takes reports until SIGTERM.
func (v *collectVerb) Run(r *run) error {
	blobs, err := openBlobs(r.ctx, v.Blob)
	if err != nil {
		return err
	}
	return runRole(r, v.kafkaFlags, "", v.metricsFlag, func(ctx context.Context, roles *roles) error {
		return roles.collect(ctx, v.doorFlags, blobs)
	})
}
