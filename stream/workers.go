package stream

import (
	"context"
	"sync"
)

// Lane is a kind of work. Lower ones go first.
type Lane int

// The lanes of a processor.
const (
	LaneLive      Lane = iota // crashes as they come
	LaneReprocess             // crashes that somebody asked for again
	LaneReplay                // whole topics, for a new version
	lanes
)

func (l Lane) String() string { return [...]string{"live", "reprocess", "replay"}[l] }

// Workers are the hands of a process, shared by the loops of all lanes and
// versions. One that is free goes to the first lane that waits; a lane beside
// the live one never has more than its share, so that live crashes find a hand
// soon. It is safe for concurrent use.
type Workers struct {
	mu    sync.Mutex
	free  int
	lanes [lanes]lane
}

type lane struct {
	held, most int
	waiting    []chan struct{} // each is closed by who hands over
}

// NewWorkers are n hands, of which reprocessing and replays may have a share each,
// between 0 and 1, but at least one hand.
func NewWorkers(n int, share float64) *Workers {
	n = max(n, 1)
	w := &Workers{free: n}
	for l := range w.lanes {
		w.lanes[l].most = n
		if Lane(l) != LaneLive {
			w.lanes[l].most = min(max(int(share*float64(n)), 1), n)
		}
	}
	return w
}

// Number is how many there are.
func (w *Workers) Number() int { return w.lanes[LaneLive].most }

// take waits for a hand. Whoever gets nil gives it back.
func (w *Workers) take(ctx context.Context, l Lane) error {
	w.mu.Lock()
	at := &w.lanes[l]
	if w.free > 0 && at.held < at.most {
		w.free--
		at.held++
		w.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	at.waiting = append(at.waiting, turn)
	w.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, c := range at.waiting {
		if c == turn {
			at.waiting = append(at.waiting[:i], at.waiting[i+1:]...)
			return ctx.Err()
		}
	}
	w.put(l) // it was handed over at the same moment
	return ctx.Err()
}

// give gives a hand back.
func (w *Workers) give(l Lane) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.put(l)
}

func (w *Workers) put(l Lane) {
	w.lanes[l].held--
	w.free++
	for i := range w.lanes {
		if to := &w.lanes[i]; len(to.waiting) > 0 && to.held < to.most {
			turn := to.waiting[0]
			to.waiting = to.waiting[1:]
			to.held++
			w.free--
			close(turn)
			return
		}
	}
}
