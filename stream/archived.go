package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// A version that is seen for a past range and made no more is archived: it has no loops, no
// groups and no costs. But a crash can come late (a spool sends one that was received days
// ago) into a range that shows an archived version. Whoever makes the live versions meets
// it, and asks for it on crash.reprocess; the Archivist makes it, for all archived versions
// in one loop, and appends it to crash.processed.archived, which the sinks follow as well.

// lateReason is a request's, for those who read it.
const lateReason = "received in the range of an archived version"

// late is a request for a crash that the activation shows in an archived version, when it
// came after that had stopped; else nothing. Versions that are replayed ask again for what
// came late before, which changes nothing.
func (p *Processor) late(raw *schema.RawCrash, at schema.Position) []*kgo.Record {
	if p.Versions == nil {
		return nil
	}
	state := p.Versions.Newest()
	if own := state.Version(p.Version); own == nil || own.State != schema.StateLive {
		return nil
	}
	v := state.Version(state.Activation.Seen(raw.ReceivedAt))
	if v == nil || v.State != schema.StateArchived && v.State != schema.StateArchiving || at.Offset < offsetOf(v.Ends, at.Partition) {
		return nil
	}
	return ownRequest(schema.TopicReprocess, schema.ReprocessRequest{CrashID: raw.CrashID, Raw: at, Versions: []int32{v.Number}, Reason: lateReason})
}

// Archivist is the Transform from crash.reprocess to the results of archived versions.
type Archivist struct {
	// Processor says what all versions share. Its Version is schema.Archived, and its
	// Process is not called.
	Processor
	// Of is the Process of a version. An error says that this release cannot make it.
	Of func(ctx context.Context, v *schema.SignatureVersion) (func(ctx context.Context, in Input) (*schema.ProcessedCrash, error), error)
}

// Run makes late crashes until ctx is done; see Transform.Run.
func (a *Archivist) Run(ctx context.Context) error {
	a.Version = schema.Archived
	kept, done, err := a.Kafka.Keep()
	if err != nil {
		return fmt.Errorf("reprocess: %w", err)
	}
	defer done()
	defer func(own Kafka) { a.Kafka = own }(a.Kafka)
	a.Kafka = kept
	t := a.transform(schema.ReprocessGroup(schema.Archived), schema.TopicReprocess, stageReprocess)
	t.Work = a.work
	return t.Run(ctx)
}

// work makes the results that a request asks archived versions for.
func (a *Archivist) work(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
	request, err := schema.Decode[schema.ReprocessRequest](in.Value)
	if err != nil {
		return nil, nil //nolint:nilerr // its dead letter is that of the loops which all versions have
	}
	state := a.Versions.Newest()
	var wanted []*schema.SignatureVersion
	for _, n := range request.Versions {
		switch v := state.Version(n); {
		case v == nil:
		case v.State == schema.StateArchiving: // its own loop has not left yet
			return nil, &PassingError{Err: fmt.Errorf("signature version %d is being archived", n), Expected: true}
		case v.State == schema.StateArchived:
			wanted = append(wanted, v)
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	if err := a.Arrivals.passed(ctx, in); err != nil {
		return nil, err
	}
	raw, err := RawAt(ctx, a.Kafka, request.Raw)
	switch {
	case errors.Is(err, ErrGone):
		return []*kgo.Record{DeadLetter(in, schema.DeadRawGone, stageReprocess, wanted[0].Number)}, nil
	case err != nil:
		return nil, passing(err)
	case !bytes.Equal(raw.Key, in.Key):
		return []*kgo.Record{DeadLetter(in, schema.DeadRequestBad, stageReprocess, wanted[0].Number)}, nil
	}
	var out []*kgo.Record
	for _, v := range wanted {
		made, err := a.one(ctx, raw, in, v, healed(request))
		if err != nil {
			return nil, err
		}
		out = append(out, made...)
	}
	return out, nil
}

// one makes one version's result, or its dead letter.
func (a *Archivist) one(ctx context.Context, raw, in *kgo.Record, v *schema.SignatureVersion, attempt int32) ([]*kgo.Record, error) {
	p := a.Processor
	p.Version, p.Versions = v.Number, nil // what is asked for is made
	var err error
	if p.Process, err = a.Of(ctx, v); err != nil {
		a.bury(in, schema.DeadUnserved, stageReprocess, err)
		return []*kgo.Record{DeadLetter(in, schema.DeadUnserved, stageReprocess, v.Number)}, nil
	}
	out, class, err := p.one(ctx, LaneReprocess, raw, in.Offset+1, attempt)
	switch {
	case errors.Is(err, errLeftOut):
		return nil, nil
	case class != "":
		a.bury(in, class, stageReprocess, err)
		return []*kgo.Record{DeadLetter(in, class, stageReprocess, v.Number)}, nil
	case err != nil:
		return nil, err
	}
	for _, r := range out {
		if r.Topic == schema.ProcessedTopic(v.Number) {
			r.Topic = schema.ProcessedTopic(schema.Archived)
			// Of several versions one request makes several.
			r.Headers = slices.DeleteFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == HeaderIdentity })
			Identify(r, fmt.Sprintf("%s/v%d/%d", r.Key, v.Number, in.Offset+1))
		}
	}
	return out, nil
}
