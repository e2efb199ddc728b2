package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// versionsTransactionalID fences operators: the one that initialises it last
// wins, the others' commits fail.
const versionsTransactionalID = "aftershock.versions"

// ErrOtherOperator is wrapped by Operate when somebody else operated meanwhile.
var ErrOtherOperator = errors.New("another operator changed the versions at the same time; look at them and try again")

// Operate changes the versions log by compare-and-set: it fences every other
// operator, reads the log to its end, asks decide for the event that follows
// current (nil when the log is empty), and commits it. When decide returns nil,
// nothing is written. It returns the state that holds afterwards.
func Operate(ctx context.Context, k Kafka, decide func(current *schema.VersionEvent) (*schema.VersionEvent, error)) (*schema.VersionEvent, error) {
	opts := append(k.Options(), kgo.TransactionalID(versionsTransactionalID), kgo.TransactionTimeout(transactionTimeout),
		kgo.RecordPartitioner(kgo.ManualPartitioner())) // the log is partition 0
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("versions log: %w", err)
	}
	defer cl.Close()
	if _, _, err := cl.ProducerID(ctx); err != nil { // fences the others
		return nil, operateError(err)
	}
	current, err := NewestVersions(ctx, k)
	if err != nil {
		return nil, err
	}
	next, err := decide(current)
	if err != nil || next == nil {
		return current, err
	}
	value, err := schema.Encode(next)
	if err != nil {
		return nil, fmt.Errorf("versions log: %w", err)
	}
	if err := cl.BeginTransaction(); err != nil {
		return nil, operateError(err)
	}
	record := &kgo.Record{Topic: schema.TopicVersions, Value: value, Timestamp: next.At}
	err = cl.ProduceSync(ctx, record).FirstErr()
	endCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endDeadline)
	defer cancel()
	if endErr := cl.EndTransaction(endCtx, kgo.TransactionEndTry(err == nil)); err != nil || endErr != nil {
		return nil, operateError(errors.Join(err, endErr))
	}
	awaitCommitted(endCtx, k, record)
	return next, nil
}

// awaitCommitted waits until a record of a transaction that has ended is there to
// be read: brokers answer first and mark the records afterwards. It is committed
// in any case, so a broker that is away now does no harm.
func awaitCommitted(ctx context.Context, k Kafka, r *kgo.Record) {
	for {
		spans, err := k.committedSpans(ctx, r.Topic)
		if err != nil || spans[r.Partition].end > r.Offset {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(topicsPause):
		}
	}
}

func operateError(err error) error {
	if fenced(err) {
		return fmt.Errorf("%w (%w)", ErrOtherOperator, err)
	}
	return fmt.Errorf("versions log: %w", Named(err, "WRITE", schema.TopicVersions, "", versionsTransactionalID))
}

// NewestVersions returns the newest event of the versions log, which holds the
// complete state, or nil when the log is empty.
func NewestVersions(ctx context.Context, k Kafka) (*schema.VersionEvent, error) {
	event, _, err := newestVersions(ctx, k)
	return event, err
}

func newestVersions(ctx context.Context, k Kafka) (newest *schema.VersionEvent, offset int64, err error) {
	spans, err := k.committedSpans(ctx, schema.TopicVersions)
	if err != nil {
		return nil, 0, fmt.Errorf("versions log: %w", err)
	}
	err = k.read(ctx, schema.TopicVersions, spans, maxSilence, data(func(r *kgo.Record) error {
		var err error
		if newest, err = schema.Decode[schema.VersionEvent](r.Value); err != nil {
			return fmt.Errorf("offset %d: %w", r.Offset, err)
		}
		offset = r.Offset
		return nil
	}))
	if err != nil {
		return nil, 0, fmt.Errorf("versions log: %w", err)
	}
	return newest, offset, nil
}
