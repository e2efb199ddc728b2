package stream_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/rs/zerolog"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// A crash that comes late into the range of an archived version is made in that version, by
// one loop for all, and nothing that came in time is made again.
func TestLateCrashesOfArchivedVersionsAreMade(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, schema.TopicRaw, schema.TopicReprocess, schema.TopicHeal, schema.ProcessedTopic(3),
		schema.ProcessedTopic(schema.Archived), schema.TopicVersions, schema.TopicDeadLetter)
	ends := []schema.PartitionOffset{{Partition: 0, Offset: 3}}
	if _, err := stream.Operate(t.Context(), k, func(*schema.VersionEvent) (*schema.VersionEvent, error) {
		return &schema.VersionEvent{
			Versions: []schema.SignatureVersion{
				{Number: 1, State: schema.StateArchived, Ends: ends},
				{Number: 2, State: schema.StateArchived, Ends: ends, ProcessVersion: 99},
				{Number: 3, State: schema.StateLive, From: new(hour(200))},
				{Number: 4, State: schema.StateEnded, Ends: ends},
			},
			Activation: schema.Activation{Epoch: 3, Ranges: []schema.ActiveRange{
				{From: schema.TimeBegin, To: hour(100), SignatureVersion: 1, Epoch: 1},
				{From: hour(100), To: hour(200), SignatureVersion: 2, Epoch: 2},
				{From: hour(200), To: schema.TimeEnd, SignatureVersion: 3, Epoch: 3},
			}},
		}, nil
	}); err != nil {
		t.Fatal(err)
	}
	f := streamtest.Following(t, k)
	sendRaw(t, k, 10, 110, 210) // in time: before both had stopped
	sendRaw(t, k, 211, 11, 111, 212)
	p := processorOf(k, f, 3)
	streamtest.Run(t, p.Run)
	a := &stream.Archivist{Processor: *processorOf(k, f, schema.Archived), Of: func(_ context.Context, v *schema.SignatureVersion) (func(context.Context, stream.Input) (*schema.ProcessedCrash, error), error) {
		if v.ProcessVersion != 0 {
			return nil, errors.New("another process version")
		}
		return processorOf(k, nil, v.Number).Process, nil
	}}
	a.Log = zerolog.Nop()
	streamtest.Run(t, a.Run)
	if got := streamtest.Keys(streamtest.Committed(t, k, schema.ProcessedTopic(3), 3)); !slices.Equal(got, ids(210, 211, 212)) {
		t.Errorf("live: %q", got)
	}
	made := streamtest.Committed(t, k, schema.ProcessedTopic(schema.Archived), 1)
	if got := streamtest.Keys(made); !slices.Equal(got, ids(11)) {
		t.Fatalf("archived: %q", got)
	}
	out, err := schema.Decode[schema.ProcessedCrash](made[0].Value)
	if err != nil || out.SignatureVersion != 1 || out.Revision != 1 || out.Raw.Offset != 4 {
		t.Errorf("%+v, %v", out, err)
	}
	dead := streamtest.Committed(t, k, schema.TopicDeadLetter, 1)
	if got := streamtest.Keys(dead); !slices.Equal(got, ids(111)) || header(dead[0], stream.HeaderClass) != schema.DeadUnserved || header(dead[0], stream.HeaderSignatureVersion) != "2" {
		t.Errorf("dead: %q", got)
	}
	// What somebody asks an archived version for.
	ask := request(t, 0, func(r *schema.ReprocessRequest) {
		r.CrashID, r.Raw.Offset, r.Versions = crashID(10), 0, []int32{1, 3, 4}
	})
	ask.Key = []byte(crashID(10))
	streamtest.Put(t, k, ask)
	if got := streamtest.Keys(streamtest.Committed(t, k, schema.ProcessedTopic(schema.Archived), 2)); !slices.Equal(got, ids(10, 11)) {
		t.Errorf("archived: %q", got)
	}
}
