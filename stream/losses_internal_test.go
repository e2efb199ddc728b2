package stream

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/schema"
)

// A partition whose offset is out of range rests until an operator has set another one.
func TestAPartitionRestsUntilSomebodyHasDecided(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "t"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	r := prometheus.NewRegistry()
	k := Kafka{Brokers: c.ListenAddrs(), Metrics: NewKafkaMetrics(r)}
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	place := func(partition int32, offset int64) {
		t.Helper()
		var offsets kadm.Offsets
		offsets.AddOffset("t", partition, offset, -1)
		if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), "g", offsets); err != nil {
			t.Fatal(err)
		}
	}
	place(1, 7)
	var log strings.Builder
	l := k.NewLosses("g", "t", zerolog.New(&log))
	out := func(partition int32) error {
		return l.Look(t.Context(), t.Context(), cl, kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: "t", Partitions: []kgo.FetchPartition{{Partition: partition, Err: kerr.OffsetOutOfRange}}}}}})
	}
	refuse := func() *kfake.FaultHandle {
		return c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.GroupAuthorizationFailed, Count: 1})
	}
	refuse()
	if err := out(1); !errors.Is(err, kerr.GroupAuthorizationFailed) || l.Err() != nil {
		t.Errorf("nobody knows where it was: %v", err)
	}
	for _, partition := range []int32{1, 1, 2} {
		if err := out(partition); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.parts) != 2 || l.parts[1] != 7 || l.parts[2] != -1 || strings.Count(log.String(), "this partition rests") != 2 || !strings.Contains(log.String(), `"level":"error","error":"records are gone that were never consumed","group":"g","topic":"t","partition":1,"offset":7`) {
		t.Errorf("%v\n%s", l.parts, &log)
	}
	gauge := func(want string) {
		t.Helper()
		if got := counted(t, r); strings.Contains(got, "kafka_lost_partitions g") != (want != "") || !strings.Contains(got, want) {
			t.Errorf("%s, want %q", got, want)
		}
	}
	gauge("kafka_lost_partitions g 2")
	look := func() error {
		l.asked = time.Now().Add(-lossLook)
		return l.Look(t.Context(), t.Context(), cl, nil)
	}
	if err := look(); err != nil || time.Since(l.asked) > lossLook/2 {
		t.Errorf("nobody has decided: %v", err)
	}
	h := refuse()
	if err := look(); err != nil || h.Hits() != 1 {
		t.Errorf("nobody can tell: %v", err)
	}
	place(1, 9)
	if err := l.Look(t.Context(), t.Context(), cl, nil); err != nil {
		t.Errorf("it is asked for each five seconds: %v", err)
	}
	gauge("kafka_lost_partitions g 2")
	if err := look(); !Repaired(err) {
		t.Errorf("somebody has decided: %v", err)
	}
	gauge("")
}

// What was produced lately is read back once of a partition, or nothing is produced.
func TestWhatWasProducedLatelyIsReadBack(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "out", "other"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	k := Kafka{Brokers: c.ListenAddrs()}
	p, err := kgo.NewClient(append(k.Options(), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	add := func(topic string, partition int32, ids ...string) {
		t.Helper()
		for _, id := range ids {
			if err := p.ProduceSync(t.Context(), Identify(&kgo.Record{Topic: topic, Partition: partition}, id)).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	add("out", 0, "0", "1", "2", "3")
	add("other", 0, "4")
	add("out", 1, "5")
	r := &recent{tail: 2}
	inputs := []*kgo.Record{{Partition: 0}, {Partition: 0}}
	for _, kind := range []kmsg.Key{kmsg.ListOffsets, kmsg.Fetch} {
		h := c.Fault(kfake.Fault{Keys: []kmsg.Key{kind}, Topic: "other", Err: kerr.TopicAuthorizationFailed, Count: -1})
		if err := r.load(t.Context(), k, []string{"out", "other"}, inputs); !errors.Is(err, kerr.TopicAuthorizationFailed) || !strings.HasPrefix(err.Error(), "what was produced lately: end of other: ") || len(r.windows) != 0 {
			t.Errorf("%v, %v", r.windows, err)
		}
		h.Remove()
	}
	if err := r.load(t.Context(), k, []string{"out", "other"}, inputs); err != nil || len(r.windows) != 1 {
		t.Fatalf("%v, %v", r.windows, err)
	}
	for id, want := range map[string]bool{"0": false, "1": false, "2": true, "3": true, "4": true, "5": false} {
		if r.windows[0].has(id) != want {
			t.Errorf("%s is known: %v", id, !want)
		}
	}
	add("out", 0, "6")
	if err := r.load(t.Context(), k, []string{"out", "other"}, inputs); err != nil || r.windows[0].has("6") {
		t.Errorf("read back twice: %v", err)
	}
	if err := r.load(t.Context(), k, []string{"out"}, append(inputs, &kgo.Record{Partition: 1})); err != nil || !r.windows[1].has("5") || r.windows[0].has("6") {
		t.Errorf("of a partition that came: %v", err)
	}
}

// How far the raw pass has come is asked for when it is not known, and what nobody can come to
// is gone.
func TestARequestWaitsForTheRawPass(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, schema.TopicRaw))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	k := Kafka{Brokers: c.ListenAddrs()}
	cl, err := kgo.NewClient(append(k.Options(), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	for range 5 {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: schema.TopicRaw}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	var offsets kadm.Offsets
	offsets.AddOffset(schema.TopicRaw, 0, 3, -1)
	if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), "g", offsets); err != nil {
		t.Fatal(err)
	}
	p := &passed{admin: kadm.NewClient(cl), group: "g"}
	at := func(partition int32, offset int64) error {
		return p.wait(t.Context(), schema.Position{Topic: schema.TopicRaw, Partition: partition, Offset: offset})
	}
	for _, kind := range []kmsg.Key{kmsg.OffsetFetch, kmsg.ListOffsets} {
		fault := kfake.Fault{Keys: []kmsg.Key{kind}, Err: kerr.TopicAuthorizationFailed, Count: 1}
		if kind == kmsg.OffsetFetch {
			fault.Err = kerr.GroupAuthorizationFailed
		}
		c.Fault(fault)
		if err := at(0, 2); !errors.As(err, new(*AccessError)) || p.offsets != nil {
			t.Errorf("%v: %v", kmsg.NameForKey(int16(kind)), err)
		}
	}
	var waiting *PassingError
	if err := at(0, 2); err != nil {
		t.Errorf("it is passed: %v", err)
	}
	if err := at(0, 3); !errors.As(err, &waiting) || !waiting.Expected || waiting.Error() != "g has not come to partition 0 offset 3" {
		t.Errorf("it is not: %v", err)
	}
	if err := at(0, 4); !errors.As(err, &waiting) {
		t.Errorf("the last one: %v", err)
	}
	for partition, offset := range map[int32]int64{0: 5, 1: 0, 9: 0} {
		if err := at(partition, offset); !errors.Is(err, ErrGone) || errors.As(err, new(*PassingError)) {
			t.Errorf("partition %d offset %d: %v", partition, offset, err)
		}
	}
	asked := p.asked
	if err := at(0, 1); err != nil || p.asked != asked {
		t.Errorf("asked for what is known: %v", err)
	}
	// A result that somebody had asked for is signed again behind the raw pass, or when that never
	// comes to its crash.
	signer := &Resigner{
		Version:  &schema.SignatureVersion{Number: 3, BaseEnds: []schema.PartitionOffset{{Partition: 0, Offset: 50}}, BaseRequests: []schema.PartitionOffset{{Partition: 0, Offset: 4}}},
		Versions: hasSeen(several()), Workers: NewWorkers(1, 1), Sign: func(*schema.ProcessedCrash) error { return nil }, passed: passed{admin: p.admin, group: "g"},
	}
	for offset, want := range map[int64]int{2: 1, 3: 0, 9: 1} {
		value, err := schema.Encode(&schema.ProcessedCrash{CrashID: "id", ReceivedAt: day(6), Revision: 2, Raw: schema.Position{Topic: schema.TopicRaw, Offset: offset}})
		if err != nil {
			t.Fatal(err)
		}
		out, err := signer.work(t.Context(), &kgo.Record{Offset: 7, Key: []byte("id"), Value: value})
		if len(out) != want || (err == nil) != (want == 1) || err != nil && !errors.As(err, &waiting) {
			t.Errorf("offset %d: %v, %v", offset, out, err)
		}
	}
	// Who gives up reading has not read all.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.read(ctx, schema.TopicRaw, map[int32]Span{0: {0, 5}}, maxSilence, func(*kgo.Record) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	v := &schema.SignatureVersion{Number: 2, Base: 1, BaseEnds: []schema.PartitionOffset{{Partition: 0, Offset: 5}}}
	r := &resigning{admin: kadm.NewClient(cl), version: v}
	for _, none := range []*schema.SignatureVersion{nil, {Number: 2}} {
		if err := (&resigning{version: none}).wait(t.Context()); err != nil {
			t.Errorf("nothing is signed again: %v", err)
		}
	}
	// The base's topic is not there: that passes.
	if err := r.wait(t.Context()); !errors.As(err, &waiting) || waiting.Expected || r.done {
		t.Errorf("%v", err)
	}
	r.asked = time.Now()
	if err := r.wait(t.Context()); !errors.As(err, &waiting) || !waiting.Expected || waiting.Error() != "resign.v2 is not done" {
		t.Errorf("%v", err)
	}
	if r.done = true; r.wait(t.Context()) != nil {
		t.Error("it is done")
	}
}
