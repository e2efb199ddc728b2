package stream

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/blob"
	"aftershock/schema"
)

// Input is one raw crash with everything that belongs to it in memory.
type Input struct {
	Raw      *schema.RawCrash
	Position schema.Position
	Revision int64
	// Dump is the main minidump's original bytes; nil when the report has none.
	Dump []byte
	// Beside are the original bytes of Raw.Beside, by name, without those that are lost.
	Beside map[string][]byte
}

// Processor is the Transform from crash.raw to one signature version's
// processed crashes.
type Processor struct {
	Kafka    Kafka
	Instance string
	// Versions says what is processed in the version. Nil: everything.
	Versions *Following
	Version  int32
	// Begins are the raw offsets at which the version began; none: at the first.
	Begins []schema.PartitionOffset
	// Workers are shared with the other processors of this process.
	Workers *Workers
	// Memory as well; nil bounds nothing.
	Memory *Memory
	Blobs  blob.Store
	// Arrivals is what tells the symbols that Process finds of new ones: a crash whose symbols
	// have come waits until they know. May be nil.
	Arrivals *Arrivals
	// Process derives the processed crash. It must depend on nothing but the
	// input, the symbols and the signature version. An error, and a panic,
	// make the record a dead letter; ctx carries the record's deadline, and
	// its hand: where it only waits, it does so in Aside.
	Process func(ctx context.Context, in Input) (*schema.ProcessedCrash, error)
	// Deadline bounds one crash.
	Deadline time.Duration
	Guard    Guard
	Ready    func(error)
	Metrics  *Metrics
	Log      zerolog.Logger
}

// DefaultDeadline of one crash.
const DefaultDeadline = 2 * time.Minute

// Run processes until ctx is done; see Transform.Run.
func (p *Processor) Run(ctx context.Context) error {
	t := p.transform(schema.ProcessGroup(p.Version), schema.TopicRaw, stageProcess)
	t.Work, t.Begins, t.Rest = p.work, p.Begins, p.rest
	return t.Run(ctx)
}

// transform is the loop of one of the processor's groups.
func (p *Processor) transform(group, topic, stage string) *Transform {
	return &Transform{
		Kafka: p.Kafka, Group: group, Topic: topic, Instance: p.Instance, Outputs: []string{schema.ProcessedTopic(p.Version)},
		Workers: p.Workers.Number() + maxAside, Stage: stage, Version: p.Version, Versions: p.Versions, Guard: p.Guard, Ready: p.Ready, Metrics: p.Metrics, Log: p.Log,
	}
}

// Stages of dead letters.
const (
	stageProcess   = "process"
	stageReprocess = "reprocess"
)

// work makes the processed crash of a raw record, or its dead letter.
func (p *Processor) work(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
	if err := p.now(); err != nil {
		return nil, err
	}
	out, class, err := p.one(ctx, p.lane(in.Timestamp), in, 0, 0)
	switch {
	case errors.Is(err, errLeftOut):
		return out, nil
	case class != "":
		p.bury(in, class, stageProcess, err)
		return []*kgo.Record{DeadLetter(in, class, stageProcess, p.Version)}, nil
	case err != nil:
		return nil, err
	}
	// The first raw record of a crash id is the crash: later ones are left out.
	return out, nil
}

// processedRecord is the record of a processed crash, identified by crash and revision.
func processedRecord(version int32, key, value []byte, revision int64) *kgo.Record {
	return Identify(&kgo.Record{Topic: schema.ProcessedTopic(version), Key: key, Value: value}, string(key)+"/"+strconv.FormatInt(revision, 10))
}

// bury says that a record was dead-lettered.
func (p *Processor) bury(in *kgo.Record, class, stage string, err error) {
	p.Log.Error().Err(err).Str("topic", in.Topic).Int32("partition", in.Partition).Int64("offset", in.Offset).
		Str("class", class).Str("stage", stage).Msg("dead-lettered")
}

// PassingError is a fault of the surroundings, not of the record: it will be
// tried again.
type PassingError struct {
	Err error
	// Expected: it is no fault either, but a matter of time.
	Expected bool
	// Later: what stands before it in its batch must not wait for it.
	Later bool
}

func (e *PassingError) Error() string { return e.Err.Error() }

func (e *PassingError) Unwrap() error { return e.Err }

// one works on a raw record with one of the process's hands; see process.
func (p *Processor) one(ctx context.Context, l Lane, in *kgo.Record, revision int64, attempt int32) (out []*kgo.Record, class string, err error) {
	h, err := p.Workers.hand(ctx, l)
	if err != nil {
		return nil, "", &PassingError{Err: err, Expected: errors.Is(err, errPaused)}
	}
	defer h.give()
	start := time.Now()
	out, class, err = p.process(h.in(ctx), in, revision, attempt)
	switch {
	case errors.Is(err, errLeftOut):
		p.Metrics.leftOut(schema.ProcessGroup(p.Version))
	case class != "" || err == nil:
		p.Metrics.crash(time.Since(start), class)
	}
	return out, class, err
}

var (
	// errLeftOut: the version is not made for the crash, or the crash is shown in another
	// one and no longer processed in this one, or the door's rules deferred it and nobody
	// has asked for it.
	errLeftOut = errors.New("not processed in this version")
	// errNotNow: this member is about to be told that nobody wants it any more.
	errNotNow = errors.New("the version is not processed")
)

// lane is that of a crash which was received then: the live one for what is seen in the
// version, and for what it may only pass over.
func (p *Processor) lane(received time.Time) Lane {
	if p.Versions == nil {
		return LaneLive
	}
	state := p.Versions.Newest()
	if state.Activation.Seen(received) == p.Version || !state.Processes(p.Version, received) {
		return LaneLive
	}
	return LaneReplay(p.Version)
}

// rest lets live crashes go before a replay. A batch is of one time.
func (p *Processor) rest(records []*kgo.Record, took time.Duration) time.Duration {
	l := p.lane(records[0].Timestamp)
	if l == LaneLive {
		return 0
	}
	return p.Workers.rest(l, took)
}

// now returns a PassingError when nothing may come of any record.
func (p *Processor) now() error {
	if p.Versions == nil {
		return nil
	}
	if v := p.Versions.Newest().Version(p.Version); v == nil || !v.Processed() {
		return &PassingError{Err: errNotNow, Expected: true}
	}
	return nil
}

// wanted returns errLeftOut when a crash may be passed over.
func (p *Processor) wanted(received time.Time) error {
	if p.Versions == nil || p.Versions.Newest().Processes(p.Version, received) {
		return nil
	}
	if err := p.now(); err != nil {
		return err
	}
	return errLeftOut
}

// process returns the record of a raw record's processed crash, and with it a request to
// heal it if it lacks symbols for a while: attempt is how often that was asked for. The raw
// pass also asks for what came late for an archived version, with errLeftOut alone. With
// another error comes the class of the dead letter, or none when it is a passing one.
func (p *Processor) process(ctx context.Context, in *kgo.Record, revision int64, attempt int32) (out []*kgo.Record, class string, err error) {
	raw, err := schema.Decode[schema.RawCrash](in.Value)
	if err != nil {
		return nil, schema.DeadRawUndecodable, err
	}
	if _, err := schema.CrashDay(raw.CrashID); err != nil {
		return nil, schema.DeadCrashID, errors.New("the crash id has not its shape")
	}
	if string(in.Key) != raw.CrashID {
		return nil, schema.DeadCrashID, errors.New("the record's key is not its crash id")
	}
	at := schema.Position{Topic: in.Topic, Partition: in.Partition, Offset: in.Offset}
	var late []*kgo.Record
	if revision == 0 {
		if raw.Deferred() {
			return nil, "", errLeftOut
		}
		late = p.late(raw, at)
	}
	if err := p.wanted(raw.ReceivedAt); err != nil {
		return late, "", err
	}
	bytes, beside, class, err := dumpBytes(raw)
	if err != nil {
		return nil, class, err
	}
	room := p.Memory.fits(bytes + beside) // else they cost themselves, not the crash
	if room {
		bytes += beside
	}
	give, fits, err := p.Memory.take(ctx, bytes)
	switch {
	case !fits:
		return nil, schema.DeadDumpTooLarge, fmt.Errorf("a dump of %d bytes", bytes)
	case err != nil:
		return nil, "", &PassingError{Err: err, Expected: errors.Is(err, errPaused)}
	}
	defer give()
	input := Input{Raw: raw, Position: at, Revision: revision}
	if class, err := p.fetch(ctx, &input, room); err != nil {
		return nil, class, err
	}
	processed, value, class, err := p.encoded(ctx, input)
	if err != nil {
		return nil, class, err
	}
	out = append([]*kgo.Record{processedRecord(p.Version, in.Key, value, revision)}, heal(processed, attempt)...)
	return append(out, late...), "", nil
}

// encoded is the processed crash and its encoding, made within the deadline.
func (p *Processor) encoded(ctx context.Context, in Input) (processed *schema.ProcessedCrash, value []byte, class string, err error) {
	deadline := p.Deadline
	if deadline <= 0 {
		deadline = DefaultDeadline
	}
	working, stop := bounded(ctx, deadline)
	defer stop()
	processed, class, err = p.guarded(working, in)
	if err != nil {
		if passing := gaveUp(ctx, working); passing != nil {
			return nil, nil, "", passing
		}
		return nil, nil, class, err
	}
	value, err = schema.Encode(processed)
	if err != nil {
		return nil, nil, schema.DeadProcess, err
	}
	if len(value) > schema.MaxProcessedBytes {
		return nil, nil, schema.DeadEventTooLarge, fmt.Errorf("processed crash of %d bytes", len(value))
	}
	return processed, value, "", nil
}

// guarded turns a panic into a dead letter: it is a bug of ours, and costs this
// record only.
func (p *Processor) guarded(ctx context.Context, in Input) (out *schema.ProcessedCrash, class string, err error) {
	defer func() {
		if v := recover(); v != nil {
			// The value may quote the dump: only its type is logged.
			out, class, err = nil, schema.DeadPanic, fmt.Errorf("panic (%T) while processing\n%s", v, debug.Stack())
		}
	}()
	out, err = p.Process(ctx, in)
	switch {
	case err == nil:
		return out, "", nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return nil, schema.DeadDeadline, err
	}
	return nil, schema.DeadProcess, err
}
