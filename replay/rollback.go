package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aftershock/schema"
	"aftershock/stream"
)

// Rollback shows again what was seen before the last change of the activation:
// versions that stopped then go on from there, catch up, and are promoted. When there
// is much to catch up on, what they have already is shown first, within seconds, and
// the rest when they have come to it. When it is killed in between, the next call does
// the rest. It returns what it has changed back to. It refuses when the activation's epoch
// is not the given one, unless that is 0: a second rollback would undo the first.
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
	undone := state.Activation.Epoch
	if before, undone, err = o.activationBefore(ctx, undone); err != nil {
		return before, err
	}
	moves := changes(state.Activation.Ranges, before.Ranges)
	if len(moves) == 0 {
		return before, errors.New("nothing would change: that is what is seen already")
	}
	if state.Promotion == nil {
		if err := o.reopenAll(ctx, state, moves); err != nil {
			return before, err
		}
		past, err := o.pastFirst(ctx, moves, undone, opts)
		if err != nil {
			return before, err
		}
		if past {
			opts.CatchUp = max(opts.CatchUp, rollbackCatchUp)
		}
	}
	return before, o.back(ctx, moves, opts)
}

// rollbackCatchUp is how long the second half of a rollback waits at least: what was wrong
// is seen only of what came lately.
const rollbackCatchUp = 24 * time.Hour

// back shows the winners of the changes; what they show already stays.
func (o *Operator) back(ctx context.Context, moves []change, opts PromoteOptions) error {
	state, err := stream.NewestVersions(ctx, o.Kafka)
	if err != nil {
		return err
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
	return err
}

// pastWhy is the reason in the event of the first half of a rollback: whoever finds it
// newest does the second.
const pastWhy = "rollback of epoch %d: what both versions have"

// pastFirst shows what the winners have already, when they have much to catch up on, and
// tells whether it did.
func (o *Operator) pastFirst(ctx context.Context, moves []change, undone int64, opts PromoteOptions) (bool, error) {
	most := opts.AtOnce
	if most == 0 {
		most = DefaultAtOnce
	}
	behind, err := o.behind(ctx, winners(moves))
	if err != nil || behind <= most {
		return false, err
	}
	var past []change
	for _, c := range moves {
		if c.loser == 0 || c.winner == 0 {
			continue
		}
		until, err := c.until(ctx, o.DB)
		if err != nil {
			return false, fmt.Errorf("what signature versions %d and %d have both: %w", c.loser, c.winner, err)
		}
		if c.to = earlier(c.to, earlier(until, o.Now().Add(-fresh))); c.from.Before(c.to) {
			c.to = c.to.UTC().Truncate(time.Millisecond)
			past = append(past, c)
		}
	}
	if len(past) == 0 {
		return false, nil
	}
	opts.past, opts.why = true, fmt.Sprintf(pastWhy, undone)
	if err := o.back(ctx, past, opts); err != nil {
		return false, err
	}
	o.tell(fmt.Sprintf("what both versions have is seen again; %d raw crashes are left to catch up on", behind))
	return true, nil
}

// behind is how many raw crashes versions have to catch up on, the most of them.
func (o *Operator) behind(ctx context.Context, of []int32) (most int64, err error) {
	g, err := stream.NewGroups(o.Kafka)
	if err != nil {
		return 0, err
	}
	defer g.Close()
	end, err := ends(ctx, g, schema.TopicRaw)
	if err != nil {
		return 0, err
	}
	for _, n := range of {
		behind, err := g.Behind(ctx, schema.ProcessGroup(n), schema.TopicRaw, end)
		if err != nil {
			return 0, err
		}
		most = max(most, total(behind))
	}
	return most, nil
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

// activationBefore is the activation that the one of the epoch followed. An epoch that is
// the first half of a rollback stands for the one that it undoes, which is returned.
func (o *Operator) activationBefore(ctx context.Context, epoch int64) (before schema.Activation, undone int64, err error) {
	var events []*schema.VersionEvent // that changed the activation
	err = o.since(ctx, time.Time{}, func(event *schema.VersionEvent) {
		if n := len(events); n == 0 || events[n-1].Activation.Epoch < event.Activation.Epoch {
			events = append(events, &schema.VersionEvent{Why: event.Why, Activation: event.Activation})
		}
	})
	if err != nil {
		return before, 0, err
	}
	for _, e := range slices.Backward(events) {
		if e.Activation.Epoch == epoch && strings.HasPrefix(e.Why, "rollback of epoch ") {
			if _, err := fmt.Sscanf(e.Why, pastWhy, &epoch); err != nil {
				return before, 0, fmt.Errorf("epoch %d: %q: %w", e.Activation.Epoch, e.Why, err)
			}
		}
		if e.Activation.Epoch < epoch {
			return e.Activation, epoch, nil
		}
	}
	return before, 0, errors.New("nothing was promoted yet")
}
