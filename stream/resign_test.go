package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// ask appends requests for the raw crashes at these offsets of partition 0.
func ask(t *testing.T, k stream.Kafka, offsets ...int64) {
	t.Helper()
	for _, offset := range offsets {
		id := crashID(int(offset))
		value, err := schema.Encode(&schema.ReprocessRequest{CrashID: id, Raw: schema.Position{Topic: schema.TopicRaw, Offset: offset}})
		if err != nil {
			t.Fatal(err)
		}
		streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicReprocess, Key: []byte(id), Value: value})
	}
}

// endOf is where partition 0 of a topic ends.
func endOf(t *testing.T, k stream.Kafka, topic string) int64 {
	t.Helper()
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListCommittedOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup(topic, 0)
	return end.Offset
}

func resignerOf(k stream.Kafka, f *stream.Following, v *schema.SignatureVersion) *stream.Resigner {
	return &stream.Resigner{
		Kafka: k, Versions: f, Instance: "0", Version: v, Workers: stream.NewWorkers(2, 0.5), Log: zerolog.Nop(),
		Sign: func(c *schema.ProcessedCrash) error {
			c.SignatureVersion, c.Signature = v.Number, "again"
			return nil
		},
	}
}

// results are what a processed topic holds of each crash: revisions in their order, with
// an "a" behind those that were signed again.
func results(t *testing.T, k stream.Kafka, version int32, n int) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, r := range streamtest.Committed(t, k, schema.ProcessedTopic(version), n) {
		p, err := schema.Decode[schema.ProcessedCrash](r.Value)
		if err != nil || p.SignatureVersion != version || p.CrashID != string(r.Key) {
			t.Fatalf("%+v, %v", p, err)
		}
		text := fmt.Sprint(p.Revision)
		if p.Signature == "again" {
			text += "a"
		}
		out[p.CrashID] = append(out[p.CrashID], text)
	}
	return out
}

var pipeline = []string{
	schema.TopicVersions, schema.TopicRaw, schema.TopicReprocess, schema.TopicDeadLetter, schema.ProcessedTopic(1), schema.ProcessedTopic(2), schema.ProcessedTopic(3),
}

// A version that is made from another has every result once, of each crash in the order
// of the revisions: those before it began signed again, later ones made anew.
func TestSigningAgainAndProcessingMakeEveryResultOnce(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, pipeline...)
	versions(t, k, func(state *schema.VersionEvent) {
		one(state)
		state.Activation = schema.Activation{Epoch: 1, Ranges: []schema.ActiveRange{{From: schema.TimeBegin, To: schema.TimeEnd, SignatureVersion: 1, Epoch: 1}}}
	})
	f := streamtest.Following(t, k)
	sendRaw(t, k, 0, 1, 2, 3, 4, 5)
	base := processorOf(k, f, 1)
	streamtest.Run(t, base.Run)
	streamtest.Run(t, (&stream.Reprocessor{Processor: *base}).Run)
	ask(t, k, 1, 4)
	results(t, k, 1, 8)
	v2 := schema.SignatureVersion{
		Number: 2, State: schema.StateLive, Source: schema.SourceProcessed, Share: 0.5, Base: 1,
		Begins:   []schema.PartitionOffset{{Partition: 0, Offset: 3}},
		BaseEnds: []schema.PartitionOffset{{Partition: 0, Offset: endOf(t, k, schema.ProcessedTopic(1))}}, BaseRequests: []schema.PartitionOffset{{Partition: 0, Offset: 2}},
	}
	// What its base makes from now on is not signed again.
	sendRaw(t, k, 6)
	ask(t, k, 2, 4)
	results(t, k, 1, 11)
	versions(t, k, func(state *schema.VersionEvent) { state.Versions = append(state.Versions, v2) })
	if _, err := f.Current(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}

	ended := make(chan error, 1)
	go func() { ended <- resignerOf(k, f, &v2).Run(t.Context()) }()
	p := processorOf(k, f, 2)
	p.Begins = v2.Begins
	// Later requests wait for both: their loop begins first.
	streamtest.Run(t, (&stream.Reprocessor{Processor: *p, Of: &v2}).Run)
	streamtest.Run(t, p.Run)
	select {
	case err := <-ended:
		if !errors.Is(err, stream.ErrDone) {
			t.Fatal(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it is not done")
	}
	want := map[string][]string{
		crashID(0): {"0a"}, crashID(1): {"0a", "1a"}, crashID(2): {"0a", "3"}, crashID(3): {"0"}, crashID(4): {"0", "2a", "4"}, crashID(5): {"0"}, crashID(6): {"0"},
	}
	got := results(t, k, 2, 11)
	for id, revisions := range want {
		if !slices.Equal(got[id], revisions) {
			t.Errorf("%s has %q, want %q", id, got[id], revisions)
		}
	}
	if in := streamtest.Members(t, k, schema.ResignGroup(2)); in != 0 {
		t.Errorf("%d members are left", in)
	}
	if err := resignerOf(k, f, &v2).Run(t.Context()); !errors.Is(err, stream.ErrDone) {
		t.Errorf("begun again: %v", err)
	}
}

func TestSigningAgainLeavesOutOtherTimesAndBuriesWhatIsNoCrash(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, pipeline...)
	v2 := schema.SignatureVersion{
		Number: 2, State: schema.StateLive, Source: schema.SourceProcessed, Share: 1, Base: 1, From: new(hour(2)), To: new(hour(4)),
		Begins: []schema.PartitionOffset{{Partition: 0, Offset: 100}}, BaseEnds: []schema.PartitionOffset{{Partition: 0, Offset: 8}},
	}
	versions(t, k, func(state *schema.VersionEvent) { state.Versions = []schema.SignatureVersion{v2} })
	f := streamtest.Following(t, k)
	for n := range 5 {
		value, err := schema.Encode(&schema.ProcessedCrash{CrashID: crashID(n), ReceivedAt: hour(n), SignatureVersion: 1, Raw: schema.Position{Topic: schema.TopicRaw, Offset: int64(n)}})
		if err != nil {
			t.Fatal(err)
		}
		streamtest.Put(t, k, &kgo.Record{Topic: schema.ProcessedTopic(1), Key: []byte(crashID(n)), Value: value})
	}
	for _, n := range []int{6, 7, 2} {
		streamtest.Put(t, k, &kgo.Record{Topic: schema.ProcessedTopic(1), Key: []byte(crashID(n)), Value: []byte("no crash")})
	}
	r := resignerOf(k, f, &v2)
	sign := r.Sign
	r.Sign = func(c *schema.ProcessedCrash) error {
		if c.CrashID == crashID(3) {
			panic("a bug")
		}
		return sign(c)
	}
	if err := r.Run(t.Context()); !errors.Is(err, stream.ErrDone) {
		t.Fatal(err)
	}
	if got := results(t, k, 2, 1); len(got) != 1 || len(got[crashID(2)]) != 1 {
		t.Errorf("%q", got)
	}
	var classes []string
	for _, dead := range streamtest.Committed(t, k, schema.TopicDeadLetter, 4) {
		l, err := stream.ReadLetter(dead)
		if err != nil || l.Stage != "resign" || l.SignatureVersion != 2 || l.From.Topic != schema.ProcessedTopic(1) {
			t.Errorf("%+v, %v", l, err)
		}
		classes = append(classes, l.Class)
	}
	slices.Sort(classes)
	if want := []string{schema.DeadPanic, schema.DeadProcessedBad, schema.DeadProcessedBad, schema.DeadProcessedBad}; !slices.Equal(classes, want) {
		t.Errorf("%q", classes)
	}
}

// What no raw crash has led to is there from nowhere else, whatever its position says.
func TestCrashesThatWereMadeUpAreSignedAgain(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, pipeline...)
	v2 := schema.SignatureVersion{
		Number: 2, State: schema.StateLive, Source: schema.SourceProcessed, Share: 1, Base: 1,
		Begins: []schema.PartitionOffset{{Partition: 0, Offset: 1}}, BaseEnds: []schema.PartitionOffset{{Partition: 0, Offset: 2}},
	}
	versions(t, k, func(state *schema.VersionEvent) { state.Versions = []schema.SignatureVersion{v2} })
	for n, topic := range []string{schema.TopicRaw, "crash.generated"} {
		value, err := schema.Encode(&schema.ProcessedCrash{CrashID: crashID(n), ReceivedAt: hour(n), SignatureVersion: 1, Raw: schema.Position{Topic: topic, Offset: 5}})
		if err != nil {
			t.Fatal(err)
		}
		streamtest.Put(t, k, &kgo.Record{Topic: schema.ProcessedTopic(1), Key: []byte(crashID(n)), Value: value})
	}
	if err := resignerOf(k, streamtest.Following(t, k), &v2).Run(t.Context()); !errors.Is(err, stream.ErrDone) {
		t.Fatal(err)
	}
	if got := results(t, k, 2, 1); len(got) != 1 || len(got[crashID(1)]) != 1 {
		t.Errorf("%q", got)
	}
}

// What was made of a version that is dropped by now is made: nobody waits for its topic.
func TestABaseThatIsDroppedIsDone(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, schema.TopicVersions, schema.TopicRaw, schema.TopicReprocess, schema.TopicHeal, schema.TopicDeadLetter, schema.ProcessedTopic(2))
	v2 := schema.SignatureVersion{
		Number: 2, State: schema.StateLive, Source: schema.SourceProcessed, Share: 1, Base: 1, BaseEnds: []schema.PartitionOffset{{Partition: 0, Offset: 8}},
	}
	versions(t, k, func(state *schema.VersionEvent) {
		state.Versions = []schema.SignatureVersion{{Number: 1, State: schema.StateDropped}, v2}
	})
	f := streamtest.Following(t, k)
	if err := resignerOf(k, f, &v2).Run(t.Context()); !errors.Is(err, stream.ErrDone) {
		t.Error(err)
	}
	sendRaw(t, k, 0)
	p := processorOf(k, f, 2)
	streamtest.Run(t, p.Run)
	streamtest.Run(t, (&stream.Reprocessor{Processor: *p, Of: &v2}).Run)
	ask(t, k, 0)
	if got := results(t, k, 2, 2)[crashID(0)]; !slices.Equal(got, []string{"0", "1"}) {
		t.Errorf("%q", got)
	}
}

// A re-sign that is paused signs nothing, and stops when its process does.
func TestPausedSigningAgainWaits(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, pipeline...)
	v2 := schema.SignatureVersion{
		Number: 2, State: schema.StateLive, Source: schema.SourceProcessed, Share: 1, Paused: true, Base: 1,
		Begins: []schema.PartitionOffset{{Partition: 0, Offset: 100}}, BaseEnds: []schema.PartitionOffset{{Partition: 0, Offset: 1}},
	}
	versions(t, k, func(state *schema.VersionEvent) { state.Versions = []schema.SignatureVersion{v2} })
	f := streamtest.Following(t, k)
	value, err := schema.Encode(&schema.ProcessedCrash{CrashID: crashID(1), SignatureVersion: 1, Raw: schema.Position{Topic: schema.TopicRaw}})
	if err != nil {
		t.Fatal(err)
	}
	streamtest.Put(t, k, &kgo.Record{Topic: schema.ProcessedTopic(1), Key: []byte(crashID(1)), Value: value})
	r := resignerOf(k, f, &v2)
	r.Workers.Follow(f.Newest())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	if got := streamtest.Committed(t, k, schema.ProcessedTopic(2), 0); len(got) != 0 {
		t.Errorf("%d signed", len(got))
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("stopped: %v", err)
	}
	resumed := f.Newest().Clone()
	resumed.Versions[0].Paused = false
	r.Workers.Follow(resumed)
	if err := r.Run(t.Context()); !errors.Is(err, stream.ErrDone) {
		t.Error(err)
	}
	if got := streamtest.Committed(t, k, schema.ProcessedTopic(2), 1); len(got) != 1 {
		t.Errorf("%d signed", len(got))
	}
}
