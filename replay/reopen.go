package replay

import (
	"context"
	"fmt"
	"slices"

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
	_, err := stream.Operate(ctx, o.Kafka, o.stamping(n, operation, decide))
	return err
}

// stamping is decide for one version, whose event is the operator's.
func (o *Operator) stamping(n int32, operation string, decide func(*schema.VersionEvent, int32) (*schema.VersionEvent, error)) func(*schema.VersionEvent) (*schema.VersionEvent, error) {
	return func(now *schema.VersionEvent) (*schema.VersionEvent, error) {
		next, err := decide(now, n)
		if err != nil || next == nil {
			return nil, err
		}
		return o.stamp(next, operation, n), nil
	}
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
	if err := o.awaitKept(ctx, g, n); err != nil {
		return err
	}
	return o.insist(ctx, o.stamping(n, schema.OpRetire, func(now *schema.VersionEvent, n int32) (*schema.VersionEvent, error) { return retired(now, n, s) }))
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
	return o.insistWith(ctx, func(now *schema.VersionEvent) (stream.Operation, error) {
		next, err := reopened(now, n, share)
		if err != nil {
			return stream.Operation{}, err
		}
		op := stream.Operation{Event: o.stamp(next, schema.OpReopen, n)}
		was := now.Version(n)
		if len(was.Ends) == 0 { // it was killed before they were known: it goes on from its commits
			return op, nil
		}
		raw, err := o.there(ctx, g, schema.TopicRaw, was.Ends)
		if err != nil {
			return stream.Operation{}, err
		}
		requests, err := o.there(ctx, g, schema.TopicReprocess, was.RequestEnds)
		if err != nil {
			return stream.Operation{}, err
		}
		op.Offsets = map[string]map[string][]schema.PartitionOffset{
			schema.ProcessGroup(n):   {schema.TopicRaw: raw},
			schema.ReprocessGroup(n): {schema.TopicReprocess: requests},
		}
		return op, nil
	})
}

// there are the offsets, or where a partition begins that has forgotten what lies there.
// Crashes that are forgotten and seen are found missing before anything is promoted.
func (o *Operator) there(ctx context.Context, g *stream.Groups, topic string, offsets []schema.PartitionOffset) ([]schema.PartitionOffset, error) {
	spans, err := g.Spans(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(offsets)
	for i := range out {
		if from := spans[out[i].Partition].From; out[i].Offset < from {
			o.tell(fmt.Sprintf("%s partition %d has forgotten offsets %d to %d: it goes on behind them", topic, out[i].Partition, out[i].Offset, from-1))
			out[i].Offset = from
		}
	}
	return out, nil
}
