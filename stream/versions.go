package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"aftershock/schema"
)

// versionsTransactionalID fences operators: the one that initialises it last
// wins, the others' commits fail.
const versionsTransactionalID = "aftershock.versions"

// ErrOtherOperator is wrapped by Operate when somebody else operated meanwhile.
var ErrOtherOperator = errors.New("another operator changed the versions at the same time; look at them and try again")

// Operation is what an operator commits in one transaction: the event, where
// consumer groups go on from then, and crashes that are to be processed again.
type Operation struct {
	Event *schema.VersionEvent
	// Offsets are those of groups without members, by group and topic.
	Offsets map[string]map[string][]schema.PartitionOffset
	// Requests are at most MaxOperationRequests.
	Requests []schema.ReprocessRequest
	// Registry is that of a version that begins; its text is kept with the ruleset's. May be
	// nil.
	Registry *schema.Registry
}

// MaxOperationRequests bounds an Operation's requests: a transaction that lasts
// longer than its timeout is aborted.
const MaxOperationRequests = 100_000

// Operate is OperateWith of an event alone; decide returns nil for nothing.
func Operate(ctx context.Context, k Kafka, decide func(current *schema.VersionEvent) (*schema.VersionEvent, error)) (*schema.VersionEvent, error) {
	return OperateWith(ctx, k, func(current *schema.VersionEvent) (Operation, error) {
		next, err := decide(current)
		return Operation{Event: next}, err
	})
}

// OperateWith changes the versions log by compare-and-set: it fences every other
// operator, reads the log to its end, asks decide for what follows current (nil
// when the log is empty), and commits it. When decide gives no event, nothing is
// written. It returns the state that holds afterwards. The error wraps
// ErrOtherOperator when somebody else operated meanwhile.
func OperateWith(ctx context.Context, k Kafka, decide func(current *schema.VersionEvent) (Operation, error)) (*schema.VersionEvent, error) {
	opts := append(k.Options(), kgo.TransactionalID(versionsTransactionalID), kgo.TransactionTimeout(transactionTimeout),
		// Later requests name topics by ids, and groups need not be announced.
		kgo.MaxVersions(kversion.V3_7_0()),
		kgo.RecordPartitioner(versionsPartitioner()))
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
	op, err := decide(current)
	if err != nil || op.Event == nil {
		return current, err
	}
	records, err := op.records(ctx, k)
	if err != nil {
		return nil, fmt.Errorf("versions log: %w", err)
	}
	if err := cl.BeginTransaction(); err != nil {
		return nil, operateError(err)
	}
	err = produceError(cl.ProduceSync(ctx, records...))
	if err == nil {
		err = commitOffsets(ctx, cl, op.Offsets)
	}
	endCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endDeadline)
	defer cancel()
	if endErr := cl.EndTransaction(endCtx, kgo.TransactionEndTry(err == nil)); err != nil || endErr != nil {
		return nil, operateError(errors.Join(err, endErr))
	}
	for _, r := range newestOf(records) {
		awaitCommitted(endCtx, k, r)
	}
	return op.Event, nil
}

// records are the event's, its new rulesets' and the requests'.
func (o *Operation) records(ctx context.Context, k Kafka) ([]*kgo.Record, error) {
	if len(o.Requests) > MaxOperationRequests {
		return nil, fmt.Errorf("%d crashes to be processed again, more than %d at a time", len(o.Requests), MaxOperationRequests)
	}
	records, event, err := rulesetRecords(ctx, k, o.Event, o.Registry)
	if err != nil {
		return nil, err
	}
	value, err := schema.Encode(event)
	if err != nil {
		return nil, err
	}
	requests, err := requestRecords(o.Requests)
	if err != nil {
		return nil, err
	}
	records = append(records, &kgo.Record{Topic: schema.TopicVersions, Value: value, Timestamp: o.Event.At})
	return append(records, requests...), nil
}

// produceError is a refusal with the names of the topics that were refused, or else
// the first error.
func produceError(results kgo.ProduceResults) error {
	var refused []string
	for _, r := range results {
		if errors.Is(r.Err, kerr.TopicAuthorizationFailed) && !slices.Contains(refused, r.Record.Topic) {
			refused = append(refused, r.Record.Topic)
		}
	}
	if err := results.FirstErr(); len(refused) == 0 || err == nil {
		return err
	}
	return Named(kerr.TopicAuthorizationFailed, "WRITE", strings.Join(refused, ", "), "", "")
}

// newestOf are the last records of each partition.
func newestOf(records []*kgo.Record) map[string]*kgo.Record {
	newest := map[string]*kgo.Record{}
	for _, r := range records {
		at := fmt.Sprintf("%s/%d", r.Topic, r.Partition)
		if last := newest[at]; last == nil || last.Offset < r.Offset {
			newest[at] = r
		}
	}
	return newest
}

// versionsPartitioner puts events and rulesets into partition 0, which is the log, and
// requests where every client puts their key.
func versionsPartitioner() kgo.Partitioner {
	keyed := kgo.StickyKeyPartitioner(nil)
	return kgo.BasicConsistentPartitioner(func(topic string) func(*kgo.Record, int) int {
		if topic == schema.TopicVersions || topic == schema.TopicRulesets {
			return func(*kgo.Record, int) int { return 0 }
		}
		return keyed.ForTopic(topic).Partition
	})
}

// awaitCommitted waits until a record of a transaction that has ended is there to
// be read: brokers answer first and mark the records afterwards. It is committed
// in any case, so a broker that is away now does no harm.
func awaitCommitted(ctx context.Context, k Kafka, r *kgo.Record) {
	for {
		spans, err := k.committedSpans(ctx, r.Topic)
		if err != nil || spans[r.Partition].End > r.Offset {
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
	log := spans[0]
	// From its end, and further back only where nothing but ends of transactions, and what
	// was rolled back, is there.
	for n := int64(newestTail); newest == nil; n *= 8 {
		from := max(log.From, log.End-n)
		err = k.read(ctx, schema.TopicVersions, map[int32]Span{0: {from, log.End}}, maxSilence, data(func(r *kgo.Record) error {
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
		if from == log.From {
			break
		}
	}
	return newest, offset, nil
}

// newestTail is how much of the log's end holds its newest event as a rule: it, and the end
// of its transaction.
const newestTail = 8
