package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/signature"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
	"aftershock/sinks/telemetry"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// fleet is a process with every role that makes, stores and publishes versions, and an
// operator beside it.
type fleet struct {
	t     *testing.T
	k     stream.Kafka
	c     *kfake.Cluster
	db    *clickhouse.DB
	o     *Operator
	admin *kadm.Client
	sent  map[string]sent // by crash id

	mu    sync.Mutex
	told  []string
	rules map[int32]*signature.Ruleset
}

// sent is a raw crash of a test: its stack, from the top.
type sent struct {
	received time.Time
	stack    string
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	k, c := streamtest.Cluster(t,
		kfake.SeedTopics(2, schema.TopicRaw, schema.TopicReprocess, schema.TopicDeadLetter, schema.TopicTelemetry, schema.TopicHeal, schema.ProcessedTopic(1), schema.ProcessedTopic(schema.Archived)),
		kfake.SeedTopics(1, schema.TopicVersions, schema.TopicRulesets))
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	fl := &fleet{t: t, k: k, c: c, db: openDB(t), admin: kadm.NewClient(cl), sent: map[string]sent{}, rules: map[int32]*signature.Ruleset{}}
	fl.o = &Operator{Kafka: k, DB: fl.db, Who: "ada", Why: "a test", Now: time.Now, Log: zerolog.Nop(), Tell: func(text string) {
		fl.mu.Lock()
		defer fl.mu.Unlock()
		fl.told = append(fl.told, text)
	}}
	if _, err := stream.Operate(t.Context(), k, func(*schema.VersionEvent) (*schema.VersionEvent, error) { return announced(t), nil }); err != nil {
		t.Fatal(err)
	}
	f := streamtest.Following(t, k)
	workers := stream.NewWorkers(2, 0.5)
	processor := func(ctx context.Context, v *schema.SignatureVersion) (*stream.Processor, error) {
		rules, err := fl.rulesOf(ctx, v)
		return &stream.Processor{
			Kafka: k, Versions: f, Instance: "0", Version: v.Number, Begins: v.Begins, Workers: workers, Log: zerolog.Nop(), Process: processWith(v.Number, rules),
		}, err
	}
	processed := wantedIf(func(_ *schema.VersionEvent, v *schema.SignatureVersion) bool { return v.Processed() })
	fl.loop(f, workers, nil, processed, func(ctx context.Context, v *schema.SignatureVersion, _ stream.Part) error {
		p, err := processor(ctx, v)
		if err != nil {
			return err
		}
		return p.Run(ctx)
	})
	fl.loop(f, workers, nil, processed, func(ctx context.Context, v *schema.SignatureVersion, _ stream.Part) error {
		p, err := processor(ctx, v)
		if err != nil {
			return err
		}
		return (&stream.Reprocessor{Processor: *p, Of: v}).Run(ctx)
	})
	fl.loop(f, workers, nil, wantedIf(func(_ *schema.VersionEvent, v *schema.SignatureVersion) bool {
		return v.State == schema.StateLive && v.Source == schema.SourceProcessed
	}), func(ctx context.Context, v *schema.SignatureVersion, _ stream.Part) error {
		rules, err := fl.rulesOf(ctx, v)
		if err != nil {
			return err
		}
		return (&stream.Resigner{Kafka: k, Versions: f, Instance: "0", Version: v, Workers: workers, Log: zerolog.Nop(), Sign: func(p *schema.ProcessedCrash) error {
			p.SignatureVersion, p.Signature = v.Number, rules.Generate(signature.FromProcessed(p)).Signature
			return nil
		}}).Run(ctx)
	})
	fl.loop(f, workers, func(ctx context.Context, state *schema.VersionEvent) {
		if err := fl.db.Activate(ctx, state.Activation); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}, wantedIf(func(_ *schema.VersionEvent, v *schema.SignatureVersion) bool { return v.Kept() }), func(ctx context.Context, v *schema.SignatureVersion, _ stream.Part) error {
		return fl.store(ctx, f, v.Number)
	})
	fl.loop(f, workers, nil, publishedParts, func(ctx context.Context, _ *schema.SignatureVersion, part stream.Part) error {
		return fl.publish(ctx, f, part)
	})
	streamtest.Run(t, func(ctx context.Context) error { return fl.store(ctx, f, schema.Archived) })
	streamtest.Run(t, func(ctx context.Context) error { return fl.publish(ctx, f, stream.Part{Version: schema.Archived}) })
	archivist := &stream.Archivist{
		Processor: stream.Processor{Kafka: k, Versions: f, Instance: "0", Workers: workers, Log: zerolog.Nop()},
		Of: func(ctx context.Context, v *schema.SignatureVersion) (func(context.Context, stream.Input) (*schema.ProcessedCrash, error), error) {
			rules, err := fl.rulesOf(ctx, v)
			return processWith(v.Number, rules), err
		},
	}
	streamtest.Run(t, archivist.Run)
	return fl
}

// loop keeps the parts going until the test ends.
func (fl *fleet) loop(f *stream.Following, workers *stream.Workers, changed func(context.Context, *schema.VersionEvent),
	wanted func(*schema.VersionEvent) []stream.Part, run func(context.Context, *schema.SignatureVersion, stream.Part) error,
) {
	streamtest.Run(fl.t, func(ctx context.Context) error {
		stream.PerVersion(ctx, f, stream.VersionLoop{
			Changed: func(ctx context.Context, state *schema.VersionEvent) {
				workers.Follow(state)
				if changed != nil {
					changed(ctx, state)
				}
			},
			Wanted: wanted, Run: run, Failed: func(part stream.Part, err error) { fl.t.Errorf("%v: %v", part, err) },
		})
		return nil
	})
}

func wantedIf(wanted func(*schema.VersionEvent, *schema.SignatureVersion) bool) func(*schema.VersionEvent) []stream.Part {
	return func(state *schema.VersionEvent) (parts []stream.Part) {
		for i := range state.Versions {
			if wanted(state, &state.Versions[i]) {
				parts = append(parts, stream.Part{Version: state.Versions[i].Number})
			}
		}
		return parts
	}
}

// publishedParts are the versions that are seen and not archived, and since when.
func publishedParts(state *schema.VersionEvent) (parts []stream.Part) {
	for _, r := range state.Activation.Ranges {
		part := stream.Part{Version: r.SignatureVersion, Epoch: r.Epoch}
		if v := state.Version(part.Version); v != nil && v.Kept() && !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	return parts
}

func (fl *fleet) store(ctx context.Context, f *stream.Following, version int32) error {
	return sinks.Run(ctx, sinks.Options{Kafka: fl.k, Versions: f, Name: clickhouse.Name, Version: version, Instance: "0", Sink: fl.db, Log: zerolog.Nop()})
}

func (fl *fleet) publish(ctx context.Context, f *stream.Following, part stream.Part) error {
	return telemetry.Run(ctx, telemetry.Options{
		Kafka: fl.k, Versions: f, Version: part.Version, Epoch: part.Epoch, Instance: "0", Annotations: schema.DefaultRegistry, Log: zerolog.Nop(),
	})
}

// rulesOf is a version's ruleset, read once.
func (fl *fleet) rulesOf(ctx context.Context, v *schema.SignatureVersion) (*signature.Ruleset, error) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	if r := fl.rules[v.Number]; r != nil {
		return r, nil
	}
	r, err := RulesetOf(ctx, fl.k, v)
	if err == nil {
		fl.rules[v.Number] = r
	}
	return r, err
}

// processWith is what a version makes of a raw crash: the stack stands in its annotations.
// One that is said to be dead in the version is.
func processWith(version int32, rules *signature.Ruleset) func(context.Context, stream.Input) (*schema.ProcessedCrash, error) {
	return func(_ context.Context, in stream.Input) (*schema.ProcessedCrash, error) {
		functions := strings.Fields(in.Raw.Annotations["stack"])
		if slices.Contains(functions, fmt.Sprintf("dead.in.v%d", version)) {
			return nil, errors.New("it is dead")
		}
		p := &schema.ProcessedCrash{
			CrashID: in.Raw.CrashID, ReceivedAt: in.Raw.ReceivedAt, Raw: in.Position, SignatureVersion: version, Revision: in.Revision, DumpStatus: schema.DumpOK,
		}
		p.System.OS, p.Crash.CrashingThread = "Linux", new(int32(0))
		var frames []schema.Frame
		for _, f := range functions {
			frames = append(frames, schema.Frame{Module: "app", Function: f})
		}
		p.Threads = []schema.Thread{{Frames: frames}}
		p.Signature = rules.Generate(signature.FromProcessed(p)).Signature
		return p, nil
	}
}

// send appends a raw crash that was received so many days ago.
func (fl *fleet) send(daysAgo int, stack string) (id string) {
	fl.t.Helper()
	at := time.Now().UTC().AddDate(0, 0, -daysAgo).Add(-time.Hour).Truncate(time.Millisecond)
	id = crashID(len(fl.sent)+1, at.Format("060102"))
	value, err := schema.Encode(&schema.RawCrash{CrashID: id, ReceivedAt: at, Annotations: map[string]string{"stack": stack}})
	if err != nil {
		fl.t.Fatal(err)
	}
	streamtest.Put(fl.t, fl.k, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(id), Value: value, Timestamp: at})
	fl.sent[id] = sent{at, stack}
	return id
}

// eventually asks until it is so.
func (fl *fleet) eventually(is func() error) {
	fl.t.Helper()
	for end := time.Now().Add(40 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := is()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			fl.t.Fatal(err)
		}
	}
}

// shows waits until analysts see every crash that was sent as want says, and readers of the
// public topic the same.
func (fl *fleet) shows(want func(s sent) (version int32, signature string)) {
	fl.t.Helper()
	var expected []string
	for id, s := range fl.sent {
		if version, name := want(s); version > 0 {
			expected = append(expected, fmt.Sprintf("%s v%d %s", id, version, name))
		}
	}
	slices.Sort(expected)
	fl.eventually(func() error {
		got := asked(fl.t, fl.db, "SELECT concat(crash_id, ' v', toString(signature_version), ' ', signature) AS line FROM aftershock.crashes ORDER BY line")
		if !slices.Equal(got, expected) {
			return fmt.Errorf("seen are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(expected, "\n"))
		}
		return nil
	})
	fl.eventually(func() error {
		newest := map[string]string{}
		for _, r := range streamtest.Committed(fl.t, fl.k, schema.TopicTelemetry, 0) {
			e, err := schema.Decode[schema.TelemetryCrash](r.Value)
			if err != nil {
				return err
			}
			newest[string(r.Key)] = fmt.Sprintf("%s v%d %s", r.Key, e.SignatureVersion, e.Signature)
		}
		var got []string
		for _, line := range newest {
			got = append(got, line)
		}
		if slices.Sort(got); !slices.Equal(got, expected) {
			return fmt.Errorf("published are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(expected, "\n"))
		}
		return nil
	})
}

// caughtUp waits until a version has handled all that there is.
func (fl *fleet) caughtUp(version int32) {
	fl.t.Helper()
	fl.eventually(func() error {
		s, err := fl.o.Look(fl.t.Context())
		if err != nil {
			return err
		}
		v := s.version(version)
		if left, all := v.Left(); left > 0 || all == 0 || v.Members != 1 {
			return fmt.Errorf("version %d has %d of %d left, and %d members", version, left, all, v.Members)
		}
		return nil
	})
}

func (fl *fleet) newest() *schema.VersionEvent {
	fl.t.Helper()
	e, err := stream.NewestVersions(fl.t.Context(), fl.k)
	if err != nil {
		fl.t.Fatal(err)
	}
	return e
}

// groups are those of a version.
func (fl *fleet) groups(version int32) (out []string) {
	fl.t.Helper()
	listed, err := fl.admin.ListGroups(fl.t.Context())
	if err != nil {
		fl.t.Fatal(err)
	}
	for _, name := range listed.Groups() {
		if strings.Contains(name+".", fmt.Sprintf(".v%d.", version)) {
			out = append(out, name)
		}
	}
	return out
}
