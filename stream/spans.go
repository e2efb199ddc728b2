package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// clockMargin is how far clocks of doors, brokers and processors may lie apart:
// where records of a time are looked for, the search begins so much earlier.
const clockMargin = time.Hour

// logSpans are the partitions of a topic from their first record to their end: to
// read them committed waits for transactions that are open. So they hold what a
// group's committed offsets stand for, whose transaction may just be ending.
func logSpans(ctx context.Context, admin *kadm.Client, topic string) (map[int32]Span, error) {
	starts, err := listed(admin.ListStartOffsets(ctx, topic))
	if err != nil {
		return nil, fmt.Errorf("start of %s: %w", topic, err)
	}
	ends, err := listed(admin.ListEndOffsets(ctx, topic))
	if err != nil {
		return nil, fmt.Errorf("end of %s: %w", topic, err)
	}
	spans := map[int32]Span{}
	ends.Each(func(o kadm.ListedOffset) {
		start, _ := starts.Lookup(topic, o.Partition)
		spans[o.Partition] = Span{start.Offset, o.Offset}
	})
	return spans, nil
}

// after are the offsets of a topic's partitions before which every record is older
// than t.
func after(ctx context.Context, admin *kadm.Client, topic string, t time.Time) (map[int32]int64, error) {
	found, err := listed(admin.ListOffsetsAfterMilli(ctx, t.UnixMilli(), topic))
	if err != nil {
		return nil, fmt.Errorf("%s at %s: %w", topic, t.UTC().Format(time.RFC3339), err)
	}
	offsets := map[int32]int64{}
	found.Each(func(o kadm.ListedOffset) { offsets[o.Partition] = o.Offset })
	return offsets, nil
}

func listed(offsets kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	if err == nil {
		err = offsets.Error()
	}
	return offsets, err
}

// groupOffsets are what a group has committed of a topic, by partition. A partition
// for which it has committed nothing is not among them: brokers say -1 of each
// partition of a group that there never was.
func groupOffsets(ctx context.Context, admin *kadm.Client, group, topic string) (map[int32]int64, error) {
	found, err := admin.FetchOffsetsForTopics(ctx, group, topic)
	if err == nil {
		err = found.Error()
	}
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil //nolint:nilnil // it has not come to any
	}
	if err != nil {
		return nil, fmt.Errorf("how far %s has come: %w", group, err)
	}
	offsets := map[int32]int64{}
	found.Each(func(o kadm.OffsetResponse) {
		if o.At >= 0 {
			offsets[o.Partition] = o.At
		}
	})
	return offsets, nil
}

// EachSince is EachCommitted of the records that may be of a time or later; all,
// when it is zero.
func EachSince(ctx context.Context, k Kafka, topic string, since time.Time, each func(*kgo.Record) error) error {
	spans, err := k.committedSpans(ctx, topic)
	if err == nil && !since.IsZero() {
		err = k.cut(ctx, topic, spans, since)
	}
	if err == nil {
		err = k.read(ctx, topic, spans, maxSilence, data(each))
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", topic, err)
	}
	return nil
}

// EachFrom is EachCommitted of the records from some offsets on, by partition.
func EachFrom(ctx context.Context, k Kafka, topic string, from map[int32]int64, each func(*kgo.Record) error) error {
	spans, err := k.committedSpans(ctx, topic)
	if err == nil {
		for p, s := range spans {
			spans[p] = Span{max(s.From, from[p]), s.End}
		}
		err = k.read(ctx, topic, spans, maxSilence, data(each))
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", topic, err)
	}
	return nil
}

// cut leaves out of the spans what is older than a time.
func (k Kafka) cut(ctx context.Context, topic string, spans map[int32]Span, since time.Time) error {
	cl, done, err := k.ask()
	if err != nil {
		return err
	}
	defer done()
	return startSince(ctx, kadm.NewClient(cl), topic, spans, since)
}

// startSince lets spans begin where everything before is older than a time.
func startSince(ctx context.Context, admin *kadm.Client, topic string, spans map[int32]Span, since time.Time) error {
	from, err := after(ctx, admin, topic, since)
	if err != nil {
		return err
	}
	for p, s := range spans {
		spans[p] = Span{max(s.From, from[p]), s.End}
	}
	return nil
}

// data leaves out control records.
func data(each func(*kgo.Record) error) func(*kgo.Record) error {
	return func(r *kgo.Record) error {
		if r.Attrs.IsControl() {
			return nil
		}
		return each(r)
	}
}
