package stream_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// request is a reprocess request for the raw crash of a number.
func request(t *testing.T, n int, change func(*schema.ReprocessRequest)) *kgo.Record {
	t.Helper()
	id, _ := rawCrash(t, n, schema.Dump{Name: "other", Encoding: schema.EncodingNone})
	r := &schema.ReprocessRequest{CrashID: id, Raw: schema.Position{Topic: schema.TopicRaw, Offset: int64(n)}, Reason: "test"}
	if change != nil {
		change(r)
	}
	value, err := schema.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	return &kgo.Record{Topic: schema.TopicReprocess, Key: []byte(id), Value: value}
}

func TestRequestsAreProcessedAgainOrDeadLettered(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, schema.TopicRaw, schema.TopicReprocess, schema.ProcessedTopic(1), schema.TopicDeadLetter)
	for n := range 6 {
		id, value := rawCrash(t, n, schema.Dump{Name: "other", Encoding: schema.EncodingNone})
		streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(id), Value: value})
	}
	streamtest.Put(t, k,
		request(t, 2, nil),
		request(t, 3, func(r *schema.ReprocessRequest) { r.Versions = []int32{2} }), // another version's
		request(t, 3, func(r *schema.ReprocessRequest) { r.Versions = []int32{1, 2} }),
		request(t, 4, func(r *schema.ReprocessRequest) { r.Raw.Offset = 1 }), // another crash
		request(t, 4, func(r *schema.ReprocessRequest) { r.Raw.Topic = "crash.telemetry" }),
		&kgo.Record{Topic: schema.TopicReprocess, Key: []byte("x"), Value: []byte("no request")},
		request(t, 5, func(r *schema.ReprocessRequest) { r.Attempt = 2 }), // fails
		request(t, 2, nil),
	)
	seen := make(chan stream.Input, 100)
	p := stream.Processor{
		Kafka: k, Instance: "0", Version: 1, Workers: stream.NewWorkers(2, 0.5), Log: zerolog.Nop(),
		Process: func(_ context.Context, in stream.Input) (*schema.ProcessedCrash, error) {
			seen <- in
			if in.Revision > 0 && in.Position.Offset == 5 {
				panic("a bug")
			}
			return &schema.ProcessedCrash{CrashID: in.Raw.CrashID, Revision: in.Revision, Raw: in.Position}, nil
		},
	}
	again := &stream.Reprocessor{Processor: p}
	streamtest.Run(t, again.Run)
	// Requests wait for the raw pass.
	select {
	case in := <-seen:
		t.Fatalf("%+v was processed before the raw pass came to it", in.Position)
	case <-time.After(time.Second):
	}
	streamtest.Run(t, p.Run)

	var got []string
	for _, r := range streamtest.Committed(t, k, schema.ProcessedTopic(1), 6+3) {
		c, err := schema.Decode[schema.ProcessedCrash](r.Value)
		if err != nil {
			t.Fatal(err)
		}
		if c.Revision > 0 {
			got = append(got, fmt.Sprint("crash ", c.Raw.Offset, " revision ", c.Revision))
		}
	}
	if want := []string{"crash 2 revision 1", "crash 3 revision 3", "crash 2 revision 8"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	var dead []string
	for _, r := range streamtest.Committed(t, k, schema.TopicDeadLetter, 4) {
		dead = append(dead, header(r, stream.HeaderOffset)+" "+header(r, stream.HeaderClass)+" "+header(r, stream.HeaderAttempt)+" "+header(r, stream.HeaderStage))
	}
	want := []string{"3 request_undecodable 1 reprocess", "4 request_undecodable 1 reprocess", "5 request_undecodable 1 reprocess", "6 panic 3 reprocess"}
	if slices.Sort(dead); !slices.Equal(dead, want) {
		t.Errorf("dead letters %q, want %q", dead, want)
	}
}

// A request for a crash that has expired is a dead letter, and no wait.
func TestRequestsForWhatIsGone(t *testing.T) {
	k, _ := streamtest.Broker(t, 1, schema.TopicRaw)
	for n := range 3 {
		id, value := rawCrash(t, n, schema.Dump{Name: "other", Encoding: schema.EncodingNone})
		streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(id), Value: value})
	}
	streamtest.DeleteBefore(t, k, schema.TopicRaw, 0, 2)
	for offset, there := range map[int64]bool{1: false, 2: true, 3: false} {
		r, err := stream.RawAt(t.Context(), k, schema.Position{Topic: schema.TopicRaw, Offset: offset})
		if there != (err == nil) || there && r.Offset != offset {
			t.Errorf("offset %d: %v", offset, err)
		}
	}
	if _, err := stream.RawAt(t.Context(), k, schema.Position{Topic: schema.TopicRaw, Partition: 7}); err == nil {
		t.Error("a partition that is none")
	}
}
