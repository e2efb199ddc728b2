package stream_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// What a record lacks for a while costs neither a session nor a dead letter.
func TestPassingFaultsAreWaitedOut(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, "in", "out", schema.TopicDeadLetter)
	put(t, k, "in", numbered(0, 40)...)
	tr := copying(k)
	var failures, ready atomic.Int64
	away := errors.New("the store is away")
	work := tr.Work
	tr.Work = func(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
		if string(in.Key) == "0007" && failures.Add(1) < 4 {
			return nil, fmt.Errorf("0007: %w", &stream.PassingError{Err: away})
		}
		return work(ctx, in)
	}
	tr.Ready = func(err error) {
		if errors.Is(err, away) {
			ready.Add(1)
		}
	}
	run(t, tr)
	if got := streamtest.Keys(streamtest.Committed(t, k, "out", 40)); !slices.Equal(got, numbered(0, 40)) {
		t.Errorf("%d records", len(got))
	}
	if failures.Load() != 4 || ready.Load() != 3 {
		t.Errorf("%d tries, not ready %d times", failures.Load(), ready.Load())
	}
}

// A loop that waits for what a record lacks ends when it is told to.
func TestWaitingEndsWithTheContext(t *testing.T) {
	k, _ := streamtest.Broker(t, 1, "in", "out")
	put(t, k, "in", "a")
	tr := copying(k)
	tried := make(chan struct{}, 100)
	tr.Work = func(context.Context, *kgo.Record) ([]*kgo.Record, error) {
		tried <- struct{}{}
		return nil, &stream.PassingError{Err: errors.New("away")}
	}
	stop := run(t, tr)
	<-tried
	stop() // fails the test when Run does not return
}

// A batch whose outputs are too much for the memory is cut, and nothing is lost.
func TestBatchesThatMakeTooMuchAreCut(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, "in", "out")
	all := numbered(0, 60)
	put(t, k, "in", all...)
	tr := copying(k)
	large := make([]byte, 5<<20)
	var busy, most atomic.Int64
	tr.Work = func(_ context.Context, in *kgo.Record) ([]*kgo.Record, error) {
		most.Store(max(most.Load(), busy.Add(1)))
		defer busy.Add(-1)
		return []*kgo.Record{stream.Identify(&kgo.Record{Topic: "out", Key: in.Key, Value: large}, string(in.Key))}, nil
	}
	run(t, tr)
	if got := streamtest.Keys(streamtest.Committed(t, k, "out", len(all))); !slices.Equal(got, all) {
		t.Errorf("%d records", len(got))
	}
	if most.Load() > 4 {
		t.Errorf("%d at once, want at most the workers", most.Load())
	}
}

// What the broker will never take becomes a dead letter after some tries; its
// neighbours go in.
func TestWhatTheBrokerRefusesIsDeadLettered(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, "in", "out", schema.TopicDeadLetter)
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	small := "100000"
	if _, err := kadm.NewClient(cl).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &small}}, "out"); err != nil {
		t.Fatal(err)
	}
	put(t, k, "in", numbered(0, 12)...)
	noise := make([]byte, 300_000) // that no compression helps
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	tr := copying(k)
	tr.Stage, tr.Version = "copy", 3
	work := tr.Work
	tr.Work = func(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
		out, err := work(ctx, in)
		if string(in.Key) == "0005" {
			out[0].Value = noise
		}
		return out, err
	}
	run(t, tr)
	want := slices.DeleteFunc(numbered(0, 12), func(s string) bool { return s == "0005" })
	if got := streamtest.Keys(streamtest.Committed(t, k, "out", 11)); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	dead := streamtest.Committed(t, k, schema.TopicDeadLetter, 1)
	if len(dead) != 1 || string(dead[0].Key) != "0005" || string(dead[0].Value) != "in 0005" {
		t.Fatalf("%d dead letters: %+v", len(dead), dead)
	}
	for key, want := range map[string]string{
		stream.HeaderClass: schema.DeadRefused, stream.HeaderStage: "copy", stream.HeaderOffset: "5", stream.HeaderSignatureVersion: "3", stream.HeaderAttempt: "3",
	} {
		if got := header(dead[0], key); got != want {
			t.Errorf("%s %q, want %q", key, got, want)
		}
	}
}

// A guard stops the loop before the batch that trips it is committed.
func TestGuardStopsTheLoopAndKeepsTheRecords(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, "in", "out", schema.TopicDeadLetter)
	put(t, k, "in", numbered(0, 10)...)
	tr := copying(k)
	tr.Guard = stream.Guard{InARow: 15}
	work := tr.Work
	tr.Work = func(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
		if string(in.Key) >= "0010" {
			return []*kgo.Record{stream.DeadLetter(in, schema.DeadBlobMissing, "copy", 1)}, nil
		}
		return work(ctx, in)
	}
	tripped := make(chan error, 1)
	tr.Ready = func(err error) {
		if errors.Is(err, stream.ErrGuard) {
			select {
			case tripped <- err:
			default:
			}
		}
	}
	stop := run(t, tr)
	streamtest.Committed(t, k, "out", 10)
	put(t, k, "in", numbered(10, 80)...)
	select {
	case <-tripped:
	case <-time.After(20 * time.Second):
		t.Fatal("the guard does not trip")
	}
	stop()
	dead := streamtest.Committed(t, k, schema.TopicDeadLetter, 0)
	if len(dead) > 15 {
		t.Errorf("%d dead letters, want at most 15", len(dead))
	}
	// The next build is well: nothing was lost.
	tr = copying(k)
	run(t, tr)
	if got := streamtest.Committed(t, k, "out", 80-len(dead)); len(got) != 80-len(dead) {
		t.Errorf("%d records and %d dead letters of 80", len(got), len(dead))
	}
}
