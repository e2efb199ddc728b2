package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// Transform consumes a topic and produces what Work makes of each record, once
// each: outputs and offsets are committed in one transaction.
type Transform struct {
	Kafka Kafka
	// Group is the consumer group, Topic what it reads.
	Group, Topic string
	// Begins are the offsets at which a group begins that has committed none; a
	// partition that is not among them begins at its first record.
	Begins []schema.PartitionOffset
	// Instance tells this member from the group's others and stays the same
	// over restarts: the next start fences what the last one left behind.
	Instance string
	// Work makes the records to produce of one input. It is called from
	// several goroutines; its outputs are produced in the order of the inputs.
	// A PassingError is a fault of the surroundings: the record is tried again,
	// however long it takes. What is wrong with the record itself becomes a dead
	// letter. Any other error rebuilds the session.
	Work func(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error)
	// Stage and Version are said by the dead letters of records whose outputs the
	// broker refuses.
	Stage   string
	Version int32
	// Versions is asked before anything is committed: what was worked on in another
	// state of the version is given back. Nil asks nobody.
	Versions *Following
	// Rest is how long to wait after a batch of these records that took so long. Nil waits
	// for nothing.
	Rest func(records []*kgo.Record, took time.Duration) time.Duration
	// Guard stops the loop when too much is dead-lettered.
	Guard Guard
	// Outputs are the topics whose records carry an identity (Identify): of two
	// with the same one, near each other, only the first is produced.
	Outputs []string
	// MostPoll is the most records of a batch; 0 is what fits most loops.
	MostPoll int
	// Markers lets Work see control records, for which it makes nothing: a group that must
	// come to an exact end commits past them as well.
	Markers bool
	// Workers is how many records are worked on at once.
	Workers int
	// Ready is told whether the loop runs; nil means that it does.
	Ready   func(error)
	Metrics *Metrics
	Log     zerolog.Logger

	process string // that it runs in; "" is this one
}

// The most records of a batch: enough to fill a transaction where there is little
// to do a record, and fewer where outputs are identified, because as many must be
// read back.
const (
	mostPoll       = 50_000
	identifiedPoll = 256
)

const (
	// endDeadline bounds flush, offset commit and end of a transaction. An End
	// without a deadline can wait for ever.
	endDeadline = 30 * time.Second
	// maxFencings is how often a member may be fenced in a row: two processes
	// with one instance id would fence each other for ever.
	maxFencings = 5
	maxBackoff  = 5 * time.Second
	// maxRefusals is how often the broker may refuse what was made of a record.
	maxRefusals = 3
)

// ErrDataLoss is wrapped when committed offsets point at records that are gone:
// somebody must look before anything goes on.
var ErrDataLoss = errors.New("records are gone that were never consumed")

// Run works until ctx is done: then it finishes the batch at hand, commits it
// and returns nil. When ctx is cancelled with ErrUnwanted, it commits nothing more and
// leaves the group. A broken session is rebuilt; an error is final. Partitions whose offsets
// are out of range rest, see Losses. When the Guard
// trips, Run leaves the group, says so, and waits for ctx: whoever looks after
// it must decide.
func (t *Transform) Run(ctx context.Context) error {
	l := &loop{Transform: t, pace: newPace(t.maxPoll()), guard: Watch{Guard: t.Guard}, refusals: map[place]int{}}
	defer l.Kafka.Leave(ctx, l.Group, l.Instance)
	fencings, backoff := 0, 100*time.Millisecond
	for {
		start := time.Now()
		err := l.session(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			return nil // the end was asked for: what broke off is done again
		case Repaired(err):
			t.Log.Info().Err(err).Str("group", t.Group).Msg("going on")
			continue
		case errors.Is(err, ErrGuard):
			l.stopped(ctx, err)
			return nil
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
		l.pace.broke()
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

func (t *Transform) maxPoll() int {
	if t.MostPoll > 0 {
		return t.MostPoll
	}
	if len(t.Outputs) > 0 {
		return identifiedPoll
	}
	return mostPoll
}

func fenced(err error) bool {
	return errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.FencedInstanceID)
}

func (t *Transform) ready(err error) {
	if t.Ready != nil {
		t.Ready(err)
	}
}

// loop is a running Transform: what outlives a session.
type loop struct {
	*Transform
	pace     *pace
	guard    Watch
	refusals map[place]int // of records whose outputs the broker refused
	// joined is when the session last got partitions.
	joined   atomic.Pointer[time.Time]
	attempts attempts
	losses   *Losses
}

// ready is Ready, but that a loop with partitions that rest is not.
func (l *loop) ready(err error) {
	if err == nil {
		err = l.losses.Err()
	}
	l.Transform.ready(err)
}

// place is a record's.
type place struct {
	partition int32
	offset    int64
}

// stopped waits for somebody to look.
func (l *loop) stopped(ctx context.Context, err error) {
	l.ready(err)
	l.Metrics.stopped(l.Group)
	Halt(ctx, l.Log.With().Str("group", l.Group).Logger(), err)
}

func (t *Transform) transactionalID() string { return t.Group + "-" + t.Instance }

// named is Named for what this loop asks for.
func (t *Transform) named(err error, operation, topic string) error {
	return Named(err, operation, topic, t.Group, t.transactionalID())
}

// session is one membership: it ends with ctx, or with an error after which the
// client is of no use.
func (l *loop) session(ctx context.Context) error {
	done := &recent{tail: max(recentTail, 2*int64(l.maxPoll()))}
	l.joined.Store(new(time.Now()))
	l.attempts = attempts{group: l.Group, topic: l.Topic, process: cmp.Or(l.process, thisProcess)}
	l.losses = l.Kafka.NewLosses(l.Group, l.Topic, l.Log)
	gone := func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
		l.attempts.forget(partitions[l.Topic])
		l.Kafka.Metrics.revoked(l.Group, partitions[l.Topic])
	}
	opts := append(l.Kafka.Options(), l.Kafka.groupOptions(l.Group, l.Topic, l.Instance)...)
	opts = append(opts,
		kgo.TransactionalID(l.transactionalID()),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.OnPartitionsRevoked(gone),
		kgo.OnPartitionsLost(gone),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, assigned map[string][]int32) {
			done.forget(assigned[l.Topic])
			l.attempts.forget(assigned[l.Topic])
			l.joined.Store(new(time.Now()))
			l.ready(nil)
		}),
	)
	if l.Markers {
		opts = append(opts, kgo.KeepControlRecords())
	}
	if len(l.Begins) > 0 {
		opts = append(opts, kgo.AdjustFetchOffsetsFn(l.begin))
	}
	s, err := kgo.NewGroupTransactSession(opts...)
	if err != nil {
		return fmt.Errorf("group %s: %w", l.Group, err)
	}
	defer s.Close()
	// Whatever ends the session while the process lives is no attempt that killed.
	defer func() { l.attempts.survived(context.WithoutCancel(ctx), s.Client()) }()
	for {
		poll, cancel := l.losses.Patience(ctx)
		fetches := s.PollRecords(poll, l.pace.next())
		err := l.losses.Look(ctx, poll, s.Client(), fetches)
		cancel()
		if ctx.Err() != nil {
			return nil // what was polled is polled again by the next member
		}
		if err != nil {
			return l.named(err, "READ", l.Topic)
		}
		if l.losses.Err() != nil {
			l.ready(nil)
		}
		l.Kafka.Metrics.Polled(l.Group, fetches)
		records, err := l.gather(ctx, s, fetches.Records())
		if err != nil {
			return err
		}
		if len(records) == 0 {
			continue
		}
		suspects, err := l.attempts.begin(ctx, s.Client(), records)
		switch {
		case err != nil:
		case suspects > 0:
			l.pace.oneByOne(suspects)
			err = l.again(ctx, s)
		default:
			err = l.batch(ctx, s, done, records)
		}
		if err != nil {
			return err
		}
	}
}

// begin says where partitions begin for which the group has committed nothing, or
// whose offsets expired: not at the log's first record, since what lies before the
// version's beginning is not for it.
func (l *loop) begin(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	for p, at := range offsets[l.Topic] {
		from := offsetOf(l.Begins, p)
		if at.EpochOffset().Offset >= 0 || from == 0 {
			continue
		}
		l.Log.Warn().Str("group", l.Group).Int32("partition", p).Int64("offset", from).Msg("nothing is committed: begins where its version began")
		offsets[l.Topic][p] = kgo.NewOffset().At(from)
	}
	return offsets, nil
}

// offsetOf is the offset of a partition, 0 for none.
func offsetOf(offsets []schema.PartitionOffset, partition int32) int64 {
	for _, o := range offsets {
		if o.Partition == partition {
			return o.Offset
		}
	}
	return 0
}

const (
	// gatherFrom is how large batches must have grown before polls are gathered:
	// then there is much to do, and a transaction's end costs as much as hundreds
	// of records.
	gatherFrom = 1000
	// gatherWait is for what the client is just reading.
	gatherWait = 5 * time.Millisecond
	// maxGathered bounds the values in a batch, in bytes.
	maxGathered = 16 << 20
)

// gather polls on until a large batch is full: one poll gives no more than one
// answer of a broker.
func (l *loop) gather(ctx context.Context, s *kgo.GroupTransactSession, records []*kgo.Record) ([]*kgo.Record, error) {
	most := l.pace.next()
	if most < gatherFrom {
		return records, nil
	}
	bytes := 0
	for from := 0; from < len(records) && len(records) < most; {
		for _, r := range records[from:] {
			bytes += len(r.Value)
		}
		if from = len(records); bytes > maxGathered {
			break
		}
		wait, cancel := context.WithTimeout(ctx, gatherWait)
		fetches := s.PollRecords(wait, most-len(records))
		late := wait.Err() != nil
		cancel()
		if err := fetchError(fetches); err != nil && (!late || !errors.Is(err, context.DeadlineExceeded)) && !errors.Is(err, kerr.OffsetOutOfRange) {
			return nil, l.named(err, "READ", l.Topic)
		}
		l.Kafka.Metrics.Polled(l.Group, fetches)
		records = append(records, fetches.Records()...)
	}
	return records, nil
}

// fetchError returns the first error that a poll cannot recover from by itself.
func fetchError(fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		return fmt.Errorf("fetch %s partition %d: %w", e.Topic, e.Partition, e.Err)
	}
	return nil
}
