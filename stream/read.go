package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Span is the part of a partition from an offset to, but without, another.
type Span struct{ From, End int64 }

func (s Span) holds(offset int64) bool { return s.From <= offset && offset < s.End }

// committedSpans are the partitions of a topic from their first record to the
// last that a transaction committed.
func (k Kafka) committedSpans(ctx context.Context, topic string) (map[int32]Span, error) {
	cl, done, err := k.ask()
	if err != nil {
		return nil, err
	}
	defer done()
	admin := kadm.NewClient(cl)
	starts, err := listed(admin.ListStartOffsets(ctx, topic))
	if err != nil {
		return nil, Named(err, "DESCRIBE", topic, "", "")
	}
	ends, err := listed(admin.ListCommittedOffsets(ctx, topic))
	if err != nil {
		return nil, err
	}
	spans := map[int32]Span{}
	ends.Each(func(o kadm.ListedOffset) {
		start, _ := starts.Lookup(topic, o.Partition)
		spans[o.Partition] = Span{start.Offset, o.Offset}
	})
	return spans, nil
}

// settlePause is between looks at a transaction that is open.
const settlePause = 100 * time.Millisecond

// settledSpans are committedSpans once nothing is open any more that some
// partitions hold now: what is in a transaction may be committed yet.
func (k Kafka) settledSpans(ctx context.Context, topic string, partitions []int32) (map[int32]Span, error) {
	cl, done, err := k.ask()
	if err != nil {
		return nil, err
	}
	defer done()
	now, err := listed(kadm.NewClient(cl).ListEndOffsets(ctx, topic))
	if err != nil {
		return nil, Named(err, "DESCRIBE", topic, "", "")
	}
	for {
		spans, err := k.committedSpans(ctx, topic)
		if err != nil {
			return nil, err
		}
		open := slices.ContainsFunc(partitions, func(p int32) bool {
			end, ok := now.Lookup(topic, p)
			return ok && spans[p].End < end.Offset
		})
		if !open {
			return spans, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("a transaction stays open: %w", ctx.Err())
		case <-time.After(settlePause):
		}
	}
}

// maxSilence is how long brokers may say nothing before a reader gives up. A
// transaction that was left open, which hides what follows, ends in that time. The
// last offset is always there: what was written last is not compacted.
const maxSilence = 3 * transactionTimeout

// errSilence: the brokers stopped sending before the end of a partition.
var errSilence = errors.New("the brokers send nothing more")

// errEnough is a reader's: no more of this partition.
var errEnough = errors.New("no more of this partition")

// read hands each committed record of the spans to the caller until it fails,
// control records as well: else the last offset would never be seen. Unless it
// has seen all of them, or the caller has had enough of a partition, it fails after a silence of that length: the end of what
// was sent is not the end of a log.
func (k Kafka) read(ctx context.Context, topic string, spans map[int32]Span, silence time.Duration, each func(*kgo.Record) error) error {
	from := map[int32]kgo.Offset{}
	for p, s := range spans {
		if s.From < s.End {
			from[p] = kgo.NewOffset().At(s.From)
		}
	}
	if len(from) == 0 {
		return nil
	}
	cl, err := kgo.NewClient(append(k.Options(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
	)...)
	if err != nil {
		return err
	}
	defer cl.Close()
	for len(from) > 0 {
		poll, cancel := context.WithTimeout(ctx, silence)
		fetches := cl.PollFetches(poll)
		cancel()
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fetchError(fetches); errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("%d partitions not read to their end: %w", len(from), errSilence)
		} else if err != nil {
			return Named(err, "READ", topic, "", "")
		}
		for _, r := range fetches.Records() {
			if _, wanted := from[r.Partition]; !wanted {
				continue
			}
			end, enough := spans[r.Partition].End, false
			if r.Offset < end {
				err := each(r)
				if enough = errors.Is(err, errEnough); err != nil && !enough {
					return err
				}
			}
			if enough || r.Offset >= end-1 {
				delete(from, r.Partition)
				cl.PauseFetchPartitions(map[string][]int32{topic: {r.Partition}})
			}
		}
	}
	return nil
}

// tail hands the last n or so committed records of some partitions of a topic
// to the caller, once no transaction is open that began before.
func (k Kafka) tail(ctx context.Context, topic string, partitions []int32, n int64, each func(*kgo.Record)) error {
	all, err := k.settledSpans(ctx, topic, partitions)
	if err != nil {
		return fmt.Errorf("end of %s: %w", topic, err)
	}
	spans := map[int32]Span{}
	for _, p := range partitions {
		if s, ok := all[p]; ok {
			spans[p] = Span{max(s.From, s.End-n), s.End}
		}
	}
	if err := k.read(ctx, topic, spans, maxSilence, func(r *kgo.Record) error { each(r); return nil }); err != nil {
		return fmt.Errorf("end of %s: %w", topic, err)
	}
	return nil
}
