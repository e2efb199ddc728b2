package stream

import (
	"context"
	"errors"
	"sync"
	"time"

	"aftershock/schema"
)

// Lane is a kind of work: crashes as they come, crashes that somebody asked for
// again, or the replay of a version.
type Lane struct {
	order   int // lower ones go first
	version int32
}

// The lanes that all versions share.
var (
	LaneLive      = Lane{order: 0}
	LaneReprocess = Lane{order: 1}
)

// LaneReplay is that of crashes which the activation shows in another version.
func LaneReplay(version int32) Lane { return Lane{order: 2, version: version} }

// Workers are the hands of a process, shared by the loops of all lanes and
// versions. One that is free goes to the first lane that waits, of replays to the one
// that has waited longest; a lane beside the live one never has more than its share,
// so that live crashes find a hand soon. A crash that only waits for symbols leaves its
// hand to others, see Aside. It is safe for concurrent use.
type Workers struct {
	mu        sync.Mutex
	n, free   int
	lanes     map[Lane]*lane
	handovers int64
	live      time.Time // when the live lane last took a hand
	// away are crashes that wait without a hand, othersAway those of them beside the live lane.
	away, othersAway int
}

type lane struct {
	held, most int
	waiting    []chan error // each is told nil by who hands over
	last       int64        // handover, of all
}

// errPaused: a lane has no share now.
var errPaused = errors.New("the replay is paused")

// NewWorkers are n hands, of which reprocessing may have a share, between 0 and 1, but
// at least one hand. A replay may have all until Follow says something else.
func NewWorkers(n int, share float64) *Workers {
	n = max(n, 1)
	return &Workers{n: n, free: n, lanes: map[Lane]*lane{
		LaneLive:      {most: n},
		LaneReprocess: {most: max(hands(n, share), 1)},
	}}
}

// hands are a share of n, at least one unless it is none.
func hands(n int, share float64) int {
	if share <= 0 {
		return 0
	}
	return min(max(int(share*float64(n)), 1), n)
}

// Number is how many there are.
func (w *Workers) Number() int { return w.n }

// Follow gives each version's replay the share that a state says. What waits in a lane
// without one is told, and asks again.
func (w *Workers) Follow(state *schema.VersionEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range state.Versions {
		v := &state.Versions[i]
		at := w.lane(LaneReplay(v.Number))
		at.most = hands(w.n, v.Share)
		if !v.Paused && at.most > 0 {
			continue
		}
		at.most = 0
		for _, turn := range at.waiting {
			turn <- errPaused
		}
		at.waiting = nil
	}
	for w.handOver() {
	}
}

// lane is called with the lock held.
func (w *Workers) lane(l Lane) *lane {
	at := w.lanes[l]
	if at == nil {
		at = &lane{most: w.n}
		w.lanes[l] = at
	}
	return at
}

// take waits for a hand. Whoever gets nil gives it back. In a lane that is paused it
// does not wait.
func (w *Workers) take(ctx context.Context, l Lane) error {
	w.mu.Lock()
	at := w.lane(l)
	if at.most == 0 {
		w.mu.Unlock()
		return errPaused
	}
	if l == LaneLive {
		w.live = time.Now()
	}
	if w.free > 0 && at.held < at.most {
		w.free--
		at.held++
		w.mu.Unlock()
		return nil
	}
	turn := make(chan error, 1)
	at.waiting = append(at.waiting, turn)
	w.mu.Unlock()
	select {
	case err := <-turn:
		return err
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
	if <-turn == nil { // it was handed over at the same moment
		w.put(at)
	}
	return ctx.Err()
}

// liveLately is for how long live crashes count after the last one.
const liveLately = time.Second

// rest is how long a loop in a lane waits after a batch that took so long: while live
// crashes come, a replay has no more of the time than of the hands. What is done beside
// hands, compressing and the brokers' work, would else make live crashes wait.
func (w *Workers) rest(l Lane, took time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	most := w.lane(l).most
	if most == 0 || time.Since(w.live) > liveLately {
		return 0
	}
	return took * time.Duration(w.n-most) / time.Duration(most)
}

// give gives a hand back.
func (w *Workers) give(l Lane) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.put(w.lane(l))
}

func (w *Workers) put(at *lane) {
	at.held--
	w.free++
	w.handOver()
}

// handOver gives a free hand to the lane whose turn it is, and tells whether there
// was one.
func (w *Workers) handOver() bool {
	if w.free == 0 {
		return false
	}
	var next Lane
	var to *lane
	for l, at := range w.lanes {
		if len(at.waiting) == 0 || at.held >= at.most {
			continue
		}
		if to == nil || l.order < next.order || l.order == next.order && at.last < to.last {
			next, to = l, at
		}
	}
	if to == nil {
		return false
	}
	turn := to.waiting[0]
	to.waiting = to.waiting[1:]
	to.held++
	w.free--
	w.handovers++
	to.last = w.handovers
	turn <- nil
	return true
}
