package stream_test

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// deferred is the raw record of crash n, which the door's rules deferred.
func deferred(t *testing.T, n int) *kgo.Record {
	t.Helper()
	value, err := schema.Encode(&schema.RawCrash{CrashID: crashID(n), ReceivedAt: received(n), Throttle: schema.Throttle{Rule: "later", Rate: 1, Result: schema.ThrottleDefer}})
	if err != nil {
		t.Fatal(err)
	}
	return &kgo.Record{Topic: schema.TopicRaw, Key: []byte(crashID(n)), Value: value, Timestamp: received(n)}
}

func TestDeferredCrashesAreProcessedWhenSomebodyAsks(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, schema.TopicRaw, schema.TopicReprocess, schema.ProcessedTopic(1), schema.TopicDeadLetter)
	sendRaw(t, k, 0)
	streamtest.Put(t, k, deferred(t, 1), deferred(t, 2))
	sendRaw(t, k, 3)
	value, err := schema.Encode(&schema.ReprocessRequest{CrashID: crashID(2), Raw: schema.Position{Topic: schema.TopicRaw, Offset: 2}, Reason: "test"})
	if err != nil {
		t.Fatal(err)
	}
	p := processorOf(k, nil, 1)
	streamtest.Run(t, p.Run)
	if got := streamtest.Keys(streamtest.Committed(t, k, schema.ProcessedTopic(1), 2)); !slices.Equal(got, ids(0, 3)) {
		t.Fatalf("%q is processed", got)
	}
	streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicReprocess, Key: []byte(crashID(2)), Value: value})
	streamtest.Run(t, (&stream.Reprocessor{Processor: *p}).Run)
	if got := streamtest.Keys(streamtest.Committed(t, k, schema.ProcessedTopic(1), 3)); !slices.Equal(got, ids(0, 2, 3)) {
		t.Errorf("%q is processed", got)
	}
}

// A deferred crash is not missing, and one that was asked for counts as others do.
func TestVerifyingTellsDeferredCrashesFromMissingOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	streamtest.Put(t, w.k, deferred(t, 3), deferred(t, 4))
	w.process(4, 4, 1)
	w.publish(4, 1, 1)
	w.done()
	v := w.run(w.verifier())
	if v.Raw != 5 || v.Processed != 3 || v.Deferred != 1 || v.Missing.Count != 1 || v.Missing.Ranges[0].First != 1 || v.Holes() != 1 {
		t.Errorf("%+v", v)
	}
}
