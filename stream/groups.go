package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Groups looks at consumer groups and topics, for operators. It is safe for
// concurrent use.
type Groups struct {
	kafka Kafka
	done  func()
	admin *kadm.Client
}

// NewGroups connects when it is first asked.
func NewGroups(k Kafka) (*Groups, error) {
	kept, done, err := k.Keep()
	if err != nil {
		return nil, fmt.Errorf("consumer groups: %w", err)
	}
	return &Groups{kafka: kept, done: done, admin: kadm.NewClient(kept.kept.asking)}, nil
}

// Close ends the connections.
func (g *Groups) Close() { g.done() }

// Spans are the partitions of a topic to their ends, transactions that are open
// included.
func (g *Groups) Spans(ctx context.Context, topic string) (map[int32]Span, error) {
	spans, err := logSpans(ctx, g.admin, topic)
	if err != nil {
		return nil, Named(err, "DESCRIBE", topic, "", "")
	}
	return spans, nil
}

// At are the offsets of a topic's partitions before which every record is older
// than t.
func (g *Groups) At(ctx context.Context, topic string, t time.Time) (map[int32]int64, error) {
	return after(ctx, g.admin, topic, t)
}

// Offsets are what a group has committed of a topic, by partition; partitions for which
// it has committed nothing are not among them.
func (g *Groups) Offsets(ctx context.Context, group, topic string) (map[int32]int64, error) {
	offsets, err := groupOffsets(ctx, g.admin, group, topic)
	if err != nil {
		return nil, Named(err, "DESCRIBE", topic, group, "")
	}
	return offsets, nil
}

// Members is how many members each of the groups has that has any.
func (g *Groups) Members(ctx context.Context, groups ...string) (map[string]int, error) {
	described, err := g.admin.DescribeGroups(ctx, groups...)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("members of consumer groups: %w", Named(err, "DESCRIBE", "", strings.Join(groups, ", "), ""))
	}
	out := map[string]int{}
	for _, d := range described {
		switch {
		case errors.Is(d.Err, kerr.GroupIDNotFound):
		case d.Err != nil:
			return nil, fmt.Errorf("members of group %s: %w", d.Group, Named(d.Err, "DESCRIBE", "", d.Group, ""))
		case len(d.Members) > 0:
			out[d.Group] = len(d.Members)
		}
	}
	return out, nil
}

// Named are the names of the groups there are that begin with the prefix.
func (g *Groups) Named(ctx context.Context, prefix string) ([]string, error) {
	listed, err := g.admin.ListGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("list consumer groups: %w", err)
	}
	var names []string
	for _, name := range listed.Groups() {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names, nil
}

// maxMarkers is how much of a partition is read to see whether it holds but the
// ends of transactions, and markersBytes bounds an answer then.
const (
	maxMarkers   = 1000
	markersBytes = 64 << 10
)

// Behind is how many offsets a group has not committed of those before until, by
// partition. A partition where only ends of transactions are left, which no group
// commits, is not behind.
func (g *Groups) Behind(ctx context.Context, group, topic string, until map[int32]int64) (map[int32]int64, error) {
	offsets, err := g.Offsets(ctx, group, topic)
	if err != nil {
		return nil, err
	}
	starts, err := g.Spans(ctx, topic)
	if err != nil {
		return nil, err
	}
	behind, short := map[int32]int64{}, map[int32]Span{}
	for p, end := range until {
		s := Span{max(offsets[p], starts[p].From), end}
		switch n := s.End - s.From; {
		case n <= 0:
		case n > maxMarkers:
			behind[p] = n
		default:
			short[p] = s
		}
	}
	first, err := g.first(ctx, topic, short)
	if err != nil {
		return nil, err
	}
	for p := range first {
		behind[p] = short[p].End - short[p].From
	}
	return behind, nil
}

// first is the time of the first record of each span of a topic, by partition; those
// without any are not among them.
func (g *Groups) first(ctx context.Context, topic string, spans map[int32]Span) (map[int32]time.Time, error) {
	few := g.kafka
	few.fetchBytes = markersBytes
	first := map[int32]time.Time{}
	err := few.read(ctx, topic, spans, maxSilence, data(func(r *kgo.Record) error {
		first[r.Partition] = r.Timestamp
		return errEnough
	}))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", topic, err)
	}
	return first, nil
}

// Lag is what a group has not committed.
type Lag struct {
	// Records are offsets: the ends of transactions between records are among them.
	Records int64 `json:"records"`
	// Oldest is the time of the first of them; zero when there is none, or none among a
	// partition's first thousand.
	Oldest time.Time `json:"oldest,omitzero"`
}

// Add makes l the lag of both.
func (l *Lag) Add(other Lag) {
	l.Records += other.Records
	if l.Oldest.IsZero() || !other.Oldest.IsZero() && other.Oldest.Before(l.Oldest) {
		l.Oldest = other.Oldest
	}
}

// Lag is what a group has not committed of what can be read of a topic: it never waits for
// transactions that are open. Where only ends of transactions are left, it is nothing.
func (g *Groups) Lag(ctx context.Context, group, topic string) (Lag, error) {
	offsets, err := g.Offsets(ctx, group, topic)
	if err != nil {
		return Lag{}, err
	}
	spans, err := g.kafka.committedSpans(ctx, topic)
	if err != nil {
		return Lag{}, fmt.Errorf("end of %s: %w", topic, err)
	}
	begins := map[int32]Span{}
	for p, s := range spans {
		s.From = max(s.From, offsets[p])
		spans[p] = s
		begins[p] = Span{s.From, min(s.End, s.From+maxMarkers)}
	}
	first, err := g.first(ctx, topic, begins)
	if err != nil {
		return Lag{}, err
	}
	var lag Lag
	for p, s := range spans {
		if oldest, found := first[p]; found || s.End-s.From > maxMarkers {
			lag.Add(Lag{s.End - s.From, oldest})
		}
	}
	return lag, nil
}

// Delete deletes groups and then a topic; what is not there is no error.
func (g *Groups) Delete(ctx context.Context, topic string, groups ...string) error {
	if err := g.DeleteGroups(ctx, groups...); err != nil {
		return err
	}
	topics, err := g.admin.DeleteTopics(ctx, topic)
	if err == nil {
		err = topics[topic].Err
	}
	if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("delete topic %s: %w", topic, Named(err, "DELETE", topic, "", ""))
	}
	return nil
}

// DeleteGroups deletes groups without members; what is not there is no error.
func (g *Groups) DeleteGroups(ctx context.Context, groups ...string) error {
	deleted, err := g.admin.DeleteGroups(ctx, groups...)
	if errors.Is(err, kerr.GroupAuthorizationFailed) {
		return &AccessError{"DELETE", "group", strings.Join(groups, ", "), err}
	}
	if err != nil {
		return fmt.Errorf("delete consumer groups: %w", err)
	}
	for _, d := range deleted {
		switch {
		case d.Err == nil, errors.Is(d.Err, kerr.GroupIDNotFound):
		case errors.Is(d.Err, kerr.GroupAuthorizationFailed):
			return &AccessError{"DELETE", "group", d.Group, d.Err}
		default:
			return fmt.Errorf("delete group %s: %w", d.Group, d.Err)
		}
	}
	return nil
}

// Replicas is how many replicas a topic's partitions have at least.
func (g *Groups) Replicas(ctx context.Context, topic string) (int16, error) {
	seen, err := g.admin.ListTopics(ctx, topic)
	if err == nil {
		err = seen[topic].Err
	}
	if err != nil {
		return 0, fmt.Errorf("topic %s: %w", topic, Named(err, "DESCRIBE", topic, "", ""))
	}
	least := 0
	for _, p := range seen[topic].Partitions {
		if least == 0 || len(p.Replicas) < least {
			least = len(p.Replicas)
		}
	}
	return int16(least), nil
}

// FirstOf is the first committed record that a partition still has among its first
// thousand, or nil.
func FirstOf(ctx context.Context, k Kafka, topic string, partition int32) (*kgo.Record, error) {
	all, err := k.committedSpans(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("first of %s: %w", topic, err)
	}
	s := all[partition]
	var first *kgo.Record
	err = k.read(ctx, topic, map[int32]Span{partition: {s.From, min(s.End, s.From+maxMarkers)}}, maxSilence, data(func(r *kgo.Record) error {
		first = r
		return errFound
	}))
	if err != nil && !errors.Is(err, errFound) {
		return nil, fmt.Errorf("first of %s: %w", topic, err)
	}
	return first, nil
}
