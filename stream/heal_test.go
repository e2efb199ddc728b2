package stream_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// A crash that lacked symbols for a while is asked for again when the sources are well, and
// not for ever.
func TestWhatLackedSymbolsForAWhileIsHealed(t *testing.T) {
	t.Parallel()
	stream.HealPause(t, 5*time.Millisecond)
	k, _ := streamtest.Broker(t, 1, schema.TopicRaw, schema.TopicReprocess, schema.TopicHeal, schema.ProcessedTopic(1), schema.TopicDeadLetter)
	for n := range 3 {
		id, value := rawCrash(t, n, schema.Dump{Name: "other", Encoding: schema.EncodingNone})
		streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(id), Value: value})
	}
	var well atomic.Bool
	p := stream.Processor{
		Kafka: k, Instance: "0", Version: 1, Workers: stream.NewWorkers(2, 0.5), Log: zerolog.Nop(),
		Process: func(_ context.Context, in stream.Input) (*schema.ProcessedCrash, error) {
			out := &schema.ProcessedCrash{CrashID: in.Raw.CrashID, SignatureVersion: 1, Revision: in.Revision, Raw: in.Position}
			switch in.Position.Offset {
			case 0: // heals
				out.Modules = []schema.Module{{Symbols: "missing"}, {Symbols: "timeout"}}
				if well.Load() {
					out.Modules[1].Symbols = "found"
				}
			case 1: // never does
				out.Notes = []schema.Note{{Code: schema.NoteSymbolsTransient}}
			}
			return out, nil
		},
	}
	again := &stream.Reprocessor{Processor: p}
	healer := &stream.Healer{Kafka: k, Instance: "0", Well: func(context.Context) bool { return well.Load() }, Log: zerolog.Nop()}
	streamtest.Run(t, p.Run)
	streamtest.Run(t, again.Run)
	streamtest.Run(t, healer.Run)
	streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicHeal, Key: []byte("x"), Value: []byte("no request")})
	if got := streamtest.Committed(t, k, schema.TopicReprocess, 0); len(got) > 0 {
		t.Errorf("%d requests while the sources are not well", len(got))
	}
	well.Store(true)
	var attempts []string
	for _, r := range streamtest.Committed(t, k, schema.TopicReprocess, 1+5) {
		q, err := schema.Decode[schema.ReprocessRequest](r.Value)
		if err != nil || !slices.Equal(q.Versions, []int32{1}) {
			t.Fatal(err, q)
		}
		attempts = append(attempts, fmt.Sprint(q.Raw.Offset, ":", q.Attempt))
	}
	slices.Sort(attempts)
	if want := []string{"0:1", "1:1", "1:2", "1:3", "1:4", "1:5"}; !slices.Equal(attempts, want) {
		t.Errorf("asked %q, want %q", attempts, want)
	}
	if got := streamtest.Committed(t, k, schema.ProcessedTopic(1), 3+6); len(got) != 9 {
		t.Errorf("%d results", len(got))
	}
	if dead := streamtest.Committed(t, k, schema.TopicDeadLetter, 1); len(dead) != 1 || header(dead[0], stream.HeaderClass) != schema.DeadRequestBad {
		t.Errorf("%d dead letters", len(dead))
	}
}

// What has time is not waited for by what comes before it.
func TestAHealWaitsItsTime(t *testing.T) {
	stream.HealPause(t, time.Minute)
	k, _ := streamtest.Broker(t, 1, schema.TopicReprocess, schema.TopicHeal, schema.TopicDeadLetter)
	put := func(n int, age time.Duration, attempt int32) {
		r := request(t, n, func(r *schema.ReprocessRequest) { r.Attempt = attempt })
		r.Topic, r.Timestamp = schema.TopicHeal, time.Now().Add(-age)
		streamtest.Put(t, k, r)
	}
	put(1, time.Hour, 1)
	put(2, 24*time.Minute, 2) // 5 minutes
	put(3, 26*time.Minute, 3) // 25 minutes
	put(4, 24*time.Minute, 3)
	healer := &stream.Healer{Kafka: k, Instance: "0", Well: func(context.Context) bool { return true }, Log: zerolog.Nop()}
	streamtest.Run(t, healer.Run)
	if got := streamtest.Committed(t, k, schema.TopicReprocess, 3); len(got) != 3 {
		t.Errorf("%d requests", len(got))
	}
}

// A request for what is beyond the end of the raw topic, which was made anew, is a dead
// letter: nobody would ever come to it.
func TestRequestsBeyondTheEndAreDeadLettered(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, schema.TopicRaw, schema.TopicReprocess, schema.TopicHeal, schema.ProcessedTopic(1), schema.TopicDeadLetter)
	id, value := rawCrash(t, 0, schema.Dump{Name: "other", Encoding: schema.EncodingNone})
	streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(id), Value: value})
	streamtest.Put(t, k, request(t, 1, nil), request(t, 2, func(r *schema.ReprocessRequest) { r.Raw.Partition = 9 }), request(t, 0, nil))
	p := *processorOf(k, nil, 1)
	again := &stream.Reprocessor{Processor: p}
	streamtest.Run(t, p.Run)
	streamtest.Run(t, again.Run)
	if got := streamtest.Committed(t, k, schema.ProcessedTopic(1), 2); len(got) != 2 {
		t.Errorf("%d results", len(got))
	}
	for _, r := range streamtest.Committed(t, k, schema.TopicDeadLetter, 2) {
		if got := header(r, stream.HeaderClass); got != schema.DeadRawGone {
			t.Error(got)
		}
	}
}
