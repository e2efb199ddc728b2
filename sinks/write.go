package sinks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
)

// stage of the dead letters.
const stage = "sink"

// write tries until the rows are stored and the dead letters appended. Rows that
// the sink refuses become dead letters; so many that the guard trips are none.
// Any other error is ctx's.
func (o *Options) write(ctx context.Context, cl *kgo.Client, b *batch, watch *stream.Watch) error {
	for backoff := 200 * time.Millisecond; ; backoff = min(backoff*2, maxBackoff) {
		start := time.Now()
		seen := *watch
		dead, err := o.writeOnce(ctx, cl, b, &seen)
		o.ready(err)
		if err == nil {
			*watch = seen
			o.Metrics.took(o.Name, time.Since(start))
			o.Metrics.wrote(o.Name, len(b.records)-dead, dead)
			return nil
		}
		if errors.Is(err, stream.ErrGuard) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		o.Metrics.failed(o.Name)
		o.Log.Warn().Err(err).Str("sink", o.Name).Int("rows", len(b.rows)).Msg("rows not stored, trying again")
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(backoff):
		}
	}
}

// writeOnce stores the rows that the sink takes, and appends a dead letter for
// each record that is none or is refused.
func (o *Options) writeOnce(ctx context.Context, cl *kgo.Client, b *batch, watch *stream.Watch) (dead int, err error) {
	if err := o.current(ctx); err != nil {
		return 0, err
	}
	refused, err := o.store(ctx, b.rows)
	if err != nil {
		return 0, err
	}
	letters := make([]*kgo.Record, 0, len(b.dead)+len(refused))
	bad := make(map[*kgo.Record]stream.Verdict, cap(letters))
	for in, r := range b.dead {
		bad[in] = stream.VerdictOf(r)
		// A record keeps the context of its first try, which is over by the second.
		letters = append(letters, &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: r.Headers})
	}
	for _, no := range refused {
		o.Log.Error().Str("sink", o.Name).Str("code", no.code).Int32("partition", no.row.Position.Partition).Int64("offset", no.row.Position.Offset).Msg("row refused and dead-lettered")
		letter := stream.DeadLetter(no.row.record, schema.DeadRowRefused, stage, o.Version)
		letter.Headers = append(letter.Headers, kgo.RecordHeader{Key: stream.HeaderError, Value: []byte(no.code)})
		letters = append(letters, letter)
		bad[no.row.record] = stream.VerdictOf(letter)
	}
	for _, in := range b.records {
		if err := watch.Record(ctx, bad[in]); err != nil {
			return 0, err
		}
	}
	if len(letters) == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeDeadline)
	defer cancel()
	if err := cl.ProduceSync(ctx, letters...).FirstErr(); err != nil {
		return 0, fmt.Errorf("dead letters: %w", err)
	}
	return len(letters), nil
}

// selfTest writes a row that every sink takes which can do its work, of version 0, which
// nobody shows.
func (o *Options) selfTest(ctx context.Context) error {
	refused, err := o.store(ctx, []Row{{Processed: &schema.ProcessedCrash{CrashID: selfTestCrash, ReceivedAt: time.Unix(0, 0).UTC(), DumpStatus: schema.DumpOK}}})
	if len(refused) > 0 {
		return fmt.Errorf("a row that every sink takes is refused (%s)", refused[0].code)
	}
	return err
}

// selfTestCrash is a crash id of the first day of 1970.
const selfTestCrash = "00000000-0000-4000-8000-000000700101"

// errGone: the rows would stay for ever.
var errGone = errors.New("the version is being dropped")

// current returns nil when the version's rows are wanted. A sink's writes are not
// fenced: one that was halted here and wakes up later writes rows of a version that
// is gone, which nobody sees and whose number no other version gets.
func (o *Options) current(ctx context.Context) error {
	state, err := o.Versions.Current(ctx, time.Time{})
	if err != nil || state == nil {
		return err
	}
	if o.Version == schema.Archived || o.Source != nil {
		return nil
	}
	if v := state.Version(o.Version); v == nil || v.Gone() {
		return errGone
	}
	return nil
}

// refusal is a row that the sink will never take.
type refusal struct {
	row  Row
	code string
}

// store writes the rows, those that the sink refuses left out. Rows that were
// written before one was refused are written again: writes are idempotent.
func (o *Options) store(ctx context.Context, rows []Row) ([]refusal, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	writing, cancel := context.WithTimeout(ctx, writeDeadline)
	err := o.Sink.Write(writing, rows)
	cancel()
	var no *RefusedError
	switch {
	case !errors.As(err, &no):
		return nil, err
	case len(rows) == 1:
		return []refusal{{rows[0], no.Code}}, nil
	}
	half := len(rows) / 2
	first, err := o.store(ctx, rows[:half])
	if err != nil {
		return nil, err
	}
	second, err := o.store(ctx, rows[half:])
	return append(first, second...), err
}

// stopped waits for somebody to look.
func (o *Options) stopped(ctx context.Context, err error) {
	o.ready(err)
	o.Metrics.stopped(o.Name)
	stream.Halt(ctx, o.Log.With().Str("sink", o.Name).Logger(), err)
}
