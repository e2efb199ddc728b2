package sinks

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream/streamtest"
)

// slowPoll lets the poll that gives one record last until the batch is too old.
type slowPoll struct{ offset int64 }

func (s slowPoll) OnFetchRecordUnbuffered(r *kgo.Record, polled bool) {
	if polled && r.Offset == s.offset {
		time.Sleep(maxAge + 50*time.Millisecond)
	}
}

// A record that a poll gives at the moment at which the batch is old enough is in it: the
// client has passed it, and the next commit would too.
func TestWhatComesAsABatchIsFullIsInIt(t *testing.T) {
	topic := schema.ProcessedTopic(1)
	k, _ := streamtest.Broker(t, 1, topic)
	k.Log = zerolog.Nop()
	cl, err := kgo.NewClient(append(k.Options(), kgo.ConsumeTopics(topic), kgo.WithHooks(slowPoll{1}))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	put := func(n int) {
		id := fmt.Sprintf("%08x-0000-4000-8000-000000261122", n)
		value, err := schema.Encode(&schema.ProcessedCrash{CrashID: id, SignatureVersion: 1})
		if err != nil {
			t.Error(err)
		}
		streamtest.Put(t, k, &kgo.Record{Topic: topic, Key: []byte(id), Value: value})
	}
	o := Options{Kafka: k, Version: 1, losses: k.NewLosses("g", topic, k.Log)}
	put(0)
	second := make(chan struct{})
	go func() {
		defer close(second)
		time.Sleep(maxAge / 2) // when the first is in the batch
		put(1)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for next := 0; next < 2; {
		b, err := o.collect(ctx, cl)
		if err != nil {
			t.Fatalf("after %d records: %v", next, err)
		}
		for _, r := range b.records {
			if r.Offset != int64(next) {
				t.Fatalf("offset %d, want %d", r.Offset, next)
			}
			next++
		}
	}
	<-second
}
