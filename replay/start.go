package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/signature"
	"aftershock/stream"
)

// StartOptions are a new signature version.
type StartOptions struct {
	Ruleset *signature.Ruleset
	// ProcessVersion and Registry are those of the release that is to make it.
	ProcessVersion int32
	Registry       *schema.Registry
	// From and To bound received_at, half open; zero for no bound.
	From, To time.Time
	// Source is schema.SourceRaw or schema.SourceProcessed; then Base is the
	// version to sign again, 0 for the one that is seen of crashes that come now.
	Source string
	Base   int32
	Share  float64
}

// Start begins a new version beside the others, and returns it. Its groups' first
// offsets are committed with the event: of two operators who start at once, the
// loser leaves nothing behind but an empty topic.
func (o *Operator) Start(ctx context.Context, opts StartOptions) (*schema.SignatureVersion, error) {
	g, err := stream.NewGroups(o.Kafka)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	now, err := stream.NewestVersions(ctx, o.Kafka)
	if err != nil {
		return nil, err
	}
	if _, err := started(now, opts.version(nil, o.Now())); err != nil {
		return nil, err
	}
	n := nextNumber(now)
	if err := o.createTopic(ctx, g, n); err != nil {
		return nil, err
	}
	state, err := stream.OperateWith(ctx, o.Kafka, func(now *schema.VersionEvent) (stream.Operation, error) {
		next, err := started(now, opts.version(now, o.Now()))
		if err != nil {
			return stream.Operation{}, err
		}
		v := &next.Versions[len(next.Versions)-1]
		if v.Number != n {
			return stream.Operation{}, fmt.Errorf("signature version %d: %w", n, stream.ErrOtherOperator)
		}
		op := stream.Operation{Event: o.stamp(next, schema.OpStart, n), Registry: opts.Registry}
		if v.Base == 0 {
			err = o.fromRaw(ctx, g, v)
		} else {
			op.Requests, err = o.fromProcessed(ctx, g, now, v)
		}
		op.Offsets = firstOffsets(v)
		return op, err
	})
	if err != nil {
		return nil, err
	}
	return state.Version(n), nil
}

// version is the new version as its options say it at that time. now may be nil.
func (o StartOptions) version(now *schema.VersionEvent, at time.Time) schema.SignatureVersion {
	v := schema.SignatureVersion{
		ProcessVersion: o.ProcessVersion, RulesetHash: o.Ruleset.Hash(), RegistryHash: o.Registry.Hash(),
		Source: o.Source, Share: o.Share,
	}
	for _, f := range o.Ruleset.Files() {
		v.Ruleset = append(v.Ruleset, schema.RulesetFile{Name: f.Name, Text: f.Text})
	}
	v.From, v.To = bound(o.From), bound(o.To)
	if now != nil && o.Source == schema.SourceProcessed {
		if v.Base = o.Base; v.Base == 0 {
			v.Base = now.Activation.Seen(at)
		}
	}
	return v
}

// bound is a bound of received_at, which has milliseconds; nil for none.
func bound(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC().Truncate(time.Millisecond))
}

// createTopic makes the processed topic; one that is there is left as it is.
func (o *Operator) createTopic(ctx context.Context, g *stream.Groups, n int32) error {
	replicas, err := g.Replicas(ctx, schema.TopicRaw)
	if err != nil {
		return err
	}
	raw, err := g.Spans(ctx, schema.TopicRaw)
	if err != nil {
		return err
	}
	return stream.CreateTopics(ctx, o.Kafka, replicas, schema.Processed(n, int32(len(raw))))
}

// firstOffsets are where a version's groups begin.
func firstOffsets(v *schema.SignatureVersion) map[string]map[string][]schema.PartitionOffset {
	return map[string]map[string][]schema.PartitionOffset{
		schema.ProcessGroup(v.Number):   {schema.TopicRaw: v.Begins},
		schema.ReprocessGroup(v.Number): {schema.TopicReprocess: v.BaseRequests},
	}
}

// fromRaw lets a version begin at the first raw crash of its range. Requests of
// the past are for others: it makes everything anew.
func (o *Operator) fromRaw(ctx context.Context, g *stream.Groups, v *schema.SignatureVersion) error {
	begins, err := firstOf(ctx, g, v)
	if err != nil {
		return err
	}
	requests, err := ends(ctx, g, schema.TopicReprocess)
	if err != nil {
		return err
	}
	v.Begins, v.BaseRequests = partitionOffsets(begins), partitionOffsets(requests)
	return nil
}

// firstOf are the raw offsets before which no crash is of the version's range.
func firstOf(ctx context.Context, g *stream.Groups, v *schema.SignatureVersion) (map[int32]int64, error) {
	spans, err := g.Spans(ctx, schema.TopicRaw)
	if err != nil {
		return nil, err
	}
	first := map[int32]int64{}
	for p, s := range spans {
		first[p] = s.From
	}
	if v.From != nil {
		at, err := g.At(ctx, schema.TopicRaw, *v.From)
		if err != nil {
			return nil, err
		}
		maps.Copy(first, at)
	}
	return first, nil
}

// fromProcessed lets a version begin where its base has come, and sign again what
// that has made. It returns requests for what is dead in the base.
//
// The order is what makes it complete: how far the base's groups have come is
// asked first, and where its topic ends afterwards, so that all that lies behind
// the former lies before the latter.
func (o *Operator) fromProcessed(ctx context.Context, g *stream.Groups, now *schema.VersionEvent, v *schema.SignatureVersion) ([]schema.ReprocessRequest, error) {
	base := now.Version(v.Base)
	if err := resignable(base, v); err != nil {
		return nil, fmt.Errorf("--source processed: %w (--source raw makes everything anew)", err)
	}
	var err error
	if v.Begins, err = come(ctx, g, schema.ProcessGroup(base.Number), schema.TopicRaw, base.Begins); err != nil {
		return nil, err
	}
	if v.BaseRequests, err = come(ctx, g, schema.ReprocessGroup(base.Number), schema.TopicReprocess, base.BaseRequests); err != nil {
		return nil, err
	}
	made, err := ends(ctx, g, schema.ProcessedTopic(base.Number))
	if err != nil {
		return nil, err
	}
	v.BaseEnds = partitionOffsets(made)
	if err := o.reachesBack(ctx, g, now, base, v); err != nil {
		return nil, fmt.Errorf("--source processed: %w (--source raw makes everything anew)", err)
	}
	return o.dead(ctx, base, v)
}

// resignable tells why a version cannot be made of another one's results.
func resignable(base, v *schema.SignatureVersion) error {
	switch {
	case base == nil:
		return fmt.Errorf("there is no signature version %d", v.Base)
	case base.Gone():
		return fmt.Errorf("signature version %d is %s", base.Number, base.State)
	case base.ProcessVersion != v.ProcessVersion:
		return fmt.Errorf("signature version %d was made by process version %d, this release has %d: more than the ruleset changes", base.Number, base.ProcessVersion, v.ProcessVersion)
	case base.RegistryHash != v.RegistryHash:
		return fmt.Errorf("signature version %d was made with another annotation registry: more than the ruleset changes", base.Number)
	case base.From != nil && (v.From == nil || v.From.Before(*base.From)), base.To != nil && (v.To == nil || base.To.Before(*v.To)):
		return fmt.Errorf("signature version %d is not made for all crashes of the range", base.Number)
	case base.State != schema.StateLive && base.State != schema.StateEnded && base.State != schema.StateArchived:
		return fmt.Errorf("signature version %d is %s", base.Number, base.State)
	}
	return nil
}

// reachesBack tells whether the base's processed topic still has all of the range.
func (o *Operator) reachesBack(ctx context.Context, g *stream.Groups, now *schema.VersionEvent, base, v *schema.SignatureVersion) error {
	topic := schema.ProcessedTopic(base.Number)
	if base.Base != 0 && !now.BaseGone(base) {
		if err := o.finished(ctx, g, base); err != nil {
			return err
		}
	}
	spans, err := g.Spans(ctx, topic)
	if err != nil {
		return err
	}
	first, err := firstOf(ctx, g, v)
	if err != nil {
		return err
	}
	for p, s := range spans {
		if s.From == 0 {
			continue // it has all that was ever in it
		}
		gone := fmt.Errorf("%s partition %d has forgotten crashes of the range: its first offset is %d", topic, p, s.From)
		if base.Base != 0 {
			return gone // what was signed again does not lie in the order of raw crashes
		}
		oldest, err := stream.FirstOf(ctx, o.Kafka, topic, p)
		if err != nil {
			return err
		}
		if oldest == nil {
			return gone
		}
		head, err := schema.DecodeHead(oldest.Value)
		if err != nil {
			return err
		}
		if head.Revision != 0 || head.Raw.Offset > first[p] {
			return gone
		}
	}
	return nil
}

// finished tells whether a version that is made of another one has all of it.
func (o *Operator) finished(ctx context.Context, g *stream.Groups, v *schema.SignatureVersion) error {
	behind, err := g.Behind(ctx, schema.ResignGroup(v.Number), schema.ProcessedTopic(v.Base), offsetsOf(v.BaseEnds))
	if err != nil {
		return err
	}
	if n := total(behind); n > 0 {
		return fmt.Errorf("signature version %d is still being made: %d records are left", v.Number, n)
	}
	return nil
}

// dead are requests for the new version to make what is dead in its base from raw
// crashes.
func (o *Operator) dead(ctx context.Context, base, v *schema.SignatureVersion) ([]schema.ReprocessRequest, error) {
	begins := offsetsOf(v.Begins)
	var out []schema.ReprocessRequest
	err := stream.EachSince(ctx, o.Kafka, schema.TopicDeadLetter, time.Time{}, func(r *kgo.Record) error {
		l, err := stream.ReadLetter(r)
		if err != nil || l.SignatureVersion != base.Number || l.From.Topic != schema.TopicRaw || l.From.Offset >= begins[l.From.Partition] {
			return nil //nolint:nilerr // nobody's, or not before this version's begin
		}
		if len(out) == stream.MaxOperationRequests {
			return errTooManyDead
		}
		out = append(out, schema.ReprocessRequest{
			CrashID: string(r.Key), Raw: l.From, Versions: []int32{v.Number},
			Reason: fmt.Sprintf("dead in signature version %d", base.Number),
		})
		return nil
	})
	return out, err
}

var errTooManyDead = errors.New("too many crashes are dead in the base version: --source raw makes everything anew")
