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

// Pause lets the replay of a version wait, and Resume lets it go on. Crashes that
// are seen in the version are processed all the while.
func (o *Operator) Pause(ctx context.Context, n int32) error {
	return o.steer(ctx, n, schema.OpPause, pause(true))
}

// Resume is Pause's opposite.
func (o *Operator) Resume(ctx context.Context, n int32) error {
	return o.steer(ctx, n, schema.OpResume, pause(false))
}

// SetShare sets which share of each process's workers a replay may have.
func (o *Operator) SetShare(ctx context.Context, n int32, share float64) error {
	return o.steer(ctx, n, schema.OpSet, func(now *schema.VersionEvent, n int32) (*schema.VersionEvent, error) { return shared(now, n, share) })
}

func pause(is bool) func(*schema.VersionEvent, int32) (*schema.VersionEvent, error) {
	return func(now *schema.VersionEvent, n int32) (*schema.VersionEvent, error) { return paused(now, n, is) }
}

// steer does an operation that is one event.
func (o *Operator) steer(ctx context.Context, n int32, operation string, decide func(*schema.VersionEvent, int32) (*schema.VersionEvent, error)) error {
	_, err := stream.Operate(ctx, o.Kafka, func(now *schema.VersionEvent) (*schema.VersionEvent, error) {
		next, err := decide(now, n)
		if err != nil || next == nil {
			return nil, err
		}
		return o.stamp(next, operation, n), nil
	})
	return err
}

// Retire stops a version that is not what is seen of crashes that come now. Its
// rows stay, and late crashes that are seen in it are still processed.
func (o *Operator) Retire(ctx context.Context, n int32) error {
	g, err := stream.NewGroups(o.Kafka)
	if err != nil {
		return err
	}
	defer g.Close()
	if err := o.steer(ctx, n, schema.OpHalt, func(now *schema.VersionEvent, n int32) (*schema.VersionEvent, error) {
		if now != nil && now.Activation.Seen(o.Now()) == n {
			return nil, fmt.Errorf("signature version %d is what is seen of crashes that come now: promote another one first", n)
		}
		return halted(now, n)
	}); err != nil {
		return err
	}
	s, err := o.stoppedNow(ctx, g, n)
	if err != nil {
		return err
	}
	return o.steer(ctx, n, schema.OpRetire, func(now *schema.VersionEvent, n int32) (*schema.VersionEvent, error) { return retired(now, n, s) })
}

func (o *Operator) stoppedNow(ctx context.Context, g *stream.Groups, n int32) (stop, error) {
	state, err := stream.NewestVersions(ctx, o.Kafka)
	if err != nil {
		return stop{}, err
	}
	_, v, err := version(state, n)
	if err != nil {
		return stop{}, err
	}
	return o.stopped(ctx, g, v)
}

// Reopen lets a version that has stopped go on from where it did.
func (o *Operator) Reopen(ctx context.Context, n int32, share float64) error {
	g, err := stream.NewGroups(o.Kafka)
	if err != nil {
		return err
	}
	defer g.Close()
	if err := o.steer(ctx, n, schema.OpHalt, halted); err != nil {
		return err
	}
	if err := o.awaitNobody(ctx, g, processing(n)); err != nil {
		return err
	}
	_, err = stream.OperateWith(ctx, o.Kafka, func(now *schema.VersionEvent) (stream.Operation, error) {
		next, err := reopened(now, n, share)
		if err != nil {
			return stream.Operation{}, err
		}
		op := stream.Operation{Event: o.stamp(next, schema.OpReopen, n)}
		if was := now.Version(n); len(was.Ends) > 0 { // else it was killed before they were known: it goes on from its commits
			op.Offsets = map[string]map[string][]schema.PartitionOffset{
				schema.ProcessGroup(n):   {schema.TopicRaw: was.Ends},
				schema.ReprocessGroup(n): {schema.TopicReprocess: was.RequestEnds},
			}
		}
		return op, nil
	})
	return err
}

// Rollback shows again what was seen before the last change of the activation:
// versions that stopped then go on from there, catch up, and are promoted. It
// returns what it has changed back. It refuses when the activation's epoch is not
// the given one, unless that is 0: a second rollback would undo the first.
func (o *Operator) Rollback(ctx context.Context, epoch int64, opts PromoteOptions) (before schema.Activation, err error) {
	state, err := stream.NewestVersions(ctx, o.Kafka)
	if err != nil {
		return before, err
	}
	if state == nil {
		return before, errors.New("crash.versions is empty")
	}
	if epoch != 0 && epoch != state.Activation.Epoch {
		return before, fmt.Errorf("what is seen has epoch %d, and not %d: somebody has changed it", state.Activation.Epoch, epoch)
	}
	if before, err = o.activationBefore(ctx, state.Activation.Epoch); err != nil {
		return before, err
	}
	moves := changes(state.Activation.Ranges, before.Ranges)
	if state.Promotion == nil {
		if err := o.reopenAll(ctx, state, moves); err != nil {
			return before, err
		}
	}
	if len(moves) == 0 {
		return before, errors.New("nothing would change: that is what is seen already")
	}
	_, err = o.show(ctx, moves[0].winner, opts, func(now *schema.VersionEvent) ([]schema.ActiveRange, error) {
		if now.Activation.Epoch != state.Activation.Epoch {
			return nil, stream.ErrOtherOperator
		}
		ranges := now.Activation.Ranges
		for _, c := range moves {
			ranges = Show(ranges, c.winner, c.from, c.to, now.Activation.Epoch+1)
		}
		return ranges, nil
	})
	return before, err
}

// reopenAll lets every version go on that is to be seen again.
func (o *Operator) reopenAll(ctx context.Context, state *schema.VersionEvent, moves []change) error {
	for _, n := range winners(moves) {
		v := state.Version(n)
		switch {
		case v == nil || v.Gone():
			return fmt.Errorf("signature version %d is dropped: what it showed is gone", n)
		case v.State == schema.StateLive:
			continue
		}
		o.tell(fmt.Sprintf("signature version %d goes on from where it stopped", n))
		if err := o.Reopen(ctx, n, 1); err != nil {
			return err
		}
	}
	return nil
}

// activationBefore is the activation that the one of the epoch followed.
func (o *Operator) activationBefore(ctx context.Context, epoch int64) (before schema.Activation, err error) {
	found := false
	err = stream.EachSince(ctx, o.Kafka, schema.TopicVersions, time.Time{}, func(r *kgo.Record) error {
		event, err := schema.Decode[schema.VersionEvent](r.Value)
		if err != nil {
			return err
		}
		if event.Activation.Epoch < epoch {
			before, found = event.Activation, true
		}
		return nil
	})
	if err == nil && !found {
		err = errors.New("nothing was promoted yet")
	}
	return before, err
}
