package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"aftershock/blob"
	"aftershock/internal/loopback"
	"aftershock/processor"
	"aftershock/replay"
	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
	"aftershock/sinks/telemetry"
	"aftershock/stream"
)

// roles holds what the roles of one process share.
type roles struct {
	kafka    stream.Kafka
	close    func() // ends what all of them ask brokers with
	versions *stream.Following
	// registries are the annotation registries of signature versions.
	registries *stream.Registries
	instance   string
	log        zerolog.Logger
	metrics    prometheus.Registerer
	health     *health
	tracing    *tracing
	stream     *stream.Metrics
	sinks      *sinks.Metrics
	twins      *twins

	unservedTold sync.Map // signature versions of which the log has it
}

func newRoles(kafka stream.Kafka, instance string, log zerolog.Logger, r prometheus.Registerer, t *tracing) *roles {
	kafka.Metrics, kafka.Tracing = stream.NewKafkaMetrics(r), t.stream()
	done := func() {}
	if kept, end, err := kafka.Keep(); err == nil { // else whoever asks first is told why
		kafka, done = kept, end
	}
	versions := stream.NewFollowing(kafka)
	r.MustRegister(promoting(versions.Newest), halted(versions.Newest))
	return &roles{
		kafka: kafka, close: done, versions: versions, registries: stream.NewRegistries(kafka, schema.DefaultRegistry), instance: instance, log: log, metrics: r, health: newHealth(r), tracing: t,
		stream: stream.NewMetrics(r), sinks: sinks.NewMetrics(r), twins: newTwins(),
	}
}

// versionRole is what a role does for parts of signature versions; see stream.VersionLoop.
type versionRole struct {
	name    string
	changed func(ctx context.Context, state *schema.VersionEvent) // may be nil
	wanted  func(state *schema.VersionEvent) []stream.Part
	run     func(ctx context.Context, v *schema.SignatureVersion, part stream.Part, ready func(error)) error
}

// perVersion runs the role for every part that it wants. health has one for each,
// which goes when the part is not wanted any more, or done; one that cannot run
// stays, not ready. Before the first state it has the role.
func (r *roles) perVersion(ctx context.Context, role versionRole) {
	name := func(part stream.Part) string { return role.name + "." + part.String() }
	r.health.part(role.name)
	var known []stream.Part
	stream.PerVersion(ctx, r.versions, stream.VersionLoop{
		Changed: role.changed,
		Wanted: func(state *schema.VersionEvent) []stream.Part {
			parts := role.wanted(state)
			for _, part := range parts {
				if !slices.Contains(known, part) {
					r.health.part(name(part))
				}
			}
			known = parts
			r.health.drop(role.name)
			return parts
		},
		Run: func(ctx context.Context, v *schema.SignatureVersion, part stream.Part) error {
			return role.run(ctx, v, part, r.health.part(name(part)))
		},
		// Also of a part whose run had failed and was waiting to be started again.
		Ended: func(part stream.Part) { r.health.drop(name(part)) },
		Failed: func(part stream.Part, err error) {
			r.health.set(name(part), partNotReady)
			r.log.Error().Err(err).Str("role", role.name).Int32("signature_version", part.Version).Msg("signature version not served, starting again")
			r.twins.failed(name(part), err, time.Now())
		},
	})
}

// whole is one part for each version that is wanted.
func whole(wanted func(*schema.VersionEvent, schema.SignatureVersion) bool) func(*schema.VersionEvent) []stream.Part {
	return func(state *schema.VersionEvent) []stream.Part {
		var parts []stream.Part
		for _, v := range state.Versions {
			if wanted(state, v) {
				parts = append(parts, stream.Part{Version: v.Number})
			}
		}
		return parts
	}
}

// process runs a processor for every live signature version, and one of crashes
// that are to be processed again.
func (r *roles) process(ctx context.Context, f processFlags, dead deadLetterFlags, blobs blob.Store, caches *caches) {
	collectLess()
	workers := stream.NewWorkers(runtime.GOMAXPROCS(0), f.LaneShare)
	memory := stream.NewMemory(f.Memory / 2) // the rest is for what is not counted, and for garbage
	arrivals := stream.NewArrivals(r.kafka)
	symbols, find := caches.symbols, caches.found()
	find.Aside, find.Budget = stream.Aside, f.budget()
	processors := processors{kafka: r.kafka, registries: r.registries, symbols: find}
	processorOf := func(ctx context.Context, v *schema.SignatureVersion, ready func(error)) (stream.Processor, error) {
		p, err := processors.of(ctx, *v)
		if err != nil {
			return stream.Processor{}, err
		}
		guard := dead.guard()
		guard.SelfTest = p.SelfTest
		return stream.Processor{
			Kafka: r.kafka, Versions: r.versions, Instance: r.instance, Version: v.Number, Begins: v.Begins, Workers: workers, Memory: memory, Blobs: blobs, Arrivals: arrivals, Guard: guard,
			Process: processWith(p),
			Ready:   ready, Metrics: r.stream, Log: r.log,
		}, nil
	}
	shares := func(_ context.Context, state *schema.VersionEvent) { workers.Follow(state) }
	var others sync.WaitGroup
	defer others.Wait()
	others.Go(func() { arrivals.Run(ctx, arrivedAt(symbols)) })
	others.Go(func() {
		r.perVersion(ctx, versionRole{name: "resign", changed: shares, wanted: whole(resignWants), run: func(ctx context.Context, v *schema.SignatureVersion, part stream.Part, ready func(error)) error {
			p, err := processors.of(ctx, *v)
			if err == nil {
				err = sameButRules(v, r.versions.Newest().Version(v.Base))
			}
			if err != nil {
				return r.unserved(ctx, v, "resign."+part.String(), err)
			}
			resigner := stream.Resigner{
				Kafka: r.kafka, Versions: r.versions, Instance: r.instance, Version: v, Workers: workers, Sign: p.Resign, Guard: dead.guard(),
				Ready: ready, Metrics: r.stream, Log: r.log,
			}
			return resigner.Run(ctx)
		}})
	})
	others.Go(func() {
		r.perVersion(ctx, versionRole{name: "reprocess", changed: shares, wanted: whole(processWants), run: func(ctx context.Context, v *schema.SignatureVersion, part stream.Part, ready func(error)) error {
			p, err := processorOf(ctx, v, ready)
			if err != nil {
				return r.unserved(ctx, v, "reprocess."+part.String(), err)
			}
			again := stream.Reprocessor{Processor: p, Of: v}
			return again.Run(ctx)
		}})
	})
	others.Go(func() {
		r.always(ctx, "heal", func(ctx context.Context, ready func(error)) error {
			healer := stream.Healer{Kafka: r.kafka, Instance: r.instance, Well: symbols.Well, Ready: ready, Metrics: r.stream, Log: r.log}
			return healer.Run(ctx)
		})
	})
	others.Go(func() {
		r.always(ctx, "reprocess.archived", func(ctx context.Context, ready func(error)) error {
			archivist := stream.Archivist{
				Processor: stream.Processor{
					Kafka: r.kafka, Versions: r.versions, Instance: r.instance, Workers: workers, Memory: memory, Blobs: blobs, Arrivals: arrivals, Guard: dead.guard(),
					Ready: ready, Metrics: r.stream, Log: r.log,
				},
				Of: func(ctx context.Context, v *schema.SignatureVersion) (func(context.Context, stream.Input) (*schema.ProcessedCrash, error), error) {
					p, err := processors.of(ctx, *v)
					if err != nil {
						return nil, err
					}
					return processWith(p), nil
				},
			}
			return archivist.Run(ctx)
		})
	})
	var offered sync.Once
	r.perVersion(ctx, versionRole{
		name: "process",
		changed: func(ctx context.Context, state *schema.VersionEvent) {
			shares(ctx, state)
			offered.Do(func() { r.offer(state) })
		},
		wanted: whole(processWants),
		run: func(ctx context.Context, v *schema.SignatureVersion, part stream.Part, ready func(error)) error {
			p, err := processorOf(ctx, v, ready)
			if err != nil {
				return r.unserved(ctx, v, "process."+part.String(), err)
			}
			return p.Run(ctx)
		},
	})
}

// processWith is what a loop calls of a processor.
func processWith(p *processor.Processor) func(context.Context, stream.Input) (*schema.ProcessedCrash, error) {
	return func(ctx context.Context, in stream.Input) (*schema.ProcessedCrash, error) {
		return p.Process(ctx, processor.Input(in))
	}
}

// always keeps a loop running that belongs to no single version.
func (r *roles) always(ctx context.Context, part string, run func(ctx context.Context, ready func(error)) error) {
	ready := r.health.part(part)
	for ctx.Err() == nil {
		if r.versions.Newest() == nil { // nobody has told what there is
			pause(ctx, 100*time.Millisecond)
			continue
		}
		if err := run(ctx, ready); err != nil && ctx.Err() == nil {
			ready(err)
			r.log.Error().Err(err).Str("part", part).Msg("stopped, starting again")
			r.twins.failed(part, err, time.Now())
			pause(ctx, 5*time.Second)
		}
	}
}

// sameButRules tells whether signing the base's crashes again gives what processing
// gives.
func sameButRules(v, base *schema.SignatureVersion) error {
	if base == nil || base.ProcessVersion != v.ProcessVersion || base.RegistryHash != v.RegistryHash {
		return fmt.Errorf("signature version %d is made from version %d, which is not the same but for its rules", v.Number, v.Base)
	}
	return nil
}

// processors are those of signature versions: lanes share one, with what its
// ruleset remembers.
type processors struct {
	kafka      stream.Kafka
	registries *stream.Registries
	symbols    processor.Symbols

	mu        sync.Mutex
	byVersion map[int32]*processor.Processor
}

func (s *processors) of(ctx context.Context, v schema.SignatureVersion) (*processor.Processor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.byVersion[v.Number]; p != nil {
		return p, nil
	}
	p, err := newProcessor(ctx, s.kafka, s.registries, v, s.symbols)
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
func newProcessor(ctx context.Context, k stream.Kafka, registries *stream.Registries, v schema.SignatureVersion, symbols processor.Symbols) (*processor.Processor, error) {
	registry, err := registries.Of(ctx, v.RegistryHash)
	if err != nil && !errors.Is(err, stream.ErrNoRegistry) {
		return nil, err
	}
	if err := servable(v, processor.Version, func(string) bool { return registry != nil }); err != nil {
		return nil, err
	}
	ruleset, err := replay.RulesetOf(ctx, k, &v)
	if err != nil {
		return nil, err
	}
	if ruleset.Hash() != v.RulesetHash {
		return nil, fmt.Errorf("signature version %d: its ruleset has hash %.12s, its event says %.12s", v.Number, ruleset.Hash(), v.RulesetHash)
	}
	return &processor.Processor{
		SignatureVersion: v.Number, Ruleset: ruleset, Annotations: registry, Symbols: symbols,
	}, nil
}

// deferredSink is what metrics call the sink of deferred crashes.
const deferredSink = clickhouse.Name + "_deferred"

// sinkClickHouse stores every version that is not dropped, and which crashes were deferred,
// and projects the activation.
func (r *roles) sinkClickHouse(ctx context.Context, dead deadLetterFlags, db *clickhouse.DB) {
	var others sync.WaitGroup
	defer others.Wait()
	db.Registries = r.registries.Shown
	others.Go(func() { r.keepActivated(ctx, db) })
	store := func(ctx context.Context, version int32, ready func(error)) error {
		return sinks.Run(ctx, sinks.Options{
			Kafka: r.kafka, Versions: r.versions, Name: clickhouse.Name, Version: version, Instance: r.instance, Sink: db, Guard: dead.guard(),
			Ready: ready, Metrics: r.sinks, Log: r.log,
		})
	}
	others.Go(func() {
		r.always(ctx, sinks.DeferredGroup, func(ctx context.Context, ready func(error)) error {
			return sinks.Run(ctx, sinks.Options{
				Kafka: r.kafka, Name: deferredSink, Source: &sinks.Deferred, Instance: r.instance, Sink: clickhouse.Deferred{DB: db}, Guard: dead.guard(),
				Ready: ready, Metrics: r.sinks, Log: r.log,
			})
		})
	})
	others.Go(func() {
		r.always(ctx, "sink.clickhouse.archived", func(ctx context.Context, ready func(error)) error { return store(ctx, schema.Archived, ready) })
	})
	r.perVersion(ctx, versionRole{
		name:    "sink.clickhouse",
		changed: func(ctx context.Context, state *schema.VersionEvent) { r.activate(ctx, db, state.Activation) },
		wanted:  whole(clickHouseWants),
		run: func(ctx context.Context, v *schema.SignatureVersion, _ stream.Part, ready func(error)) error {
			return store(ctx, v.Number, ready)
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
		pause(ctx, time.Second)
	}
}

// projectionLook is between looks at whether the views still show the activation: a table
// can be truncated, or restored from a backup.
const projectionLook = 5 * time.Second

// keepActivated projects the activation again when the views do not show it.
func (r *roles) keepActivated(ctx context.Context, db *clickhouse.DB) {
	ready := r.health.part("activation")
	for ctx.Err() == nil {
		pause(ctx, projectionLook)
		state := r.versions.Newest()
		if state == nil || ctx.Err() != nil {
			continue
		}
		err := db.Shows(ctx, state.Activation)
		if errors.Is(err, clickhouse.ErrProjection) && state == r.versions.Newest() {
			r.log.Warn().Err(err).Msg("projecting the activation again")
			if err = db.Activate(ctx, state.Activation); err == nil {
				err = db.Shows(ctx, state.Activation)
			}
		}
		if ctx.Err() == nil {
			ready(err)
		}
	}
}

// pause waits, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// sinkTelemetry publishes what the activation shows, a loop for each version and epoch
// of its ranges.
func (r *roles) sinkTelemetry(ctx context.Context, dead deadLetterFlags) {
	publish := func(ctx context.Context, part stream.Part, ready func(error)) error {
		return telemetry.Run(ctx, telemetry.Options{
			Kafka: r.kafka, Versions: r.versions, Version: part.Version, Epoch: part.Epoch, Instance: r.instance,
			Annotations: r.registries.Own(), Registries: r.registries.Shown, Guard: dead.guard(), Ready: ready, Metrics: r.stream, Log: r.log,
		})
	}
	var others sync.WaitGroup
	defer others.Wait()
	others.Go(func() {
		r.always(ctx, "sink.telemetry.archived", func(ctx context.Context, ready func(error)) error {
			return publish(ctx, stream.Part{Version: schema.Archived}, ready)
		})
	})
	r.perVersion(ctx, versionRole{
		name:   "sink.telemetry",
		wanted: telemetryParts,
		run: func(ctx context.Context, _ *schema.SignatureVersion, part stream.Part, ready func(error)) error {
			return publish(ctx, part, ready)
		},
	})
}

// runRole is a verb that runs one role, with its metrics and health, until
// SIGTERM or the first of the two fails. /healthz is there before anything is asked of
// brokers and tables.
func runRole(r *run, kafka stream.Kafka, instance string, metrics metricsFlag, uses stream.Uses, role func(context.Context, *roles) error) error {
	return runUnchecked(r, kafka, instance, metrics, func(ctx context.Context, roles *roles) error {
		if err := stream.CheckStart(ctx, kafka, uses); err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // the end was asked for meanwhile
			}
			return err
		}
		if uses.Wanted == nil {
			return role(ctx, roles)
		}
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error { roles.versions.Run(ctx); return nil })
		g.Go(func() error { return role(ctx, roles) })
		return g.Wait()
	})
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
	defer roles.close()
	g, ctx := errgroup.WithContext(r.ctx)
	g.Go(func() error {
		return serve(ctx, metrics.MetricsListen, loopback.Guard(metrics.MetricsListen, metrics.AllowHost, observe(registry, roles.health)), r.log, nil)
	})
	g.Go(func() error { return roles.twins.watch(ctx) })
	g.Go(func() error { return role(ctx, roles) })
	return g.Wait()
}
