package replay

import (
	"context"
	"slices"
	"sync"
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
	k, c := streamtest.Broker(t, 1, topic)
	var mu sync.Mutex
	has := map[string]bool{}
	streamtest.AnswerAsKafka(c, func(group string) bool {
		mu.Lock()
		defer mu.Unlock()
		return has[group]
	})
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
		mu.Lock()
		defer mu.Unlock()
		has[group] = true
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

// A group that has committed nothing has come to where it began, whatever brokers say of
// groups that there never were.
func TestAGroupThatNeverWasHasComeToItsBegin(t *testing.T) {
	topic := schema.TopicRaw
	k, c := streamtest.Broker(t, 2, topic)
	streamtest.AnswerAsKafka(c, func(string) bool { return false })
	g, err := stream.NewGroups(k)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	got, err := come(t.Context(), g, "process.v7", topic, []schema.PartitionOffset{{Partition: 1, Offset: 40}})
	if want := []schema.PartitionOffset{{Partition: 0}, {Partition: 1, Offset: 40}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}
