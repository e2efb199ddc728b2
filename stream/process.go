package stream

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
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
}

// Processor is the Transform from crash.raw to one signature version's
// processed crashes.
type Processor struct {
	Kafka    Kafka
	Instance string
	Version  int32
	Workers  int
	Blobs    blob.Store
	// Process derives the processed crash. It must depend on nothing but the
	// input, the symbols and the signature version. An error, and a panic,
	// make the record a dead letter; ctx carries the record's deadline.
	Process func(ctx context.Context, in Input) (*schema.ProcessedCrash, error)
	// Deadline bounds one crash.
	Deadline time.Duration
	Ready    func(error)
	Metrics  *Metrics
	Log      zerolog.Logger
}

// DefaultDeadline of one crash.
const DefaultDeadline = 2 * time.Minute

// Run processes until ctx is done; see Transform.Run.
func (p *Processor) Run(ctx context.Context) error {
	t := Transform{
		Kafka: p.Kafka, Group: schema.ProcessGroup(p.Version), Topic: schema.TopicRaw, Instance: p.Instance,
		Outputs: []string{schema.ProcessedTopic(p.Version)},
		Work:    p.work, Workers: p.Workers, Ready: p.Ready, Metrics: p.Metrics, Log: p.Log,
	}
	return t.Run(ctx)
}

// work makes the processed crash of a raw record, or its dead letter.
func (p *Processor) work(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
	start := time.Now()
	value, class, err := p.one(ctx, in)
	p.Metrics.crash(time.Since(start), class)
	var passing *PassingError
	switch {
	case errors.As(err, &passing):
		return nil, err
	case err != nil:
		p.Log.Error().Err(err).Str("topic", in.Topic).Int32("partition", in.Partition).Int64("offset", in.Offset).
			Str("class", class).Msg("raw crash dead-lettered")
		return []*kgo.Record{DeadLetter(in, class, stageProcess, p.Version)}, nil
	}
	// The first raw record of a crash id is the crash: later ones are left out.
	out := &kgo.Record{Topic: schema.ProcessedTopic(p.Version), Key: in.Key, Value: value}
	return []*kgo.Record{Identify(out, string(in.Key)+"/0")}, nil
}

const stageProcess = "process"

// PassingError is a fault of the surroundings, not of the record: it will be
// tried again.
type PassingError struct{ Err error }

func (e *PassingError) Error() string { return e.Err.Error() }

func (e *PassingError) Unwrap() error { return e.Err }

// one returns the encoded processed crash, or an error and the dead letter's class.
func (p *Processor) one(ctx context.Context, in *kgo.Record) (value []byte, class string, err error) {
	raw, err := schema.Decode[schema.RawCrash](in.Value)
	if err != nil {
		return nil, schema.DeadRawUndecodable, err
	}
	if _, err := schema.CrashDay(raw.CrashID); err != nil {
		return nil, schema.DeadCrashID, errors.New("the crash id has not its shape")
	}
	input := Input{Raw: raw, Position: schema.Position{Topic: in.Topic, Partition: in.Partition, Offset: in.Offset}}
	if class, err := p.fetch(ctx, &input); err != nil {
		return nil, class, err
	}
	deadline := p.Deadline
	if deadline <= 0 {
		deadline = DefaultDeadline
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	processed, class, err := p.guarded(ctx, input)
	if err != nil {
		return nil, class, err
	}
	value, err = schema.Encode(processed)
	if err != nil {
		return nil, schema.DeadProcess, err
	}
	if len(value) > schema.MaxProcessedBytes {
		return nil, schema.DeadEventTooLarge, fmt.Errorf("processed crash of %d bytes", len(value))
	}
	return value, "", nil
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
	case errors.Is(err, context.DeadlineExceeded):
		return nil, schema.DeadDeadline, err
	}
	return nil, schema.DeadProcess, err
}
