package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"aftershock/internal/loopback"
	"aftershock/schema"
	"aftershock/stream"
	"aftershock/symbolcache"
)

// symbolsServeVerb runs the symbol server.
type symbolsServeVerb struct {
	symbolStoreFlag
	symbolServerFlags
	SymbolRedirect   []string `help:"Server, host:port, on this machine or its network, to which upstreams may redirect. Repeat it." placeholder:"HOST:PORT" sep:"none"`
	SymbolCache      string   `help:"Directory of compiled symbol files, for symbolication; processes may share it. By default in the user's cache directory." placeholder:"DIR"`
	SymbolCacheBytes int64    `help:"Bound of that directory, in bytes; 0 is the default." default:"10737418240"`
	Brokers          []string `help:"Kafka brokers, host:port: what is uploaded is told on crash.symbols, and crashes that lacked it are made again. Without them nobody is told."`
	securityFlags
	registryFlag
	ClickhouseURL string `help:"ClickHouse's HTTP interface, http://[user:password@]host:port: /missing tells what crashes lack." name:"clickhouse-url" placeholder:"URL"`
	metricsFlag
}

// Run serves until SIGTERM.
func (v *symbolsServeVerb) Run(r *run) error {
	if err := v.checkServer(); err != nil {
		return err
	}
	collectMore()
	s := &symbolServer{flags: v.symbolServerFlags, storeName: v.Store, allowed: v.AllowHost, log: r.log}
	var err error
	if s.upstreams, err = v.upstreams(v.SymbolRedirect); err != nil {
		return err
	}
	if s.store, err = v.open(r.ctx); err != nil {
		return err
	}
	if err := v.connect(r, s); err != nil {
		return err
	}
	if s.tables != nil {
		defer s.tables.Close() //nolint:errcheck // nothing is left in it
	}
	tracing, err := v.metricsFlag.open(r.ctx, r.log)
	if err != nil {
		return err
	}
	defer tracing.close()
	registry := newRegistry()
	s.registry, s.health = registry, newHealth(registry)
	o := symbolcache.Options{
		Dir: v.SymbolCache, MaxBytes: v.SymbolCacheBytes, Sources: ownSources(s.store, s.upstreams, v.SymbolsListen), Metrics: symbolcache.NewMetrics(registry),
		Failed: func(source int, path string, err error) {
			r.log.Warn().Err(err).Int("source", source+1).Str("debug_id", idOf(path)).Msg("symbol source failed")
		},
	}
	if s.symbols, err = symbolcache.New(o); err != nil {
		return err
	}
	defer s.symbols.Close() //nolint:errcheck // what it keeps is on disk already
	g, ctx := errgroup.WithContext(r.ctx)
	g.Go(func() error {
		return serve(ctx, v.MetricsListen, loopback.Guard(v.MetricsListen, v.AllowHost, observe(registry, s.health)), r.log, nil)
	})
	if s.kafka != nil { // other servers may have the same store
		g.Go(func() error { stream.NewArrivals(*s.kafka).Run(ctx, arrivedAt(s.symbols)); return nil })
	}
	g.Go(func() error { return s.serve(ctx) })
	return g.Wait()
}

// connect is to whom it is told what has come, and to what crashes lack.
func (v *symbolsServeVerb) connect(r *run, s *symbolServer) error {
	if v.SymbolCache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return &usageError{"--symbol-cache names no directory, and there is no default: " + err.Error()}
		}
		v.SymbolCache = filepath.Join(dir, "aftershock", "symbols")
	}
	if len(v.Brokers) > 0 {
		kafka, err := kafkaFlags{v.Brokers, v.securityFlags, v.registryFlag}.kafka(r.log)
		if err == nil {
			ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
			defer cancel()
			err = stream.CheckStart(ctx, kafka, symbolsUses)
		}
		if err != nil {
			return err
		}
		s.kafka = &kafka
	}
	if v.ClickhouseURL != "" {
		db, err := r.tables(v.ClickhouseURL)
		if err != nil {
			return err
		}
		s.tables = db
	}
	return nil
}

// symbolsUses: what was uploaded is told, and others' are heard of.
var symbolsUses = stream.Uses{Topics: []stream.Use{{Topic: schema.TopicSymbols, Read: true, Write: true}}}
