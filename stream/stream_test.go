package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// put appends records with the keys, and their own text as value.
func put(t *testing.T, k stream.Kafka, topic string, keys ...string) {
	t.Helper()
	var records []*kgo.Record
	for _, key := range keys {
		records = append(records, &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte("in " + key)})
	}
	streamtest.Put(t, k, records...)
}

// run starts a Transform and returns the function that stops it.
func run(t *testing.T, tr *stream.Transform) (stop func()) {
	t.Helper()
	return streamtest.Run(t, tr.Run)
}

func copying(k stream.Kafka) *stream.Transform {
	return &stream.Transform{
		Kafka: k, Group: "g", Topic: "in", Instance: "0", Outputs: []string{"out"}, Workers: 4, Log: zerolog.Nop(),
		Work: func(_ context.Context, in *kgo.Record) ([]*kgo.Record, error) {
			out := &kgo.Record{Topic: "out", Key: in.Key, Value: append([]byte("out of "), in.Value...)}
			return []*kgo.Record{stream.Identify(out, string(in.Key))}, nil
		},
	}
}

func numbered(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("%04d", i))
	}
	return out
}

func TestTransformProducesEachRecordOnceInOrder(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 2, "in", "out")
	all := numbered(0, 300)
	put(t, k, "in", all...)
	tr := copying(k)
	tr.Work = func(_ context.Context, in *kgo.Record) ([]*kgo.Record, error) {
		time.Sleep(time.Duration(in.Offset%7) * time.Millisecond) // the first to finish is not the first to come
		return []*kgo.Record{{Topic: "out", Key: in.Key}}, nil
	}
	run(t, tr)
	got := streamtest.Committed(t, k, "out", len(all))
	if !slices.Equal(streamtest.Keys(got), all) {
		t.Fatalf("%d records", len(got))
	}
	last := map[int32]string{}
	for _, r := range got {
		if string(r.Key) < last[r.Partition] {
			t.Fatalf("%s came after %s", r.Key, last[r.Partition])
		}
		last[r.Partition] = string(r.Key)
	}
}

func TestTransformGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 2, "in", "out")
	var want []string
	for round := range 3 {
		more := numbered(round*50, round*50+50)
		put(t, k, "in", more...)
		want = append(want, more...)
		stop := run(t, copying(k))
		if got := streamtest.Keys(streamtest.Committed(t, k, "out", len(want))); !slices.Equal(got, want) {
			t.Fatalf("round %d: %d records, want %d", round, len(got), len(want))
		}
		stop()
	}
}

// A transaction that cannot be committed must move no offsets: its records come
// again, and nothing of it is seen.
func TestTransformSurvivesFaultsOfTheBroker(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(c *kfake.Cluster, times *atomic.Int64){
		"the commit fails": func(c *kfake.Cluster, times *atomic.Int64) {
			c.ControlKey(int16(kmsg.EndTxn), func(req kmsg.Request) (kmsg.Response, error, bool) {
				if times.Add(1) > 2 {
					return nil, nil, false
				}
				c.KeepControl()
				resp := req.ResponseKind().(*kmsg.EndTxnResponse)
				resp.ErrorCode = kerr.UnknownServerError.Code
				return resp, nil, true
			})
		},
		"the offsets are refused": func(c *kfake.Cluster, times *atomic.Int64) {
			c.ControlKey(int16(kmsg.TxnOffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
				if times.Add(1) > 2 {
					return nil, nil, false
				}
				c.KeepControl()
				resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
				for _, rt := range req.(*kmsg.TxnOffsetCommitRequest).Topics {
					st := kmsg.NewTxnOffsetCommitResponseTopic()
					st.Topic = rt.Topic
					for _, rp := range rt.Partitions {
						sp := kmsg.NewTxnOffsetCommitResponseTopicPartition()
						sp.Partition, sp.ErrorCode = rp.Partition, kerr.IllegalGeneration.Code
						st.Partitions = append(st.Partitions, sp)
					}
					resp.Topics = append(resp.Topics, st)
				}
				return resp, nil, true
			})
		},
		"the broker hangs up": func(c *kfake.Cluster, times *atomic.Int64) {
			c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
				if times.Add(1) > 3 {
					return nil, nil, false
				}
				c.KeepControl()
				return nil, errors.New("gone"), true
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			k, c := streamtest.Broker(t, 2, "in", "out")
			all := numbered(0, 100)
			put(t, k, "in", all...)
			var times atomic.Int64
			fault(c, &times)
			run(t, copying(k))
			if got := streamtest.Keys(streamtest.Committed(t, k, "out", len(all))); !slices.Equal(got, all) {
				t.Errorf("%d records, want %d", len(got), len(all))
			}
			if times.Load() < 2 {
				t.Errorf("the fault happened %d times: the test tests nothing", times.Load())
			}
		})
	}
}

// A promise that fails must not let the offsets pass: the record would be lost.
func TestTransformDoesNotPassWhatItCouldNotProduce(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 2, "in", "out")
	put(t, k, "in", "a", "b", "c")
	tr := copying(k)
	var tries atomic.Int64
	good := tr.Work
	tr.Work = func(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
		if string(in.Key) == "b" && tries.Add(1) < 3 {
			return []*kgo.Record{{Topic: "out", Key: in.Key, Value: make([]byte, 20<<20)}}, nil // larger than any batch
		}
		return good(ctx, in)
	}
	run(t, tr)
	if got := streamtest.Keys(streamtest.Committed(t, k, "out", 3)); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("have %q", got)
	}
}

func TestTransformTriesAgainAfterAPassingError(t *testing.T) {
	k, _ := streamtest.Broker(t, 2, "in", "out")
	put(t, k, "in", "a", "b")
	tr := copying(k)
	var tries atomic.Int64
	good := tr.Work
	tr.Work = func(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
		if tries.Add(1) == 1 {
			return nil, errors.New("the blob store is away")
		}
		return good(ctx, in)
	}
	run(t, tr)
	if got := streamtest.Keys(streamtest.Committed(t, k, "out", 2)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("have %q", got)
	}
}

// The first record of an identity counts: a second one, in the same batch, in a
// later one, or after a restart, is left out.
func TestTransformLeavesOutWhatWasProducedBefore(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 2, "in", "out")
	put(t, k, "in", "a", "b", "a", "c")
	stop := run(t, copying(k))
	streamtest.Committed(t, k, "out", 3)
	put(t, k, "in", "b", "d")
	streamtest.Committed(t, k, "out", 4)
	stop()
	put(t, k, "in", "a", "c", "d", "e")
	run(t, copying(k))
	if got := streamtest.Keys(streamtest.Committed(t, k, "out", 5)); !slices.Equal(got, []string{"a", "b", "c", "d", "e"}) {
		t.Errorf("have %q", got)
	}
}

// Offsets that were lost although their outputs were committed, as the embedded
// broker's can be, do not double anything.
func TestTransformKnowsItsOutputsWhenOffsetsWereLost(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 2, "in", "out")
	all := numbered(0, 40)
	put(t, k, "in", all...)
	stop := run(t, copying(k))
	streamtest.Committed(t, k, "out", len(all))
	stop()
	again := copying(k)
	again.Group = "without-offsets"
	run(t, again)
	put(t, k, "in", "last")
	if got := streamtest.Keys(streamtest.Committed(t, k, "out", len(all)+1)); !slices.Equal(got, append(all, "last")) {
		t.Errorf("%d records, want %d", len(got), len(all)+1)
	}
}

// The member before commits after the partition was assigned to the next one, and
// its offsets are lost: what it produced is known all the same.
func TestTransformKnowsWhatWasProducedAfterTheAssignment(t *testing.T) {
	k, _ := streamtest.Broker(t, 1, "in", "out")
	tr := copying(k)
	assigned := make(chan struct{}, 10)
	tr.Ready = func(err error) {
		if err == nil {
			assigned <- struct{}{}
		}
	}
	run(t, tr)
	select {
	case <-assigned:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing is assigned")
	}
	streamtest.Put(t, k, stream.Identify(&kgo.Record{Topic: "out", Key: []byte("0001"), Value: []byte("the member before")}, "0001"))
	put(t, k, "in", "0001", "0002")
	got := streamtest.Committed(t, k, "out", 2)
	if keys := streamtest.Keys(got); !slices.Equal(keys, []string{"0001", "0002"}) {
		t.Errorf("%q", keys)
	}
}

// The member before has produced and not committed yet when its partition is
// worked on: what it did is waited for.
func TestTransformWaitsForOpenTransactions(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, "in", "out")
	before, err := kgo.NewClient(append(k.Options(), kgo.TransactionalID("before"))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(before.Close)
	if err := before.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	done := stream.Identify(&kgo.Record{Topic: "out", Key: []byte("0001"), Value: []byte("the member before")}, "0001")
	if err := before.ProduceSync(t.Context(), done).FirstErr(); err != nil {
		t.Fatal(err)
	}
	put(t, k, "in", "0001", "0002")
	tr := copying(k)
	worked := make(chan struct{}, 10)
	work := tr.Work
	tr.Work = func(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
		worked <- struct{}{}
		return work(ctx, in)
	}
	run(t, tr)
	<-worked
	<-worked
	time.Sleep(time.Second) // long enough for who does not wait
	if err := before.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if keys := streamtest.Keys(streamtest.Committed(t, k, "out", 2)); !slices.Equal(keys, []string{"0001", "0002"}) {
		t.Errorf("%q", keys)
	}
}

// The broker commits and says that it does not know: the session polls the records
// again, and must see what it did.
func TestTransformDoesNotBelieveAnUncertainAbort(t *testing.T) {
	t.Parallel()
	k, c := streamtest.Broker(t, 1, "in", "out")
	put(t, k, "in", "0001")
	stop := run(t, copying(k))
	streamtest.Committed(t, k, "out", 1) // the window has been read
	var times atomic.Int64
	c.ControlKey(int16(kmsg.EndTxn), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if times.Add(1) > 1 {
			return nil, nil, false
		}
		c.KeepControl()
		c.SleepControl(func() {
			streamtest.Put(t, k, stream.Identify(&kgo.Record{Topic: "out", Key: []byte("0002"), Value: []byte("committed")}, "0002"))
		})
		resp := req.ResponseKind().(*kmsg.EndTxnResponse)
		resp.ErrorCode = kerr.UnknownServerError.Code
		return resp, nil, true
	})
	put(t, k, "in", "0002", "0003")
	got := streamtest.Committed(t, k, "out", 3)
	stop()
	if keys := streamtest.Keys(got); !slices.Equal(keys, []string{"0001", "0002", "0003"}) {
		t.Errorf("%q", keys)
	}
	if times.Load() < 2 {
		t.Error("nothing was committed again")
	}
}

func TestTwoMembersShareTheWork(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 2, "in", "out")
	first, second := copying(k), copying(k)
	second.Instance = "1"
	run(t, first)
	all := numbered(0, 100)
	put(t, k, "in", all...)
	streamtest.Committed(t, k, "out", 100)
	stop := run(t, second) // a rebalance
	more := numbered(100, 300)
	put(t, k, "in", more...)
	streamtest.Committed(t, k, "out", 300)
	stop() // and another
	put(t, k, "in", "last")
	want := append(append(all, more...), "last")
	if got := streamtest.Keys(streamtest.Committed(t, k, "out", len(want))); !slices.Equal(got, want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
}

func TestTwoWithOneInstanceIDEndWithAClearError(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 2, "in", "out")
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	ended := make(chan error, 2)
	var log streamtest.Log
	for i := range 2 {
		tr := copying(k)
		tr.Log = zerolog.New(&log).With().Timestamp().Int("member", i).Logger()
		tr.Kafka.Log = tr.Log.Level(zerolog.DebugLevel)
		go func() { ended <- tr.Run(ctx) }()
	}
	go func() {
		for i := 0; ctx.Err() == nil; i++ { // they meet when they commit
			p, err := k.Producer()
			if err != nil {
				return
			}
			p.ProduceSync(ctx, &kgo.Record{Topic: "in", Key: fmt.Append(nil, i)})
			p.Close()
			time.Sleep(50 * time.Millisecond)
		}
	}()
	err := <-ended
	cancel()
	<-ended
	if err == nil || !strings.Contains(err.Error(), `instance id "0"`) {
		t.Errorf("err = %v\n%s", err, log.String())
	}
}

// A loop that rests does so when its batch is committed, and ends at once.
func TestTransformRestsAfterACommit(t *testing.T) {
	k, _ := streamtest.Broker(t, 1, "in", "out")
	put(t, k, "in", "a")
	tr := copying(k)
	rests := make(chan []*kgo.Record, 1)
	tr.Rest = func(records []*kgo.Record, _ time.Duration) time.Duration {
		rests <- records
		return time.Hour
	}
	stop := run(t, tr)
	if got := streamtest.Keys(<-rests); !slices.Equal(got, []string{"a"}) {
		t.Errorf("rests after %q", got)
	}
	put(t, k, "in", "b")
	if got := streamtest.Keys(streamtest.Committed(t, k, "out", 1)); !slices.Equal(got, []string{"a"}) {
		t.Errorf("committed %q", got)
	}
	stop()
}
