package stream

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"

	"aftershock/schema"
)

// Gone is a partition of a group whose committed offset is out of range: the records from
// Committed to From have expired unread, or the topic was made anew and ends before it.
type Gone struct {
	Group     string `json:"group"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed int64  `json:"committed"`
	// From and End are the offsets that there are, End without.
	From int64 `json:"from"`
	End  int64 `json:"end"`
}

// Records is how many are known to be gone: those of a topic that was made anew nobody
// knows.
func (g Gone) Records() int64 { return max(g.From-g.Committed, 0) }

// String says what is gone, for people.
func (g Gone) String() string {
	if g.Committed > g.End {
		return fmt.Sprintf("group %s has come to offset %d of %s partition %d, which ends at %d: the topic was made anew", g.Group, g.Committed, g.Topic, g.Partition, g.End)
	}
	return fmt.Sprintf("group %s: %d records of %s partition %d are gone unread, offsets %d to %d", g.Group, g.Records(), g.Topic, g.Partition, g.Committed, g.From-1)
}

// foreign tells whether a group is not ours: consumers of the public topic look after
// themselves.
func foreign(group string) bool {
	return strings.HasPrefix(group, "consumer.")
}

// Gone looks at every group's offsets.
func (g *Groups) Gone(ctx context.Context) ([]Gone, error) {
	names, err := g.Named(ctx, "")
	if err != nil {
		return nil, err
	}
	spans := map[string]map[int32]Span{}
	var out []Gone
	for _, name := range names {
		if foreign(name) {
			continue
		}
		offsets, err := g.admin.FetchOffsets(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("how far %s has come: %w", name, Named(err, "DESCRIBE", "", name, ""))
		}
		for topic := range offsets {
			if spans[topic] == nil {
				if spans[topic], err = g.Spans(ctx, topic); err != nil {
					spans[topic] = map[int32]Span{} // it is deleted: nobody reads it any more
				}
			}
		}
		offsets.Each(func(o kadm.OffsetResponse) {
			s, there := spans[o.Topic][o.Partition]
			if there && o.At >= 0 && (o.At < s.From || o.At > s.End) {
				out = append(out, Gone{Group: name, Topic: o.Topic, Partition: o.Partition, Committed: o.At, From: s.From, End: s.End})
			}
		})
	}
	slices.SortFunc(out, func(a, b Gone) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return out, nil
}

// GoOn are the offsets at which groups go on behind what is gone: the first record that
// there is.
func GoOn(gone []Gone) map[string]map[string][]schema.PartitionOffset {
	out := map[string]map[string][]schema.PartitionOffset{}
	for _, g := range gone {
		if out[g.Group] == nil {
			out[g.Group] = map[string][]schema.PartitionOffset{}
		}
		out[g.Group][g.Topic] = append(out[g.Group][g.Topic], schema.PartitionOffset{Partition: g.Partition, Offset: g.From})
	}
	return out
}
