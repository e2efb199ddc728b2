package stream

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// census is one partition while it is looked at: sets of raw offsets.
type census struct {
	*Verifier
	cut    *cut
	admin  *kadm.Client
	number int32
	raw    Span
	found  *Verified

	there, duplicates *offsetSet
	unwanted          *offsetSet // raw records that the version is not made for
	deferred          *offsetSet // and that are processed only when somebody asks for them
	processed         *offsetSet // in any revision
	live              *offsetSet // by the raw pass
	twice             *offsetSet
	stored            *offsetSet // must be in the tables
	shown             *offsetSet // and be seen in them
	received          *offsetSet // raw records received when the version is shown
	again             map[int64]int64
	// Below, processed records may have expired.
	expiredBefore int64
	telemetry     published
	// Records of the processed topic that the sinks have not come to; offsets
	// would count the markers of transactions as well.
	storedLag, publishedLag int64
}

// partition looks at one.
func (v *Verifier) partition(ctx context.Context, admin *kadm.Client, c *cut, number int32) (*Verified, error) {
	raw := c.raw[number]
	raw.End = max(raw.End, raw.From)
	if raw.End-raw.From > v.limits.span {
		return nil, fmt.Errorf("%d raw offsets, more than %d: %w", raw.End-raw.From, v.limits.span, ErrTooMuch)
	}
	s := &census{
		Verifier: v, cut: c, admin: admin, number: number, raw: raw, again: map[int64]int64{},
		there: newOffsetSet(raw), duplicates: newOffsetSet(raw), unwanted: newOffsetSet(raw), deferred: newOffsetSet(raw), processed: newOffsetSet(raw), live: newOffsetSet(raw), twice: newOffsetSet(raw), stored: newOffsetSet(raw), shown: newOffsetSet(raw), received: newOffsetSet(raw),
		found: &Verified{Partition: number, From: raw.From, End: raw.End, Lag: max(c.ends[number]-c.passed[number], 0), holes: newOffsetSet(raw)},
	}
	s.telemetry = published{census: s, waiting: map[crashKey]wanted{}, missing: newOffsetSet(raw)}
	for _, step := range []func(context.Context) error{s.readRaw, s.readProcessed, s.findDeferred} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	s.account()
	for _, step := range []func(context.Context) error{s.telemetry.look, s.readTables} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return s.found, nil
}

// readRaw finds the raw records, and of those with one crash id the first. The
// processor leaves out what comes again among its last recentWindow outputs: so
// many records before the span are looked at as well.
func (s *census) readRaw(ctx context.Context) error {
	ids := newRecentIDs()
	lead := Span{max(s.cut.rawStarts[s.number], s.raw.From-recentWindow), s.raw.End}
	if s.raw.From == s.raw.End {
		return nil
	}
	return s.Kafka.read(ctx, schema.TopicRaw, map[int32]Span{s.number: lead}, maxSilence, data(func(r *kgo.Record) error {
		id, ok := crashKeyOf(r.Key)
		s.there.add(r.Offset)
		if s.Activation.Seen(r.Timestamp) == s.Version {
			s.received.add(r.Offset)
		}
		if s.Wants != nil && !s.Wants(s.number, r.Offset, r.Timestamp) {
			s.unwanted.add(r.Offset)
		}
		if ok && ids.add(id, r.Offset) >= 0 {
			s.duplicates.add(r.Offset)
		}
		return nil
	}))
}

// readProcessed accounts for the raw records.
func (s *census) readProcessed(ctx context.Context) error {
	at := s.cut.processed[s.number]
	ids := newRecentIDs()
	first := s.raw.End // raw offset of the first record of the raw pass
	err := s.Kafka.read(ctx, schema.ProcessedTopic(s.Version), map[int32]Span{s.number: at}, maxSilence, data(func(r *kgo.Record) error {
		s.behind(r)
		head, err := schema.DecodeHead(r.Value)
		if err != nil || head.SignatureVersion != s.Version || head.Raw.Topic != schema.TopicRaw || head.Raw.Partition != s.number {
			if r.Offset < s.cut.stored[s.number] && !s.cut.dead.stored[place{r.Partition, r.Offset}] {
				s.found.Strange++
			}
			return nil
		}
		offset := head.Raw.Offset
		if head.Revision == 0 {
			first = min(first, offset)
			id, ok := crashKeyOf(r.Key)
			before := int64(-1) // another raw record of the crash id
			if ok {
				before = ids.add(id, offset)
			}
			switch {
			case s.there.has(offset) && !s.live.add(offset), before >= 0 && offset-before <= recentTail:
				s.twice.add(offset)
			case before >= 0: // further away than every processor remembers: rows count it once
				s.found.Repeated++
			}
		}
		if !s.there.has(offset) {
			return nil
		}
		s.processed.add(offset)
		return s.expect(ctx, r, head)
	}))
	if err != nil {
		return err
	}
	if start := s.cut.processedStarts[s.number]; start > 0 && start == at.From {
		s.expiredBefore = first
	}
	return nil
}

// findDeferred reads the raw records again of which nothing became, if there are any, for
// what the door's rules decided of them.
func (s *census) findDeferred(ctx context.Context) error {
	lacks := func(offset int64) bool {
		return !s.processed.has(offset) && !s.duplicates.has(offset) && !s.unwanted.has(offset) && !s.cut.dead.raw[place{s.number, offset}]
	}
	found := s.there.where(lacks)
	if found.Count == 0 {
		return nil
	}
	return s.Kafka.read(ctx, schema.TopicRaw, map[int32]Span{s.number: {found.Ranges[0].First, s.raw.End}}, maxSilence, data(func(r *kgo.Record) error {
		if !s.there.has(r.Offset) || !lacks(r.Offset) {
			return nil
		}
		if raw, err := schema.Decode[schema.RawCrash](r.Value); err == nil && raw.Deferred() {
			s.deferred.add(r.Offset)
		}
		return nil
	}))
}

// behind counts what the sinks have not come to.
func (s *census) behind(r *kgo.Record) {
	if r.Offset >= s.cut.stored[s.number] {
		s.storedLag++
	}
	if r.Offset >= s.cut.published[s.number] {
		s.publishedLag++
	}
}

// expect notes where a processed record must have come.
func (s *census) expect(ctx context.Context, r *kgo.Record, head *schema.ProcessedHead) error {
	offset, at := head.Raw.Offset, place{r.Partition, r.Offset}
	if s.duplicates.has(offset) || s.twice.has(offset) {
		return nil // the first raw record of a crash id is the crash, and is seen
	}
	shown := s.Activation.Range(head.ReceivedAt)
	is := shown != nil && shown.SignatureVersion == s.Version
	if r.Offset < s.cut.stored[s.number] && !s.cut.dead.stored[at] {
		s.stored.add(offset)
		if is {
			s.shown.add(offset)
		}
		if head.Revision > 0 {
			s.again[offset] = max(s.again[offset], head.Revision)
		}
		if len(s.again) > s.limits.again {
			return fmt.Errorf("more than %d crashes were processed again: %w", s.limits.again, ErrTooMuch)
		}
	}
	if r.Offset < s.cut.published[s.number] && !s.cut.dead.published[at] && is {
		return s.telemetry.want(ctx, r.Key, head, shown.Epoch)
	}
	return nil
}

// account puts every raw record where it belongs.
func (s *census) account() {
	f := s.found
	f.Raw, f.Processed = s.there.count, s.processed.count
	f.Missing = s.there.where(func(offset int64) bool {
		switch {
		case s.processed.has(offset):
			return false
		case s.cut.dead.raw[place{s.number, offset}]:
			f.Dead++
			return false
		case s.duplicates.has(offset):
			f.Duplicates++
			return false
		case s.unwanted.has(offset):
			f.Unwanted++
			return false
		case s.deferred.has(offset):
			f.Deferred++
			return false
		case offset < s.expiredBefore:
			f.Expired++
			s.stored.add(offset)
			if s.received.has(offset) {
				s.shown.add(offset)
			}
			return false
		}
		s.found.holes.add(offset)
		return true
	})
	f.Twice = s.twice.all()
}

// readTables compares the tables with what was processed.
func (s *census) readTables(ctx context.Context) error {
	for _, t := range s.Tables {
		sink := VerifiedSink{Name: t.Name, Lag: s.storedLag, Want: s.stored.count}
		rows, surplus, twice := newOffsetSet(s.raw), newOffsetSet(s.raw), newOffsetSet(s.raw)
		err := t.Rows(ctx, s.number, s.raw.From, s.raw.End, func(r StoredRow) error {
			switch {
			case !s.there.has(r.RawOffset), s.unmade(r):
				surplus.add(r.RawOffset)
			case r.Revision < s.again[r.RawOffset]: // an older result: the newer one is missing
			case !rows.add(r.RawOffset):
				twice.add(r.RawOffset)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		if sink.Unseen, err = s.unseen(ctx, t, rows, twice); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		sink.Missing = s.stored.where(func(offset int64) bool {
			if rows.has(offset) {
				return false
			}
			s.found.holes.add(offset)
			return true
		})
		sink.Surplus, sink.Twice = surplus.all(), twice.all()
		s.found.Tables = append(s.found.Tables, sink)
	}
	return nil
}

// unseen looks at a table as analysts do: rows that are there and shown, and are not seen.
func (s *census) unseen(ctx context.Context, t Table, rows, twice *offsetSet) (Offsets, error) {
	if t.Seen == nil {
		return Offsets{}, nil
	}
	seen := newOffsetSet(s.raw)
	err := t.Seen(ctx, s.number, s.raw.From, s.raw.End, func(rawOffset int64) error {
		if !seen.add(rawOffset) {
			twice.add(rawOffset)
		}
		return nil
	})
	if err != nil {
		return Offsets{}, err
	}
	return s.shown.where(func(offset int64) bool { return rows.has(offset) && !seen.has(offset) }), nil
}

// unmade tells whether nothing that a row could be of was processed, among what
// was read of the processed topic. What is missing there is told already, and a
// row of it is made anew when that is mended.
func (s *census) unmade(r StoredRow) bool {
	at := s.cut.processed[s.number]
	return r.RawOffset >= s.expiredBefore && !s.processed.has(r.RawOffset) && !s.found.holes.has(r.RawOffset) && at.From <= r.ProcessedOffset && r.ProcessedOffset < at.End
}

// crashKey is a crash id, which is a UUID, in 16 bytes.
type crashKey [16]byte

// crashKeyOf reads a record's key; false if it is no crash id.
func crashKeyOf(key []byte) (crashKey, bool) {
	var id crashKey
	if _, err := schema.CrashDay(string(key)); err != nil {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(strings.ReplaceAll(string(key), "-", "")))
	return id, err == nil
}

// idGeneration is half of how many crash ids are remembered at most: about 50 MB.
const idGeneration = 1 << 19

// recentIDs remembers the last crash ids, between one generation and two, and at which raw
// offset each was first.
type recentIDs struct{ young, old map[crashKey]int64 }

func newRecentIDs() *recentIDs { return &recentIDs{young: map[crashKey]int64{}} }

// add returns the raw offset at which the id was before, -1 if it is new.
func (r *recentIDs) add(id crashKey, offset int64) (first int64) {
	if first, young := r.young[id]; young {
		return first
	}
	if first, old := r.old[id]; old {
		return first
	}
	if len(r.young) == idGeneration {
		r.old, r.young = r.young, map[crashKey]int64{}
	}
	r.young[id] = offset
	return -1
}
