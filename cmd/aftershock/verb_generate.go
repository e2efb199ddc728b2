package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"aftershock/generate"
)

// generateVerbs fill a system with what was made up.
type generateVerbs struct {
	Crashes generateCrashesVerb `cmd:"" help:"Processed crashes that look like those of the field, into the tables or into crash.processed.v1: for demonstrations and measurements."`
}

// generateCrashesVerb writes the crashes of package generate.
type generateCrashesVerb struct {
	Count         int      `help:"How many crashes." required:""`
	Seed          uint64   `help:"Other crashes for another number; the same ones for the same number and flags." default:"1"`
	Days          int      `help:"On how many days they are received." default:"28"`
	Until         moment   `help:"Midnight (UTC) before this time ends the last day; by default now." placeholder:"TIME"`
	Signatures    int      `help:"How many signatures; 0 is up to 20000, by the count." default:"0"`
	Installs      int      `help:"From how many installs; 0 is up to 300000, by the count." default:"0"`
	ClickhouseURL string   `help:"ClickHouse's HTTP interface, http://[user:password@]host:port: write straight into the tables." name:"clickhouse-url" placeholder:"URL"`
	Brokers       []string `help:"Kafka brokers, host:port: write into crash.processed.v1, as a processor does, for the sinks to take."`
	securityFlags
	registryFlag
	Force bool `help:"Write although there are crashes that are not generated."`
}

// generateBlock crashes are written at a time.
const generateBlock = 4000

// generated is where generated crashes go.
type generated interface {
	// foreign tells of crashes that are there and not generated, in words; none if there are none.
	foreign(ctx context.Context) (string, error)
	// write stores the crashes from one number to before another. It is called from several
	// goroutines.
	write(ctx context.Context, g *generate.Crashes, from, to int) error
	close() error
}

// Run generates.
func (v *generateCrashesVerb) Run(r *run) (err error) {
	if (v.ClickhouseURL == "") == (len(v.Brokers) == 0) {
		return &usageError{"want --clickhouse-url or --brokers, and not both"}
	}
	until := v.Until.Time
	if until.IsZero() {
		until = time.Now()
	}
	if v.Days < 1 {
		return &usageError{"--days: want 1 or more"}
	}
	g, err := generate.New(generate.Options{Count: v.Count, Seed: v.Seed, Days: v.Days, Until: until, Signatures: v.Signatures, Installs: v.Installs})
	if err != nil {
		return &usageError{err.Error()}
	}
	to, err := v.open(r, g.Options().SignatureVersion)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.close()) }()
	if !v.Force {
		there, err := to.foreign(r.ctx)
		if err != nil {
			return err
		}
		if there != "" {
			return fmt.Errorf("%s: nothing takes them apart from generated ones again. Take another one that is empty, or go on with --force", there)
		}
	}
	return v.all(r, g, to)
}

// open is the one place that the flags name.
func (v *generateCrashesVerb) open(r *run, version int32) (generated, error) {
	if v.ClickhouseURL != "" {
		return openGeneratedRows(r, v.ClickhouseURL, version)
	}
	kafka, err := kafkaFlags{v.Brokers, v.securityFlags, v.registryFlag}.kafka(r.log)
	if err != nil {
		return nil, err
	}
	return openGeneratedRecords(kafka)
}

// all writes block by block, as many at once as there are processors.
func (v *generateCrashesVerb) all(r *run, g *generate.Crashes, to generated) error {
	bar := r.bar("generated", g.Len())
	defer bar.end()
	began := time.Now()
	work, ctx := errgroup.WithContext(r.ctx)
	work.SetLimit(runtime.GOMAXPROCS(0))
	for from := 0; from < g.Len() && ctx.Err() == nil; from += generateBlock {
		end := min(from+generateBlock, g.Len())
		work.Go(func() error {
			if err := to.write(ctx, g, from, end); err != nil {
				return fmt.Errorf("crashes %d to %d: %w", from, end-1, err)
			}
			bar.add(end - from)
			return nil
		})
	}
	if err := errors.Join(work.Wait(), r.ctx.Err()); err != nil {
		return fmt.Errorf("%w (the same command again writes all: what is there already is stored once)", err)
	}
	took := time.Since(began)
	o := g.Options()
	say(r.stdout, "%d crashes in %s, %.0f a second; --seed %d --until %s makes them again\n",
		g.Len(), took.Round(time.Millisecond), float64(g.Len())/took.Seconds(), o.Seed, o.Until.Format(time.DateOnly))
	return nil
}
