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
	kafka, err := v.kafka(r.log)
	if err != nil {
		return err
	}
	blobs, err := openBlobs(r.ctx, v.Blob)
	if err != nil {
		return err
	}
	return runRole(r, kafka, "", v.metricsFlag, doorUses, func(ctx context.Context, roles *roles) error {
		return roles.collect(ctx, v.doorFlags, blobs)
	})
}
