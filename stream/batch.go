package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// batch works on the records and commits the outcome. It outlives ctx: what has
// begun is finished.
func (l *loop) batch(ctx context.Context, s *kgo.GroupTransactSession, done *recent, records []*kgo.Record) error {
	start, state, waited := time.Now(), l.Versions.Newest(), &quiet{}
	outputs, room, err := inOrder(waited.in(ctx), records, l.Workers, l.Kafka.Tracing.around(l.Group, l.spared), l.failing(ctx, s))
	if unwanted(ctx) {
		return nil // nothing of it may be seen any more
	}
	stop, ctx := ctx, context.WithoutCancel(ctx)
	switch {
	case errors.Is(err, errTooMuch):
		l.pace.n = max(room/2, 1)
		return l.again(ctx, s)
	case err != nil:
		return err // offsets did not move: the next session tries again
	}
	l.buryRefused(records, outputs)
	guard := l.guard
	for _, out := range outputs {
		if err := guard.Record(ctx, verdict(out)); err != nil {
			return err
		}
	}
	duplicates, remember := 0, func() {}
	if len(l.Outputs) > 0 {
		if err := done.load(ctx, l.Kafka, l.Outputs, records); err != nil {
			return err
		}
		outputs, duplicates, remember = done.without(records, outputs)
	}
	now, err := l.Versions.Current(ctx, *l.joined.Load())
	switch {
	case err != nil:
		return err
	case !sameFor(l.Version, state, now):
		return l.again(ctx, s)
	}
	committed, err := l.transact(ctx, s, records, outputs)
	took := time.Since(start)
	l.Metrics.batch(l.Group, len(records), committed, took)
	switch {
	case err != nil:
		return err
	case !committed:
		l.Log.Info().Str("group", l.Group).Int("records", len(records)).Msg("transaction aborted, probably by a rebalance")
		// The session polls these records again. Whether it was aborted only the
		// outputs tell: a broker that died while it committed may deny to know of it.
		done.forget(partitionsOf(records))
		return nil
	}
	l.pace.took(len(records), took, waited.total)
	l.guard = guard
	l.attempts.ended(records)
	for _, r := range records {
		delete(l.refusals, place{r.Partition, r.Offset})
	}
	remember()
	l.Kafka.Metrics.Committed(l.Group, records)
	l.Metrics.skipped(l.Group, duplicates)
	l.ready(nil)
	l.rest(stop, records, took)
	return nil
}

// rest waits as long as Rest says, or until ctx is done. A batch that took longer than
// one should has waited for something.
func (l *loop) rest(ctx context.Context, records []*kgo.Record, took time.Duration) {
	if l.Rest == nil {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(l.Rest(records, min(took, batchTarget))):
	}
}

func partitionsOf(records []*kgo.Record) []int32 {
	var partitions []int32
	for _, r := range records {
		if !slices.Contains(partitions, r.Partition) {
			partitions = append(partitions, r.Partition)
		}
	}
	return partitions
}

// spared is Work of a record that has not killed processes.
func (l *loop) spared(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
	times, poison := l.attempts.poison(in)
	if !poison {
		return l.Work(ctx, in)
	}
	l.Log.Error().Str("topic", in.Topic).Int32("partition", in.Partition).Int64("offset", in.Offset).Int("times", times).
		Msg("dead-lettered: work on it was begun again and again and ended each time with the process")
	return []*kgo.Record{attempted(DeadLetter(in, schema.DeadPoison, l.Stage, l.Version), times)}, nil
}

// failing says that a record waits for its surroundings.
func (l *loop) failing(ctx context.Context, s *kgo.GroupTransactSession) func(*PassingError) {
	return func(err *PassingError) {
		l.attempts.survived(context.WithoutCancel(ctx), s.Client())
		if err.Expected {
			l.Log.Debug().Err(err).Str("group", l.Group).Msg("waiting")
			return
		}
		l.ready(err)
		l.Metrics.waited(l.Group)
		l.Log.Warn().Err(err).Str("group", l.Group).Msg("waiting for what a record needs, trying again")
	}
}

// again makes the session poll the records of a batch once more.
func (l *loop) again(ctx context.Context, s *kgo.GroupTransactSession) error {
	if err := s.Begin(); err != nil {
		return fmt.Errorf("begin transaction: %w", l.named(err, "WRITE", l.Topic))
	}
	ctx, cancel := context.WithTimeout(ctx, endDeadline)
	defer cancel()
	if _, err := s.End(ctx, kgo.TryAbort); err != nil {
		return fmt.Errorf("end transaction: %w", l.named(err, "READ", l.Topic))
	}
	return nil
}

// transact produces the outputs and commits them with the offsets of all that
// was polled.
func (l *loop) transact(ctx context.Context, s *kgo.GroupTransactSession, records []*kgo.Record, outputs [][]*kgo.Record) (committed bool, err error) {
	if err := s.Begin(); err != nil {
		return false, fmt.Errorf("begin transaction: %w", l.named(err, "WRITE", l.Topic))
	}
	var first firstError
	produced := func(r *kgo.Record, err error) { // one for all: there are many records
		if err != nil && first.set(l.named(err, "WRITE", r.Topic)) {
			// Nothing of it will be committed.
			go s.Client().AbortBufferedRecords(ctx) //nolint:errcheck // Flush tells when it is over
		}
	}
	for _, out := range outputs {
		for _, r := range out {
			s.Produce(ctx, r, produced)
		}
	}
	ending, cancel := context.WithTimeout(ctx, endDeadline)
	defer cancel()
	// End(TryCommit) would commit the offsets although a produce failed: look at
	// every promise before deciding. Flush has called them all.
	if err := s.Client().Flush(ending); err != nil {
		return false, fmt.Errorf("flush: %w", err)
	}
	produceErr := first.get()
	committed, err = s.End(ending, kgo.TransactionEndTry(produceErr == nil))
	switch {
	case produceErr != nil:
		l.refused(records, produceErr)
		return committed, fmt.Errorf("produce: %w", errors.Join(produceErr, err))
	case err != nil:
		return committed, fmt.Errorf("end transaction: %w", l.named(err, "READ", l.Topic))
	}
	return committed, nil
}

// firstError keeps the first of errors that come from several goroutines.
type firstError struct {
	mu  sync.Mutex
	err error
}

// set tells whether err is the first.
func (f *firstError) set(err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return false
	}
	f.err = err
	return true
}

func (f *firstError) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// Blames tells whether brokers, asked to take a record, find fault with it: trying
// again does not help. They answer so for a whole batch.
func Blames(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge) || errors.Is(err, kerr.InvalidRecord) || errors.Is(err, kerr.InvalidTimestamp)
}

// refused counts a record whose outputs the broker will never take. Of several,
// each is tried alone first.
func (l *loop) refused(records []*kgo.Record, err error) {
	switch {
	case !Blames(err):
	case len(records) > 1:
		l.pace.oneByOne(len(records))
	default:
		l.pace.oneByOne(1) // and again alone
		l.refusals[place{records[0].Partition, records[0].Offset}]++
	}
}

// buryRefused makes dead letters of records that were refused too often.
func (l *loop) buryRefused(records []*kgo.Record, outputs [][]*kgo.Record) {
	if len(l.refusals) == 0 {
		return
	}
	for i, r := range records {
		if n := l.refusals[place{r.Partition, r.Offset}]; n >= maxRefusals {
			l.Log.Error().Str("topic", r.Topic).Int32("partition", r.Partition).Int64("offset", r.Offset).Msg("dead-lettered: the broker refuses what was made of it")
			outputs[i] = []*kgo.Record{attempted(DeadLetter(r, schema.DeadRefused, l.Stage, l.Version), n)}
		}
	}
}

// isDead tells whether a record was dead-lettered.
func isDead(outputs []*kgo.Record) bool {
	return len(outputs) == 1 && outputs[0].Topic == schema.TopicDeadLetter
}
