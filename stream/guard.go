package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
)

// Guard stops a loop when so much is dead-lettered that the build, its symbols or
// its surroundings must be at fault rather than the records: a bad deploy must
// not drain a topic into the bin. Zero limits are none.
type Guard struct {
	// InARow is how many records, one after the other, may be dead-lettered.
	InARow int
	// Share, between 0 and 1, is how much of the last guardWindow records may be.
	Share float64
}

// DefaultGuard of a processor.
var DefaultGuard = Guard{InARow: 50, Share: 0.5}

// guardWindow is how many records Share looks back at; before that it says
// nothing.
const guardWindow = 200

// ErrGuard is wrapped by the error of a loop that its Guard stopped. What tripped
// it was not committed.
var ErrGuard = errors.New("too many dead letters")

// Watch is what a Guard has seen. Copies are independent.
type Watch struct {
	Guard
	inARow int
	window [guardWindow]bool
	seen   int
	dead   int // in the window
}

// Record counts one more; the error wraps ErrGuard when it is one too many.
func (g *Watch) Record(dead bool) error {
	at := g.seen % guardWindow
	if g.seen >= guardWindow && g.window[at] {
		g.dead--
	}
	g.window[at] = dead
	g.seen++
	if !dead {
		g.inARow = 0
		return nil
	}
	g.dead++
	g.inARow++
	switch {
	case g.InARow > 0 && g.inARow > g.InARow:
		return fmt.Errorf("%w: more than %d in a row", ErrGuard, g.InARow)
	case g.Share > 0 && g.seen >= guardWindow && float64(g.dead) > g.Share*guardWindow:
		return fmt.Errorf("%w: %d of the last %d records", ErrGuard, g.dead, guardWindow)
	}
	return nil
}

// Halt says every minute what to do about an ErrGuard, until ctx is done.
func Halt(ctx context.Context, log zerolog.Logger, err error) {
	for {
		log.Error().Err(err).Msg(haltAdvice)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Minute):
		}
	}
}

const haltAdvice = "stopped: this build or its surroundings seem to be at fault, not the crashes. Mend it and start again, or let them pass with --dead-letters-in-a-row 0 --dead-letters-share 0"
