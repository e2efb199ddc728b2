package stream

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aftershock/schema"
)

// waiting waits until n of a lane wait.
func (w *Workers) waitingFor(t *testing.T, l Lane, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		have := len(w.lane(l).waiting)
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
	if err := w.take(t.Context(), LaneReplay(2)); err != nil {
		t.Fatal(err)
	}
	var order []Lane
	var all sync.WaitGroup
	wait := map[Lane]int{}
	for _, l := range []Lane{LaneReplay(2), LaneReplay(2), LaneReplay(3), LaneReprocess, LaneLive, LaneLive} {
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
	w.lane(LaneReplay(2)).last = 1 // it has just had a turn
	w.handovers = 1
	w.give(LaneReplay(2))
	all.Wait()
	for i, want := range []Lane{LaneLive, LaneLive, LaneReprocess, LaneReplay(3), LaneReplay(2), LaneReplay(2)} {
		if order[i] != want {
			t.Fatalf("order %v", order)
		}
	}
}

// following is the state of a version that replays.
func following(share float64, paused bool) *schema.VersionEvent {
	return &schema.VersionEvent{Versions: []schema.SignatureVersion{{Number: 2, State: schema.StateLive, Share: share, Paused: paused}}}
}

func TestALaneHasNoMoreThanItsShare(t *testing.T) {
	reprocess := func(n int, share float64) (*Workers, Lane) { return NewWorkers(n, share), LaneReprocess }
	replay := func(n int, share float64) (*Workers, Lane) {
		w := NewWorkers(n, 1)
		w.Follow(following(share, false))
		return w, LaneReplay(2)
	}
	for _, c := range []struct {
		workers func(n int, share float64) (*Workers, Lane)
		n       int
		share   float64
		want    int
	}{
		{reprocess, 4, 0.5, 2},
		{reprocess, 4, 0, 1},
		{reprocess, 4, 1, 4},
		{reprocess, 4, 7, 4},
		{reprocess, 1, 0.1, 1},
		{replay, 4, 0.5, 2},
		{replay, 4, 0.01, 1},
		{replay, 4, 1, 4},
		{replay, 4, 7, 4},
		{replay, 1, 0.1, 1},
	} {
		w, l := c.workers(c.n, c.share)
		for range c.want {
			if err := w.take(t.Context(), l); err != nil {
				t.Fatal(err)
			}
		}
		short, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() { failed <- w.take(short, l) }()
		w.waitingFor(t, l, 1)
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

// Pausing takes no hand away, and gives none; who waits is told.
func TestAPausedReplayGetsNoHand(t *testing.T) {
	l := LaneReplay(2)
	for name, state := range map[string]*schema.VersionEvent{"paused": following(1, true), "without a share": following(0, false)} {
		w := NewWorkers(2, 1)
		w.Follow(following(0.5, false))
		if err := w.take(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		told := make(chan error)
		go func() { told <- w.take(t.Context(), l) }()
		w.waitingFor(t, l, 1)
		w.Follow(state)
		if err := <-told; !errors.Is(err, errPaused) {
			t.Errorf("%s: %v", name, err)
		}
		w.give(l)
		if err := w.take(t.Context(), l); !errors.Is(err, errPaused) {
			t.Errorf("%s: %v", name, err)
		}
		if err := w.take(t.Context(), LaneReplay(3)); err != nil {
			t.Errorf("%s: another version: %v", name, err)
		}
		w.Follow(following(0.5, false))
		if err := w.take(t.Context(), l); err != nil {
			t.Errorf("%s: resumed: %v", name, err)
		}
	}
}

// While live crashes come a replay rests for as long as it does not have the hands.
func TestAReplayRestsWhileLiveCrashesCome(t *testing.T) {
	for name, tc := range map[string]struct {
		share  float64
		paused bool
		live   bool
		want   time.Duration
	}{
		"a quarter":           {0.25, false, true, 3 * time.Second},
		"half":                {0.5, false, true, time.Second},
		"all":                 {1, false, true, 0},
		"paused":              {0.5, true, true, 0},
		"half, nothing comes": {0.5, false, false, 0},
	} {
		w := NewWorkers(4, 1)
		w.Follow(following(tc.share, tc.paused))
		if tc.live {
			if err := w.take(t.Context(), LaneLive); err != nil {
				t.Fatal(err)
			}
			w.live = w.live.Add(time.Hour) // the test may be halted
		}
		if got := w.rest(LaneReplay(2), time.Second); got != tc.want {
			t.Errorf("%s: rests %v, want %v", name, got, tc.want)
		}
	}
}

// A share that grows is used at once by who waits.
func TestAShareCanGrow(t *testing.T) {
	w, l := NewWorkers(4, 1), LaneReplay(2)
	w.Follow(following(0.25, false))
	if err := w.take(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	for range 3 {
		go func() { got <- w.take(t.Context(), l) }()
	}
	w.waitingFor(t, l, 3)
	w.Follow(following(1, false))
	for range 3 {
		if err := <-got; err != nil {
			t.Error(err)
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
				l := []Lane{LaneLive, LaneReprocess, LaneReplay(2), LaneReplay(3)}[r.IntN(4)]
				if r.IntN(20) == 0 {
					w.Follow(following(r.Float64(), r.IntN(2) == 0))
				}
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
	if w.free != 3 {
		t.Errorf("%d are free", w.free)
	}
	for l, at := range w.lanes {
		if at.held != 0 || len(at.waiting) != 0 {
			t.Errorf("lane %v: %+v", l, at)
		}
	}
}
