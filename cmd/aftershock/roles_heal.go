package main

import (
	"context"
	"sync"
	"time"

	"aftershock/heal"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
	"aftershock/symbolcache"
)

// healFlags are those of what makes crashes again when symbols come.
type healFlags struct {
	HealDays    int           `help:"How many days back crashes that lack symbols are made again when these come." default:"28"`
	HealWaiting int64         `help:"How many crashes may be asked for again and not yet processed; the others wait." default:"20000"`
	Recheck     time.Duration `help:"How often the symbol sources are asked again for the modules that crashes lack most; 0 for never." default:"1h"`
}

// leastRecheck bounds how often servers of others are asked the same.
const leastRecheck = time.Minute

// Validate is called by the flags' parser.
func (f *healFlags) Validate() error {
	switch {
	case f.HealDays < 1:
		return &usageError{"--heal-days: want 1 or more"}
	case f.HealWaiting < 1:
		return &usageError{"--heal-waiting: want 1 or more"}
	case f.Recheck != 0 && f.Recheck < leastRecheck:
		return &usageError{"--recheck: want 1m or more, or 0 for never"}
	}
	return nil
}

// heal makes crashes again whose symbols have come, and asks the sources now and then for
// those that have not.
func (r *roles) heal(ctx context.Context, f healFlags, db *clickhouse.DB, symbols *symbolcache.Cache) {
	metrics := heal.NewMetrics(r.metrics)
	var others sync.WaitGroup
	defer others.Wait()
	if f.Recheck > 0 {
		rechecker := heal.Rechecker{
			Kafka: r.kafka, DB: db, Versions: r.versions, Ask: askAgain(symbols), Every: f.Recheck, Days: f.HealDays, Metrics: metrics, Log: r.log,
		}
		forget := arrivedAt(symbols)
		others.Go(func() {
			stream.NewArrivals(r.kafka).Run(ctx, func(e *schema.SymbolsEvent, at time.Time) {
				forget(e, at)
				rechecker.Arrived(e)
			})
		})
		others.Go(func() { rechecker.Run(ctx) })
	}
	r.always(ctx, "heal.symbols", func(ctx context.Context, ready func(error)) error {
		healer := heal.Healer{
			Kafka: r.kafka, DB: db, Versions: r.versions, Instance: r.instance, Days: f.HealDays, MostWaiting: f.HealWaiting, Ready: ready, Metrics: metrics, Log: r.log,
		}
		return healer.Run(ctx)
	})
}

// arrivedAt lets a cache forget what it remembers of modules whose symbols have come.
func arrivedAt(symbols *symbolcache.Cache) func(*schema.SymbolsEvent, time.Time) {
	return func(e *schema.SymbolsEvent, at time.Time) {
		symbols.Arrived(symbolcache.Key{DebugFile: e.DebugFile, DebugID: e.DebugID}, e.SHA256, at)
	}
}

// askAgain asks a cache's sources.
func askAgain(symbols *symbolcache.Cache) func(context.Context, string, string) heal.Answer {
	return func(ctx context.Context, debugFile, debugID string) heal.Answer {
		l := symbols.Refresh(ctx, symbolcache.Key{DebugFile: debugFile, DebugID: debugID})
		defer l.Release()
		a := heal.Answer{Outcome: string(l.Outcome), SHA256: l.SHA256}
		if l.File != nil {
			a.BadLines = int64(l.File.BadLines())
		}
		return a
	}
}
