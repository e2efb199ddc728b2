package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// Guard stops a loop when so much is dead-lettered that the build, its symbols or
// its surroundings must be at fault rather than the records: a bad deploy must
// not drain a topic into the bin. Zero limits are none.
//
// Whoever sends crashes must not be able to trip it. So dead letters that an input
// alone can cause are not counted, and of those that either an input or the build
// can cause (a panic) too many only lead to SelfTest, which decides.
type Guard struct {
	// InARow is how many records, one after the other, may be dead-lettered.
	InARow int
	// Share, between 0 and 1, is how much of the last guardWindow records may be.
	Share float64
	// SelfTest fails when the build does not do its work on records that it knows. Nil:
	// it always does.
	SelfTest func(context.Context) error
}

// DefaultGuard of a processor.
var DefaultGuard = Guard{InARow: 50, Share: 0.5}

const (
	// guardWindow is how many records Share looks back at; before that it says
	// nothing.
	guardWindow = 200
	// selfTestDeadline bounds SelfTest: a machine that takes longer is at fault.
	selfTestDeadline = 20 * time.Second
)

// ErrGuard is wrapped by the error of a loop that its Guard stopped. What tripped
// it was not committed.
var ErrGuard = errors.New("too many dead letters")

// Verdict is what became of a record, as a Guard sees it.
type Verdict int

const (
	// Well is a record that was handled, or a dead letter that only the record is to
	// blame for.
	Well Verdict = iota
	// Suspicious is a dead letter that the build or the record is to blame for.
	Suspicious
	// Accusing is a dead letter that no record can cause by itself.
	Accusing
)

// verdict is what a record's outputs say.
func verdict(outputs []*kgo.Record) Verdict {
	if !isDead(outputs) {
		return Well
	}
	return VerdictOf(outputs[0])
}

// VerdictOf is that of a dead letter.
func VerdictOf(letter *kgo.Record) Verdict {
	l, err := ReadLetter(letter)
	if err != nil {
		return Accusing
	}
	switch l.Class {
	case schema.DeadPanic, schema.DeadDeadline, schema.DeadProcess, schema.DeadRowRefused:
		return Suspicious
	case schema.DeadCrashID, schema.DeadEventTooLarge, schema.DeadDumpTooLarge, schema.DeadPoison, schema.DeadRequestBad, schema.DeadRawGone, schema.DeadUnserved:
		return Well
	case schema.DeadBlobMissing, schema.DeadBlobCorrupt:
		if l.Stage == stageReprocess { // blobs of crashes long ago have expired
			return Well
		}
	}
	return Accusing
}

// Watch is what a Guard has seen. Copies are independent.
type Watch struct {
	Guard
	accusing, suspicious tally
}

// tally counts records of one kind among the last ones.
type tally struct {
	inARow int
	window [guardWindow]bool
	seen   int
	dead   int // in the window
}

// Record counts one more; the error wraps ErrGuard when it is one too many.
func (g *Watch) Record(ctx context.Context, v Verdict) error {
	if err := g.accusing.add(g.Guard, v == Accusing); err != nil {
		return err
	}
	tooMany := g.suspicious.add(g.Guard, v == Suspicious)
	if tooMany == nil {
		return nil
	}
	if g.SelfTest != nil {
		ctx, cancel := context.WithTimeout(ctx, selfTestDeadline)
		defer cancel()
		if err := g.selfTest(ctx); err != nil {
			return fmt.Errorf("%w, and the self-test fails: %w", tooMany, err)
		}
	}
	g.suspicious = tally{} // the records are to blame
	return nil
}

// selfTest makes a panic an error.
func (g *Watch) selfTest(ctx context.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return g.SelfTest(ctx)
}

func (t *tally) add(g Guard, dead bool) error {
	at := t.seen % guardWindow
	if t.seen >= guardWindow && t.window[at] {
		t.dead--
	}
	t.window[at] = dead
	t.seen++
	if !dead {
		t.inARow = 0
		return nil
	}
	t.dead++
	t.inARow++
	switch {
	case g.InARow > 0 && t.inARow > g.InARow:
		return fmt.Errorf("%w: more than %d in a row", ErrGuard, g.InARow)
	case g.Share > 0 && t.seen >= guardWindow && float64(t.dead) > g.Share*guardWindow:
		return fmt.Errorf("%w: %d of the last %d records", ErrGuard, t.dead, guardWindow)
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
