package symbolcache

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"time"
)

// A source that keeps failing is left alone for a while: else each crash would spend its
// time on it.
const (
	// maxFailures in a row, of any files, are one too many; and so are maxOfLast among the
	// last answers, which are lookedAt: a source may be silent about some files and answer
	// at once about others.
	maxFailures = 4
	maxOfLast   = 8
	lookedAt    = 16
	// The rest after that doubles each time, until forgiven answers came without one.
	forgiven = 64
	minRest  = 5 * time.Second
	maxRest  = 2 * time.Minute
	// probeTimeout bounds asking whether a source is well again.
	probeTimeout = 5 * time.Second
)

// errResting is about a source that is left alone.
var errResting = fmt.Errorf("%w: it failed too often, and is not asked for a while", context.DeadlineExceeded)

// Breaker is what is known of a source's health. It is safe for concurrent use.
type Breaker struct {
	mu       sync.Mutex
	failures int    // in a row
	last     uint16 // the last answers, failures among them as ones
	answers  int    // since it came back, up to forgiven
	rests    int    // in a row
	open     bool   // it rests
	until    time.Time
	probing  bool
}

// Allow tells whether the source may be asked. When a rest is over, one question is
// allowed, whose answer decides.
func (b *Breaker) Allow(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return true
	}
	if b.probing || now.Before(b.until) {
		return false
	}
	b.probing = true
	return true
}

// probed learns from the question whether a source that rests is well, and tells whether it
// has come back.
func (b *Breaker) probed(now time.Time, err error) (back bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	switch {
	case errors.Is(err, context.Canceled): // of us, which says nothing
		return false
	case isFailure(err):
		b.rest(now)
		return false
	}
	b.open, b.failures, b.last, b.answers = false, 0, 0, 0
	return true
}

func isFailure(err error) bool { return isTimeout(err) || errors.Is(err, ErrTemporary) }

// Told learns from an answer to a crash's question. While the source rests it says nothing:
// the question had been asked before.
func (b *Breaker) Told(now time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open || errors.Is(err, context.Canceled) {
		return
	}
	b.last <<= 1
	b.failures++
	if b.answers = min(b.answers+1, forgiven); b.answers == forgiven {
		b.rests = 0
	}
	if !isFailure(err) {
		b.failures = 0
		return
	}
	b.last |= 1
	if b.failures >= maxFailures || bits.OnesCount16(b.last) >= maxOfLast {
		b.open = true
		b.rest(now)
	}
}

// rest lets the source alone for longer than the last time.
func (b *Breaker) rest(now time.Time) {
	b.until = now.Add(min(minRest<<min(b.rests, 10), maxRest))
	b.rests++
}

// Resting tells whether the source is left alone.
func (b *Breaker) Resting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open
}

// maxPerSource bounds the requests to one source at a time; servers answer
// more with 429.
const maxPerSource = 8

// ask asks a source for a request's file, unless it rests when it is the request's
// turn: those that wait for one that falls silent do not find out each by itself.
func (c *Cache) ask(ctx context.Context, i int, r request) (*handle, error) {
	if c.leftAlone(i) {
		return nil, errResting
	}
	leave, err := c.asking[i].enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if c.leftAlone(i) {
		return nil, errResting
	}
	h, err := c.fromSource(ctx, c.o.Sources[i], r)
	c.breakers[i].Told(c.o.Now(), err)
	c.o.Metrics.resting(i, c.breakers[i].Resting())
	return h, err
}

// leftAlone tells whether a source rests. When its rest is over it is asked whether it
// is well, beside the crash that came first then: that one does not wait for it.
func (c *Cache) leftAlone(i int) bool {
	b := &c.breakers[i]
	if !b.Resting() {
		return false
	}
	if b.Allow(c.o.Now()) {
		c.loads.Go(func() { c.probe(c.ctx, i) }) // within a load, so that Close waits
	}
	return true
}

// probePath names no file of anybody.
const probePath = "aftershock-probe/000000000000000000000000000000000/aftershock-probe.sym"

// Well tells whether no source is resting. One whose rest is over is asked, for a file
// that there is not: any answer is a good one.
func (c *Cache) Well(ctx context.Context) bool {
	well := true
	for i := range c.breakers {
		b := &c.breakers[i]
		if b.Resting() && b.Allow(c.o.Now()) {
			c.probe(ctx, i)
		}
		well = well && !b.Resting()
	}
	return well
}

// Probe asks a source that rests whether it is well, after Allow, and tells whether it has
// come back.
func (b *Breaker) Probe(ctx context.Context, s Source, now func() time.Time) (back bool) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	body, err := s.Open(ctx, probePath)
	if err == nil {
		body.Close() //nolint:errcheck,gosec // only that it answers counts
	}
	return b.probed(now(), err)
}

// probe asks a source whether it is well. When it has come back, what it failed to answer
// may be asked again at once.
func (c *Cache) probe(ctx context.Context, i int) {
	if c.breakers[i].Probe(ctx, c.o.Sources[i], c.o.Now) {
		c.mu.Lock()
		c.misses.dropTransient()
		c.mu.Unlock()
	}
	c.o.Metrics.resting(i, c.breakers[i].Resting())
}
