package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"aftershock/schema"
	"aftershock/stream"
)

// errTaken: the promotion at hand is somebody else's now.
var errTaken = errors.New("somebody else went on with this promotion, or ended it: see replay status")

// flip commits the event that ends the promotion which was begun at that time, and changes
// what is seen. While versions are held it gives way to nobody: an operator who only looks
// at the log fences it all the same, and then it tries again, as when brokers are away,
// until ctx is done.
func (o *Operator) flip(ctx context.Context, subject int32, began time.Time, stops map[int32]stop, why string) (flipped *schema.VersionEvent, err error) {
	refused := o.insist(ctx, func(now *schema.VersionEvent) (*schema.VersionEvent, error) {
		if now.Promotion == nil || !now.At.Equal(began) {
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
		if now.Promotion == nil || !now.At.Equal(began) {
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

// insist is Operate that is done or refused by decide, whoever else operates meanwhile: the
// steps of an operation that others wait for, behind its first.
func (o *Operator) insist(ctx context.Context, decide func(now *schema.VersionEvent) (*schema.VersionEvent, error)) error {
	return o.insistWith(ctx, func(now *schema.VersionEvent) (stream.Operation, error) {
		next, err := decide(now)
		return stream.Operation{Event: next}, err
	})
}

func (o *Operator) insistWith(ctx context.Context, decide func(now *schema.VersionEvent) (stream.Operation, error)) (refused error) {
	var mine *schema.VersionEvent
	err := o.await(ctx, "the versions log", func(ctx context.Context) (string, error) {
		_, err := stream.OperateWith(ctx, o.Kafka, func(now *schema.VersionEvent) (stream.Operation, error) {
			if mine != nil && now != nil && now.At.Equal(mine.At) && now.Operation == mine.Operation && now.Subject == mine.Subject {
				return stream.Operation{}, nil // committed after all: only the answer was lost
			}
			op, err := decide(now)
			mine, refused = op.Event, err
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
