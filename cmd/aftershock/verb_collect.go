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
		return roles.collect(ctx, v.doorFlags, blobs, roles.checkDoor)
	}
	if v.Spool != "" {
		return runUnchecked(r, kafka, "", v.metricsFlag, role)
	}
	return runRole(r, kafka, "", v.metricsFlag, doorUses, role)
}
