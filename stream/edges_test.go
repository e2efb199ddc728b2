package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// What may not be read is no empty log.
func TestWhatMayNotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	k, c := streamtest.Broker(t, 1, schema.TopicVersions, schema.TopicRulesets, schema.TopicRaw, schema.TopicReprocess, schema.TopicDeadLetter, schema.TopicTelemetry, schema.ProcessedTopic(1))
	versions(t, k, one)
	sendRaw(t, k, 1, 2, 3)
	put(t, k, schema.TopicDeadLetter, "a")
	put(t, k, schema.TopicRulesets, "a")
	g, place := placed(t, k)
	place("g", schema.TopicRaw, 1)
	place(schema.ProcessGroup(1), schema.TopicRaw, 3)
	v := &stream.Verifier{Kafka: k, Version: 1}
	var found *stream.Verified
	for _, topic := range []string{schema.TopicDeadLetter, schema.TopicRaw} { // in its first step, and in a later one
		h := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Err: kerr.TopicAuthorizationFailed, Count: -1})
		if err := v.Run(t.Context(), func(*stream.Verified) error { return nil }); !errors.Is(err, kerr.TopicAuthorizationFailed) {
			t.Errorf("verified without %s: %v", topic, err)
		}
		h.Remove()
	}
	if err := v.Run(t.Context(), func(f *stream.Verified) error { found = f; return nil }); err != nil || found.Holes() != 3 {
		t.Fatalf("%+v, %v", found, err)
	}
	none := func(*kgo.Record) error { return nil }
	h := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	for name, ask := range map[string]func(ctx context.Context) error{
		"all of a topic":      func(ctx context.Context) error { return stream.EachCommitted(ctx, k, schema.TopicRaw, none) },
		"what lies behind":    func(ctx context.Context) error { return stream.EachFrom(ctx, k, schema.TopicRaw, nil, none) },
		"a sample":            func(ctx context.Context) error { return stream.Sample(ctx, k, schema.TopicRaw, 9, none) },
		"some of a sample":    func(ctx context.Context) error { return stream.Sample(ctx, k, schema.TopicRaw, 2, none) },
		"the newest versions": func(ctx context.Context) error { _, err := stream.NewestVersions(ctx, k); return err },
		"the first record":    func(ctx context.Context) error { _, err := stream.FirstOf(ctx, k, schema.TopicRaw, 0); return err },
		"a crash":             func(ctx context.Context) error { _, err := stream.FindRaw(ctx, k, crashID(1)); return err },
		"a record": func(ctx context.Context) error {
			_, err := stream.RawAt(ctx, k, schema.Position{Topic: schema.TopicRaw, Offset: 1})
			return err
		},
		"a ruleset": func(ctx context.Context) error {
			_, err := stream.Ruleset(ctx, k, &schema.SignatureVersion{RulesetHash: "x"})
			return err
		},
		"how far a group is": func(ctx context.Context) error {
			_, err := g.Behind(ctx, "g", schema.TopicRaw, map[int32]int64{0: 3})
			return err
		},
		"the lag of a group":     func(ctx context.Context) error { _, err := g.Lag(ctx, "g", schema.TopicRaw); return err },
		"what is to be repaired": func(ctx context.Context) error { _, err := v.Repair(ctx, found, 9); return err },
		"a follower": func(ctx context.Context) error {
			_, err := stream.NewFollowing(k).Current(ctx, time.Now())
			if err != nil && strings.Contains(err.Error(), "does not come") {
				return kerr.TopicAuthorizationFailed
			}
			return err
		},
	} {
		if err := ask(t.Context()); !errors.Is(err, kerr.TopicAuthorizationFailed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.Remove()
	for limit, want := range map[int]int{0: 0, 2: 2, 9: 3} {
		if n, err := v.Repair(t.Context(), found, limit); err != nil || n != want {
			t.Errorf("repaired %d of %d, want %d, %v", n, limit, want, err)
		}
	}
	var asked []string
	for _, r := range streamtest.Committed(t, k, schema.TopicReprocess, 5) {
		q, err := schema.Decode[schema.ReprocessRequest](r.Value)
		if err != nil || q.Reason != "verify" || !slices.Equal(q.Versions, []int32{1}) || q.CrashID != string(r.Key) {
			t.Errorf("%+v, %v", q, err)
		}
		asked = append(asked, fmt.Sprint(q.Raw.Topic, q.Raw.Offset))
	}
	if slices.Sort(asked); !slices.Equal(asked, []string{"crash.raw0", "crash.raw0", "crash.raw1", "crash.raw1", "crash.raw2"}) {
		t.Errorf("%q", asked)
	}
	kept, end, err := k.Keep()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	refused := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: schema.TopicRaw, Err: kerr.TopicAuthorizationFailed, Count: -1})
	if _, err := stream.RawAt(t.Context(), kept, schema.Position{Topic: schema.TopicRaw, Offset: 1}); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("a record that may not be read: %v", err)
	}
	refused.Remove()
	for _, offset := range []int64{2, 0, 1} {
		if r, err := stream.RawAt(t.Context(), kept, schema.Position{Topic: schema.TopicRaw, Offset: offset}); err != nil || r.Offset != offset {
			t.Errorf("offset %d: %v, %v", offset, r, err)
		}
	}
	// An operation is none when what it needs may not be read.
	for _, topic := range []string{schema.TopicVersions, schema.TopicRulesets} {
		h := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: topic, Err: kerr.TopicAuthorizationFailed, Count: 1})
		_, err := stream.Operate(t.Context(), k, func(now *schema.VersionEvent) (*schema.VersionEvent, error) {
			next := now.Clone()
			next.Versions[0].Ruleset, next.Versions[0].RulesetHash = []schema.RulesetFile{{Name: "a", Text: "b"}}, "hash"
			return next, nil
		})
		if !errors.Is(err, kerr.TopicAuthorizationFailed) || h.Hits() != 1 {
			t.Errorf("without %s: %v", topic, err)
		}
		h.Remove()
	}
	if e, err := stream.NewestVersions(t.Context(), k); err != nil || e.Versions[0].RulesetHash != "" {
		t.Errorf("%+v, %v", e, err)
	}
	// The brokers' answer about a group, and not only that there is one.
	broken := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeGroups}, Group: "g", Err: kerr.UnknownServerError, Count: -1})
	if members, err := g.Members(t.Context(), "g"); !errors.Is(err, kerr.UnknownServerError) {
		t.Errorf("%v, %v", members, err)
	}
	broken.Remove()
}

// A follower rides out what it cannot read, says so, and goes on with what it can.
func TestAFollowerRidesOutWhatItCannotRead(t *testing.T) {
	t.Parallel()
	k, c := streamtest.Broker(t, 1, schema.TopicVersions)
	versions(t, k, one)
	var log streamtest.Log
	k.Log = zerolog.New(&log)
	h := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.TopicAuthorizationFailed, Count: 1})
	f := streamtest.Following(t, k)
	if h.Hits() != 1 || f.Newest().Version(1) == nil {
		t.Errorf("refused %d times", h.Hits())
	}
	says(t, &log, `"level":"warn"`, "versions log not readable, trying again", "TOPIC_AUTHORIZATION_FAILED")
	put(t, k, schema.TopicVersions, "no event")
	says(t, &log, "versions log: offset 2: ")
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	if _, err := f.Current(t.Context(), time.Now()); !errors.As(err, new(*stream.AccessError)) || !strings.HasPrefix(err.Error(), "versions log: not allowed to READ topic crash.versions: ") {
		t.Error(err)
	}
}

// What may not be seen is said, and what is only hidden is a warning.
func TestWhatMayNotBeSeenIsTold(t *testing.T) {
	t.Parallel()
	k, c := cluster(t, 1)
	check := func(fault kfake.Fault) (out []string, err error) {
		t.Helper()
		fault.Count = -1
		h := c.Fault(fault)
		defer h.Remove()
		findings, err := stream.CheckTopics(t.Context(), k, stream.CheckOptions{AllowReplication1: true})
		for _, f := range findings {
			out = append(out, short(f)+": "+f.Mend)
		}
		return out, err
	}
	if got, err := check(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Resource: schema.TopicRaw, Err: kerr.TopicAuthorizationFailed}); err != nil || !slices.Equal(got, []string{"warning crash.raw settings=hidden: allow DESCRIBE_CONFIGS on topic crash.raw"}) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := check(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Resource: "0", Err: kerr.ClusterAuthorizationFailed}); err != nil || !slices.Equal(got, []string{"warning brokers settings=hidden: allow DESCRIBE_CONFIGS on the cluster"}) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := check(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Resource: "0", Err: kerr.UnknownServerError}); !errors.Is(err, kerr.UnknownServerError) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := check(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Resource: schema.TopicRaw, Err: kerr.UnknownServerError}); !errors.Is(err, kerr.UnknownServerError) || !strings.HasPrefix(err.Error(), "look at crash.raw: ") {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := check(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: schema.TopicTelemetry, Err: kerr.TopicAuthorizationFailed}); !errors.As(err, new(*stream.AccessError)) || !strings.HasPrefix(err.Error(), "not allowed to DESCRIBE topic crash.telemetry: ") {
		t.Errorf("%q, %v", got, err)
	}
	h := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: schema.TopicTelemetry, Err: kerr.TopicAuthorizationFailed, Count: -1})
	uses := func(topics ...string) (u stream.Uses) {
		for _, topic := range topics {
			u.Topics = append(u.Topics, stream.Use{Topic: topic, Read: true})
		}
		return u
	}
	if err := stream.CheckStart(t.Context(), k, uses(schema.TopicRaw, schema.TopicTelemetry)); !errors.As(err, new(*stream.AccessError)) || !strings.HasPrefix(err.Error(), "not allowed to READ topic crash.telemetry: ") {
		t.Error(err)
	}
	if err := stream.CheckStart(t.Context(), k, uses(schema.TopicRaw)); err != nil {
		t.Error(err)
	}
	h.Remove()
}

// Polls are put together to large batches while there is much to do, and every record is there
// once.
func TestLargeBatchesAreGathered(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, "in", "out", schema.TopicDeadLetter)
	p, err := k.Producer()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	const records = 40_000
	all := make([]*kgo.Record, records)
	for i := range all {
		all[i] = &kgo.Record{Topic: "in", Key: fmt.Append(nil, i), Value: []byte("value")}
	}
	if err := p.ProduceSync(t.Context(), all...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	tr := copying(k)
	var largest, worked atomic.Int64
	tr.Outputs, tr.MostPoll = nil, 9000
	tr.Work = func(context.Context, *kgo.Record) ([]*kgo.Record, error) { worked.Add(1); return nil, nil }
	done := make(chan struct{})
	tr.Rest = func(batch []*kgo.Record, _ time.Duration) time.Duration {
		largest.Store(max(largest.Load(), int64(len(batch))))
		if batch[len(batch)-1].Offset == records-1 {
			close(done)
		}
		return 0
	}
	stop := run(t, tr)
	select {
	case <-done:
	case <-time.After(60 * time.Second):
		t.Fatal("it does not end")
	}
	stop()
	if got := worked.Load(); got != records || largest.Load() <= 1000 || largest.Load() > 9000 {
		t.Errorf("%d records, at most %d at once", got, largest.Load())
	}
	if got := passedBy(t, k, "g", "in", records); got != records {
		t.Errorf("passed %d", got)
	}
}

// A request for what has expired since, for what is not of its version, and for what nobody
// can reach.
func TestRequestsThatComeToNothing(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, schema.TopicVersions, schema.TopicRaw, schema.TopicReprocess, schema.TopicHeal, schema.ProcessedTopic(1), schema.ProcessedTopic(schema.Archived), schema.TopicDeadLetter)
	versions(t, k, func(e *schema.VersionEvent) {
		e.Versions = []schema.SignatureVersion{{Number: 1, State: schema.StateLive, Share: 1, From: new(hour(2))}, {Number: 2, State: schema.StateArchived}}
	})
	f := streamtest.Following(t, k)
	sendRaw(t, k, 1, 2, 3, 4)
	p := processorOf(k, f, 1)
	streamtest.Run(t, p.Run)
	streamtest.Committed(t, k, schema.ProcessedTopic(1), 3)
	passedBy(t, k, schema.ProcessGroup(1), schema.TopicRaw, 4)
	streamtest.DeleteBefore(t, k, schema.TopicRaw, 0, 2)
	ask := func(n int, offset int64, versions ...int32) {
		r := request(t, 0, func(q *schema.ReprocessRequest) { q.CrashID, q.Raw.Offset, q.Versions = crashID(n), offset, versions })
		r.Key = []byte(crashID(n))
		streamtest.Put(t, k, r)
	}
	ask(2, 1, 1) // it has expired
	ask(2, 1, 2)
	ask(3, 3, 2) // another crash lies there
	ask(3, 2, 1)
	streamtest.Run(t, (&stream.Reprocessor{Processor: *p}).Run)
	a := &stream.Archivist{Processor: *processorOf(k, f, schema.Archived), Of: func(_ context.Context, _ *schema.SignatureVersion) (func(context.Context, stream.Input) (*schema.ProcessedCrash, error), error) {
		return func(context.Context, stream.Input) (*schema.ProcessedCrash, error) { return nil, errors.New("no") }, nil
	}}
	a.Log = zerolog.Nop()
	streamtest.Run(t, a.Run)
	ask(3, 2, 2) // it fails in the archived version
	ask(3, 2, 7) // of no version
	streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicReprocess, Value: []byte("no request")})
	if got := streamtest.Committed(t, k, schema.ProcessedTopic(1), 4); len(got) != 4 {
		t.Errorf("%d results", len(got))
	}
	var dead []string
	for _, r := range streamtest.Committed(t, k, schema.TopicDeadLetter, 5) {
		dead = append(dead, header(r, stream.HeaderSignatureVersion)+" "+header(r, stream.HeaderClass))
	}
	slices.Sort(dead)
	want := []string{"1 " + schema.DeadRawGone, "1 " + schema.DeadRequestBad, "2 " + schema.DeadProcess, "2 " + schema.DeadRawGone, "2 " + schema.DeadRequestBad}
	slices.Sort(want)
	if !slices.Equal(dead, want) {
		t.Errorf("%q, want %q", dead, want)
	}
}

// Records in a version's topic that are none of its crashes are counted where a sink has passed
// them, and one that has stopped is whole up to there.
func TestStrangeRecordsAreCounted(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, schema.TopicRaw, schema.ProcessedTopic(1), schema.TopicTelemetry, schema.TopicDeadLetter)
	sendRaw(t, k, 0, 1, 2)
	of := func(version int32, raw schema.Position) *kgo.Record {
		value, err := schema.Encode(&schema.ProcessedCrash{CrashID: crashID(int(raw.Offset)), ReceivedAt: hour(int(raw.Offset)), SignatureVersion: version, Raw: raw})
		if err != nil {
			t.Fatal(err)
		}
		return &kgo.Record{Topic: schema.ProcessedTopic(1), Key: []byte(crashID(int(raw.Offset))), Value: value}
	}
	raw := func(topic string, partition int32, offset int64) schema.Position {
		return schema.Position{Topic: topic, Partition: partition, Offset: offset}
	}
	streamtest.Put(t, k,
		of(1, raw(schema.TopicRaw, 0, 0)), of(1, raw(schema.TopicRaw, 0, 1)), of(2, raw(schema.TopicRaw, 0, 1)), of(1, raw("other", 0, 1)), of(1, raw(schema.TopicRaw, 1, 1)),
		&kgo.Record{Topic: schema.ProcessedTopic(1), Value: []byte("no crash")},
		&kgo.Record{Topic: schema.ProcessedTopic(1), Value: []byte("not stored yet")},
	)
	_, place := placed(t, k)
	place(schema.ProcessGroup(1), schema.TopicRaw, 2)
	place(schema.SinkGroup("s", 1), schema.ProcessedTopic(1), 6)
	letter := stream.DeadLetter(&kgo.Record{Topic: schema.ProcessedTopic(1), Offset: 5}, schema.DeadProcessedBad, "clickhouse", 1)
	holds := func(name string, v *stream.Verifier, want [4]int64) { // raw records, lag, strange ones, missing ones
		t.Helper()
		if err := v.Run(t.Context(), func(f *stream.Verified) error {
			if got := [4]int64{f.Raw, f.Lag, f.Strange, f.Missing.Count}; got != want {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	ended := func(offset int64) []schema.PartitionOffset {
		return []schema.PartitionOffset{{Partition: 0, Offset: offset}}
	}
	holds("a sink has come to them", &stream.Verifier{Kafka: k, Version: 1, Sink: "s"}, [4]int64{2, 1, 4, 0})
	streamtest.Put(t, k, letter)
	holds("one is dead", &stream.Verifier{Kafka: k, Version: 1, Sink: "s"}, [4]int64{2, 1, 3, 0})
	holds("nobody stores anything", &stream.Verifier{Kafka: k, Version: 1}, [4]int64{2, 1, 0, 0})
	holds("it has stopped with less", &stream.Verifier{Kafka: k, Version: 1, Ended: ended(1)}, [4]int64{1, 0, 4, 0})
	holds("it has stopped with more", &stream.Verifier{Kafka: k, Version: 1, Ended: ended(3)}, [4]int64{3, 0, 4, 1})
}
