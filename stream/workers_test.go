package stream

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// waiting waits until n of a lane wait.
func (w *Workers) waitingFor(t *testing.T, l Lane, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		have := len(w.lanes[l].waiting)
		w.mu.Unlock()
		if have == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d wait in lane %v, want %d", have, l, n)
		}
	}
}

func TestAFreeHandGoesToTheFirstLane(t *testing.T) {
	w := NewWorkers(1, 1)
	if err := w.take(t.Context(), LaneReplay); err != nil {
		t.Fatal(err)
	}
	var order []Lane
	var all sync.WaitGroup
	wait := map[Lane]int{}
	for _, l := range []Lane{LaneReplay, LaneReprocess, LaneLive, LaneLive} {
		all.Go(func() {
			if err := w.take(t.Context(), l); err != nil {
				t.Error(err)
				return
			}
			order = append(order, l) // there is one hand: nobody else writes
			w.give(l)
		})
		wait[l]++
		w.waitingFor(t, l, wait[l])
	}
	w.give(LaneReplay)
	all.Wait()
	for i, want := range []Lane{LaneLive, LaneLive, LaneReprocess, LaneReplay} {
		if order[i] != want {
			t.Fatalf("order %v", order)
		}
	}
}

func TestALaneHasNoMoreThanItsShare(t *testing.T) {
	for _, c := range []struct {
		n     int
		share float64
		want  int
	}{{4, 0.5, 2}, {4, 0, 1}, {4, 1, 4}, {4, 7, 4}, {1, 0.1, 1}} {
		w := NewWorkers(c.n, c.share)
		for range c.want {
			if err := w.take(t.Context(), LaneReplay); err != nil {
				t.Fatal(err)
			}
		}
		short, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() { failed <- w.take(short, LaneReplay) }()
		w.waitingFor(t, LaneReplay, 1)
		for range c.n - c.want { // what is left is the live lane's
			if err := w.take(t.Context(), LaneLive); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("%d hands, share %v: %v", c.n, c.share, err)
		}
	}
}

// However takers come and give up, no hand is lost and none is held twice.
func TestHandsAreNeitherLostNorDoubled(t *testing.T) {
	w := NewWorkers(3, 0.5)
	var busy atomic.Int64
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1)) //nolint:gosec // the same in every run
			for range 300 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(300))*time.Microsecond)
				l := Lane(r.IntN(int(lanes)))
				if w.take(ctx, l) == nil {
					if busy.Add(1) > 3 {
						t.Error("more hands than there are")
					}
					busy.Add(-1)
					w.give(l)
				}
				cancel()
			}
		})
	}
	all.Wait()
	if w.free != 3 || w.lanes[LaneLive].held+w.lanes[LaneReprocess].held+w.lanes[LaneReplay].held != 0 {
		t.Errorf("%+v", w)
	}
}
