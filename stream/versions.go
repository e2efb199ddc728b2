package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
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
	opts := append(k.Options(), kgo.TransactionalID(versionsTransactionalID), kgo.TransactionTimeout(transactionTimeout))
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("versions log: %w", err)
	}
	defer cl.Close()
	if _, _, err := cl.ProducerID(ctx); err != nil { // fences the others
		return nil, fmt.Errorf("versions log: %w", err)
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
	return next, nil
}

func operateError(err error) error {
	if fenced(err) {
		return fmt.Errorf("%w (%w)", ErrOtherOperator, err)
	}
	return fmt.Errorf("versions log: %w", err)
}

// NewestVersions returns the newest event of the versions log, which holds the
// complete state, or nil when the log is empty.
func NewestVersions(ctx context.Context, k Kafka) (*schema.VersionEvent, error) {
	event, _, err := newestVersions(ctx, k)
	return event, err
}

func newestVersions(ctx context.Context, k Kafka) (newest *schema.VersionEvent, offset int64, err error) {
	admin, err := kgo.NewClient(k.Options()...)
	if err != nil {
		return nil, 0, fmt.Errorf("versions log: %w", err)
	}
	defer admin.Close()
	ends, err := kadm.NewClient(admin).ListCommittedOffsets(ctx, schema.TopicVersions)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, 0, fmt.Errorf("versions log: %w", err)
	}
	end, ok := ends.Lookup(schema.TopicVersions, 0)
	if !ok {
		return nil, 0, fmt.Errorf("versions log: %w", kerr.UnknownTopicOrPartition)
	}
	if end.Offset == 0 {
		return nil, 0, nil
	}
	err = readVersions(ctx, k, func(at int64, event *schema.VersionEvent) bool {
		if event != nil {
			newest, offset = event, at
		}
		return at+1 < end.Offset
	})
	return newest, offset, err
}

// FollowVersions calls follow with the newest event of the log, if any, and then
// with every new one, until ctx is done. It rides out brokers that are away.
func FollowVersions(ctx context.Context, k Kafka, follow func(*schema.VersionEvent)) {
	last := int64(-1)
	next := func(at int64, event *schema.VersionEvent) bool {
		if event != nil && at > last {
			last = at
			follow(event)
		}
		return true
	}
	for ctx.Err() == nil {
		// The state before the follower began is given once, not as a history.
		newest, at, err := newestVersions(ctx, k)
		if err == nil {
			next(at, newest)
			err = readVersions(ctx, k, next)
		}
		if ctx.Err() != nil {
			return
		}
		k.Log.Warn().Err(err).Msg("versions log not readable, trying again")
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// readVersions reads the log from its start, control records included (event is
// nil for them), until each says no. It returns an error when ctx is done.
func readVersions(ctx context.Context, k Kafka, each func(at int64, event *schema.VersionEvent) bool) error {
	cl, err := kgo.NewClient(append(k.Options(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{schema.TopicVersions: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // else the last offset of the log would never be seen
	)...)
	if err != nil {
		return fmt.Errorf("versions log: %w", err)
	}
	defer cl.Close()
	for {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("versions log: %w", err)
		}
		if err := fetchError(fetches); err != nil {
			return fmt.Errorf("versions log: %w", err)
		}
		for _, r := range fetches.Records() {
			var event *schema.VersionEvent
			if !r.Attrs.IsControl() {
				if event, err = schema.Decode[schema.VersionEvent](r.Value); err != nil {
					return fmt.Errorf("versions log at offset %d: %w", r.Offset, err)
				}
			}
			if !each(r.Offset, event) {
				return nil
			}
		}
	}
}
