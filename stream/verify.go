package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// Verifier proves that a signature version has every raw crash once, or says what
// it lacks and what it has twice.
//
// Every raw record up to where process.v<N> has come must be processed, a dead
// letter, or a later record of the same crash id; every processed one up to where
// a sink has come must be in each of the sink's tables, and in crash.telemetry when
// the version is seen for it, or a dead letter. What lies beyond is lag.
//
// Partitions are looked at one after the other, a few bits an offset in memory:
// outputs lie in the partition of their input.
type Verifier struct {
	Kafka   Kafka
	Version int32
	// From and To bound received_at; zero does not.
	From, To time.Time
	// Ended says where a version stopped that has no groups any more; none of one that has.
	Ended []schema.PartitionOffset
	// Activation is the one of now.
	Activation schema.Activation
	// Wants tells whether the version is made for a raw record; nil: for all.
	Wants func(partition int32, offset int64, received time.Time) bool
	// Sink is the name of the sink that keeps Tables. None: no tables are looked at.
	Sink   string
	Tables []Table

	limits verifyLimits // zero: the default ones
}

// Table is where a sink keeps rows of processed crashes. Both functions hand the
// rows of a span of raw offsets to each, in no particular order, until it fails.
type Table struct {
	Name string
	// Rows are those that the version has, whether they are seen or not.
	Rows func(ctx context.Context, partition int32, from, end int64, each func(StoredRow) error) error
	// Seen are those that analysts see, of any version. Nil: nobody looks at the table
	// itself.
	Seen func(ctx context.Context, partition int32, from, end int64, each func(rawOffset int64) error) error
}

// StoredRow is what verifying wants of a row.
type StoredRow struct {
	RawOffset, Revision, ProcessedOffset int64
}

// Verified is what was found in one partition.
type Verified struct {
	Partition int32 `json:"partition"`
	// From and End are the raw offsets that were looked at, End without.
	From int64 `json:"from"`
	End  int64 `json:"end"`
	// Lag is how many raw offsets the version has not come to.
	Lag int64 `json:"lag"`

	Raw       int64 `json:"raw"`
	Processed int64 `json:"processed"`
	// Dead are raw records whose dead letter is all that came of them.
	Dead       int64 `json:"dead"`
	Duplicates int64 `json:"duplicates"`
	// Unwanted are raw records that the version is not made for, and did not make.
	Unwanted int64 `json:"unwanted"`
	// Deferred are raw records that the door's rules deferred and nobody has asked for.
	Deferred int64 `json:"deferred"`
	// Expired are raw records whose processed ones may have expired: they must
	// be in the tables.
	Expired int64   `json:"expired"`
	Missing Offsets `json:"missing"`
	// Twice are raw offsets that the raw pass has processed a second time, or
	// whose crash id it had processed before.
	Twice Offsets `json:"twice"`
	// Repeated are later raw records of a crash id that were processed because they came
	// long after the first: analysts see the crash once.
	Repeated int64 `json:"repeated"`
	// Strange are processed records that cannot be of this partition's raw crashes.
	Strange int64          `json:"strange"`
	Tables  []VerifiedSink `json:"tables"`

	holes *offsetSet
}

// VerifiedSink is what was found in a table, or in crash.telemetry.
type VerifiedSink struct {
	Name string `json:"name"`
	// Lag is how many processed records the sink has not come to.
	Lag     int64   `json:"lag"`
	Want    int64   `json:"want"`
	Missing Offsets `json:"missing"`
	// Surplus are rows of which nothing was processed, Twice those seen twice.
	Surplus Offsets `json:"surplus"`
	Twice   Offsets `json:"twice"`
	// Unseen are rows that are there, and that analysts do not see although the
	// activation shows them.
	Unseen Offsets `json:"unseen"`
}

// Holes is how many raw offsets lack something.
func (v *Verified) Holes() int64 { return v.holes.count }

// Whole tells whether everything is there once.
func (v *Verified) Whole() bool {
	return v.holes.count == 0 && v.Mendable()
}

// Mendable tells whether nothing is there that must not be: sending again would
// not take it away.
func (v *Verified) Mendable() bool {
	return v.Twice.Count == 0 && v.Strange == 0 &&
		!slices.ContainsFunc(v.Tables, func(t VerifiedSink) bool { return t.Surplus.Count > 0 || t.Twice.Count > 0 || t.Unseen.Count > 0 })
}

// MostLag is the largest of the lags: of the version, and of the sinks.
func (v *Verified) MostLag() int64 {
	most := v.Lag
	for _, t := range v.Tables {
		most = max(most, t.Lag)
	}
	return most
}

// verifyLimits bound what verifying keeps in memory of a partition.
type verifyLimits struct {
	span    int64 // raw offsets looked at
	dead    int   // dead letters remembered
	again   int   // crashes processed again remembered
	waiting int   // crashes looked for in crash.telemetry at a time
}

// defaultVerifyLimits come to less than 500 MB: 16 MiB for each of a dozen sets of
// offsets, and less than 100 bytes for whatever else is remembered.
var defaultVerifyLimits = verifyLimits{span: 1 << 27, dead: 1 << 20, again: 1 << 20, waiting: 1 << 18}

// ErrTooMuch is wrapped when a limit of verifying is passed.
var ErrTooMuch = errors.New("too much at once: verify less with --from and --to")

// cut is one state of everything: what lies behind its offsets is complete, because
// those of the groups are asked for first.
type cut struct {
	raw, processed, telemetry map[int32]Span
	rawStarts, passed, ends   map[int32]int64 // of the raw topic
	processedStarts           map[int32]int64
	stored, published         map[int32]int64 // of the processed topic, by the sinks
	dead                      deadSets
}

// deadSets are the records that have dead letters: raw ones of the version, and
// processed ones by who could not handle them.
type deadSets struct {
	raw, stored, published map[place]bool
}

// Run calls each with every partition's outcome, in their order.
func (v *Verifier) Run(ctx context.Context, each func(*Verified) error) error {
	if v.limits == (verifyLimits{}) {
		v.limits = defaultVerifyLimits
	}
	cl, done, err := v.Kafka.ask()
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	defer done()
	c, err := v.cut(ctx, kadm.NewClient(cl))
	if err != nil {
		return fmt.Errorf("verify version %d: %w", v.Version, err)
	}
	for p := range int32(len(c.raw)) {
		found, err := v.partition(ctx, kadm.NewClient(cl), c, p)
		if err != nil {
			return fmt.Errorf("verify version %d, partition %d: %w", v.Version, p, err)
		}
		if err := each(found); err != nil {
			return err
		}
	}
	return nil
}

// cut asks for the state of now.
func (v *Verifier) cut(ctx context.Context, admin *kadm.Client) (*cut, error) {
	topic := schema.ProcessedTopic(v.Version)
	var c cut
	var err error
	ask := func(to *map[int32]int64, group, topic string) {
		if err == nil {
			*to, err = groupOffsets(ctx, admin, group, topic)
		}
	}
	if v.Sink != "" && len(v.Ended) == 0 {
		ask(&c.stored, schema.SinkGroup(v.Sink, v.Version), topic)
	}
	nobody := false
	if err == nil {
		c.published, nobody, err = v.publishedOffsets(ctx, admin)
	}
	ask(&c.passed, schema.ProcessGroup(v.Version), schema.TopicRaw)
	list := func(to *map[int32]Span, topic string) {
		if err == nil {
			*to, err = logSpans(ctx, admin, topic)
		}
	}
	list(&c.raw, schema.TopicRaw)
	list(&c.processed, topic)
	list(&c.telemetry, schema.TopicTelemetry)
	if err != nil {
		return nil, err
	}
	if len(c.raw) != len(c.processed) || len(c.raw) != len(c.telemetry) {
		return nil, fmt.Errorf("%s, %s and %s have %d, %d and %d partitions, and must have as many: crashes keep their partition",
			schema.TopicRaw, topic, schema.TopicTelemetry, len(c.raw), len(c.processed), len(c.telemetry))
	}
	if len(v.Ended) > 0 {
		v.ended(&c)
	}
	c.rawStarts, c.processedStarts, c.ends = map[int32]int64{}, map[int32]int64{}, map[int32]int64{}
	for p, s := range c.raw {
		c.rawStarts[p], c.ends[p] = s.From, s.End
		c.raw[p] = Span{s.From, min(s.End, c.passed[p])}
		c.processedStarts[p] = c.processed[p].From
	}
	if nobody { // nothing lags that is not to be published
		c.published = map[int32]int64{}
		for p, s := range c.processed {
			c.published[p] = s.End
		}
	}
	if err := v.bound(ctx, admin, &c); err != nil {
		return nil, err
	}
	c.dead, err = v.deadLetters(ctx, admin)
	return &c, err
}

// ended takes a version that has no groups any more for done: up to where it stopped
// everything must be there.
func (v *Verifier) ended(c *cut) {
	c.passed, c.stored, c.published = map[int32]int64{}, map[int32]int64{}, map[int32]int64{}
	for _, o := range v.Ended {
		c.passed[o.Partition] = o.Offset
	}
	for p, s := range c.processed {
		c.stored[p], c.published[p] = s.End, s.End
	}
	for p, s := range c.raw {
		c.raw[p] = Span{s.From, min(s.End, c.passed[p])}
	}
}

// bound cuts the raw spans to From and To, and leaves out what was processed and
// published before the first of them was received.
func (v *Verifier) bound(ctx context.Context, admin *kadm.Client, c *cut) error {
	if !v.To.IsZero() {
		to, err := after(ctx, admin, schema.TopicRaw, v.To)
		if err != nil {
			return err
		}
		for p, s := range c.raw {
			c.raw[p] = Span{s.From, min(s.End, to[p])}
		}
	}
	if v.From.IsZero() {
		return nil
	}
	err := startSince(ctx, admin, schema.TopicRaw, c.raw, v.From)
	if err == nil {
		err = startSince(ctx, admin, schema.ProcessedTopic(v.Version), c.processed, v.From.Add(-clockMargin))
	}
	if err == nil {
		err = startSince(ctx, admin, schema.TopicTelemetry, c.telemetry, v.From.Add(-clockMargin))
	}
	return err
}

// telemetrySink is the stage of the dead letters of crash.telemetry's sink.
const telemetrySink = "telemetry"

// deadLetters reads what is dead of the version.
func (v *Verifier) deadLetters(ctx context.Context, admin *kadm.Client) (deadSets, error) {
	sets := deadSets{map[place]bool{}, map[place]bool{}, map[place]bool{}}
	spans, err := logSpans(ctx, admin, schema.TopicDeadLetter)
	if err == nil && !v.From.IsZero() {
		err = startSince(ctx, admin, schema.TopicDeadLetter, spans, v.From.Add(-clockMargin))
	}
	if err != nil {
		return sets, err
	}
	return sets, v.Kafka.read(ctx, schema.TopicDeadLetter, spans, maxSilence, data(func(r *kgo.Record) error {
		l, err := ReadLetter(r)
		if err != nil || l.SignatureVersion != v.Version {
			return nil //nolint:nilerr // not ours: dlq list counts it
		}
		at := place{l.From.Partition, l.From.Offset}
		switch {
		case l.From.Topic == schema.TopicRaw:
			sets.raw[at] = true
		case l.Stage == stageResign: // its record is another version's result
			if head, err := schema.DecodeHead(r.Value); err == nil {
				sets.raw[place{head.Raw.Partition, head.Raw.Offset}] = true
			}
		case l.From.Topic == schema.ProcessedTopic(v.Version) && l.Stage == telemetrySink:
			sets.published[at] = true
		case l.From.Topic == schema.ProcessedTopic(v.Version):
			sets.stored[at] = true
		}
		if len(sets.raw)+len(sets.stored)+len(sets.published) > v.limits.dead {
			return fmt.Errorf("more than %d dead letters: %w", v.limits.dead, ErrTooMuch)
		}
		return nil
	}))
}
