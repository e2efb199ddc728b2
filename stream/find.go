package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// ErrNotFound is wrapped by the error about a crash id of which crash.raw has
// nothing.
var ErrNotFound = errors.New("no raw crash has this id")

// MaxFind is how many crash ids are looked for at a time.
const MaxFind = 10_000

var errFound = errors.New("all are found") // ends reading

// FindRaw returns the raw record of a crash id: the first one, which is the crash.
// The error wraps ErrNotFound when there is none.
func FindRaw(ctx context.Context, k Kafka, crashID string) (*kgo.Record, error) {
	var out *kgo.Record
	missing, err := FindRaws(ctx, k, []string{crashID}, func(r *kgo.Record) error { out = r; return nil })
	if err == nil && len(missing) > 0 {
		err = missing[0]
	}
	return out, err
}

// FindRaws hands the raw record of each crash id to found, until that fails, and
// returns an error for each id that has none. It reads, of the partitions that the
// ids lie in, the days that they name.
func FindRaws(ctx context.Context, k Kafka, crashIDs []string, found func(*kgo.Record) error) (missing []error, err error) {
	if len(crashIDs) > MaxFind {
		return nil, fmt.Errorf("%d crash ids at a time, more than %d", len(crashIDs), MaxFind)
	}
	cl, done, err := k.ask()
	if err != nil {
		return nil, fmt.Errorf("find crashes: %w", err)
	}
	defer done()
	s := search{kafka: k, admin: kadm.NewClient(cl), days: map[time.Time]map[int32][]string{}}
	if s.spans, err = k.committedSpans(ctx, schema.TopicRaw); err != nil {
		return nil, fmt.Errorf("find crashes: %w", err)
	}
	// As every producer does: the door sets no partitioner.
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic(schema.TopicRaw)
	for _, id := range crashIDs {
		day, err := schema.CrashDay(id)
		if err != nil {
			return nil, err
		}
		if s.days[day] == nil {
			s.days[day] = map[int32][]string{}
		}
		p := int32(partitioner.Partition(&kgo.Record{Key: []byte(id)}, len(s.spans)))
		s.days[day][p] = append(s.days[day][p], id)
	}
	for _, day := range slices.SortedFunc(maps.Keys(s.days), time.Time.Compare) {
		absent, err := s.day(ctx, day, found)
		if err != nil {
			return nil, fmt.Errorf("find crashes of %s: %w", day.Format(time.DateOnly), err)
		}
		missing = append(missing, absent...)
	}
	return missing, nil
}

// search is for crash ids by their days and partitions.
type search struct {
	kafka Kafka
	admin *kadm.Client
	spans map[int32]Span
	days  map[time.Time]map[int32][]string
}

// day looks for the ids of a day. A raw record's time is when it was received, and
// doors append it somewhat later.
func (s *search) day(ctx context.Context, day time.Time, found func(*kgo.Record) error) (missing []error, err error) {
	from, err := after(ctx, s.admin, schema.TopicRaw, day.Add(-clockMargin))
	if err != nil {
		return nil, err
	}
	end, err := after(ctx, s.admin, schema.TopicRaw, day.AddDate(0, 0, 1).Add(clockMargin))
	if err != nil {
		return nil, err
	}
	spans, wanted := map[int32]Span{}, map[string]bool{}
	for p, ids := range s.days[day] {
		spans[p] = Span{max(s.spans[p].From, from[p]), min(s.spans[p].End, end[p])}
		for _, id := range ids {
			wanted[id] = true
		}
	}
	err = s.kafka.read(ctx, schema.TopicRaw, spans, maxSilence, data(func(r *kgo.Record) error {
		if !wanted[string(r.Key)] {
			return nil
		}
		delete(wanted, string(r.Key))
		if err := found(r); err != nil {
			return err
		}
		if len(wanted) == 0 {
			return errFound
		}
		return nil
	}))
	if err != nil && !errors.Is(err, errFound) {
		return nil, err
	}
	for p, ids := range s.days[day] {
		for _, id := range ids {
			if wanted[id] {
				delete(wanted, id)
				missing = append(missing, fmt.Errorf("%s: %w: looked through %s partition %d, offsets %d to %d, the day of the id",
					id, ErrNotFound, schema.TopicRaw, p, spans[p].From, spans[p].End))
			}
		}
	}
	return missing, nil
}
