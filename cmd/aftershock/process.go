package main

import "context"

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
	return runRole(r, v.kafkaFlags, v.Instance, v.metricsFlag, func(ctx context.Context, roles *roles) error {
		roles.process(ctx, blobs, symbols)
		return nil
	})
}
