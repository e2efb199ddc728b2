package main

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"aftershock/internal/loopback"
	"aftershock/web"
)

// webFlags say where the pages are.
type webFlags struct {
	WebListen string `help:"Address of the pages; off for none." default:"127.0.0.1:8080"`
}

// webOff is the address of pages that there are none of.
const webOff = "off"

// webVerb serves the pages.
type webVerb struct {
	webFlags
	ClickhouseURL string `help:"ClickHouse's HTTP interface, http://[user:password@]host:port. What may be read there is what everybody sees: by default up's address for analysts, which shows what is public." name:"clickhouse-url" default:"http://127.0.0.1:8124"`
	metricsFlag
}

// Run serves until SIGTERM.
func (v *webVerb) Run(r *run) error {
	if v.WebListen == webOff {
		return &usageError{"--web-listen: want an address"}
	}
	db, err := r.tables(v.ClickhouseURL)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing is left in it
	tracing, err := v.open(r.ctx, r.log)
	if err != nil {
		return err
	}
	defer tracing.close()
	registry := newRegistry()
	health := newHealth(registry)
	g, ctx := errgroup.WithContext(r.ctx)
	g.Go(func() error {
		return serve(ctx, v.MetricsListen, loopback.Guard(v.MetricsListen, v.AllowHost, observe(registry, health)), r.log, nil)
	})
	g.Go(func() error { return servePages(ctx, v.WebListen, v.AllowHost, web.Options{DB: db}, health, r) })
	return g.Wait()
}

// servePages serves pages until ctx is done.
func servePages(ctx context.Context, listen string, names []string, o web.Options, health *health, r *run) error {
	o.Now, o.Log = time.Now, r.log
	pages, err := web.New(o)
	if err != nil {
		return err
	}
	ready := health.part("web")
	return serve(ctx, listen, loopback.Guard(listen, names, pages), r.log, func() { ready(nil) })
}
