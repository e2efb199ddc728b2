package sinks

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
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
		b, err := o.collect(ctx, cl, o.source())
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

// A batch has as many rows as it may, and not one more.
func TestABatchHasAtMostSoManyRows(t *testing.T) {
	t.Parallel()
	topic := schema.ProcessedTopic(1)
	k, _ := streamtest.Broker(t, 1, topic)
	p, err := k.Producer()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	const all = maxRows + 300
	records := make([]*kgo.Record, all)
	for i := range records {
		records[i] = &kgo.Record{Topic: topic, Value: []byte("none")}
	}
	if err := p.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(append(k.Options(), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	o := Options{Kafka: k, Version: 1, losses: k.NewLosses("g", topic, k.Log)}
	most := 0
	for got := 0; got < all; {
		b, err := o.collect(t.Context(), cl, o.source())
		if err != nil {
			t.Fatal(err)
		}
		got += len(b.records)
		most = max(most, len(b.records))
	}
	if most > 20_000 {
		t.Errorf("a batch of %d records", most)
	}
	if maxBytes != 16<<20 || maxAge != 300*time.Millisecond {
		t.Errorf("a batch may have %d bytes and wait for %v", maxBytes, maxAge)
	}
}

// Nothing is written while nothing comes.
func TestABatchIsNotEmpty(t *testing.T) {
	t.Parallel()
	topic := schema.ProcessedTopic(1)
	k, _ := streamtest.Broker(t, 1, topic)
	cl, err := kgo.NewClient(append(k.Options(), kgo.ConsumeTopics(topic))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	o := Options{Kafka: k, Version: 1, losses: k.NewLosses("g", topic, k.Log)}
	ctx, cancel := context.WithTimeout(t.Context(), 2*maxAge)
	defer cancel()
	if b, err := o.collect(ctx, cl, o.source()); !errors.Is(err, context.DeadlineExceeded) || len(b.records) != 0 {
		t.Errorf("%d records, %v", len(b.records), err)
	}
}

// Rows are written while their version is there; those of archived versions have no
// version of their own.
func TestRowsOfAVersionThatIsGoneAreNotWritten(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, schema.TopicVersions, schema.TopicRulesets)
	_, err := stream.Operate(t.Context(), k, func(*schema.VersionEvent) (*schema.VersionEvent, error) {
		return &schema.VersionEvent{Versions: []schema.SignatureVersion{{Number: 1, State: schema.StateLive}, {Number: 2, State: schema.StateDropping}}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	versions := streamtest.Following(t, k)
	for version, want := range map[int32]error{schema.Archived: nil, 1: nil, 2: errGone, 3: errGone} {
		o := Options{Versions: versions, Version: version}
		if err := o.current(t.Context()); !errors.Is(err, want) {
			t.Errorf("version %d: %v, want %v", version, err, want)
		}
	}
}
