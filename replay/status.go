package replay

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"aftershock/schema"
	"aftershock/stream"
)

// Status is what the versions log and the brokers tell at one moment.
type Status struct {
	At    time.Time   `json:"at"`
	Epoch int64       `json:"epoch"`
	Seen  []SeenRange `json:"seen"`
	// Promoting is what is to be seen, while a promotion is under way since Since.
	Promoting []SeenRange     `json:"promoting,omitempty"`
	Since     *time.Time      `json:"promoting_since,omitempty"`
	Versions  []VersionStatus `json:"versions"`
	// Arrivals is how far the healer is through what tells of symbols that have come; what it
	// asked for is among the versions' Requests.
	Arrivals []Progress `json:"arrivals,omitempty"`
}

// SeenRange is received_at, half open, of the crashes that are seen in a version.
type SeenRange struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Version int32     `json:"version"`
}

func seenRanges(of []schema.ActiveRange) []SeenRange {
	out := make([]SeenRange, len(of))
	for i, r := range of {
		out[i] = SeenRange{r.From, r.To, r.SignatureVersion}
	}
	return out
}

// VersionStatus is how far a signature version is.
type VersionStatus struct {
	Number         int32      `json:"version"`
	State          string     `json:"state"`
	ProcessVersion int32      `json:"process_version"`
	RulesetHash    string     `json:"ruleset_hash"`
	RegistryHash   string     `json:"registry_hash"`
	Source         string     `json:"source"`
	Base           int32      `json:"base,omitempty"`
	From           *time.Time `json:"from,omitempty"`
	To             *time.Time `json:"to,omitempty"`
	Share          float64    `json:"share"`
	Paused         bool       `json:"paused"`
	Seen           bool       `json:"seen"`
	// Members of its group on crash.raw: a version without any is not processed.
	Members int `json:"members"`
	// Raw is its way through crash.raw, Resign through its base's results, and
	// Requests through crash.reprocess.
	Raw      []Progress `json:"raw,omitempty"`
	Resign   []Progress `json:"resign,omitempty"`
	Requests []Progress `json:"requests,omitempty"`
}

// Progress is the way of a group through a partition, in offsets.
type Progress struct {
	Partition int32 `json:"partition"`
	Begin     int64 `json:"begin"`
	At        int64 `json:"at"`
	End       int64 `json:"end"`
}

// Left is how many offsets are left, and All how many there were, of the partitions.
func Left(of ...[]Progress) (left, all int64) {
	for _, partitions := range of {
		for _, p := range partitions {
			left += max(p.End-p.At, 0)
			all += max(p.End-p.Begin, 0)
		}
	}
	return left, all
}

// Left is how many records the version has still to handle, of how many.
func (v *VersionStatus) Left() (left, all int64) { return Left(v.Raw, v.Resign) }

// Look asks how far every version is that is not dropped.
func (o *Operator) Look(ctx context.Context) (*Status, error) {
	state, err := stream.NewestVersions(ctx, o.Kafka)
	if err != nil {
		return nil, err
	}
	s := &Status{At: o.Now()}
	if state == nil {
		return s, nil
	}
	g, err := stream.NewGroups(o.Kafka)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	s.Epoch, s.Seen = state.Activation.Epoch, seenRanges(state.Activation.Ranges)
	if state.Promotion != nil {
		s.Promoting, s.Since = seenRanges(state.Promotion.Ranges), &state.At
	}
	for i := range state.Versions {
		v := &state.Versions[i]
		if v.State == schema.StateDropped {
			continue
		}
		at, err := lookAt(ctx, g, state, v)
		if err != nil {
			return nil, err
		}
		at.Seen = state.Activation.Names(v.Number)
		s.Versions = append(s.Versions, *at)
	}
	s.Arrivals, err = arrivals(ctx, g)
	return s, err
}

// arrivals is the healer's way. A cluster that has not been brought up to date has no topic
// for it.
func arrivals(ctx context.Context, g *stream.Groups) (out []Progress, err error) {
	spans, err := g.Spans(ctx, schema.TopicSymbols)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	at, err := g.Offsets(ctx, schema.GroupSymbols, schema.TopicSymbols)
	for partition, s := range spans {
		out = append(out, Progress{Partition: partition, Begin: s.From, At: max(at[partition], s.From), End: s.End})
	}
	return out, err
}

func lookAt(ctx context.Context, g *stream.Groups, state *schema.VersionEvent, v *schema.SignatureVersion) (*VersionStatus, error) {
	s := &VersionStatus{
		Number: v.Number, State: v.State, ProcessVersion: v.ProcessVersion, RulesetHash: v.RulesetHash, RegistryHash: v.RegistryHash,
		Source: v.Source, Base: v.Base, From: v.From, To: v.To, Share: v.Share, Paused: v.Paused,
	}
	if !v.Kept() {
		return s, nil // nobody is in its groups
	}
	group := schema.ProcessGroup(v.Number)
	members, err := g.Members(ctx, group)
	if err != nil {
		return nil, err
	}
	s.Members = members[group]
	if s.Raw, err = progress(ctx, g, group, schema.TopicRaw, v.Begins, nil); err != nil {
		return nil, err
	}
	if s.Requests, err = progress(ctx, g, schema.ReprocessGroup(v.Number), schema.TopicReprocess, v.BaseRequests, nil); err != nil {
		return nil, err
	}
	if v.Base != 0 && !state.BaseGone(v) {
		s.Resign, err = progress(ctx, g, schema.ResignGroup(v.Number), schema.ProcessedTopic(v.Base), nil, v.BaseEnds)
	}
	return s, err
}

// progress is a group's way through a topic from where it began to until, nil for
// the topic's end. Where only ends of transactions are left it has come to its end.
func progress(ctx context.Context, g *stream.Groups, group, topic string, begins, until []schema.PartitionOffset) ([]Progress, error) {
	spans, err := g.Spans(ctx, topic)
	if err != nil {
		return nil, err
	}
	at, err := come(ctx, g, group, topic, begins)
	if err != nil {
		return nil, err
	}
	end := map[int32]int64{}
	for p, s := range spans {
		end[p] = s.End
	}
	if until != nil {
		end = offsetsOf(until)
	}
	behind, err := g.Behind(ctx, group, topic, end)
	if err != nil {
		return nil, err
	}
	from := offsetsOf(begins)
	var out []Progress
	for _, o := range at {
		p := Progress{Partition: o.Partition, Begin: max(from[o.Partition], spans[o.Partition].From), At: o.Offset, End: end[o.Partition]}
		if behind[o.Partition] == 0 {
			p.At = max(p.At, p.End)
		}
		out = append(out, p)
	}
	return out, nil
}

// Rate is records a second between two looks at a version; 0 when it is not known.
func Rate(before, now *Status, n int32) float64 {
	took := now.At.Sub(before.At).Seconds()
	was, is := before.version(n), now.version(n)
	if took <= 0 || was == nil || is == nil {
		return 0
	}
	return float64(is.handled()-was.handled()) / took
}

func (s *Status) version(n int32) *VersionStatus {
	for i := range s.Versions {
		if s.Versions[i].Number == n {
			return &s.Versions[i]
		}
	}
	return nil
}

func (v *VersionStatus) handled() (sum int64) {
	for _, partitions := range [][]Progress{v.Raw, v.Resign} {
		for _, p := range partitions {
			sum += p.At
		}
	}
	return sum
}
