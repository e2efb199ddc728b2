package stream_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// announce is an operation that adds the next version.
func announce(at time.Time) func(*schema.VersionEvent) (*schema.VersionEvent, error) {
	return func(current *schema.VersionEvent) (*schema.VersionEvent, error) {
		next := &schema.VersionEvent{Operation: schema.OpAnnounce, At: at.UTC().Truncate(time.Millisecond)}
		if current != nil {
			next.Versions = slices.Clone(current.Versions)
		}
		next.Subject = int32(len(next.Versions) + 1)
		next.Versions = append(next.Versions, schema.SignatureVersion{Number: next.Subject, State: schema.StateLive})
		return next, nil
	}
}

func TestOperationsFollowEachOther(t *testing.T) {
	k, _ := streamtest.Broker(t, 2, schema.TopicVersions)
	if state, err := stream.NewestVersions(t.Context(), k); err != nil || state != nil {
		t.Fatalf("an empty log: %v, %v", state, err)
	}
	for want := 1; want <= 3; want++ {
		if _, err := stream.Operate(t.Context(), k, announce(time.Now())); err != nil {
			t.Fatal(err)
		}
		state, err := stream.NewestVersions(t.Context(), k)
		if err != nil || len(state.Versions) != want {
			t.Fatalf("%+v, %v, want %d versions", state, err, want)
		}
	}
	refused := errors.New("refused")
	state, err := stream.Operate(t.Context(), k, func(*schema.VersionEvent) (*schema.VersionEvent, error) { return nil, refused })
	if !errors.Is(err, refused) || len(state.Versions) != 3 {
		t.Errorf("a decision against: %+v, %v", state, err)
	}
	if state, err := stream.NewestVersions(t.Context(), k); err != nil || len(state.Versions) != 3 {
		t.Errorf("it was written all the same: %+v, %v", state, err)
	}
}

// Two operators at once: one of them must learn that its decision was made on a
// state that is no more.
func TestTheSlowerOperatorLoses(t *testing.T) {
	k, _ := streamtest.Broker(t, 2, schema.TopicVersions)
	_, err := stream.Operate(t.Context(), k, func(current *schema.VersionEvent) (*schema.VersionEvent, error) {
		if _, err := stream.Operate(t.Context(), k, announce(time.Now())); err != nil {
			t.Errorf("the faster one: %v", err)
		}
		return announce(time.Now())(current)
	})
	if !errors.Is(err, stream.ErrOtherOperator) {
		t.Errorf("the slower one: %v", err)
	}
	if state, err := stream.NewestVersions(t.Context(), k); err != nil || len(state.Versions) != 1 {
		t.Errorf("state %+v, %v", state, err)
	}
}

func TestPerVersionFollowsTheLog(t *testing.T) {
	k, _ := streamtest.Broker(t, 2, schema.TopicVersions)
	if _, err := stream.Operate(t.Context(), k, announce(time.Now())); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var events []string
	told := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, text)
	}
	has := func(text string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return slices.Contains(events, text)
		}
	}
	name := func(what string, n int32) string { return what + " " + strconv.Itoa(int(n)) }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	following := streamtest.Following(t, k)
	go func() {
		defer close(done)
		stream.PerVersion(ctx, following, stream.VersionLoop{
			Changed: func(_ context.Context, state *schema.VersionEvent) { told(name("changed", int32(len(state.Versions)))) },
			Wanted:  live,
			Run: func(ctx context.Context, v *schema.SignatureVersion, _ stream.Part) error {
				told(name("run", v.Number))
				<-ctx.Done()
				told(name("stopped", v.Number))
				if errors.Is(context.Cause(ctx), stream.ErrUnwanted) {
					told(name("not wanted", v.Number))
				}
				return nil
			},
			Failed: func(part stream.Part, err error) { t.Errorf("%v: %v", part, err) },
		})
	}()
	wait := func(text string) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !has(text)(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not told %q: %q", text, events)
			}
		}
	}
	wait("run 1")
	if _, err := stream.Operate(t.Context(), k, announce(time.Now())); err != nil {
		t.Fatal(err)
	}
	wait("run 2")
	if _, err := stream.Operate(t.Context(), k, func(current *schema.VersionEvent) (*schema.VersionEvent, error) {
		next := *current
		next.Versions = slices.Clone(current.Versions)
		next.Versions[0].State = schema.StateEnded
		return &next, nil
	}); err != nil {
		t.Fatal(err)
	}
	wait("not wanted 1")
	if has("stopped 2")() {
		t.Error("version 2 was stopped as well")
	}
	cancel()
	<-done
	wait("stopped 2")
	if has("not wanted 2")() {
		t.Error("version 2 is taken for unwanted because the process ended")
	}
}

// live are the parts of the versions that are.
func live(state *schema.VersionEvent) []stream.Part {
	var parts []stream.Part
	for _, v := range state.Versions {
		if v.State == schema.StateLive {
			parts = append(parts, stream.Part{Version: v.Number})
		}
	}
	return parts
}

// What an operator decides about groups and requests holds with the event, or not
// at all.
func TestAnOperationIsOneTransaction(t *testing.T) {
	k, _ := streamtest.Broker(t, 2, schema.TopicVersions, schema.TopicReprocess, schema.TopicRaw)
	operation := func(event *schema.VersionEvent) stream.Operation {
		return stream.Operation{
			Event: event,
			Offsets: map[string]map[string][]schema.PartitionOffset{
				"process.v1": {schema.TopicRaw: {{Partition: 0, Offset: 7}, {Partition: 1, Offset: 9}}},
			},
			Requests: []schema.ReprocessRequest{{CrashID: "a"}, {CrashID: "b"}, {CrashID: "c"}},
		}
	}
	offsets := func() map[int32]int64 {
		t.Helper()
		cl, err := kgo.NewClient(k.Options()...)
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		found, err := kadm.NewClient(cl).FetchOffsets(t.Context(), "process.v1")
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			t.Fatal(err)
		}
		out := map[int32]int64{}
		found.Each(func(o kadm.OffsetResponse) { out[o.Partition] = o.At })
		return out
	}
	requests := func() (ids []string) {
		t.Helper()
		if err := stream.EachCommitted(t.Context(), k, schema.TopicReprocess, func(r *kgo.Record) error {
			ids = append(ids, string(r.Key))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		slices.Sort(ids)
		return ids
	}
	_, err := stream.OperateWith(t.Context(), k, func(current *schema.VersionEvent) (stream.Operation, error) {
		if _, err := stream.Operate(t.Context(), k, announce(time.Now())); err != nil {
			t.Errorf("the faster one: %v", err)
		}
		event, err := announce(time.Now())(current)
		return operation(event), err
	})
	if !errors.Is(err, stream.ErrOtherOperator) || len(offsets()) > 0 || len(requests()) > 0 {
		t.Errorf("the loser: %v, offsets %v, requests %v", err, offsets(), requests())
	}
	if _, err = stream.OperateWith(t.Context(), k, func(current *schema.VersionEvent) (stream.Operation, error) {
		event, err := announce(time.Now())(current)
		return operation(event), err
	}); err != nil {
		t.Fatal(err)
	}
	if got := offsets(); got[0] != 7 || got[1] != 9 {
		t.Errorf("offsets %v", got)
	}
	if got := requests(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("requests %v", got)
	}
	if state, err := stream.NewestVersions(t.Context(), k); err != nil || len(state.Versions) != 2 {
		t.Errorf("state %+v, %v", state, err)
	}
	_, err = stream.OperateWith(t.Context(), k, func(current *schema.VersionEvent) (stream.Operation, error) {
		event, err := announce(time.Now())(current)
		return stream.Operation{Event: event, Requests: make([]schema.ReprocessRequest, stream.MaxOperationRequests+1)}, err
	})
	if state, _ := stream.NewestVersions(t.Context(), k); err == nil || len(state.Versions) != 2 {
		t.Errorf("one request too many: %v, state %+v", err, state)
	}
}

// A part whose run had failed ends like any other, also while it waits to be started
// again: else it would stay not ready for ever.
func TestAPartThatFailedEndsToo(t *testing.T) {
	k, _ := streamtest.Broker(t, 2, schema.TopicVersions)
	if _, err := stream.Operate(t.Context(), k, announce(time.Now())); err != nil {
		t.Fatal(err)
	}
	failed, ended := make(chan stream.Part, 1), make(chan stream.Part, 1)
	streamtest.Run(t, func(ctx context.Context) error {
		stream.PerVersion(ctx, streamtest.Following(t, k), stream.VersionLoop{
			Wanted: live,
			Run:    func(context.Context, *schema.SignatureVersion, stream.Part) error { return errors.New("it cannot run") },
			Failed: func(part stream.Part, _ error) { failed <- part },
			Ended:  func(part stream.Part) { ended <- part },
		})
		return nil
	})
	<-failed
	select {
	case part := <-ended:
		t.Fatalf("%v is wanted and has ended", part)
	default:
	}
	if _, err := stream.Operate(t.Context(), k, func(now *schema.VersionEvent) (*schema.VersionEvent, error) {
		next := now.Clone()
		next.Versions[0].State = schema.StateDropping
		return next, nil
	}); err != nil {
		t.Fatal(err)
	}
	if part := <-ended; part.Version != 1 {
		t.Errorf("%v has ended", part)
	}
}

// A ruleset's text is in the log once, whatever many versions and events name it, and
// events of older releases hold their own.
func TestRulesetsAreInTheLogOnce(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, schema.TopicVersions, schema.TopicRulesets)
	text := func(s string) []schema.RulesetFile {
		return []schema.RulesetFile{{Name: "prefix_signature_re.txt", Text: s}}
	}
	operate := func(v schema.SignatureVersion) {
		t.Helper()
		if _, err := stream.Operate(t.Context(), k, func(now *schema.VersionEvent) (*schema.VersionEvent, error) {
			next := &schema.VersionEvent{}
			if now != nil {
				next = now.Clone()
			}
			next.Versions = append(next.Versions, v)
			return next, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range int32(3) {
		operate(schema.SignatureVersion{Number: 2*n + 1, RulesetHash: "a", Ruleset: text("^a")})
		operate(schema.SignatureVersion{Number: 2*n + 2, RulesetHash: "b", Ruleset: text("^b")})
	}
	if got := streamtest.Keys(streamtest.Committed(t, k, schema.TopicRulesets, 2)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("rulesets %q", got)
	}
	state, err := stream.NewestVersions(t.Context(), k)
	if err != nil || len(state.Versions) != 6 {
		t.Fatal(state, err)
	}
	for _, v := range state.Versions {
		files, err := stream.Ruleset(t.Context(), k, &v)
		if len(v.Ruleset) > 0 || err != nil || !slices.Equal(files, text("^"+v.RulesetHash)) {
			t.Errorf("version %d: %v, %v; %d files in its event", v.Number, files, err, len(v.Ruleset))
		}
	}
	own := &schema.SignatureVersion{RulesetHash: "none", Ruleset: text("^own")}
	if files, err := stream.Ruleset(t.Context(), k, own); err != nil || !slices.Equal(files, own.Ruleset) {
		t.Errorf("%v, %v", files, err)
	}
	own.Ruleset = nil
	if _, err := stream.Ruleset(t.Context(), k, own); err == nil {
		t.Error("a ruleset that nobody has")
	}
}
