package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
)

// errTaken: the promotion at hand is somebody else's now.
var errTaken = errors.New("somebody else went on with this promotion, or ended it: see replay status")

// flip commits the event that ends the promotion which was begun at that time, and changes
// what is seen. While versions are held it gives way to nobody: an operator who is refused
// because of it fences it all the same, and then it tries again, as when brokers are away,
// until ctx is done.
func (o *Operator) flip(ctx context.Context, subject int32, began time.Time, stops map[int32]stop, why string) (flipped *schema.VersionEvent, err error) {
	refused := o.insist(ctx, func(now *schema.VersionEvent) (*schema.VersionEvent, error) {
		if ours, err := o.ours(ctx, now, began, subject); err != nil {
			return nil, err
		} else if !ours {
			return nil, errTaken
		}
		next, err := promoted(now, stops)
		if err != nil {
			return nil, err
		}
		flipped = o.stamp(next, schema.OpPromote, subject)
		if why != "" {
			flipped.Why = why
		}
		return flipped, nil
	})
	if refused != nil {
		return nil, refused
	}
	return flipped, nil
}

// giveUp lets what was held go on, unless the promotion is somebody else's.
func (o *Operator) giveUp(ctx context.Context, subject int32, began time.Time, cause error) error {
	if errors.Is(cause, errTaken) {
		return cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortDeadline)
	defer cancel()
	promotedAfterAll := false
	err := o.insist(ctx, func(now *schema.VersionEvent) (*schema.VersionEvent, error) {
		if ours, err := o.ours(ctx, now, began, subject); err != nil {
			return nil, err
		} else if !ours {
			promotedAfterAll = now.Operation == schema.OpPromote && now.Subject == subject
			return nil, nil //nolint:nilnil // nothing of ours is held
		}
		next, err := aborted(now)
		if err != nil {
			return nil, err
		}
		return o.stamp(next, schema.OpAbort, subject), nil
	})
	switch {
	case err != nil:
		return errors.Join(cause, fmt.Errorf("what is seen stands still until replay promote --abort: %w", err))
	case promotedAfterAll:
		return fmt.Errorf("promoted, though the brokers' answer did not come: %w", cause)
	}
	return fmt.Errorf("not promoted, and everything goes on as before: %w", cause)
}

// abortDeadline bounds the end of a promotion that failed.
const abortDeadline = 30 * time.Second

// ours tells whether the promotion that is under way is the one that a hold began: events
// of others may have come behind it, that neither ended it nor began another.
func (o *Operator) ours(ctx context.Context, now *schema.VersionEvent, began time.Time, subject int32) (is bool, err error) {
	if now.Promotion == nil || now.At.Equal(began) {
		return now.Promotion != nil, nil
	}
	err = o.since(ctx, began, func(e *schema.VersionEvent) {
		switch e.Operation {
		case schema.OpHold:
			is = e.At.Equal(began) && e.Subject == subject
		case schema.OpPromote, schema.OpAbort:
			is = false
		}
	})
	if err != nil {
		return false, fmt.Errorf("%w: %w", errAgain, err)
	}
	return is, nil
}

// logged tells whether an event of ours is in the log, though its operation ended with an
// error: only the answer may have been lost.
func (o *Operator) logged(ctx context.Context, mine *schema.VersionEvent) (there bool, err error) {
	err = o.since(ctx, mine.At, func(e *schema.VersionEvent) {
		there = there || e.At.Equal(mine.At) && e.Operation == mine.Operation && e.Subject == mine.Subject
	})
	return there, err
}

// since hands the events of a time and later to the caller, in their order; all, when it is
// zero.
func (o *Operator) since(ctx context.Context, at time.Time, each func(*schema.VersionEvent)) error {
	return stream.EachSince(ctx, o.Kafka, schema.TopicVersions, at, func(r *kgo.Record) error {
		e, err := schema.Decode[schema.VersionEvent](r.Value)
		if err == nil {
			each(e)
		}
		return err
	})
}

// errAgain is wrapped by what may be otherwise the next time.
var errAgain = errors.New("not decided yet")

// insist is Operate that is done or refused by decide, whoever else operates meanwhile: the
// steps of an operation that others wait for, behind its first. It waits for the end of a
// promotion that began in between.
func (o *Operator) insist(ctx context.Context, decide func(now *schema.VersionEvent) (*schema.VersionEvent, error)) error {
	return o.insistWith(ctx, func(now *schema.VersionEvent) (stream.Operation, error) {
		next, err := decide(now)
		return stream.Operation{Event: next}, err
	})
}

func (o *Operator) insistWith(ctx context.Context, decide func(now *schema.VersionEvent) (stream.Operation, error)) (refused error) {
	var mine *schema.VersionEvent // that was to be committed, and is perhaps
	err := o.await(ctx, "the versions log", func(ctx context.Context) (string, error) {
		_, err := stream.OperateWith(ctx, o.Kafka, func(now *schema.VersionEvent) (stream.Operation, error) {
			if mine != nil {
				if done, err := o.logged(ctx, mine); err != nil || done {
					return stream.Operation{}, err // the error is not decide's: tried again
				}
			}
			op, err := decide(now)
			mine = op.Event
			if !errors.Is(err, errAgain) && !errors.Is(err, ErrUnderWay) {
				refused = err
			}
			return op, err
		})
		if refused != nil {
			err = nil // waited for nothing more
		}
		return "", err
	})
	if refused != nil {
		return refused
	}
	return err
}

// Abort ends a promotion that is under way: what was held goes on.
func (o *Operator) Abort(ctx context.Context, subject int32) error {
	_, err := stream.Operate(ctx, o.Kafka, func(now *schema.VersionEvent) (*schema.VersionEvent, error) {
		next, err := aborted(now)
		if err != nil {
			return nil, err
		}
		return o.stamp(next, schema.OpAbort, subject), nil
	})
	return err
}
