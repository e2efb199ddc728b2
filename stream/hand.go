package stream

import (
	"context"
	"errors"
	"sync"
	"time"
)

// maxAside is how many crashes of a process may wait for symbols without a hand, those
// beside the live lane half of them: each holds memory. Others wait with theirs. With the
// default memory there is room for twice as many.
const maxAside = 16

// hand is one of the process's, at work on one crash. While the crash only waits it is
// others', and the crash takes one again before it goes on. One goroutine uses it.
type hand struct {
	workers *Workers
	lane    Lane
	held    bool
	term    *term  // of the crash, once it is worked on
	quiet   *quiet // of the batch
}

// hand waits for one. Whoever gets it gives it back.
func (w *Workers) hand(ctx context.Context, l Lane) (*hand, error) {
	h := &hand{workers: w, lane: l}
	h.quiet, _ = ctx.Value(quietKey{}).(*quiet)
	return h, h.take(ctx)
}

func (h *hand) take(ctx context.Context) error {
	h.quiet.busy()
	if err := h.workers.take(ctx, h.lane); err != nil {
		h.quiet.idle()
		return err
	}
	h.held = true
	return nil
}

// give gives it back, if it has not been.
func (h *hand) give() {
	if h.held {
		h.held = false
		h.workers.give(h.lane)
		h.quiet.idle()
	}
}

type handKey struct{}

func (h *hand) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, handKey{}, h)
}

// handIn is nil for work that has none.
func handIn(ctx context.Context) *hand {
	h, _ := ctx.Value(handKey{}).(*hand)
	return h
}

// Aside runs wait, which only waits, while the hand that works on ctx's crash is others'.
// It returns when the crash has a hand again, or when ctx is done: a crash whose lane was
// paused meanwhile is given up. When too many are aside, the crash waits with its hand.
func Aside(ctx context.Context, wait func()) {
	h := handIn(ctx)
	if h == nil || !h.workers.aside(h.lane, 1) {
		wait()
		return
	}
	defer h.workers.aside(h.lane, -1) // not before it has a hand: until then it holds memory
	_ = without(ctx, wait)            // ctx is done
}

// aside notes that a crash goes aside, +1, or has come back, -1. It is false when there is
// no room for it.
func (w *Workers) aside(l Lane, change int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	others := 0
	if l != LaneLive {
		others = change
	}
	if change > 0 && (w.away == maxAside || w.othersAway+others > maxAside/2) {
		return false
	}
	w.away += change
	w.othersAway += others
	return true
}

// without runs wait while the hand is others'. With an error there is no hand afterwards.
func without(ctx context.Context, wait func()) error {
	h := handIn(ctx)
	if h == nil {
		wait()
		return nil
	}
	h.give()
	wait()
	h.term.halt()
	if err := h.take(ctx); err != nil {
		h.term.end(err)
		return err
	}
	h.term.resume()
	return nil
}

// term bounds the work on a crash. Waiting for a hand does not count. A nil *term bounds
// nothing.
type term struct {
	cancel context.CancelCauseFunc
	timer  *time.Timer
	left   time.Duration
	began  time.Time
}

// bounded is ctx until so much time has passed, and then its cause is DeadlineExceeded; it
// is errPaused when the hand in ctx could not be taken again. Whoever calls it calls stop.
func bounded(ctx context.Context, left time.Duration) (working context.Context, stop func()) {
	working, cancel := context.WithCancelCause(ctx)
	t := &term{cancel: cancel, left: left, began: time.Now()}
	t.timer = time.AfterFunc(left, func() { cancel(context.DeadlineExceeded) })
	if h := handIn(ctx); h != nil {
		h.term = t
	}
	return working, func() {
		t.timer.Stop()
		cancel(nil)
	}
}

func (t *term) halt() {
	if t != nil {
		t.timer.Stop()
		t.left -= time.Since(t.began)
	}
}

func (t *term) resume() {
	if t != nil {
		t.began = time.Now()
		t.timer.Reset(t.left)
	}
}

// end ends the work.
func (t *term) end(err error) {
	if t != nil {
		t.cancel(err)
	}
}

// gaveUp is why nothing is known of a crash whose work in ctx failed: the loop gave up, or
// the crash's lane has no share any more. It is nil when the crash is to blame.
func gaveUp(ctx, working context.Context) error {
	if ctx.Err() != nil {
		return &PassingError{Err: ctx.Err()}
	}
	if err := context.Cause(working); errors.Is(err, errPaused) {
		return &PassingError{Err: err, Expected: true}
	}
	return nil
}

// quiet is how long a batch did nothing but wait: no crash of it had a hand or wanted one.
// That is no reason for a smaller batch, which would wait as long. It is safe for
// concurrent use. A nil *quiet counts nothing.
type quiet struct {
	mu     sync.Mutex
	active int       // crashes that have a hand or want one
	since  time.Time // when there was none left
	total  time.Duration
}

type quietKey struct{}

func (q *quiet) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, quietKey{}, q)
}

// busy is told of a crash that wants a hand.
func (q *quiet) busy() {
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.active == 0 && !q.since.IsZero() {
		q.total += time.Since(q.since)
	}
	q.active++
}

// idle is told of one that needs none any more, or not now.
func (q *quiet) idle() {
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.active--; q.active == 0 {
		q.since = time.Now()
	}
}
