package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// Of a batch that is refused each record is tried alone, and one that is refused alone so often
// is dead.
func TestWhatIsRefusedAloneIsBuried(t *testing.T) {
	l := &loop{Transform: &Transform{Stage: "stage", Version: 3, Log: zerolog.Nop()}, pace: newPace(100), refusals: map[place]int{}}
	records := []*kgo.Record{{Topic: "in", Partition: 1, Offset: 7}, {Topic: "in", Partition: 1, Offset: 8}}
	outputs := func() [][]*kgo.Record { return [][]*kgo.Record{{{Topic: "out"}}, {{Topic: "out"}}} }
	l.refused(records, errors.New("the brokers are away"))
	if l.pace.alone != 0 || len(l.refusals) != 0 {
		t.Errorf("nobody is to blame: %d, %v", l.pace.alone, l.refusals)
	}
	l.refused(records, kerr.MessageTooLarge)
	if l.pace.alone != 2 || len(l.refusals) != 0 {
		t.Errorf("two are: %d, %v", l.pace.alone, l.refusals)
	}
	for n := 1; n <= maxRefusals; n++ {
		l.pace.alone = 0
		l.refused(records[1:], fmt.Errorf("produce: %w", kerr.InvalidRecord))
		if l.pace.alone != 1 || l.refusals[place{1, 8}] != n {
			t.Errorf("the %d. time: %d, %v", n, l.pace.alone, l.refusals)
		}
		out := outputs()
		l.buryRefused(records, out)
		if isDead(out[0]) || isDead(out[1]) != (n == 3) {
			t.Errorf("the %d. time: %v", n, out)
		}
		if n == 3 {
			letter, err := ReadLetter(out[1][0])
			if want := (Letter{Class: schema.DeadRefused, Stage: "stage", From: schema.Position{Topic: "in", Partition: 1, Offset: 8}, SignatureVersion: 3, Attempt: 3}); err != nil || letter != want {
				t.Errorf("%+v, %v, want %+v", letter, err, want)
			}
		}
	}
}

func TestBrokersBlameARecord(t *testing.T) {
	for err, want := range map[error]bool{
		kerr.MessageTooLarge: true, kerr.RecordListTooLarge: true, kerr.InvalidRecord: true, kerr.InvalidTimestamp: true, kerr.NotLeaderForPartition: false, kerr.TopicAuthorizationFailed: false,
	} {
		if Blames(fmt.Errorf("produce: %w", err)) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
	for err, want := range map[error]bool{kerr.ProducerFenced: true, kerr.InvalidProducerEpoch: true, kerr.FencedInstanceID: true, kerr.UnknownMemberID: false} {
		if fenced(err) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
}

func TestADeadLetterStandsAlone(t *testing.T) {
	dead := &kgo.Record{Topic: schema.TopicDeadLetter}
	for name, tc := range map[string]struct {
		out  []*kgo.Record
		want bool
	}{"nothing": {nil, false}, "an output": {[]*kgo.Record{{Topic: "out"}}, false}, "one": {[]*kgo.Record{dead}, true}, "with another": {[]*kgo.Record{dead, dead}, false}} {
		if isDead(tc.out) != tc.want {
			t.Error(name)
		}
	}
	if got := partitionsOf([]*kgo.Record{{Partition: 3}, {Partition: 1}, {Partition: 3}}); !slices.Equal(got, []int32{3, 1}) {
		t.Errorf("%v", got)
	}
	var first firstError
	one, two := errors.New("one"), errors.New("two")
	if first.get() != nil || !first.set(one) || first.set(two) || !errors.Is(first.get(), one) {
		t.Errorf("%v", first.get())
	}
}

// How many records a batch has at most.
func TestTheMostOfABatch(t *testing.T) {
	for want, tr := range map[int]Transform{7: {MostPoll: 7, Outputs: []string{"out"}}, 256: {Outputs: []string{"out"}}, 50_000: {}} {
		if got := tr.maxPoll(); got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
	if got := (&Transform{Group: "g", Instance: "7"}).transactionalID(); got != "g-7" {
		t.Error(got)
	}
	if offsetOf([]schema.PartitionOffset{{Partition: 1, Offset: 5}}, 1) != 5 || offsetOf([]schema.PartitionOffset{{Partition: 1, Offset: 5}}, 0) != 0 {
		t.Error("offsets by partition")
	}
}

// A group begins where its version began, where nothing else is known.
func TestWherePartitionsBegin(t *testing.T) {
	l := &loop{Transform: &Transform{Topic: "in", Begins: []schema.PartitionOffset{{Partition: 1, Offset: 40}, {Partition: 2, Offset: 50}}, Log: zerolog.Nop()}}
	got, err := l.begin(t.Context(), map[string]map[int32]kgo.Offset{"in": {0: kgo.NewOffset().AtStart(), 1: kgo.NewOffset().AtStart(), 2: kgo.NewOffset().At(0)}})
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[int32]int64{0: -2, 1: 40, 2: 0} {
		if at := got["in"][p].EpochOffset().Offset; at != want {
			t.Errorf("partition %d begins at %d, want %d", p, at, want)
		}
	}
}

// What came first is produced first, however long each takes, and no more at once than there
// are hands.
func TestWorkIsInTheOrderOfTheRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := make([]*kgo.Record, 10)
		for i := range records {
			records[i] = &kgo.Record{Offset: int64(i)}
		}
		var mu sync.Mutex
		at, most := 0, 0
		work := func(_ context.Context, in *kgo.Record) ([]*kgo.Record, error) {
			mu.Lock()
			at++
			most = max(most, at)
			mu.Unlock()
			time.Sleep(time.Duration(10-in.Offset) * time.Second)
			mu.Lock()
			at--
			mu.Unlock()
			return []*kgo.Record{{Offset: in.Offset}}, nil
		}
		out, done, err := inOrder(t.Context(), records, 3, work, nil)
		if err != nil || done != 10 || most != 3 || at != 0 {
			t.Errorf("%d of 10, %d at once, %v", done, most, err)
		}
		for i, o := range out {
			if len(o) != 1 || o[0].Offset != int64(i) {
				t.Errorf("%d: %v", i, o)
			}
		}
		if _, done, err := inOrder(t.Context(), records[:1], 0, work, nil); err != nil || done != 1 {
			t.Errorf("without hands: %d, %v", done, err)
		}
		failed := errors.New("failed")
		out, _, err = inOrder(t.Context(), records, 1, func(_ context.Context, in *kgo.Record) ([]*kgo.Record, error) {
			if in.Offset == 4 {
				return nil, failed
			}
			return nil, nil
		}, nil)
		if !errors.Is(err, failed) || out != nil {
			t.Errorf("%v, %v", out, err)
		}
	})
}

// A batch that makes too much says for how many there was room; one record alone may make as
// much as it likes.
func TestABatchThatMakesTooMuch(t *testing.T) {
	t.Parallel()
	value := make([]byte, maxHeldBytes/4)
	work := func(context.Context, *kgo.Record) ([]*kgo.Record, error) {
		return []*kgo.Record{{Value: value}}, nil
	}
	records := []*kgo.Record{{}, {}, {}, {}}
	if _, done, err := inOrder(t.Context(), records, 1, work, nil); err != nil || done != 4 {
		t.Errorf("as much as may be: %d, %v", done, err)
	}
	if _, done, err := inOrder(t.Context(), append(records, &kgo.Record{}), 1, work, nil); !errors.Is(err, errTooMuch) || done != 4 {
		t.Errorf("more: %d, %v", done, err)
	}
	value = make([]byte, maxHeldBytes+1)
	if _, done, err := inOrder(t.Context(), records[:1], 1, work, nil); err != nil || done != 1 {
		t.Errorf("one alone: %d, %v", done, err)
	}
}

// A passing fault is waited for longer and longer, what is a matter of time never long, and what
// must not make others wait only by the first.
func TestHowLongARecordIsWaitedFor(t *testing.T) {
	for name, tc := range map[string]struct {
		fault  PassingError
		behind bool // not the first of its batch
		want   []time.Duration
	}{
		"a fault":          {PassingError{}, true, []time.Duration{100, 300, 700, 1500, 3100, 6300, 12700, 22700, 32700}},
		"a matter of time": {PassingError{Expected: true}, true, []time.Duration{100, 300, 700, 1500, 2500, 3500}},
		"the first":        {PassingError{Later: true}, false, []time.Duration{100, 300, 700}},
		"a later one":      {PassingError{Later: true}, true, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			var at []time.Duration
			told := 0
			tc.fault.Err = errors.New("not yet")
			_, err := patiently(t.Context(), t.Context(), &kgo.Record{}, !tc.behind, func(context.Context, *kgo.Record) ([]*kgo.Record, error) {
				if since := time.Since(began) / time.Millisecond; since > 0 {
					at = append(at, since)
				}
				if len(at) == len(tc.want) && tc.want != nil {
					return nil, nil
				}
				return nil, fmt.Errorf("waiting: %w", &tc.fault)
			}, func(*PassingError) { told++ })
			if later := tc.want == nil; later != errors.Is(err, errTooMuch) || !later && err != nil || told != len(tc.want) || !slices.Equal(at, tc.want) {
				t.Errorf("%s: asked after %v, told %d times, %v", name, at, told, err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	fault := func(context.Context, *kgo.Record) ([]*kgo.Record, error) {
		return nil, &PassingError{Err: errors.New("not yet")}
	}
	if _, err := patiently(ctx, t.Context(), &kgo.Record{}, true, fault, func(*PassingError) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("after it was given up: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		working, fail := context.WithCancel(t.Context())
		began := time.Now()
		_, err := patiently(t.Context(), working, &kgo.Record{}, true, func(context.Context, *kgo.Record) ([]*kgo.Record, error) {
			time.AfterFunc(firstPatience/2, fail)
			return nil, &PassingError{Err: errors.New("not yet")}
		}, func(*PassingError) {})
		if !errors.Is(err, context.Canceled) || time.Since(began) != firstPatience/2 {
			t.Errorf("while another one fails: %v after %v", err, time.Since(began))
		}
	})
	told := 0
	if _, err := patiently(t.Context(), ctx, &kgo.Record{}, true, fault, func(*PassingError) { told++ }); err == nil || told > 0 {
		t.Errorf("after another one failed: %v, told %d times", err, told)
	}
}
