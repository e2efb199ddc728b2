package main

// collectVerb runs the door alone.
type collectVerb struct {
	kafkaFlags
	doorFlags
	metricsFlag
	Blob string `help:"Directory of the blob store, the same for the door and the processors." required:""`
}

// Run takes reports until SIGTERM.
func (v *collectVerb) Run(r *run) error {
	blobs, err := openBlobs(v.Blob)
	if err != nil {
		return err
	}
	registry := newRegistry()
	roles := newRoles(v.kafka(r.log), "", r.log, registry)
	g, ctx := newGroup(r.ctx)
	g.Go(func() error { return serve(ctx, v.MetricsListen, observe(registry, roles.health), r.log, nil) })
	g.Go(func() error { return roles.collect(ctx, v.doorFlags, blobs) })
	return g.Wait()
}
