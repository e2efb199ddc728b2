package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// Reprocessor is the Transform from crash.reprocess to a signature version's
// processed crashes: raw crashes once more, in a lane of their own. It works
// as Processor says.
//
// A request waits until the raw pass has come past its crash: else the older
// result could be the last one in the topic. What comes of it has the request's
// offset + 1 as revision, and the highest revision is seen.
type Reprocessor struct {
	Processor
	// Of is the version when it has a Base: requests before its BaseRequests are answered
	// by signing again, and later ones wait until that is done. May be nil.
	Of        *schema.SignatureVersion
	passed    passed
	resigning resigning
}

// Run reprocesses until ctx is done; see Transform.Run.
func (r *Reprocessor) Run(ctx context.Context) error {
	kept, done, err := r.Kafka.Keep()
	if err != nil {
		return fmt.Errorf("reprocess: %w", err)
	}
	defer done()
	defer func(own Kafka) { r.Kafka = own }(r.Kafka)
	r.Kafka = kept
	cl := kept.kept.asking
	r.passed = passed{admin: kadm.NewClient(cl), group: schema.ProcessGroup(r.Version)}
	r.resigning = resigning{admin: kadm.NewClient(cl), versions: r.Versions, version: r.Of}
	t := r.transform(schema.ReprocessGroup(r.Version), schema.TopicReprocess, stageReprocess)
	t.Work = r.work
	if r.Of != nil {
		t.Begins = r.Of.BaseRequests
	}
	return t.Run(ctx)
}

// work makes the processed crash that a request asks for, or the request's dead
// letter.
func (r *Reprocessor) work(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
	if err := r.now(); err != nil {
		return nil, err
	}
	request, err := schema.Decode[schema.ReprocessRequest](in.Value)
	switch {
	case err != nil:
		return r.dead(in, schema.DeadRequestBad, 0, err), nil
	case !request.For(r.Version):
		return nil, nil
	case request.Raw.Topic != schema.TopicRaw || request.Raw.Offset < 0 || request.Raw.Partition < 0:
		return r.dead(in, schema.DeadRequestBad, request.Attempt, errors.New("the request names no place in the raw topic")), nil
	}
	if err := r.passed.wait(ctx, request.Raw); errors.Is(err, ErrGone) {
		return r.dead(in, schema.DeadRawGone, request.Attempt, err), nil
	} else if err != nil {
		return nil, err
	}
	if err := r.resigning.wait(ctx); err != nil {
		return nil, err
	}
	if err := r.Arrivals.passed(ctx, in); err != nil {
		return nil, err
	}
	raw, err := RawAt(ctx, r.Kafka, request.Raw)
	switch {
	case errors.Is(err, ErrGone):
		return r.dead(in, schema.DeadRawGone, request.Attempt, err), nil
	case err != nil:
		return nil, passing(err)
	case !bytes.Equal(raw.Key, []byte(request.CrashID)) || !bytes.Equal(raw.Key, in.Key):
		return r.dead(in, schema.DeadRequestBad, request.Attempt, errors.New("another crash lies there")), nil
	}
	out, class, err := r.one(ctx, LaneReprocess, raw, in.Offset+1, healed(request))
	switch {
	case errors.Is(err, errLeftOut):
		return nil, nil
	case class != "":
		return r.dead(in, class, request.Attempt, err), nil
	case err != nil:
		return nil, err
	}
	return out, nil
}

// healed is how often a crash was asked for again because a symbol source did not answer:
// somebody else's request begins anew.
func healed(r *schema.ReprocessRequest) int32 {
	if r.Reason == healReason {
		return r.Attempt
	}
	return 0
}

// dead is the dead letter of a request.
func (r *Reprocessor) dead(in *kgo.Record, class string, attempt int32, err error) []*kgo.Record {
	r.bury(in, class, stageReprocess, err)
	return []*kgo.Record{attempted(DeadLetter(in, class, stageReprocess, r.Version), int(attempt)+1)}
}

// ErrGone is wrapped by the error about a record that is not in its topic.
var ErrGone = errors.New("the record is gone")

// RawAt returns the committed record at a position. The error wraps ErrGone when
// there is none, and no longer can be.
func RawAt(ctx context.Context, k Kafka, at schema.Position) (*kgo.Record, error) {
	fail := func(err error) (*kgo.Record, error) {
		return nil, fmt.Errorf("%s partition %d offset %d: %w", at.Topic, at.Partition, at.Offset, Named(err, "READ", at.Topic, "", ""))
	}
	if k.kept != nil && at.Topic == schema.TopicRaw {
		r, err := k.kept.reader.at(ctx, at)
		if err != nil {
			return fail(err)
		}
		return r, nil
	}
	all, err := k.committedSpans(ctx, at.Topic)
	if err != nil {
		return fail(err)
	}
	there := all[at.Partition]
	if at.Offset < there.From || at.Offset >= there.End {
		return fail(ErrGone)
	}
	var found *kgo.Record
	err = k.read(ctx, at.Topic, map[int32]Span{at.Partition: {at.Offset, at.Offset + 1}}, maxSilence, data(func(r *kgo.Record) error {
		found = r
		return nil
	}))
	switch {
	case errors.Is(err, kerr.OffsetOutOfRange), err == nil && found == nil:
		return fail(ErrGone)
	case err != nil:
		return fail(err)
	}
	return found, nil
}

// passing is a fault of the surroundings, unless waiting does not help.
func passing(err error) error {
	if errors.As(err, new(*AccessError)) {
		return err
	}
	return &PassingError{Err: err}
}

// passed knows how far the raw pass has come.
type passed struct {
	admin *kadm.Client
	group string

	mu      sync.Mutex
	offsets map[int32]int64
	log     map[int32]Span
	asked   time.Time
}

// passedAge is how long an answer about the raw pass holds: it only ever goes on.
const passedAge = 500 * time.Millisecond

// wait returns nil when the raw pass has committed past the position, else a
// PassingError. The error wraps ErrGone when the topic does not reach so far: nobody
// would ever come to it.
func (p *passed) wait(ctx context.Context, at schema.Position) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.offsets[at.Partition] > at.Offset {
		return nil
	}
	beyond := func() bool {
		there, ok := p.log[at.Partition]
		return !ok || at.Offset >= there.End
	}
	if time.Since(p.asked) > passedAge || beyond() { // else a record could be newer than the answer
		offsets, err := groupOffsets(ctx, p.admin, p.group, at.Topic)
		if err != nil {
			return passing(Named(err, "READ", at.Topic, p.group, ""))
		}
		log, err := logSpans(ctx, p.admin, at.Topic)
		if err != nil {
			return passing(Named(err, "DESCRIBE", at.Topic, "", ""))
		}
		p.asked, p.offsets, p.log = time.Now(), offsets, log
	}
	if p.offsets[at.Partition] > at.Offset {
		return nil
	}
	if beyond() {
		return fmt.Errorf("%s partition %d offset %d: %w", at.Topic, at.Partition, at.Offset, ErrGone)
	}
	return &PassingError{Err: fmt.Errorf("%s has not come to partition %d offset %d", p.group, at.Partition, at.Offset), Expected: true}
}
