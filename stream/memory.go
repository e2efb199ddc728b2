package stream

import (
	"context"
	"errors"

	"golang.org/x/sync/semaphore"
)

// Memory bounds what the crashes that are worked on take together: large dumps
// wait for each other, small ones do not notice. It is safe for concurrent use.
// A nil *Memory bounds nothing.
type Memory struct {
	most int64
	left *semaphore.Weighted
}

// NewMemory is so many bytes.
func NewMemory(bytes int64) *Memory { return &Memory{bytes, semaphore.NewWeighted(bytes)} }

// crashBytes is what a crash takes beside its dump: its event, and what the walk
// keeps.
const crashBytes = 8 << 20

// fits tells whether a crash with a dump can ever have the memory that it takes.
func (m *Memory) fits(dumpBytes int64) bool { return m == nil || 2*dumpBytes+crashBytes <= m.most }

// take waits for the memory that a crash with a dump takes: the dump's stored bytes
// and its original ones. Who waits does so without a hand: else those that have memory and
// wait for a hand would wait for those that have a hand and wait for memory. fits is false
// when it can never have so much.
func (m *Memory) take(ctx context.Context, dumpBytes int64) (give func(), fits bool, err error) {
	bytes := 2*dumpBytes + crashBytes
	if m == nil {
		return func() {}, true, nil
	}
	if !m.fits(dumpBytes) {
		return nil, false, nil
	}
	give = func() { m.left.Release(bytes) }
	if m.left.TryAcquire(bytes) {
		return give, true, nil
	}
	handless := without(ctx, func() { err = m.left.Acquire(ctx, bytes) })
	if err == nil && handless != nil {
		give()
	}
	if err := errors.Join(err, handless); err != nil {
		return nil, true, err
	}
	return give, true, nil
}
