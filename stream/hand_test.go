package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// crashNo is the raw record of a crash without a dump.
func crashNo(t *testing.T, n int) *kgo.Record {
	t.Helper()
	id := fmt.Sprintf("%08x-0000-4000-8000-000000261122", n)
	value, err := schema.Encode(&schema.RawCrash{CrashID: id})
	if err != nil {
		t.Fatal(err)
	}
	return &kgo.Record{Topic: schema.TopicRaw, Key: []byte(id), Value: value, Offset: int64(n)}
}

// processing makes something of each crash, after what act says of the n-th.
func processing(hands int, act func(ctx context.Context, n int64) error) *Processor {
	return &Processor{
		Version: 1, Workers: NewWorkers(hands, 1), Log: zerolog.Nop(),
		Process: func(ctx context.Context, in Input) (*schema.ProcessedCrash, error) {
			if err := act(ctx, in.Position.Offset); err != nil {
				return nil, err
			}
			return &schema.ProcessedCrash{CrashID: in.Raw.CrashID}, ctx.Err()
		},
	}
}

// idle tells whether nobody has a hand, waits for one, or is aside.
func (w *Workers) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, at := range w.lanes {
		if at.held != 0 || len(at.waiting) > 0 {
			return false
		}
	}
	return w.free == w.n && w.away == 0 && w.othersAway == 0
}

// With one hand, the crashes behind one that waits are worked on, and come out behind it.
func TestACrashThatWaitsLeavesItsHandToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it tells at once when all wait for each other
		others := make(chan struct{}, 3)
		p := processing(1, func(ctx context.Context, n int64) error {
			if n > 0 {
				others <- struct{}{}
				return nil
			}
			Aside(ctx, func() {
				for range cap(others) {
					<-others
				}
			})
			return nil
		})
		records := []*kgo.Record{crashNo(t, 0), crashNo(t, 1), crashNo(t, 2), crashNo(t, 3)}
		out, done, err := inOrder(t.Context(), records, p.transform("g", "in", "stage").Workers, p.work, nil)
		if err != nil || done != 4 {
			t.Fatalf("%d of 4 done, %v", done, err)
		}
		for i, o := range out {
			if len(o) != 1 || !slices.Equal(o[0].Key, records[i].Key) {
				t.Errorf("%d: %v", i, o)
			}
		}
		if !p.Workers.idle() {
			t.Errorf("%+v", p.Workers)
		}
	})
}

// So many crashes wait without a hand; one more keeps its own, and a batch begins no more
// than that.
func TestHowManyCrashesWaitWithoutAHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hands, all = 2, 2 + maxAside + 1
		begun, release := make(chan int64, all), make(chan struct{})
		p := processing(hands, func(ctx context.Context, n int64) error {
			begun <- n
			Aside(ctx, func() { <-release })
			return nil
		})
		records := make([]*kgo.Record, all)
		for i := range records {
			records[i] = crashNo(t, i)
		}
		ended := make(chan error)
		for _, n := range []int{maxAside, maxAside + 1, all} {
			go func() {
				_, _, err := inOrder(t.Context(), records[:n], p.transform("g", "in", "stage").Workers, p.work, nil)
				ended <- err
			}()
			synctest.Wait()
			if n = min(n, all-1); len(begun) != n || p.Workers.free != hands-(n-maxAside) {
				t.Errorf("%d wait, want %d, and %d hands are free", len(begun), n, p.Workers.free)
			}
			for range n {
				release <- struct{}{}
				<-begun
			}
			if synctest.Wait(); len(begun) > 0 { // one more than may be begun
				release <- struct{}{}
				<-begun
			}
			if err := <-ended; err != nil || !p.Workers.idle() {
				t.Errorf("%v, %+v", err, p.Workers)
			}
		}
	})
}

// Live crashes find room however many of other lanes wait without a hand.
func TestOtherLanesLeaveRoomAside(t *testing.T) {
	w := NewWorkers(1, 1)
	others := []Lane{LaneReprocess, LaneReplay(2)}
	for i := range maxAside / 2 {
		if !w.aside(others[i%2], 1) {
			t.Fatalf("no room for crash %d", i)
		}
	}
	if w.aside(others[0], 1) || w.aside(others[1], 1) {
		t.Error("other lanes have more than half")
	}
	for i := range maxAside / 2 {
		if !w.aside(LaneLive, 1) {
			t.Fatalf("no room for live crash %d", i)
		}
	}
	if w.aside(LaneLive, 1) {
		t.Error("there is no end")
	}
	w.aside(LaneLive, -1)
	if w.aside(LaneReprocess, 1) {
		t.Error("other lanes have what live crashes leave")
	}
	w.aside(LaneReprocess, -1)
	for range 2 {
		if !w.aside(LaneLive, 1) {
			t.Error("what came back is lost")
		}
	}
	if w.aside(LaneReprocess, 1) || w.away != maxAside || w.othersAway != maxAside/2-1 {
		t.Errorf("%+v", w)
	}
}

// However a crash ends whose hand is away, no hand is lost and none is given back twice.
func TestACrashThatEndsWithoutItsHand(t *testing.T) {
	replay := LaneReplay(2)
	for name, tc := range map[string]struct {
		lane     Lane
		act      func(p *Processor, cancel func()) // while it waits
		class    string
		expected bool // that it is tried again
	}{
		"a panic":         {LaneLive, func(*Processor, func()) { panic("a bug") }, schema.DeadPanic, false},
		"the deadline":    {LaneLive, func(*Processor, func()) { time.Sleep(time.Minute + 1) }, schema.DeadDeadline, false},
		"in time":         {LaneLive, func(*Processor, func()) { time.Sleep(time.Minute - 1) }, "", false},
		"the loop's end":  {LaneLive, func(_ *Processor, cancel func()) { cancel() }, "", false},
		"a lane's pause":  {replay, func(p *Processor, _ func()) { p.Workers.Follow(following(1, true)) }, "", true},
		"another's pause": {LaneLive, func(p *Processor, _ func()) { p.Workers.Follow(following(1, true)) }, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var p *Processor
				p = processing(1, func(ctx context.Context, n int64) error {
					if n == 1 {
						Aside(ctx, func() { tc.act(p, cancel) })
					}
					return nil
				})
				p.Deadline = time.Minute
				out, class, err := p.one(ctx, tc.lane, crashNo(t, 1), 0, 0)
				var passing *PassingError
				switch errors.As(err, &passing); {
				case class != tc.class:
					t.Errorf("class %q, %v", class, err)
				case (passing != nil) != (tc.expected || ctx.Err() != nil):
					t.Errorf("%v", err)
				case passing != nil && passing.Expected != tc.expected:
					t.Errorf("expected is %v: %v", passing.Expected, err)
				case (err == nil) != (len(out) == 1):
					t.Errorf("%v, %v", out, err)
				}
				if !p.Workers.idle() {
					t.Errorf("%+v", p.Workers)
				}
				if _, class, err := p.one(t.Context(), LaneLive, crashNo(t, 2), 0, 0); class != "" || err != nil {
					t.Errorf("the next crash: %q, %v", class, err)
				}
			})
		})
	}
}

// Who comes back waits in its lane, behind those before it, and its deadline waits as well.
func TestACrashThatComesBackHasItsLanesPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const deadline, replayed, rest = time.Minute, 7, 20 * time.Second
		var order []int64 // there is one hand: nobody else writes
		began := time.Now()
		var cut time.Duration
		p := processing(1, func(ctx context.Context, n int64) error {
			if n == replayed {
				Aside(ctx, func() { time.Sleep(deadline - rest) })
				came := time.Now()
				<-ctx.Done()
				cut = time.Since(came)
			} else {
				time.Sleep(deadline - 1)
			}
			order = append(order, n)
			return nil
		})
		p.Deadline = deadline
		results := make(chan string, 4)
		one := func(l Lane, n int) {
			go func() {
				_, class, _ := p.one(t.Context(), l, crashNo(t, n), 0, 0)
				results <- class
			}()
			synctest.Wait()
		}
		one(LaneReplay(2), replayed) // it waits until the first of the others is at work
		one(LaneLive, 1)
		time.Sleep(deadline - rest)
		one(LaneLive, 2)
		one(LaneReprocess, 3)
		for i, want := range []string{"", "", "", schema.DeadDeadline} {
			if class := <-results; class != want {
				t.Errorf("result %d: %q, want %q", i, class, want)
			}
		}
		if !slices.Equal(order, []int64{1, 2, 3, replayed}) || cut != rest {
			t.Errorf("order %v, and %v were left of the deadline, want %v", order, cut, rest)
		}
		if took := time.Since(began); took != 3*(deadline-1)+rest {
			t.Errorf("took %v", took)
		}
	})
}

// A crash that has memory and waits for a hand does not wait for one that has a hand and
// waits for memory.
func TestNobodyWaitsForMemoryWithAHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := processing(1, func(ctx context.Context, _ int64) error {
			Aside(ctx, func() { time.Sleep(time.Second) })
			return nil
		})
		p.Memory = NewMemory(crashBytes)
		records := []*kgo.Record{crashNo(t, 1), crashNo(t, 2), crashNo(t, 3)}
		if _, done, err := inOrder(t.Context(), records, 3, p.work, nil); err != nil || done != 3 || !p.Workers.idle() {
			t.Errorf("%d of 3, %v, %+v", done, err, p.Workers)
		}
		if !p.Memory.left.TryAcquire(crashBytes) {
			t.Error("memory was lost")
		}
	})
}

// A crash whose lane was paused while it waited for memory gives that back.
func TestMemoryThatComesToAPausedLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := processing(1, func(context.Context, int64) error { return nil })
		p.Memory = NewMemory(crashBytes)
		give, _, err := p.Memory.take(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() {
			_, _, err := p.one(t.Context(), LaneReplay(2), crashNo(t, 1), 0, 0)
			ended <- err
		}()
		synctest.Wait()
		p.Workers.Follow(following(1, true))
		give()
		var passing *PassingError
		if err := <-ended; !errors.As(err, &passing) || !passing.Expected || !errors.Is(err, errPaused) {
			t.Errorf("%v", err)
		}
		if !p.Workers.idle() || !p.Memory.left.TryAcquire(crashBytes) {
			t.Errorf("%+v, or its memory is lost", p.Workers)
		}
	})
}

// What a batch only waits for is no reason for smaller ones; what others do meanwhile is.
func TestHowLongABatchOnlyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := processing(2, func(ctx context.Context, n int64) error {
			if n%2 == 1 {
				for range n {
					Aside(ctx, func() { time.Sleep(time.Second) })
				}
				n = 1
			}
			time.Sleep(time.Duration(n) * time.Millisecond)
			return nil
		})
		waited, began := &quiet{}, time.Now()
		records := []*kgo.Record{crashNo(t, 3), crashNo(t, 5), crashNo(t, 400), crashNo(t, 700)}
		// Two hands: one works 400 ms, the other 700; both wait until the third second, one works, both
		// wait until the fifth.
		if _, _, err := inOrder(waited.in(t.Context()), records, 4, p.work, nil); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 5001*time.Millisecond || took-waited.total != 702*time.Millisecond {
			t.Errorf("took %v, of which it waited %v", took, waited.total)
		}
		// Waiting for a hand that another batch has is another matter.
		p.Workers = NewWorkers(1, 1)
		if err := p.Workers.take(t.Context(), LaneLive); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { p.Workers.give(LaneLive) })
		waited = &quiet{}
		if _, _, err := inOrder(waited.in(t.Context()), records[:1], 4, p.work, nil); err != nil || waited.total != 3*time.Second {
			t.Errorf("waited %v, %v", waited.total, err)
		}
	})
}

// Work that has no hand just waits.
func TestAsideWithoutAHand(t *testing.T) {
	waited := false
	if Aside(t.Context(), func() { waited = true }); !waited {
		t.Error("it did not wait")
	}
}
