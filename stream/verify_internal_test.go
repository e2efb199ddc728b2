package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

func TestWhatIsWholeAndWhatCanBeMended(t *testing.T) {
	hole := func() *offsetSet {
		s := newOffsetSet(Span{0, 9})
		s.add(3)
		return s
	}
	some := Offsets{Count: 1}
	for name, tc := range map[string]struct {
		of              Verified
		whole, mendable bool
	}{
		"everything is there":      {Verified{holes: newOffsetSet(Span{})}, true, true},
		"something is missing":     {Verified{holes: hole()}, false, true},
		"something is twice":       {Verified{holes: newOffsetSet(Span{}), Twice: some}, false, false},
		"something is strange":     {Verified{holes: newOffsetSet(Span{}), Strange: 1}, false, false},
		"a row too many":           {Verified{holes: newOffsetSet(Span{}), Tables: []VerifiedSink{{}, {Surplus: some}}}, false, false},
		"a row twice":              {Verified{holes: newOffsetSet(Span{}), Tables: []VerifiedSink{{Twice: some}}}, false, false},
		"a row that nobody sees":   {Verified{holes: newOffsetSet(Span{}), Tables: []VerifiedSink{{Unseen: some}}}, false, false},
		"a row that is not there":  {Verified{holes: hole(), Tables: []VerifiedSink{{Missing: some}}}, false, true},
		"crashes that are dead":    {Verified{holes: newOffsetSet(Span{}), Dead: 3, Duplicates: 4, Repeated: 5, Unwanted: 6, Expired: 7}, true, true},
		"one with everything else": {Verified{holes: newOffsetSet(Span{}), Tables: []VerifiedSink{{Want: 9}}}, true, true},
	} {
		if tc.of.Whole() != tc.whole || tc.of.Mendable() != tc.mendable {
			t.Errorf("%s: whole %v, mendable %v", name, tc.of.Whole(), tc.of.Mendable())
		}
	}
	v := Verified{Lag: 3, Tables: []VerifiedSink{{Lag: 2}, {Lag: 7}, {Lag: 5}}, holes: hole()}
	if v.MostLag() != 7 || v.Holes() != 1 {
		t.Errorf("a lag of %d, %d holes", v.MostLag(), v.Holes())
	}
	if v.Lag = 8; v.MostLag() != 8 {
		t.Errorf("a lag of %d", v.MostLag())
	}
}

// counting is a census of the raw offsets 10 to 29.
func counting(change func(*census)) *census {
	raw := Span{10, 30}
	set := func() *offsetSet { return newOffsetSet(raw) }
	s := &census{
		Verifier: &Verifier{Version: 2, limits: verifyLimits{again: 2}}, number: 1, raw: raw, again: map[int64]int64{},
		cut:   &cut{stored: map[int32]int64{1: 100}, published: map[int32]int64{1: 50}, dead: deadSets{map[place]bool{}, map[place]bool{}, map[place]bool{}}, processed: map[int32]Span{1: {5, 200}}},
		there: set(), duplicates: set(), unwanted: set(), deferred: set(), processed: set(), live: set(), twice: set(), stored: set(), shown: set(), received: set(), found: &Verified{holes: set()},
	}
	s.telemetry = published{census: s, waiting: map[crashKey]wanted{}, missing: set()}
	for offset := int64(10); offset < 20; offset++ {
		s.there.add(offset)
	}
	change(s)
	return s
}

// Every raw record is one thing, the first that it can be.
func TestEveryRawRecordIsAccountedFor(t *testing.T) {
	s := counting(func(s *census) {
		for _, offset := range []int64{10, 11} {
			s.processed.add(offset)
		}
		for _, offset := range []int64{11, 12} {
			s.cut.dead.raw[place{1, offset}] = true
		}
		s.cut.dead.raw[place{0, 19}] = true
		for _, offset := range []int64{12, 13} {
			s.duplicates.add(offset)
		}
		for _, offset := range []int64{13, 14} {
			s.unwanted.add(offset)
		}
		for _, offset := range []int64{14, 15} {
			s.deferred.add(offset)
		}
		s.expiredBefore = 17
		s.received.add(16)
		s.twice.add(11)
	})
	s.account()
	f := s.found
	if f.Raw != 10 || f.Processed != 2 || f.Dead != 1 || f.Duplicates != 1 || f.Unwanted != 1 || f.Deferred != 1 || f.Expired != 1 || f.Missing.String() != "17-19" || f.Twice.String() != "11" || f.Holes() != 3 {
		t.Errorf("%+v", f)
	}
	if got := s.stored.all().String() + " " + s.shown.all().String(); got != "16 16" {
		t.Errorf("rows that there must be: %s", got)
	}
}

// A processed record must be in the tables and published, up to where the sinks have come.
func TestWhereAProcessedRecordMustBe(t *testing.T) {
	for name, tc := range map[string]struct {
		offset, raw, revision int64
		change                func(*census)
		want                  string // stored, shown, published
	}{
		"both sinks have come to it":        {40, 12, 0, func(*census) {}, "12 12 1"},
		"one has":                           {50, 12, 0, func(*census) {}, "12 12 0"},
		"the last one":                      {49, 12, 0, func(*census) {}, "12 12 1"},
		"none has":                          {100, 12, 0, func(*census) {}, "none none 0"},
		"the last row":                      {99, 12, 0, func(*census) {}, "12 12 0"},
		"it is another version's":           {40, 12, 0, func(s *census) { s.Version = 3 }, "12 none 0"},
		"nothing is shown":                  {40, 12, 0, func(s *census) { s.Activation = schema.Activation{} }, "12 none 0"},
		"it is dead in the tables":          {40, 12, 0, func(s *census) { s.cut.dead.stored[place{1, 40}] = true }, "none none 1"},
		"it is dead before it is published": {40, 12, 0, func(s *census) { s.cut.dead.published[place{1, 40}] = true }, "12 12 0"},
		"a later raw record":                {40, 12, 0, func(s *census) { s.duplicates.add(12) }, "none none 0"},
		"one that is there twice":           {40, 12, 0, func(s *census) { s.twice.add(12) }, "none none 0"},
		"it was asked for":                  {40, 12, 9, func(*census) {}, "12 12 1"},
	} {
		s := counting(func(s *census) {
			s.Activation = schema.Activation{Ranges: []schema.ActiveRange{{From: schema.TimeBegin, To: schema.TimeEnd, SignatureVersion: 2, Epoch: 4}}}
			s.limits.waiting = 9
		})
		tc.change(s)
		r := &kgo.Record{Partition: 1, Offset: tc.offset, Key: []byte("00000001-0000-4000-8000-000000261122")}
		err := s.expect(t.Context(), r, &schema.ProcessedHead{Revision: tc.revision, Raw: schema.Position{Offset: tc.raw}, ReceivedAt: time.Unix(1, 0)})
		if got := fmt.Sprint(s.stored.all(), " ", s.shown.all(), " ", len(s.telemetry.waiting)); err != nil || got != tc.want {
			t.Errorf("%s: %s, want %s, %v", name, got, tc.want, err)
		}
		if tc.revision > 0 && s.again[12] != 9 || tc.revision == 0 && len(s.again) > 0 {
			t.Errorf("%s: asked for %v", name, s.again)
		}
	}
	// So many crashes that were asked for are remembered.
	s := counting(func(*census) {})
	for n := range int64(3) {
		err := s.expect(t.Context(), &kgo.Record{Partition: 1, Offset: 40}, &schema.ProcessedHead{Revision: 5, Raw: schema.Position{Offset: 12 + n}})
		if errors.Is(err, ErrTooMuch) != (n == 2) {
			t.Errorf("%d: %v", n, err)
		}
	}
	err := s.expect(t.Context(), &kgo.Record{Partition: 1, Offset: 41}, &schema.ProcessedHead{Revision: 3, Raw: schema.Position{Offset: 12}})
	if s.again[12] != 5 || !errors.Is(err, ErrTooMuch) {
		t.Errorf("an older result counts: %v, %v", s.again, err)
	}
	for offset := int64(48); offset < 103; offset++ {
		s.behind(&kgo.Record{Partition: 1, Offset: offset})
	}
	if s.storedLag != 3 || s.publishedLag != 53 {
		t.Errorf("%d and %d behind", s.storedLag, s.publishedLag)
	}
}

// Rows are held against what was processed: missing, too many, twice, not seen.
func TestRowsAreHeldAgainstWhatWasProcessed(t *testing.T) {
	rows := []StoredRow{
		{10, 0, 40}, {11, 0, 41}, {11, 0, 41}, {12, 3, 42}, {13, 9, 43}, {13, 8, 43}, {25, 0, 44}, {9, 0, 40}, {14, 0, 50}, {15, 0, 4}, {16, 0, 200}, {17, 0, 5}, {18, 0, 199}, {19, 0, 60},
	}
	s := counting(func(s *census) {
		for _, offset := range []int64{10, 11, 12, 13, 20} {
			s.processed.add(offset)
			s.stored.add(offset)
			s.shown.add(offset)
		}
		s.again[12], s.again[13] = 4, 8
		s.found.holes.add(19)
		s.storedLag = 6
		s.Tables = []Table{{
			Name: "table",
			Rows: func(_ context.Context, p int32, from, end int64, each func(StoredRow) error) error {
				for _, r := range rows {
					if err := each(r); err != nil || p != 1 || from != 10 || end != 30 {
						return fmt.Errorf("%w: partition %d, %d to %d", err, p, from, end)
					}
				}
				return nil
			},
			Seen: func(_ context.Context, p int32, from, end int64, each func(int64) error) error {
				for _, offset := range []int64{11, 13, 13, 12} {
					if err := each(offset); err != nil || p != 1 || from != 10 || end != 30 {
						return fmt.Errorf("%w: partition %d, %d to %d", err, p, from, end)
					}
				}
				return nil
			},
		}}
	})
	if err := s.readTables(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := s.found.Tables[0]
	text := fmt.Sprintf("%s lags %d of %d: missing %v, surplus %v, twice %v, unseen %v", got.Name, got.Lag, got.Want, got.Missing, got.Surplus, got.Twice, got.Unseen)
	// Offset 12 has an older result alone. A row of 15 and one of 16 are of what was not read.
	if want := "table lags 6 of 5: missing 12,20, surplus 14,17-18,25, twice 11,13, unseen 10"; text != want {
		t.Errorf("%s, want %s", text, want)
	}
	if got := s.found.holes.all().String(); got != "12,19-20" {
		t.Errorf("holes %s", got)
	}
	seen := s.Tables[0].Seen
	s.Tables[0].Seen = nil
	if err := s.readTables(t.Context()); err != nil || s.found.Tables[1].Unseen.Count != 0 || s.found.Tables[1].Missing.String() != "12,20" {
		t.Errorf("nobody looks: %+v, %v", s.found.Tables[1], err)
	}
	s.Tables[0].Seen = seen
	broken := errors.New("broken")
	s.Tables[0].Seen = func(context.Context, int32, int64, int64, func(int64) error) error { return broken }
	if err := s.readTables(t.Context()); !errors.Is(err, broken) || err.Error() != "table: broken" {
		t.Error(err)
	}
	s.Tables[0].Rows = func(context.Context, int32, int64, int64, func(StoredRow) error) error { return broken }
	s.Tables[0].Seen = nil
	if err := s.readTables(t.Context()); !errors.Is(err, broken) || err.Error() != "table: broken" {
		t.Error(err)
	}
	s.expiredBefore = 15
	if s.unmade(StoredRow{14, 0, 50}) || !s.unmade(StoredRow{15, 0, 50}) {
		t.Error("what may have expired was made")
	}
}

func TestARecordThatIsPublished(t *testing.T) {
	p := published{census: &census{Verifier: &Verifier{Version: 2}}}
	of := func(identity string) *kgo.Record {
		return Identify(&kgo.Record{Value: []byte("event")}, identity)
	}
	for name, tc := range map[string]struct {
		r    *kgo.Record
		want bool
	}{
		"the same":            {of("id/2/5/4"), true},
		"a later revision":    {of("id/2/6/4"), true},
		"an earlier revision": {of("id/2/4/4"), false},
		"another version":     {of("id/3/5/4"), false},
		"another epoch":       {of("id/2/5/3"), false},
		"no revision":         {of("id/2/x/4"), false},
		"too short":           {of("id/2/5"), false},
		"too long":            {of("id/2/5/4/6"), false},
		"none":                {&kgo.Record{Value: []byte("event")}, false},
		"to be forgotten":     {&kgo.Record{}, true},
	} {
		if p.fulfils(tc.r, wanted{0, 5, 4}) != tc.want {
			t.Errorf("%s: %v", name, !tc.want)
		}
	}
}

// What is looked for is the newest result of a crash, from the time of the oldest on.
func TestWhatIsLookedForInThePublicTopic(t *testing.T) {
	s := counting(func(s *census) { s.limits.waiting = 3 })
	want := func(n int, raw, revision int64, at time.Time) {
		t.Helper()
		if err := s.telemetry.want(t.Context(), fmt.Appendf(nil, "%08x-0000-4000-8000-000000261122", n), &schema.ProcessedHead{Revision: revision, ReceivedAt: at, Raw: schema.Position{Offset: raw}}, 4); err != nil {
			t.Fatal(err)
		}
	}
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	want(1, 12, 7, noon)
	want(1, 12, 3, noon.Add(time.Hour))
	want(2, 13, 0, noon.Add(-time.Hour))
	if err := s.telemetry.want(t.Context(), []byte("no crash id"), &schema.ProcessedHead{}, 4); err != nil {
		t.Error(err)
	}
	p := &s.telemetry
	id, _ := crashKeyOf([]byte("00000001-0000-4000-8000-000000261122"))
	if len(p.waiting) != 2 || p.wanted != 2 || p.waiting[id] != (wanted{12, 7, 4}) || !p.oldest.Equal(noon.Add(-time.Hour)) {
		t.Errorf("%+v since %v, %d in all", p.waiting, p.oldest, p.wanted)
	}
	if _, ok := crashKeyOf([]byte("00000001-0000-4000-8000-00000026112g")); ok {
		t.Error("no crash id")
	}
}

// Who has come least far says what is published; of none nothing lags.
func TestDeadLettersAndVersionsThatHaveStopped(t *testing.T) {
	v := &Verifier{Version: 2, Ended: []schema.PartitionOffset{{Partition: 1, Offset: 7}}}
	c := &cut{raw: map[int32]Span{0: {1, 9}, 1: {2, 9}}, processed: map[int32]Span{0: {0, 4}, 1: {0, 6}}}
	v.ended(c)
	if c.raw[0] != (Span{1, 0}) || c.raw[1] != (Span{2, 7}) || c.stored[1] != 6 || c.published[0] != 4 || c.passed[1] != 7 {
		t.Errorf("%+v", c)
	}
	var o Offsets
	for _, offset := range []int64{1, 2, 5} {
		o.add(offset)
	}
	if o.counted() != 3 || !slices.Equal(o.Ranges, []OffsetRange{{1, 2}, {5, 5}}) {
		t.Errorf("%+v", o)
	}
	o.Count = 9
	if got := o.String(); got != "1-2,5 and 6 more" {
		t.Error(got)
	}
}
