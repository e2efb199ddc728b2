package replay

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
	"aftershock/signature"
	"aftershock/sinks/clickhouse"
)

func named(s string) *string { return &s }

// The same cells come into the same order, however they were counted.
func TestCellsHaveAnOrder(t *testing.T) {
	want := []cell{
		{nil, nil, false, 0, nil},
		{nil, named("a"), false, 0, nil},
		{named("a"), nil, false, 0, nil},
		{named("a"), named("a"), false, 0, nil},
		{named("a"), named("b"), false, 0, nil},
		{named("b"), named("a"), false, 0, nil},
		{nil, named("a"), true, 0, nil},
		{named("a"), named("a"), true, 0, nil},
		{named("b"), named("a"), true, 0, nil},
	}
	for i, a := range want {
		for j, b := range want {
			if got := a.compare(b); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("cells %d and %d: %d", i, j, got)
			}
		}
	}
}

// The largest come first and names decide ties; what is not listed is counted.
func TestListsAreOfTheLargest(t *testing.T) {
	d := &Diff{}
	d.fill([]cell{
		{named("b"), named("y"), false, 5, []string{"5", "6", "7", "8"}},
		{named("a"), named("y"), false, 5, nil},
		{named("a"), named("x"), false, 5, nil},
		{named("c"), named("z"), false, 7, nil},
		{named("d"), named("d"), false, 100, []string{"9"}},
		{named("e"), named("z"), false, 1, nil},
	}, nil, 3)
	var got []string
	for _, p := range d.Pairs {
		got = append(got, fmt.Sprintf("%s > %s %d %.2f %.2f %d", p.From, p.To, p.Crashes, p.ShareOfFrom, p.ShareOfTo, len(p.Examples)))
	}
	if want := []string{"c > z 7 1.00 0.88 0", "a > x 5 0.50 1.00 0", "a > y 5 0.50 0.50 0"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if d.Others != (Others{2, 6}) || len(d.Changes) != 3 || d.OtherChanges != len(signature.ChangesOf([]signature.Move{
		{From: "b", To: "y", Crashes: 5}, {From: "a", To: "y", Crashes: 5}, {From: "a", To: "x", Crashes: 5}, {From: "c", To: "z", Crashes: 7}, {From: "d", To: "d", Crashes: 100}, {From: "e", To: "z", Crashes: 1},
	}))-3 {
		t.Errorf("%+v, %d changes and %d", d.Others, len(d.Changes), d.OtherChanges)
	}
	if want := (Totals{A: 123, B: 123, Both: 123, Moved: 23, SignaturesA: 5, SignaturesB: 4}); d.Totals != want {
		t.Errorf("%+v, want %+v", d.Totals, want)
	}
	all := &Diff{}
	all.fill([]cell{{named("b"), named("y"), false, 5, []string{"5", "6", "7", "8"}}, {named("b"), named("y"), true, 1, []string{"9"}}}, nil, 10)
	if len(all.Pairs[0].Examples) != 3 || all.OtherChanges != 0 || all.Others != (Others{}) {
		t.Errorf("%+v", all.Pairs)
	}
}

// Of a change the moves of the most crashes are kept.
func TestOnlySoManyMovesOfAChangeAreKept(t *testing.T) {
	cells := func(n int) (out []cell) {
		for i := range n {
			out = append(out, cell{named("f"), named(fmt.Sprintf("%02d", i)), false, int64(100 - i), nil})
		}
		return out
	}
	for n, want := range map[int][2]int{20: {20, 0}, 21: {20, 1}, 30: {20, 10}} {
		d := &Diff{}
		d.fill(cells(n), nil, 100)
		for _, c := range d.Changes {
			if c.Kind == signature.Split && ([2]int{len(c.Moves), c.OtherMoves} != want || c.Moves[19].To != "19") {
				t.Errorf("of %d moves %d are kept, and %d are others", n, len(c.Moves), c.OtherMoves)
			}
		}
	}
}

// What several moves can be owed to is counted by what that is, the most first.
func TestCausesAreCountedTogether(t *testing.T) {
	counts := addCause(addCause(addCause(nil, []Cause{CauseRules}, 2), []Cause{}, 3), []Cause{CauseRules}, 5)
	if d := cmp.Diff([]CauseCount{{[]Cause{CauseRules}, 7}, {[]Cause{}, 3}}, counts); d != "" {
		t.Error(d)
	}
	d := Diff{A: Side{1, 1, "r", "a"}, B: Side{2, 2, "s", "b"}}
	if got := d.causes(true); !slices.Equal(got, []Cause{CauseRules, CauseRegistry, CauseProcess, CauseSymbols}) {
		t.Errorf("%v", got)
	}
	if got := (&Diff{}).causes(false); got == nil || len(got) > 0 {
		t.Errorf("%#v", got)
	}
	d.fill([]cell{{named("f"), named("g"), true, 3, nil}, {named("f"), named("h"), false, 4, nil}}, nil, 1)
	if d.Causes[0].Crashes != 4 || d.Causes[1].Crashes != 3 || len(d.Causes[1].Could) != 4 {
		t.Errorf("%+v", d.Causes)
	}
}

// Folded pairs are in the totals by what they are, and a quarter of the rarest is folded at a
// time.
func TestFoldedPairsAreInTheTotals(t *testing.T) {
	d := &Diff{A: Side{RulesetHash: "r"}, B: Side{RulesetHash: "s"}}
	d.fold(folds{
		{true, true, true, false}: {2, 10}, {true, true, true, true}: {1, 5}, {true, true, false, true}: {3, 7}, {true, false, true, false}: {4, 40}, {false, true, true, false}: {5, 50},
	})
	if want := (Totals{A: 62, B: 72, Both: 22, OnlyA: 40, OnlyB: 50, Moved: 15}); d.Totals != want || d.Folded != (Folded{15, 112}) {
		t.Errorf("%+v, %+v", d.Totals, d.Folded)
	}
	causes := map[int]int64{}
	for _, c := range d.Causes {
		causes[len(c.Could)] = c.Crashes
	}
	if causes[1] != 10 || causes[2] != 5 || len(d.Causes) != 2 {
		t.Errorf("%+v", d.Causes)
	}

	counts := map[key]*count{{0, 0, false}: {1, nil}, {1, 0, false}: {2, nil}, {0, 1, false}: {3, nil}, {1, 2, true}: {4, nil}}
	for n := range uint64(5) {
		counts[key{9 + n, 9 + n, false}] = &count{int64(10 + n), nil}
	}
	into := folds{{true, false, true, false}: {1, 1}}
	c := counting{query: &DiffQuery{}, maxPairs: 9}
	if err := c.bound(counts, into); err != nil || len(counts) != 9 || len(into) != 1 {
		t.Errorf("as many as may be: %d are left, %v", len(counts), err)
	}
	c.maxPairs = 8
	if err := c.bound(counts, into); err != nil || len(counts) != 6 {
		t.Errorf("one more: %d are left, %v", len(counts), err)
	}
	if d := cmp.Diff(map[string]Folded{"{true false true false}": {2, 3}, "{false true true false}": {1, 3}}, func() map[string]Folded {
		out := map[string]Folded{}
		for kind, n := range into {
			out[fmt.Sprint(kind)] = n
		}
		return out
	}()); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// Of each pair three examples are kept, over all parts of a range.
func TestThreeExamplesOfAPairAreKept(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	for n := range 8 {
		day := 20 + n/2
		id := crashID(n, fmt.Sprintf("2611%d", day))
		write(t, db, stored(id, 1, 0, int64(n), at(day), "f", ""), stored(id, 2, 0, int64(n), at(day), "g", ""))
	}
	q := DiffQuery{A: &schema.SignatureVersion{Number: 1}, B: &schema.SignatureVersion{Number: 2}}
	for chunkRows, want := range map[uint64][]int{1: {0, 1, 2}, 100: {0, 1, 2}} {
		q.chunkRows = chunkRows
		cells, _, err := q.cells(t.Context(), db, nil, nil)
		if err != nil || len(cells) != 1 || cells[0].crashes != 8 {
			t.Fatalf("%+v, %v", cells, err)
		}
		var ids []string
		for _, n := range want {
			ids = append(ids, crashID(n, fmt.Sprintf("2611%d", 20+n/2)))
		}
		if !slices.Equal(cells[0].examples, ids) {
			t.Errorf("parts of %d rows: %q, want %q", chunkRows, cells[0].examples, ids)
		}
	}
}

// Bounds that people are told of.
func TestBoundsOfQuestions(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]string{0: "0 rows: want 1 to 10000", 1: "", 10_000: "", 10_001: "10001 rows: want 1 to 10000"} {
		if err := checkLimit(limit); (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	db := openDB(t)
	for limit, want := range map[int]string{-1: "-1 missing crashes: want 0 to 10000", 0: "", 10_000: "", 10_001: "10001 missing crashes: want 0 to 10000"} {
		if _, _, err := missing(t.Context(), db, nil, nil, limit); (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for limit, want := range map[int]string{0: "0 crashes: want 1 to 1000000", 1: "", 1_000_000: "", 1_000_001: "1000001 crashes: want 1 to 1000000"} {
		if _, _, err := Where(t.Context(), db, clickhouse.Limits{}, clickhouse.Reports, "1", limit); (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	v1, v2 := &schema.SignatureVersion{Number: 1}, &schema.SignatureVersion{Number: 2}
	for name, q := range map[string]DiffQuery{"a version with itself": {A: v1, B: v1, Limit: 1}, "revisions of two": {A: v1, B: v2, Revisions: true, Limit: 1}} {
		if _, err := q.Run(t.Context(), db); err == nil || err.Error() != "want two versions, or the revisions of one" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Bounds of a time are kept in milliseconds, and never hold more than they say.
func TestBoundsAreInMilliseconds(t *testing.T) {
	if got := received(nil, nil); got != "1" {
		t.Error(got)
	}
	ms := noon.UnixMilli()
	if got, want := received(new(noon), new(noon.Add(1))), fmt.Sprintf("1 AND received_at >= fromUnixTimestamp64Milli(%d, 'UTC') AND received_at < fromUnixTimestamp64Milli(%d, 'UTC')", ms, ms+1); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	c := chunk{noon.AddDate(0, 0, -1), noon, 0}
	if got := c.days(); got != "day BETWEEN '2026-11-21' AND '2026-11-22'" {
		t.Error(got)
	}
}
