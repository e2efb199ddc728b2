package stream_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// Somebody moves a group's offset, and so the processor never sees some crashes:
// the whole way from there to where nothing is missing.
func TestRepairMendsWhatTheProcessorNeverSaw(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 2, schema.TopicRaw, schema.TopicReprocess, schema.ProcessedTopic(1), schema.TopicTelemetry, schema.TopicDeadLetter)
	const crashes, skipped = 40, 3
	dump := schema.Dump{Name: "other", Encoding: schema.EncodingNone}
	last := map[int32]int64{}
	for n := range crashes {
		id, value := rawCrash(t, n, dump)
		r := &kgo.Record{Topic: schema.TopicRaw, Key: []byte(id), Value: value}
		streamtest.Put(t, k, r)
		last[r.Partition] = r.Offset
	}
	if last[0] < 2*skipped || last[1] < 2*skipped {
		t.Fatalf("the crashes lie in one partition: %v", last)
	}
	id, value := rawCrash(t, crashes-1, dump)
	streamtest.Put(t, k,
		&kgo.Record{Topic: schema.TopicRaw, Key: []byte(id), Value: value}, // a producer repeats it
		&kgo.Record{Topic: schema.TopicRaw, Key: []byte("no crash"), Value: []byte("no crash")})

	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var offsets kadm.Offsets
	offsets.AddOffset(schema.TopicRaw, 0, skipped, -1)
	if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), schema.ProcessGroup(1), offsets); err != nil {
		t.Fatal(err)
	}
	p := stream.Processor{
		Kafka: k, Instance: "0", Version: 1, Workers: stream.NewWorkers(2, 0.5), Log: zerolog.Nop(),
		Process: func(_ context.Context, in stream.Input) (*schema.ProcessedCrash, error) {
			return &schema.ProcessedCrash{
				CrashID: in.Raw.CrashID, ReceivedAt: in.Raw.ReceivedAt, SignatureVersion: 1, Revision: in.Revision, Raw: in.Position,
			}, nil
		},
	}
	streamtest.Run(t, p.Run)
	again := &stream.Reprocessor{Processor: p}
	streamtest.Run(t, again.Run)

	v := &stream.Verifier{Kafka: k, Version: 1}
	verify := func() (text string, sum stream.Verified, all []*stream.Verified) {
		t.Helper()
		if err := v.Run(t.Context(), func(f *stream.Verified) error {
			text += fmt.Sprintf("%d: missing %s; ", f.Partition, f.Missing)
			sum.Lag, sum.Raw, sum.Processed, sum.Dead, sum.Duplicates = sum.Lag+f.Lag, sum.Raw+f.Raw, sum.Processed+f.Processed, sum.Dead+f.Dead, sum.Duplicates+f.Duplicates
			all = append(all, f)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return text, sum, all
	}
	until := func(want string) []*stream.Verified {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; {
			text, sum, all := verify()
			if text == want && sum.Lag == 0 {
				if sum.Raw != crashes+2 || sum.Dead != 1 || sum.Duplicates != 1 {
					t.Errorf("%+v", sum)
				}
				return all
			}
			if time.Now().After(end) {
				t.Fatalf("%s, %+v, want %s", text, sum, want)
			}
		}
	}
	for _, f := range until("0: missing 0-2; 1: missing none; ") {
		if _, err := v.Repair(t.Context(), f, stream.MaxRequests); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range until("0: missing none; 1: missing none; ") {
		if !f.Whole() {
			t.Errorf("%+v", f)
		}
	}
}
