package symbolcache

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// flight is a load under way that any number of callers wait for. It has a
// context of its own: who started it may leave, the others still get the answer.
type flight struct {
	done  chan struct{} // closed when the answer is there
	hash  string
	began time.Time

	// The cache's mutex guards these.
	waiters int
	settled bool
	outcome Outcome
	handle  *handle // with a reference for each waiter

	fetched atomic.Int64 // bytes
}

// wait returns the flight's answer, or Timeout when ctx ends first.
func (c *Cache) wait(ctx context.Context, f *flight) Lookup {
	select {
	case <-f.done:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !f.settled:
		f.waiters--
		return Lookup{Outcome: Timeout, Fetched: f.fetched.Load()}
	case f.handle == nil:
		return Lookup{Outcome: f.outcome, Fetched: f.fetched.Load()}
	}
	l := c.leased(f.handle)
	l.Fetched = f.fetched.Load()
	return l
}

// leased is the answer that a handle gives; the caller has taken the reference.
func (c *Cache) leased(h *handle) Lookup {
	l := lookupOf(h.file)
	l.lease = &lease{cache: c, h: h}
	return l
}

// launch starts a load. It is called with the mutex held.
func (c *Cache) launch(r request) *flight {
	f := &flight{done: make(chan struct{}), hash: r.hash, began: c.o.Now()}
	r.fetched = &f.fetched
	c.flights[r.hash] = f
	c.loads.Add(1)
	c.o.Metrics.loading(1)
	go func() {
		defer c.loads.Done()
		ctx, cancel := context.WithTimeout(c.ctx, c.o.LoadTimeout)
		defer cancel()
		h, m := c.contained(ctx, r)
		c.settle(r, f, h, m)
		c.o.Metrics.loading(-1)
	}()
	return f
}

// contained loads, and makes a panic an Error: nobody waits for this goroutine
// who could recover, and one bad file must not end the process.
func (c *Cache) contained(ctx context.Context, r request) (h *handle, m *miss) {
	defer func() {
		if p := recover(); p != nil {
			h, m = nil, c.missed(r, Error)
			if c.o.Failed != nil {
				c.o.Failed(-1, r.path, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
			}
		}
	}()
	return c.load(ctx, r)
}

// settle gives the answer to those who wait, and keeps it.
func (c *Cache) settle(r request, f *flight, h *handle, m *miss) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h != nil {
		h.refs += f.waiters
		c.handles.put(h)
		c.misses.drop(r.hash)
		f.handle = h
	} else {
		f.outcome = m.outcome
		// A file that is mapped was asked for because it is out of date.
		c.handles.drop(r.hash)
		if c.ctx.Err() == nil { // else the cache was closed: that says nothing of the file
			c.misses.put(m)
		}
	}
	f.settled = true
	if c.flights[r.hash] == f {
		delete(c.flights, r.hash)
	}
	if c.outdated(f) {
		c.forget(r.hash) // who comes next asks again; who waited had asked before
	}
	close(f.done)
}

// slots bounds how many do something at a time.
type slots chan struct{}

// enter waits for a slot; leave must be called if it did not fail, and may be
// called again.
func (s slots) enter(ctx context.Context) (leave func(), err error) {
	select {
	case s <- struct{}{}:
		return sync.OnceFunc(func() { <-s }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
