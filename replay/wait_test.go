package replay

import (
	"context"
	"testing"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// Who runs no sink of the public topic can promote all the same; who does waits
// for it.
func TestOnlySinksThatRunAreWaitedFor(t *testing.T) {
	topic := schema.ProcessedTopic(1)
	k, _ := streamtest.Broker(t, 1, topic)
	streamtest.Put(t, k, &kgo.Record{Topic: topic, Value: []byte("made")})
	g, err := stream.NewGroups(k)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	commit := func(group string, offset int64) {
		t.Helper()
		var offsets kadm.Offsets
		offsets.AddOffset(topic, 0, offset, -1)
		if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), group, offsets); err != nil {
			t.Fatal(err)
		}
	}
	o := &Operator{Kafka: k, Log: zerolog.Nop()}
	stored := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 3*pollPause)
		defer cancel()
		return o.awaitStored(ctx, g, 1, []string{schema.TelemetryGroup(1, 1)})
	}
	if stored() == nil {
		t.Error("the tables were not waited for")
	}
	commit(schema.SinkGroup("clickhouse", 1), 1)
	if err := stored(); err != nil {
		t.Errorf("nobody publishes: %v", err)
	}
	commit(schema.TelemetryGroup(1, 1), 0)
	if stored() == nil {
		t.Error("a sink that is behind was not waited for")
	}
	commit(schema.TelemetryGroup(1, 1), 1)
	if err := stored(); err != nil {
		t.Error(err)
	}
}
