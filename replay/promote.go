package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
)

// PromoteOptions are what an operator decides about a promotion.
type PromoteOptions struct {
	// AcceptMissing is how many crashes may vanish from what is seen, and
	// AcceptTransient how many may be seen that lack symbols for a while and did not
	// before.
	AcceptMissing, AcceptTransient int64
	// CatchUp is how long the version may take to come near the live end before
	// anything is held; Hold is how long what is seen may stand still.
	CatchUp, Hold time.Duration
	// AtOnce is how many raw crashes the versions that a rollback shows again may have to
	// catch up on before what both have is shown first. 0 means DefaultAtOnce.
	AtOnce int64
	// Epoch is the one of what is seen when somebody decided; 0 for whatever is. A promotion that
	// finds another one changes nothing.
	Epoch int64

	// past: of what is to be seen everything was received long ago, and is looked for row
	// by row: nobody need catch up.
	past bool
	// why is the event's.
	why string
}

// DefaultAtOnce is the default of PromoteOptions.AtOnce.
const DefaultAtOnce = 10_000

// Flipped is how long a promotion took.
type Flipped struct {
	// Held is how long what came was not seen; Views is how long the last step of it
	// took, from the decision to the views.
	Held, Views time.Duration
}

// Promote shows a version for crashes received in [from, to). What is seen now
// stands still for seconds, and nothing of it vanishes or is seen twice:
//
//	hold     versions that lose something are not processed any more
//	wait     until they have no members: where they stopped is E; until the new one
//	         has passed E; until the sinks have passed what both wrote
//	check    that no crash that is seen has no row in the new version, nor lacks symbols
//	         in it for a while that the old one had
//	promote  the event that changes the activation: every view flips with one insert
//
// The check looks at everything before anything is held, and while it is at what has
// come since alone. When Promote fails in between, everything goes on as before. When it
// is killed in between, the next call begins anew. What became of signatures is kept
// afterwards (lineage.go): a promotion does not depend on it.
func (o *Operator) Promote(ctx context.Context, n int32, from, to time.Time, opts PromoteOptions) (Flipped, error) {
	return o.show(ctx, n, opts, func(now *schema.VersionEvent) ([]schema.ActiveRange, error) {
		_, v, err := version(now, n)
		if err != nil {
			return nil, err
		}
		if opts.Epoch != 0 && opts.Epoch != now.Activation.Epoch {
			return nil, fmt.Errorf("what is seen has epoch %d, and not %d: somebody has changed it", now.Activation.Epoch, opts.Epoch)
		}
		if v.From != nil {
			from = later(from, *v.From)
		}
		if v.To != nil {
			to = earlier(to, *v.To)
		}
		if !from.Before(to) {
			return nil, fmt.Errorf("signature version %d is not made for any crash of that range", n)
		}
		return Show(now.Activation.Ranges, n, from, to, now.Activation.Epoch+1), nil
	})
}

// show changes the activation to the ranges that target makes of it.
func (o *Operator) show(ctx context.Context, subject int32, opts PromoteOptions, target func(now *schema.VersionEvent) ([]schema.ActiveRange, error)) (f Flipped, err error) {
	g, err := stream.NewGroups(o.Kafka)
	if err != nil {
		return f, err
	}
	defer g.Close()
	state, err := stream.NewestVersions(ctx, o.Kafka)
	if err != nil {
		return f, err
	}
	if state == nil || state.Promotion == nil {
		return o.anew(ctx, g, subject, opts, target)
	}
	if moves := changes(state.Activation.Ranges, state.Promotion.Ranges); !slices.Contains(winners(moves), subject) {
		return f, fmt.Errorf("of signature version %d: %w", winners(moves), ErrUnderWay)
	}
	o.tell("a promotion was begun at " + state.At.Format(time.RFC3339) + " and not finished: beginning anew")
	if err := o.Abort(ctx, subject); err != nil {
		return f, err
	}
	return o.anew(ctx, g, subject, opts, target)
}

// anew is show when no promotion is under way.
func (o *Operator) anew(ctx context.Context, g *stream.Groups, subject int32, opts PromoteOptions, target func(now *schema.VersionEvent) ([]schema.ActiveRange, error)) (f Flipped, err error) {
	state, seen, err := o.hold(ctx, g, subject, opts, target)
	if err != nil {
		return f, err
	}
	holding, cancel := context.WithTimeoutCause(ctx, opts.Hold, errors.New("what is seen must not stand still any longer (--hold)"))
	defer cancel()
	if f, err = o.whileHeld(holding, g, subject, state, seen, opts); err != nil {
		return f, err
	}
	o.keepLineage(ctx)
	o.archiveNarrowed(ctx)
	return f, nil
}

// hold waits until what is to be seen has nearly all that is seen now, and stops what it takes
// the place of. It returns what it has looked at, too.
func (o *Operator) hold(ctx context.Context, g *stream.Groups, subject int32, opts PromoteOptions, target func(now *schema.VersionEvent) ([]schema.ActiveRange, error)) (*schema.VersionEvent, *look, error) {
	decide := func(now *schema.VersionEvent) (*schema.VersionEvent, error) {
		ranges, err := target(now)
		if err != nil {
			return nil, err
		}
		next, err := held(now, ranges)
		if err != nil {
			return nil, err
		}
		return o.stamp(next, schema.OpHold, subject), nil
	}
	now, err := stream.NewestVersions(ctx, o.Kafka)
	if err != nil {
		return nil, nil, err
	}
	would, err := decide(now) // refusals come before any waiting
	if err != nil {
		return nil, nil, err
	}
	moves := changes(now.Activation.Ranges, would.Promotion.Ranges)
	catching, cancel := context.WithTimeoutCause(ctx, opts.CatchUp, errors.New("it is not complete (--catch-up)"))
	defer cancel()
	if !opts.past {
		for _, n := range winners(moves) {
			if err := o.awaitCaughtUp(catching, g, would, would.Version(n)); err != nil {
				return nil, nil, err
			}
		}
	}
	seen, err := o.lookAt(catching, g, moves)
	if err == nil {
		err = o.refusePastLosses(catching, moves, seen, opts)
	}
	if err != nil {
		return nil, nil, err // nothing was touched
	}
	var mine *schema.VersionEvent
	state, err := stream.Operate(ctx, o.Kafka, func(now *schema.VersionEvent) (next *schema.VersionEvent, err error) {
		mine, err = decide(now)
		return mine, err
	})
	if err != nil && mine != nil {
		if there, lookErr := o.logged(ctx, mine); there || lookErr != nil { // it may hold all the same
			err = o.giveUp(ctx, subject, mine.At, err)
		}
	}
	return state, seen, err
}

// lookAt notes what is stored now: what is stored later was not looked at.
func (o *Operator) lookAt(ctx context.Context, g *stream.Groups, moves []change) (*look, error) {
	seen := &look{before: o.Now().Add(-fresh), stored: map[int32]map[int32]int64{}}
	for _, n := range slices.Concat(winners(moves), losers(moves)) {
		at, err := g.Offsets(ctx, schema.SinkGroup(clickhouse.Name, n), schema.ProcessedTopic(n))
		if err != nil {
			return nil, err
		}
		seen.stored[n] = at
	}
	return seen, nil
}

// refusePastLosses is refuseLosses for crashes received a while ago, so that what would
// be refused is refused before anything is held.
func (o *Operator) refusePastLosses(ctx context.Context, moves []change, seen *look, opts PromoteOptions) error {
	var past []change
	for _, c := range moves {
		if c.to = earlier(c.to, seen.before); c.from.Before(c.to) {
			past = append(past, c)
		}
	}
	return o.refuseLosses(ctx, past, nil, opts)
}

// fresh is how long ago a crash was received that may still be on its way: it is
// looked at when everything is held.
const fresh = time.Minute

// awaitCaughtUp waits until a version has come to what is the live end now, and
// its rows are stored.
func (o *Operator) awaitCaughtUp(ctx context.Context, g *stream.Groups, state *schema.VersionEvent, v *schema.SignatureVersion) error {
	if v.Base != 0 && !state.BaseGone(v) {
		if err := o.awaitPassed(ctx, g, schema.ResignGroup(v.Number), schema.ProcessedTopic(v.Base), offsetsOf(v.BaseEnds)); err != nil {
			return err
		}
	}
	end, err := ends(ctx, g, schema.TopicRaw)
	if err != nil {
		return err
	}
	if err := o.awaitPassed(ctx, g, schema.ProcessGroup(v.Number), schema.TopicRaw, end); err != nil {
		return err
	}
	return o.awaitStored(ctx, g, v.Number, nil)
}

func offsetsOf(of []schema.PartitionOffset) map[int32]int64 {
	out := map[int32]int64{}
	raise(out, of)
	return out
}

// whileHeld does what is left of a promotion, or ends it.
func (o *Operator) whileHeld(ctx context.Context, g *stream.Groups, subject int32, state *schema.VersionEvent, seen *look, opts PromoteOptions) (f Flipped, err error) {
	stops, err := o.settled(ctx, g, state, opts)
	if err == nil {
		err = o.refuseLosses(ctx, changes(state.Activation.Ranges, state.Promotion.Ranges), seen, opts)
	}
	if err != nil {
		return f, o.giveUp(ctx, subject, state.At, err)
	}
	decided := o.Now()
	next, err := o.flip(ctx, subject, state.At, stops, opts.why)
	if err != nil {
		return f, o.giveUp(ctx, subject, state.At, err)
	}
	err = o.await(ctx, "the views", func(ctx context.Context) (string, error) {
		epoch, err := o.DB.Epoch(ctx)
		if err != nil || epoch >= next.Activation.Epoch {
			return "", err
		}
		return "the ClickHouse sink has not projected the activation", nil
	})
	return Flipped{Held: o.Now().Sub(state.At), Views: o.Now().Sub(decided)}, err
}

// settled waits until everything of both sides is stored: what the versions that
// are held have made, and what the winners have made of the same crashes. Of the past
// the winners have it already.
func (o *Operator) settled(ctx context.Context, g *stream.Groups, state *schema.VersionEvent, opts PromoteOptions) (map[int32]stop, error) {
	moves := changes(state.Activation.Ranges, state.Promotion.Ranges)
	stops := map[int32]stop{}
	raw, requests := map[int32]int64{}, map[int32]int64{}
	for _, h := range state.Promotion.Held {
		s, err := o.stopped(ctx, g, state.Version(h.Number))
		if err != nil {
			return nil, err
		}
		stops[h.Number] = s
		raise(raw, s.raw)
		raise(requests, s.requests)
		if err := o.awaitStored(ctx, g, h.Number, state.Activation.TelemetryGroups(h.Number)); err != nil {
			return nil, err
		}
	}
	if opts.past {
		return stops, nil
	}
	for _, n := range winners(moves) {
		if err := o.awaitPassed(ctx, g, schema.ProcessGroup(n), schema.TopicRaw, raw); err != nil {
			return nil, err
		}
		// What was asked for again must not be seen as it was before.
		if err := o.awaitPassed(ctx, g, schema.ReprocessGroup(n), schema.TopicReprocess, requests); err != nil {
			return nil, err
		}
		if err := o.awaitStored(ctx, g, n, nil); err != nil {
			return nil, err
		}
	}
	return stops, nil
}

// awaitStored waits until what a version has made by now is in ClickHouse, and
// published by the groups that publish at all.
func (o *Operator) awaitStored(ctx context.Context, g *stream.Groups, n int32, publish []string) error {
	topic := schema.ProcessedTopic(n)
	made, err := ends(ctx, g, topic)
	if err != nil {
		return err
	}
	if err := o.awaitPassed(ctx, g, schema.SinkGroup(clickhouse.Name, n), topic, made); err != nil {
		return err
	}
	for _, group := range publish {
		begun, err := begun(ctx, g, group, topic)
		if err != nil {
			return err
		}
		if !begun { // nobody runs that sink, or it begins just now: then what is seen next is published instead
			continue
		}
		if err := o.awaitPassed(ctx, g, group, topic, made); err != nil {
			return err
		}
	}
	return nil
}

// awaitKept waits until what a version has made by now is stored, if anybody stores it.
func (o *Operator) awaitKept(ctx context.Context, g *stream.Groups, n int32) error {
	topic, group := schema.ProcessedTopic(n), schema.SinkGroup(clickhouse.Name, n)
	made, err := ends(ctx, g, topic)
	if err != nil {
		return err
	}
	if begun, err := begun(ctx, g, group, topic); err != nil || !begun {
		return err
	}
	return o.awaitPassed(ctx, g, group, topic, made)
}

// begun tells whether a group has members, or has committed anything.
func begun(ctx context.Context, g *stream.Groups, group, topic string) (bool, error) {
	members, err := g.Members(ctx, group)
	if err != nil || len(members) > 0 {
		return true, err
	}
	offsets, err := g.Offsets(ctx, group, topic)
	return len(offsets) > 0, err
}
