package stream_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// A crash whose symbols have come is not processed again before they are known.
func TestARequestWaitsForWhatHasArrived(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, schema.TopicRaw, schema.TopicReprocess, schema.TopicSymbols, schema.ProcessedTopic(1), schema.TopicDeadLetter)
	id, value := rawCrash(t, 0, schema.Dump{Name: "other", Encoding: schema.EncodingNone})
	streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(id), Value: value})
	event := schema.SymbolsEvent{DebugFile: "app.pdb", DebugID: "A1", SHA256: "12", Reason: schema.SymbolsUpload}
	if err := stream.Announce(t.Context(), k, []schema.SymbolsEvent{event, event}); err != nil {
		t.Fatal(err)
	}
	streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicSymbols, Key: []byte("x"), Value: []byte("no event")})
	arrivals := stream.NewArrivals(k)
	var known atomic.Int64
	p := stream.Processor{
		Kafka: k, Instance: "0", Version: 1, Workers: stream.NewWorkers(2, 0.5), Arrivals: arrivals, Log: zerolog.Nop(),
		Process: func(_ context.Context, in stream.Input) (*schema.ProcessedCrash, error) {
			if in.Revision > 0 && known.Load() < 2 {
				t.Error("processed before it was known what has come")
			}
			return &schema.ProcessedCrash{CrashID: in.Raw.CrashID, Revision: in.Revision, Raw: in.Position}, nil
		},
	}
	again := &stream.Reprocessor{Processor: p}
	streamtest.Run(t, p.Run)
	streamtest.Run(t, again.Run)
	requests := []schema.ReprocessRequest{{CrashID: id, Raw: schema.Position{Topic: schema.TopicRaw}}}
	if err := stream.RequestSymbols(t.Context(), k, requests, 2); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // long enough for it to be processed wrongly
	if n := len(streamtest.Committed(t, k, schema.ProcessedTopic(1), 1)); n != 1 {
		t.Errorf("%d results before anybody has heard of the symbols", n)
	}
	streamtest.Run(t, func(ctx context.Context) error {
		arrivals.Run(ctx, func(e *schema.SymbolsEvent, at time.Time) {
			if *e != event || time.Since(at) > time.Minute {
				t.Errorf("%+v at %v", e, at)
			}
			known.Add(1)
		})
		return nil
	})
	if n := len(streamtest.Committed(t, k, schema.ProcessedTopic(1), 2)); n != 2 || known.Load() != 2 {
		t.Errorf("%d results, %d events", n, known.Load())
	}
	// Of a log that was made anew since: nobody would ever come so far.
	if err := stream.RequestSymbols(t.Context(), k, requests, 1000); err != nil {
		t.Fatal(err)
	}
	if n := len(streamtest.Committed(t, k, schema.ProcessedTopic(1), 3)); n != 3 {
		t.Errorf("%d results", n)
	}
}
