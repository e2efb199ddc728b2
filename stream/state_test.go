package stream_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// sendRaw appends raw crashes that were received at the hours of their numbers, of which
// thousands do not count.
func sendRaw(t *testing.T, k stream.Kafka, numbers ...int) {
	t.Helper()
	for _, n := range numbers {
		value, err := schema.Encode(&schema.RawCrash{CrashID: crashID(n), ReceivedAt: hour(n)})
		if err != nil {
			t.Fatal(err)
		}
		streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(crashID(n)), Value: value, Timestamp: hour(n)})
	}
}

func hour(n int) time.Time {
	return time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC).Add(time.Duration(n%1000) * time.Hour)
}

// processorOf is a version's, which copies.
func processorOf(k stream.Kafka, f *stream.Following, version int32) *stream.Processor {
	return &stream.Processor{
		Kafka: k, Versions: f, Instance: "0", Version: version, Workers: stream.NewWorkers(2, 0.5), Log: zerolog.Nop(),
		Process: func(_ context.Context, in stream.Input) (*schema.ProcessedCrash, error) {
			return &schema.ProcessedCrash{CrashID: in.Raw.CrashID, ReceivedAt: in.Raw.ReceivedAt, Raw: in.Position, SignatureVersion: version, Revision: in.Revision}, nil
		},
	}
}

func ids(numbers ...int) []string {
	var out []string
	for _, n := range numbers {
		out = append(out, crashID(n))
	}
	return out
}

// shows is an activation that shows version 1 until an hour and version 2 from then on.
func shows(epoch int64, until int) schema.Activation {
	return schema.Activation{Epoch: epoch, Ranges: []schema.ActiveRange{
		{From: schema.TimeBegin, To: hour(until), SignatureVersion: 1, Epoch: 1},
		{From: hour(until), To: schema.TimeEnd, SignatureVersion: 2, Epoch: epoch},
	}}
}

func TestAVersionProcessesWhatItsStateSays(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		version schema.SignatureVersion
		want    []string
	}{
		"live":               {schema.SignatureVersion{State: schema.StateLive}, ids(1, 2, 3, 4)},
		"live from a time":   {schema.SignatureVersion{State: schema.StateLive, From: new(hour(2))}, ids(2, 3, 4)},
		"live until a time":  {schema.SignatureVersion{State: schema.StateLive, To: new(hour(2))}, ids(1)},
		"narrowed":           {schema.SignatureVersion{State: schema.StateNarrowed}, ids(1, 2)},
		"narrowed to a hole": {schema.SignatureVersion{State: schema.StateNarrowed, From: new(hour(9))}, ids(1, 2)},
	} {
		t.Run(name, func(t *testing.T) {
			k, _ := streamtest.Broker(t, 2, schema.TopicVersions, schema.TopicRaw, schema.ProcessedTopic(1), schema.TopicDeadLetter)
			versions(t, k, func(state *schema.VersionEvent) {
				tc.version.Number = 1
				state.Versions, state.Activation = []schema.SignatureVersion{tc.version}, shows(2, 3)
			})
			sendRaw(t, k, 1, 2, 3, 4)
			streamtest.Run(t, processorOf(k, streamtest.Following(t, k), 1).Run)
			if got := streamtest.Keys(streamtest.Committed(t, k, schema.ProcessedTopic(1), len(tc.want))); !slices.Equal(got, tc.want) {
				t.Errorf("processed %q, want %q", got, tc.want)
			}
			if got := passedBy(t, k, schema.ProcessGroup(1), schema.TopicRaw, 4); got != 4 {
				t.Errorf("%d records are passed, want 4", got)
			}
		})
	}
}

// A member whose version is held is about to be told. Until then it passes nothing.
func TestAHeldVersionPassesNothing(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, schema.TopicVersions, schema.TopicRaw, schema.ProcessedTopic(1), schema.TopicDeadLetter)
	versions(t, k, one)
	f := streamtest.Following(t, k)
	streamtest.Run(t, processorOf(k, f, 1).Run)
	sendRaw(t, k, 1)
	passedBy(t, k, schema.ProcessGroup(1), schema.TopicRaw, 1)
	versions(t, k, func(state *schema.VersionEvent) { state.Versions[0].State = schema.StateHeld })
	if _, err := f.Current(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicRaw, Value: []byte("for the dead letters")})
	sendRaw(t, k, 2)
	if got := streamtest.Committed(t, k, schema.ProcessedTopic(1), 1); len(got) != 1 {
		t.Errorf("%d processed, want 1", len(got))
	}
	if got := passedBy(t, k, schema.ProcessGroup(1), schema.TopicRaw, 1); got != 1 {
		t.Errorf("%d records are passed, want 1", got)
	}
	versions(t, k, one)
	if got := streamtest.Committed(t, k, schema.ProcessedTopic(1), 2); len(got) != 2 {
		t.Errorf("%d processed, want 2", len(got))
	}
	streamtest.Committed(t, k, schema.TopicDeadLetter, 1)
}

// A group that never committed anything, or whose offsets expired, begins where its
// version began and not at the log's start.
func TestAGroupWithoutOffsetsBeginsWhereItsVersionBegan(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, schema.TopicVersions, schema.TopicRaw, schema.ProcessedTopic(1), schema.TopicDeadLetter)
	sendRaw(t, k, 0, 1, 2, 3)
	p := processorOf(k, nil, 1)
	p.Begins = []schema.PartitionOffset{{Partition: 0, Offset: 2}}
	stop := streamtest.Run(t, p.Run)
	if got := streamtest.Keys(streamtest.Committed(t, k, schema.ProcessedTopic(1), 2)); !slices.Equal(got, ids(2, 3)) {
		t.Fatalf("processed %q", got)
	}
	stop()
	sendRaw(t, k, 4)
	streamtest.Run(t, p.Run) // what is committed counts
	if got := streamtest.Keys(streamtest.Committed(t, k, schema.ProcessedTopic(1), 3)); !slices.Equal(got, ids(2, 3, 4)) {
		t.Fatalf("processed %q", got)
	}
}

// passedBy waits until a group has passed so many records of a topic, and returns how
// many it has.
func passedBy(t *testing.T, k stream.Kafka, group, topic string, n int64) int64 {
	t.Helper()
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		offsets, err := kadm.NewClient(cl).FetchOffsetsForTopics(t.Context(), group, topic)
		// A group that no member has joined yet has passed nothing.
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			t.Fatal(err)
		}
		var sum int64
		offsets.Each(func(o kadm.OffsetResponse) { sum += max(o.At, 0) })
		if sum >= n || time.Now().After(end) {
			return sum
		}
	}
}

// A replay that is paused stays in its group, and lets pass what is seen in its version.
func TestAPausedReplayWaits(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, schema.TopicVersions, schema.TopicRaw, schema.ProcessedTopic(2), schema.TopicDeadLetter)
	versions(t, k, func(state *schema.VersionEvent) {
		state.Versions = []schema.SignatureVersion{{Number: 2, State: schema.StateLive, Share: 0.5, Paused: true}}
		state.Activation = shows(2, 3)
	})
	f := streamtest.Following(t, k)
	p := processorOf(k, f, 2)
	following := streamtest.Run(t, func(ctx context.Context) error { f.Each(ctx, p.Workers.Follow); return nil })
	defer following()
	for !p.Workers.Paused(2) {
		time.Sleep(time.Millisecond)
	}
	sendRaw(t, k, 3, 1)
	stop := streamtest.Run(t, p.Run)
	if got := streamtest.Keys(streamtest.Committed(t, k, schema.ProcessedTopic(2), 0)); len(got) > 1 {
		t.Errorf("processed %q", got)
	}
	if in := streamtest.Members(t, k, schema.ProcessGroup(2)); in != 1 {
		t.Errorf("%d members", in)
	}
	stop() // it ends all the same
	stop = streamtest.Run(t, p.Run)
	versions(t, k, func(state *schema.VersionEvent) { state.Versions[0].Paused = false })
	if got := streamtest.Keys(streamtest.Committed(t, k, schema.ProcessedTopic(2), 2)); !slices.Equal(got, ids(1, 3)) {
		t.Errorf("processed %q", got)
	}
	stop()
}
