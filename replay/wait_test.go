package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
	t.Parallel()
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
	stored := func() error { return o.awaitStored(t.Context(), g, 1, []string{schema.TelemetryGroup(1, 1)}) }
	waits := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 3*pollPause)
		defer cancel()
		return o.awaitStored(ctx, g, 1, []string{schema.TelemetryGroup(1, 1)}) != nil
	}
	if !waits() {
		t.Error("the tables were not waited for")
	}
	commit(schema.SinkGroup("clickhouse", 1), 1)
	if err := stored(); err != nil {
		t.Errorf("nobody publishes: %v", err)
	}
	commit(schema.TelemetryGroup(1, 1), 0)
	if !waits() {
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
	t.Parallel()
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

// What is waited for is asked for again and again, and told from time to time, until its time
// is over.
func TestWaitingIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var asked []time.Duration
		var told []string
		o := &Operator{Tell: func(text string) { told = append(told, fmt.Sprint(time.Since(began), ": ", text)) }}
		ctx, cancel := context.WithTimeoutCause(t.Context(), 4500*time.Millisecond, errors.New("it takes too long"))
		defer cancel()
		err := o.await(ctx, "the end", func(context.Context) (string, error) {
			if asked = append(asked, time.Since(began)); len(asked) > 15 {
				return "", errors.New("the brokers are away")
			}
			return "something", nil
		})
		if want := "waiting for the end: the brokers are away: it takes too long"; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		if want := []string{"2.2s: waiting for the end: something", "4.4s: waiting for the end: the brokers are away"}; !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
		if len(asked) != 23 || asked[0] != 0 || asked[1] != 200*time.Millisecond || asked[22] != 4400*time.Millisecond {
			t.Errorf("asked at %v", asked)
		}
		// Nobody has to be told.
		o.Tell = nil
		again := 0
		if err := o.await(t.Context(), "the end", func(context.Context) (string, error) {
			if again++; again < 15 {
				return "", errors.New("not yet")
			}
			return "", nil
		}); err != nil || again != 15 {
			t.Errorf("asked %d times, %v", again, err)
		}
		refused := &stream.AccessError{Operation: "READ", Resource: "topic", Name: "crash.raw", Err: errors.New("no")}
		if err := o.await(t.Context(), "the end", func(context.Context) (string, error) { return "", refused }); !errors.Is(err, refused) || err.Error() != refused.Error() {
			t.Errorf("what is not allowed does not come: %v", err)
		}
	})
}

func TestOffsetsByPartition(t *testing.T) {
	t.Parallel()
	got := partitionOffsets(map[int32]int64{2: 5, 0: 7, 1: 0})
	if want := offsets(7, 0, 5); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	until := map[int32]int64{0: 3, 1: 9}
	if raise(until, offsets(4, 8, 2)); !maps.Equal(until, map[int32]int64{0: 4, 1: 9, 2: 2}) {
		t.Errorf("%v", until)
	}
	if back := offsetsOf(got); !maps.Equal(back, map[int32]int64{0: 7, 1: 0, 2: 5}) || total(back) != 12 || total(nil) != 0 {
		t.Errorf("%v, %d in all", back, total(back))
	}
}

// Groups are believed when they have no members: who waits for a group is told which.
func TestWhoIsWaitedForIsNamed(t *testing.T) {
	t.Parallel()
	r := rest(t, nil, 1)
	g := groupsOn(t, r.k)
	r.fill(schema.TopicRaw, 0, 3)
	r.come("a", schema.TopicRaw, 1, 0)
	member := func(group string) *kgo.Client {
		cl, err := r.k.GroupClient(group, schema.TopicRaw, "0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cl.Close)
		if _, err := r.c.WaitGroupStable(t.Context(), group, 1); err != nil {
			t.Fatal(err)
		}
		return cl
	}
	member("b")
	member("c")
	shortly := func(do func(ctx context.Context) error) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return do(ctx)
	}
	err := shortly(func(ctx context.Context) error { return r.o.awaitNobody(ctx, g, []string{"a", "c", "b"}) })
	if !waited(err, "members to leave", "b, c", "context deadline exceeded") {
		t.Error(err)
	}
	if err := r.o.awaitNobody(t.Context(), g, []string{"a"}); err != nil {
		t.Error(err)
	}
	err = shortly(func(ctx context.Context) error {
		return r.o.awaitPassed(ctx, g, "a", schema.TopicRaw, map[int32]int64{0: 3})
	})
	if !waited(err, "a", "2 records of crash.raw behind", "context deadline exceeded") {
		t.Error(err)
	}
	if err := r.o.awaitPassed(t.Context(), g, "a", schema.TopicRaw, map[int32]int64{0: 1}); err != nil {
		t.Error(err)
	}
	for group, want := range map[string]bool{"a": true, "b": true, "never was": false} {
		if is, err := begun(t.Context(), g, group, schema.TopicRaw); err != nil || is != want {
			t.Errorf("%s has begun: %v, %v", group, is, err)
		}
	}
	// What was made of a version that is dropped by now is made.
	r.come(schema.ProcessGroup(1), schema.TopicRaw, 3, 0)
	gone := &schema.VersionEvent{Versions: []schema.SignatureVersion{{Number: 5, State: schema.StateDropped}}}
	if err := r.o.awaitCaughtUp(t.Context(), g, gone, &schema.SignatureVersion{Number: 1, Base: 5, BaseEnds: offsets(9)}); err != nil {
		t.Error(err)
	}
	v := &schema.SignatureVersion{Number: 7, Begins: offsets(2, 1), BaseRequests: offsets(0, 5)}
	for _, ask := range map[string]func(ctx context.Context) error{
		"where it stopped": func(ctx context.Context) error {
			s, err := r.o.stopped(ctx, g, v)
			if err == nil && (!slices.Equal(s.raw, offsets(2, 1)) || !slices.Equal(s.requests, offsets(0, 5))) {
				t.Errorf("stopped at %+v", s)
			}
			return err
		},
		"whether it has begun": func(ctx context.Context) error { _, err := begun(ctx, g, "never was", schema.TopicRaw); return err },
		"what is stored": func(ctx context.Context) error {
			return r.o.awaitStored(ctx, g, 1, []string{"never was"})
		},
		"what is kept": func(ctx context.Context) error { return r.o.awaitKept(ctx, g, 1) },
		"whether it has caught up": func(ctx context.Context) error {
			return r.o.awaitCaughtUp(ctx, g, &schema.VersionEvent{}, &schema.SignatureVersion{Number: 1, Base: 1})
		},
	} {
		r.refusedEach(ask, func() error { return nil })
	}
}
