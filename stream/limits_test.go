package stream

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A batch has 16 records at first; it grows while it is full and takes less than a quarter of a
// second, and shrinks to what takes half a second.
func TestHowManyRecordsABatchHas(t *testing.T) {
	const ms = time.Millisecond
	for name, tc := range map[string]struct {
		n, records int
		took       time.Duration
		want       int
	}{
		"full and quick":               {16, 16, 249 * ms, 32},
		"full and not quick":           {16, 16, 250 * ms, 16},
		"as long as it may take":       {16, 16, 500 * ms, 16},
		"somewhat longer":              {16, 16, 501 * ms, 15},
		"twice as long":                {400, 400, time.Second, 200},
		"a minute":                     {16, 16, time.Minute, 1},
		"the most":                     {600, 600, ms, 1000},
		"a quarter":                    {400, 100, ms, 400},
		"less than a quarter":          {400, 99, ms, 200},
		"never below what it began as": {20, 1, ms, 16},
	} {
		p := newPace(1000)
		p.n = tc.n
		if p.took(tc.records, tc.took, 0); p.next() != tc.want {
			t.Errorf("%s: %d, want %d", name, p.next(), tc.want)
		}
	}
	if newPace(1000).next() != 16 || newPace(7).next() != 7 {
		t.Errorf("at first %d, %d", newPace(1000).next(), newPace(7).next())
	}
	p := newPace(7)
	if p.took(1, ms, 0); p.next() != 7 {
		t.Errorf("less than a quarter of few: %d", p.next())
	}
	p = newPace(1000)
	p.n = 100
	for _, want := range []int{25, 6, 1, 1} {
		if p.broke(); p.next() != want {
			t.Errorf("after it broke: %d, want %d", p.next(), want)
		}
	}
	p.oneByOne(3)
	if p.oneByOne(2); p.alone != 3 || p.next() != 1 {
		t.Errorf("%d alone", p.alone)
	}
	if p.took(2, ms, 0); p.alone != 1 {
		t.Errorf("%d are left alone", p.alone)
	}
}

// At each limit everything is as it should be, and one past it is not.
func TestSizesThatAreBounded(t *testing.T) {
	t.Parallel()
	held := func(bytes int) error {
		value := make([]byte, bytes/2)
		_, _, err := inOrder(t.Context(), []*kgo.Record{{}, {}}, 1, func(context.Context, *kgo.Record) ([]*kgo.Record, error) {
			return []*kgo.Record{{Value: value}}, nil
		}, nil)
		return err
	}
	if held(48<<20) != nil || !errors.Is(held(48<<20+2), errTooMuch) {
		t.Errorf("what a batch makes: %v, %v", held(48<<20), held(48<<20+2))
	}
	fits := func(most, dump int64) bool {
		_, fits, _ := NewMemory(most).take(t.Context(), dump)
		return fits
	}
	if !fits(2*1000+8<<20, 1000) || fits(2*1000+8<<20-1, 1000) {
		t.Error("a crash takes its dump twice and eight megabytes")
	}
	var o Offsets
	for i := range int64(1000) {
		o.add(2 * i)
	}
	if o.add(9999); len(o.Ranges) != 1000 || o.Count != 1001 || o.String()[len(o.String())-11:] != " and 1 more" {
		t.Errorf("%d ranges", len(o.Ranges))
	}
	// What verifying keeps of a partition: a dozen sets of offsets, and a hundred bytes for each of
	// what else is remembered.
	l := defaultVerifyLimits
	if bytes := 12*l.span/8 + 100*int64(l.dead+l.again+l.waiting); bytes > 500<<20 || l.span < 100_000_000 || l.dead < 1_000_000 || l.again < 1_000_000 || l.waiting < 250_000 {
		t.Errorf("%+v are %d bytes", l, bytes)
	}
	ids := make([]string, MaxFind+1)
	if _, err := FindRaws(t.Context(), Kafka{}, ids, nil); err == nil || err.Error() != "10001 crash ids at a time, more than 10000" {
		t.Error(err)
	}
	if err := Request(t.Context(), Kafka{}, nil); err != nil {
		t.Errorf("nothing is asked for: %v", err)
	}
}

// A hand that is waited for in vain is not lost, and one that came at that moment is given back.
func TestAHandThatIsWaitedForInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorkers(1, 1)
		if err := w.take(t.Context(), LaneLive); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan error, 3)
		for range 2 {
			go func() { results <- w.take(ctx, LaneReprocess) }()
		}
		go func() { results <- w.take(t.Context(), LaneReprocess) }()
		synctest.Wait()
		if n := len(w.lanes[LaneReprocess].waiting); n != 3 {
			t.Fatalf("%d wait", n)
		}
		cancel()
		synctest.Wait()
		if a, b := <-results, <-results; !errors.Is(a, context.Canceled) || !errors.Is(b, context.Canceled) || len(w.lanes[LaneReprocess].waiting) != 1 {
			t.Errorf("%v, %v, %d wait", a, b, len(w.lanes[LaneReprocess].waiting))
		}
		w.give(LaneLive)
		if err := <-results; err != nil || w.lanes[LaneReprocess].held != 1 || w.lanes[LaneLive].held != 0 || w.free != 0 {
			t.Errorf("%v, %+v", err, w)
		}
		w.give(LaneReprocess)
		if w.free != 1 || w.lanes[LaneReprocess].held != 0 || w.handOver() {
			t.Errorf("%+v", w)
		}
	})
}

// The marks of a partition say where its records begin and how many they are.
func TestSetsOfOffsets(t *testing.T) {
	s := newOffsetSet(Span{100, 230})
	for _, offset := range []int64{100, 163, 164, 165, 229} {
		if !s.add(offset) || s.add(offset) {
			t.Errorf("%d", offset)
		}
	}
	if s.add(99) || s.add(230) || s.has(99) || s.has(230) || s.has(101) || s.count != 5 {
		t.Errorf("%d are in it", s.count)
	}
	var seen []int64
	even := s.where(func(offset int64) bool { seen = append(seen, offset); return offset%2 == 0 })
	if !slices.Equal(seen, []int64{100, 163, 164, 165, 229}) || even.String() != "100,164" || s.all().String() != "100,163-165,229" {
		t.Errorf("%v, %v, %v", seen, even, s.all())
	}
}
