package replay

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
)

// Archive takes the loops and groups of a narrowed version away, which is seen for a past
// range: crashes that come late into it are then made on request (stream/archived.go). Its
// rows stay, and a rollback lets it go on.
//
//	archive   live versions ask for late crashes; the version's own loops leave
//	wait      until nobody processes it, and until everybody knows
//	ask       for what its loops had not come to by then
//	wait      until the sinks have what it has made
//	archived  the requests are answered
//	delete    its groups
//
// When it is killed in between, it goes on with the next call.
func (o *Operator) Archive(ctx context.Context, n int32) error {
	g, err := stream.NewGroups(o.Kafka)
	if err != nil {
		return err
	}
	defer g.Close()
	if done, err := o.leaveArchived(ctx, g, n); done || err != nil {
		return err
	}
	if err := o.steer(ctx, n, schema.OpArchive, func(now *schema.VersionEvent, n int32) (*schema.VersionEvent, error) {
		if now != nil && o.seenFromNow(now.Activation, n) {
			return nil, fmt.Errorf("signature version %d is what is seen of crashes that come now: promote another one first", n)
		}
		return archiving(now, n)
	}); err != nil {
		return err
	}
	state, err := stream.NewestVersions(ctx, o.Kafka)
	if err != nil {
		return err
	}
	_, v, err := version(state, n)
	if err != nil {
		return err
	}
	if err := o.awaitNobody(ctx, g, processing(n)); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(stream.CurrentAge):
	}
	requests, err := o.leftBehind(ctx, g, state, v)
	if err != nil {
		return err
	}
	if err := o.awaitStored(ctx, g, n, state.Activation.TelemetryGroups(n)); err != nil {
		return err
	}
	if err := o.insistWith(ctx, func(now *schema.VersionEvent) (stream.Operation, error) {
		next, err := archived(now, n)
		if err != nil {
			return stream.Operation{}, err
		}
		return stream.Operation{Event: o.stamp(next, schema.OpArchived, n), Requests: requests}, nil
	}); err != nil {
		return err
	}
	groups, err := groupsOf(ctx, g, n)
	if err != nil {
		return err
	}
	return o.leave(ctx, g, groups)
}

// leaveArchived deletes the groups of a version that was archived by an operator who did not
// come to that, and tells whether there were any.
func (o *Operator) leaveArchived(ctx context.Context, g *stream.Groups, n int32) (done bool, err error) {
	state, err := stream.NewestVersions(ctx, o.Kafka)
	if err != nil {
		return false, err
	}
	if state == nil {
		return false, nil
	}
	if v := state.Version(n); v == nil || v.State != schema.StateArchived {
		return false, nil
	}
	groups, err := groupsOf(ctx, g, n)
	if err != nil {
		return false, err
	}
	all, err := g.Named(ctx, "")
	if err != nil {
		return false, err
	}
	left := slices.DeleteFunc(groups, func(group string) bool { return !slices.Contains(all, group) })
	return len(left) > 0, o.leave(ctx, g, left)
}

// leave deletes groups when they have no members any more.
func (o *Operator) leave(ctx context.Context, g *stream.Groups, groups []string) error {
	if len(groups) == 0 {
		return nil
	}
	if err := o.awaitNobody(ctx, g, groups); err != nil {
		return err
	}
	return g.DeleteGroups(ctx, groups...)
}

// leftBehind are requests for what a version's own loops had not come to when everybody
// knew that they had left: late crashes of its range, and what somebody asked for.
func (o *Operator) leftBehind(ctx context.Context, g *stream.Groups, state *schema.VersionEvent, v *schema.SignatureVersion) ([]schema.ReprocessRequest, error) {
	var out []schema.ReprocessRequest
	add := func(r schema.ReprocessRequest) error {
		if len(out) == stream.MaxOperationRequests {
			return fmt.Errorf("signature version %d has more than %d late crashes to catch up on: let a release run that makes it", v.Number, len(out))
		}
		r.Versions = []int32{v.Number}
		out = append(out, r)
		return nil
	}
	raw, err := come(ctx, g, schema.ProcessGroup(v.Number), schema.TopicRaw, v.Ends)
	if err != nil {
		return nil, err
	}
	err = stream.EachFrom(ctx, o.Kafka, schema.TopicRaw, offsetsOf(raw), func(r *kgo.Record) error {
		if state.Activation.Seen(r.Timestamp) != v.Number {
			return nil
		}
		if raw, err := schema.Decode[schema.RawCrash](r.Value); err == nil && raw.Deferred() {
			return nil // nobody has asked for it
		}
		return add(schema.ReprocessRequest{
			CrashID: string(r.Key), Raw: schema.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}, Reason: "left behind when it was archived",
		})
	})
	if err != nil {
		return nil, err
	}
	asked, err := come(ctx, g, schema.ReprocessGroup(v.Number), schema.TopicReprocess, v.RequestEnds)
	if err != nil {
		return nil, err
	}
	err = stream.EachFrom(ctx, o.Kafka, schema.TopicReprocess, offsetsOf(asked), func(r *kgo.Record) error {
		request, err := schema.Decode[schema.ReprocessRequest](r.Value)
		if err != nil || !request.For(v.Number) {
			return nil //nolint:nilerr // its dead letter is that of the loops that live versions have
		}
		return add(*request)
	})
	return out, err
}

// archiveNarrowed archives what a promotion has left narrowed. The promotion is done: where
// this fails, the version costs a loop until it is archived.
func (o *Operator) archiveNarrowed(ctx context.Context) {
	state, err := stream.NewestVersions(ctx, o.Kafka)
	if err != nil {
		o.tell(fmt.Sprintf("what is seen of the past alone is not archived yet: %v", err))
		return
	}
	for _, v := range state.Versions {
		if v.State != schema.StateNarrowed && v.State != schema.StateArchiving || o.seenFromNow(state.Activation, v.Number) {
			continue
		}
		archiving, cancel := context.WithTimeout(ctx, archiveDeadline)
		if err := o.Archive(archiving, v.Number); err != nil {
			o.tell(fmt.Sprintf("signature version %d, which is seen of the past alone, is not archived: %v (replay archive %d tries again)", v.Number, err, v.Number))
		}
		cancel()
	}
}

// seenFromNow tells whether a version is seen of crashes that come now or later.
func (o *Operator) seenFromNow(a schema.Activation, n int32) bool {
	return slices.ContainsFunc(a.Ranges, func(r schema.ActiveRange) bool { return r.SignatureVersion == n && r.To.After(o.Now()) })
}

// archiveDeadline bounds archiving behind a promotion.
const archiveDeadline = 2 * time.Minute
