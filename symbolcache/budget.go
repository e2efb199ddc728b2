package symbolcache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
)

// budget is the memory that compilers may hold together. Each has a share of its
// own at once; what is left has one at a time, so that none waits for what
// another one holds while that waits for it.
type budget struct {
	share, rest int64
	large       slots
}

// shareParts: a share is this part of the budget, or of one for each compiler if
// there are many.
const shareParts = 8

func newBudget(bytes int64, compilers int) *budget {
	share := bytes / max(shareParts, 2*int64(compilers))
	return &budget{share: share, rest: bytes - share*int64(compilers), large: make(slots, 1)}
}

// need answers how much a compiler may hold when it needs so much: it may wait for
// the rest. ErrTooLarge when all of it would not do.
func (b *budget) need(ctx context.Context, bytes int64, leave *func()) (allowed int64, err error) {
	switch {
	case bytes <= b.share:
		return b.share, nil
	case bytes > b.share+b.rest:
		return 0, fmt.Errorf("%w: compiling takes more than %d bytes of memory", ErrTooLarge, b.share+b.rest)
	case *leave == nil:
		if *leave, err = b.large.enter(ctx); err != nil {
			return 0, err
		}
	}
	return b.share + b.rest, nil
}

// meter counts what one compiler holds, with the room that its tables have to
// grow; an error stays. Who reads a module's own file counts with it.
type meter struct {
	mu            sync.Mutex
	held, allowed int64
	need          func(bytes int64) (allowed int64, err error) // nil: nothing is bounded
	err           error
}

func (m *meter) hold(bytes int) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held += int64(bytes); m.held > m.allowed && m.need != nil && m.err == nil {
		m.allowed, m.err = m.need(m.held)
	}
}

// room takes room for so many bytes, or gives some back; it answers false if there is
// none, which is no error: the reader goes on without them.
func (m *meter) room(bytes int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if want := m.held + bytes; bytes > 0 && want > m.allowed && m.need != nil {
		allowed, err := m.need(want)
		if err != nil {
			if !errors.Is(err, ErrTooLarge) {
				m.err = cmp.Or(m.err, err)
			}
			return false
		}
		m.allowed = allowed
	}
	m.held += bytes
	return true
}

// failed is the error.
func (m *meter) failed() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// What compilers hold of a record, with what is made of it at the end. Tables that
// grow have room for as much again.
const (
	compilerBytes = 1 << 20           // buffers of reader and writer, the first chunk of names
	functionBytes = 2*20 + 24 + 4     // function, run, address
	publicBytes   = 2*12 + 24 + 4     // public, run, address
	nameBytes     = 2*12 + 8 + 16 + 4 // name, slots, spelling, order; and the text
	lineBytes     = 2 * 16            // of the largest function
	rangeBytes    = 2 * 16            // the same
	callBytes     = 2*20 + 2*4 + 16   // the same, encoded
	idBytes       = 32                // index and definition, in a map
)
