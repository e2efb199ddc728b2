package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// transact appends records in one transaction.
func transact(t *testing.T, k stream.Kafka, commit kgo.TransactionEndTry, topic string, keys ...string) {
	t.Helper()
	cl, err := kgo.NewClient(append(k.Options(), kgo.TransactionalID("transact"))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: []byte(key)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if err := cl.EndTransaction(t.Context(), commit); err != nil {
		t.Fatal(err)
	}
}

func TestEachCommittedSeesAllThatIsCommitted(t *testing.T) {
	k, _ := streamtest.Broker(t, 3, "full", "empty")
	want := numbered(0, 100)
	put(t, k, "full", want[:50]...)
	transact(t, k, kgo.TryAbort, "full", "aborted")
	transact(t, k, kgo.TryCommit, "full", want[50:]...)
	transact(t, k, kgo.TryAbort, "full", "aborted too")
	var got []string
	if err := stream.EachCommitted(t.Context(), k, "full", func(r *kgo.Record) error {
		got = append(got, string(r.Key))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if err := stream.EachCommitted(t.Context(), k, "empty", func(*kgo.Record) error { return errors.New("a record") }); err != nil {
		t.Error(err)
	}
}

func TestEachCommittedFailsWhenItHasNotSeenAll(t *testing.T) {
	k, _ := streamtest.Broker(t, 1, "in")
	put(t, k, "in", numbered(0, 10)...)
	stop, seen := errors.New("stop"), 0
	err := stream.EachCommitted(t.Context(), k, "in", func(*kgo.Record) error {
		if seen++; seen == 5 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || seen != 5 {
		t.Errorf("after %d records: %v", seen, err)
	}
	none := func(*kgo.Record) error { return nil }
	if err := stream.EachCommitted(t.Context(), k, "nowhere", none); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("no such topic: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := stream.EachCommitted(ctx, k, "in", none); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestRetentionIsThatOfTheTopic(t *testing.T) {
	k, _ := streamtest.Broker(t, 1)
	if err := stream.CreateTopics(t.Context(), k, 1, schema.Topics(1)...); err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string]time.Duration{schema.TopicRaw: 180 * 24 * time.Hour, schema.TopicVersions: stream.KeptForever} {
		if got, err := stream.Retention(t.Context(), k, topic); got != want || err != nil {
			t.Errorf("%s: %v, want %v, %v", topic, got, want, err)
		}
	}
	if _, err := stream.Retention(t.Context(), k, "nowhere"); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("no such topic: %v", err)
	}
	longest := stream.KeptForever.Milliseconds()
	for millis, want := range map[int64]time.Duration{
		-1: stream.KeptForever, 0: 0, 1: time.Millisecond,
		longest: time.Duration(longest) * time.Millisecond, longest + 1: stream.KeptForever,
	} {
		topic := fmt.Sprint("kept", millis)
		if err := stream.CreateTopics(t.Context(), k, 1, schema.Topic{Name: topic, Partitions: 1, Settings: map[string]string{"retention.ms": strconv.FormatInt(millis, 10)}}); err != nil {
			t.Fatal(err)
		}
		if got, err := stream.Retention(t.Context(), k, topic); got != want || err != nil {
			t.Errorf("%d ms: %v, want %v, %v", millis, got, want, err)
		}
	}
}
