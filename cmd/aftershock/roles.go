package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"aftershock/blob"
	"aftershock/processor"
	"aftershock/schema"
	"aftershock/signature"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
	"aftershock/sinks/telemetry"
	"aftershock/stream"
	"aftershock/symbolcache"
)

// roles holds what the roles of one process share.
type roles struct {
	kafka    stream.Kafka
	instance string
	log      zerolog.Logger
	metrics  prometheus.Registerer
	health   *health
	tracing  *tracing
	stream   *stream.Metrics
	sinks    *sinks.Metrics
}

func newRoles(kafka stream.Kafka, instance string, log zerolog.Logger, r prometheus.Registerer, t *tracing) *roles {
	kafka.Metrics, kafka.Tracing = stream.NewKafkaMetrics(r), t.stream()
	return &roles{
		kafka: kafka, instance: instance, log: log, metrics: r, health: newHealth(r), tracing: t,
		stream: stream.NewMetrics(r), sinks: sinks.NewMetrics(r),
	}
}

// versionRole is what a role does for each signature version; see stream.VersionLoop.
type versionRole struct {
	name    string
	changed func(ctx context.Context, state *schema.VersionEvent) // may be nil
	wanted  func(state *schema.VersionEvent, v schema.SignatureVersion) bool
	run     func(ctx context.Context, v schema.SignatureVersion, ready func(error)) error
}

// perVersion runs the role for every version it wants. health has a part a
// version, which goes when the version is not wanted any more; one that cannot
// run stays, not ready.
func (r *roles) perVersion(ctx context.Context, role versionRole) {
	part := func(v schema.SignatureVersion) string { return fmt.Sprintf("%s.v%d", role.name, v.Number) }
	stream.PerVersion(ctx, r.kafka, stream.VersionLoop{
		Changed: role.changed,
		Wanted:  role.wanted,
		Run: func(ctx context.Context, v schema.SignatureVersion) error {
			err := role.run(ctx, v, r.health.part(part(v)))
			if ctx.Err() != nil {
				r.health.drop(part(v))
			}
			return err
		},
		Failed: func(v schema.SignatureVersion, err error) {
			r.health.set(part(v), false)
			r.log.Error().Err(err).Str("role", role.name).Int32("signature_version", v.Number).Msg("signature version not served, starting again")
		},
	})
}

// process runs a processor for every live signature version, and one of crashes
// that are to be processed again.
func (r *roles) process(ctx context.Context, f processFlags, dead deadLetterFlags, blobs blob.Store, symbols *symbolcache.Cache) {
	collectLess()
	workers := stream.NewWorkers(runtime.GOMAXPROCS(0), f.LaneShare)
	memory := stream.NewMemory(f.Memory / 2) // the rest is for what is not counted, and for garbage
	var processors processors
	processorOf := func(v schema.SignatureVersion, ready func(error)) (stream.Processor, error) {
		p, err := processors.of(v, symbols)
		if err != nil {
			return stream.Processor{}, err
		}
		return stream.Processor{
			Kafka: r.kafka, Instance: r.instance, Version: v.Number, Workers: workers, Memory: memory, Blobs: blobs, Guard: dead.guard(),
			Process: func(ctx context.Context, in stream.Input) (*schema.ProcessedCrash, error) {
				return p.Process(ctx, processor.Input(in))
			},
			Ready: ready, Metrics: r.stream, Log: r.log,
		}, nil
	}
	var both sync.WaitGroup
	defer both.Wait()
	both.Go(func() {
		r.perVersion(ctx, versionRole{name: "reprocess", wanted: processWants, run: func(ctx context.Context, v schema.SignatureVersion, ready func(error)) error {
			p, err := processorOf(v, ready)
			if err != nil {
				return err
			}
			return (&stream.Reprocessor{Processor: p}).Run(ctx)
		}})
	})
	r.perVersion(ctx, versionRole{name: "process", wanted: processWants, run: func(ctx context.Context, v schema.SignatureVersion, ready func(error)) error {
		p, err := processorOf(v, ready)
		if err != nil {
			return err
		}
		return p.Run(ctx)
	}})
}

// processors are those of signature versions: lanes share one, with what its
// ruleset remembers.
type processors struct {
	mu        sync.Mutex
	byVersion map[int32]*processor.Processor
}

func (s *processors) of(v schema.SignatureVersion, symbols *symbolcache.Cache) (*processor.Processor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.byVersion[v.Number]; p != nil {
		return p, nil
	}
	p, err := newProcessor(v, symbols)
	if err != nil {
		return nil, err
	}
	if s.byVersion == nil {
		s.byVersion = map[int32]*processor.Processor{}
	}
	s.byVersion[v.Number] = p
	return p, nil
}

// newProcessor makes the processor of a signature version, from what its event
// says and nothing else.
func newProcessor(v schema.SignatureVersion, symbols *symbolcache.Cache) (*processor.Processor, error) {
	if err := servable(v, processor.Version, schema.DefaultRegistry); err != nil {
		return nil, err
	}
	ruleset, err := signature.FromFiles(rulesetFiles(v.Ruleset))
	if err != nil {
		return nil, fmt.Errorf("signature version %d: %w", v.Number, err)
	}
	if ruleset.Hash() != v.RulesetHash {
		return nil, fmt.Errorf("signature version %d: its ruleset has hash %.12s, its event says %.12s", v.Number, ruleset.Hash(), v.RulesetHash)
	}
	return &processor.Processor{
		SignatureVersion: v.Number, Ruleset: ruleset, Annotations: schema.DefaultRegistry, Symbols: symbols.Get,
	}, nil
}

func rulesetFiles(in []schema.RulesetFile) map[string]string {
	files := make(map[string]string, len(in))
	for _, f := range in {
		files[f.Name] = f.Text
	}
	return files
}

// sinkClickHouse stores every version that is not dropped, and projects the activation.
func (r *roles) sinkClickHouse(ctx context.Context, dead deadLetterFlags, db *clickhouse.DB) {
	r.perVersion(ctx, versionRole{
		name:    "sink.clickhouse",
		changed: func(ctx context.Context, state *schema.VersionEvent) { r.activate(ctx, db, state.Activation) },
		wanted:  clickHouseWants,
		run: func(ctx context.Context, v schema.SignatureVersion, ready func(error)) error {
			return sinks.Run(ctx, sinks.Options{
				Kafka: r.kafka, Name: clickhouse.Name, Version: v.Number, Instance: r.instance, Sink: db, Guard: dead.guard(),
				Ready: ready, Metrics: r.sinks, Log: r.log,
			})
		},
	})
}

// activate projects the activation, however long ClickHouse is away.
func (r *roles) activate(ctx context.Context, db *clickhouse.DB, a schema.Activation) {
	ready := r.health.part("activation")
	for {
		err := db.Activate(ctx, a)
		ready(err)
		if err == nil || ctx.Err() != nil {
			return
		}
		r.log.Warn().Err(err).Int64("epoch", a.Epoch).Msg("activation not projected, trying again")
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

// sinkTelemetry publishes every version that the activation names.
func (r *roles) sinkTelemetry(ctx context.Context, dead deadLetterFlags) {
	var active atomic.Pointer[schema.Activation]
	r.perVersion(ctx, versionRole{
		name:    "sink.telemetry",
		changed: func(_ context.Context, state *schema.VersionEvent) { active.Store(&state.Activation) },
		wanted:  telemetryWants,
		run: func(ctx context.Context, v schema.SignatureVersion, ready func(error)) error {
			return telemetry.Run(ctx, telemetry.Options{
				Kafka: r.kafka, Version: v.Number, Instance: r.instance,
				Active:      func() schema.Activation { return *active.Load() },
				Annotations: schema.DefaultRegistry, Guard: dead.guard(), Ready: ready, Metrics: r.stream, Log: r.log,
			})
		},
	})
}

// runRole is a verb that runs one role, with its metrics and health, until
// SIGTERM or the first of the two fails.
func runRole(r *run, kafka stream.Kafka, instance string, metrics metricsFlag, uses stream.Uses, role func(context.Context, *roles) error) error {
	if _, err := metrics.endpoint(); err != nil {
		return err
	}
	if err := stream.CheckStart(r.ctx, kafka, uses); err != nil {
		if r.ctx.Err() != nil {
			return nil //nolint:nilerr // the end was asked for meanwhile
		}
		return err
	}
	return runUnchecked(r, kafka, instance, metrics, role)
}

// runUnchecked is runRole for a role that looks at the brokers itself.
func runUnchecked(r *run, kafka stream.Kafka, instance string, metrics metricsFlag, role func(context.Context, *roles) error) error {
	tracing, err := metrics.open(r.ctx, r.log)
	if err != nil {
		return err
	}
	defer tracing.close()
	registry := newRegistry()
	roles := newRoles(kafka, instance, r.log, registry, tracing)
	g, ctx := errgroup.WithContext(r.ctx)
	g.Go(func() error { return serve(ctx, metrics.MetricsListen, observe(registry, roles.health), r.log, nil) })
	g.Go(func() error { return role(ctx, roles) })
	return g.Wait()
}
