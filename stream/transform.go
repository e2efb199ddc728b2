package stream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Transform consumes a topic and produces what Work makes of each record, once
// each: outputs and offsets are committed in one transaction.
type Transform struct {
	Kafka Kafka
	// Group is the consumer group, Topic what it reads.
	Group, Topic string
	// Instance tells this member from the group's others and stays the same
	// over restarts: the next start fences what the last one left behind.
	Instance string
	// Work makes the records to produce of one input. It is called from
	// several goroutines; its outputs are produced in the order of the inputs.
	// An error is a passing fault of the surroundings: the record is tried
	// again. What is wrong with the record itself becomes a dead letter.
	Work func(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error)
	// Outputs are the topics whose records carry an identity (Identify): of two
	// with the same one, near each other, only the first is produced.
	Outputs []string
	// Workers is how many records are worked on at once.
	Workers int
	// Ready is told whether the loop runs; nil means that it does.
	Ready   func(error)
	Metrics *Metrics
	Log     zerolog.Logger
}

const (
	// maxPoll bounds a batch: outputs are held until all of it is done.
	maxPoll = 64
	// endDeadline bounds flush, offset commit and end of a transaction. An End
	// without a deadline can wait for ever.
	endDeadline = 30 * time.Second
	// maxFencings is how often a member may be fenced in a row: two processes
	// with one instance id would fence each other for ever.
	maxFencings = 5
	maxBackoff  = 5 * time.Second
)

// ErrDataLoss is wrapped when committed offsets point at records that are gone:
// somebody must look before anything goes on.
var ErrDataLoss = errors.New("records are gone that were never consumed")

// Run works until ctx is done: then it finishes the batch at hand, commits it
// and returns nil. A broken session is rebuilt; an error is final.
func (t *Transform) Run(ctx context.Context) error {
	fencings, backoff := 0, 100*time.Millisecond
	for {
		start := time.Now()
		err := t.session(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			return nil //nolint:nilerr // the end was asked for: what broke off is done again
		case errors.Is(err, kerr.OffsetOutOfRange):
			return fmt.Errorf("group %s: %w: %w", t.Group, ErrDataLoss, err)
		case errors.As(err, new(*AccessError)):
			return fmt.Errorf("group %s: %w", t.Group, err)
		case fenced(err):
			if fencings++; fencings >= maxFencings {
				return fmt.Errorf("group %s: fenced %d times in a row: does another process run with the instance id %q? %w", t.Group, fencings, t.Instance, err)
			}
		}
		if time.Since(start) > time.Minute {
			fencings, backoff = 0, 100*time.Millisecond
		}
		t.ready(err)
		t.Metrics.rebuilt(t.Group)
		t.Log.Warn().Err(err).Str("group", t.Group).Dur("backoff_ms", backoff).Msg("session rebuilt")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(backoff):
		}
		backoff = min(backoff*2, maxBackoff)
	}
}

func fenced(err error) bool {
	return errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.FencedInstanceID)
}

func (t *Transform) ready(err error) {
	if t.Ready != nil {
		t.Ready(err)
	}
}

func (t *Transform) transactionalID() string { return t.Group + "-" + t.Instance }

// named is Named for what this loop asks for.
func (t *Transform) named(err error, operation, topic string) error {
	return Named(err, operation, topic, t.Group, t.transactionalID())
}

// session is one membership: it ends with ctx, or with an error after which the
// client is of no use.
func (t *Transform) session(ctx context.Context) error {
	done := new(recent)
	var lost atomic.Pointer[error] // why assigned partitions cannot be worked on
	opts := append(t.Kafka.Options(), groupOptions(t.Group, t.Topic, t.Instance)...)
	opts = append(opts,
		kgo.TransactionalID(t.transactionalID()),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.OnPartitionsAssigned(func(ctx context.Context, _ *kgo.Client, assigned map[string][]int32) {
			err := done.assigned(ctx, t.Kafka, t.Outputs, assigned[t.Topic])
			t.ready(err)
			if err != nil {
				lost.Store(&err)
			}
		}),
	)
	s, err := kgo.NewGroupTransactSession(opts...)
	if err != nil {
		return fmt.Errorf("group %s: %w", t.Group, err)
	}
	defer s.Close()
	for {
		fetches := s.PollRecords(ctx, maxPoll)
		if ctx.Err() != nil {
			return nil // what was polled is polled again by the next member
		}
		if err := fetchError(fetches); err != nil {
			return t.named(err, "READ", t.Topic)
		}
		if err := lost.Load(); err != nil {
			return *err
		}
		if records := fetches.Records(); len(records) > 0 {
			if err := t.batch(ctx, s, done, records); err != nil {
				return err
			}
		}
	}
}

// fetchError returns the first error that a poll cannot recover from by itself.
func fetchError(fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		return fmt.Errorf("fetch %s partition %d: %w", e.Topic, e.Partition, e.Err)
	}
	return nil
}

// batch works on the records and commits the outcome. It outlives ctx: what has
// begun is finished.
func (t *Transform) batch(ctx context.Context, s *kgo.GroupTransactSession, done *recent, records []*kgo.Record) error {
	start := time.Now()
	outputs, err := inOrder(context.WithoutCancel(ctx), records, t.Workers, t.Work)
	if err != nil {
		return err // offsets did not move: the next session tries again
	}
	outputs, duplicates, remember := done.without(records, outputs)
	if err := s.Begin(); err != nil {
		return fmt.Errorf("begin transaction: %w", t.named(err, "WRITE", t.Topic))
	}
	promise := kgo.AbortingFirstErrPromise(s.Client())
	for _, out := range outputs {
		for _, r := range out {
			produced := promise.Promise()
			s.Produce(context.WithoutCancel(ctx), r, func(r *kgo.Record, err error) {
				produced(r, t.named(err, "WRITE", r.Topic))
			})
		}
	}
	endCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endDeadline)
	defer cancel()
	// End(TryCommit) would commit the offsets although a produce failed: look at
	// every promise before deciding.
	flushErr := s.Client().Flush(endCtx)
	produceErr := promise.Err()
	if flushErr != nil {
		return fmt.Errorf("flush: %w", flushErr)
	}
	committed, err := s.End(endCtx, kgo.TransactionEndTry(produceErr == nil))
	t.Metrics.batch(t.Group, len(records), committed, time.Since(start))
	switch {
	case produceErr != nil:
		return fmt.Errorf("produce: %w", errors.Join(produceErr, err))
	case err != nil:
		return fmt.Errorf("end transaction: %w", t.named(err, "READ", t.Topic))
	case !committed:
		t.Log.Info().Str("group", t.Group).Int("records", len(records)).Msg("transaction aborted by a rebalance")
		return nil // the session polls these records again
	}
	remember()
	t.Metrics.skipped(t.Group, duplicates)
	t.ready(nil)
	return nil
}
