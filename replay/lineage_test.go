package replay

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
)

func TestDescentsAreOfWhatChanged(t *testing.T) {
	text := func(s string) *string { return &s }
	got := descents(1, 2, []cell{
		{text("split"), text("split | a"), false, 3, nil},
		{text("split"), text("split"), true, 2, nil},
		{text("split"), text("split"), false, 2, nil},
		{text("merged"), text("target"), false, 5, nil},
		{text("target"), text("target"), false, 9, nil},
		{text("same"), text("same"), false, 7, nil},
		{text("gone"), nil, false, 1, nil},
		{text("tie"), text("b"), false, 1, nil},
		{text("tie"), text("a"), false, 1, nil},
	}, map[string]time.Time{"split": noon})
	var lines []string
	for _, d := range got {
		lines = append(lines, fmt.Sprint(d.Old, " > ", d.New, " ", d.Crashes, " ", d.Majority, " ", d.FirstSeen.Equal(noon)))
	}
	want := []string{
		"merged > target 5 true false", "split > split 4 true true", "split > split | a 3 false true",
		"target > target 9 true false", "tie > a 1 true false", "tie > b 1 false false",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// What most crashes have is so by their number, and by name only where that decides nothing.
func TestWhatMostCrashesHave(t *testing.T) {
	var cells []cell
	for n := range 20 { // they come in any order
		old := fmt.Sprint("old ", n)
		for name, crashes := range map[string]int64{"z": 5, "a": 1, "m": 5, "n": 4} {
			cells = append(cells, cell{named(old), named(name), false, crashes, nil})
		}
	}
	for _, d := range descents(1, 2, cells, nil) {
		if d.Majority != (d.New == "m") {
			t.Errorf("%s > %s: %v", d.Old, d.New, d.Majority)
		}
	}
}

// told is a lineage in short.
func told(t *testing.T, db *clickhouse.DB, signature string) string {
	t.Helper()
	l, err := FindLineage(t.Context(), db, clickhouse.Limits{}, signature)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	first := "never"
	if l.FirstSeen != nil {
		first = l.FirstSeen.UTC().Format(time.DateTime)
	}
	fmt.Fprintf(&b, "%s;", first)
	step := func(s Step) {
		most := ""
		if s.Majority {
			most = "!"
		}
		fmt.Fprintf(&b, " %d:%s>%s %d %.2f%s", s.Epoch, s.Old, s.New, s.Crashes, s.Share, most)
	}
	for _, s := range l.CameFrom {
		step(s)
	}
	b.WriteString(" |")
	for _, s := range l.Became {
		step(s)
	}
	return b.String()
}

func TestLineageFollowsSplitsAndMergers(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	everything := func(version int32) []schema.ActiveRange {
		return []schema.ActiveRange{{From: schema.TimeBegin, To: schema.TimeEnd, SignatureVersion: version}}
	}
	names := [][3]string{{"f", "f | a", "f | a"}, {"f", "f | a", "f | a"}, {"f", "f | b", "x"}, {"g", "g", "x"}, {"same", "same", "same"}}
	for n, versions := range names {
		var rows []sinks.Row
		for v, name := range versions {
			rows = append(rows, stored(crashID(n, "261122"), int32(v+1), 0, int64(n), noon.Add(time.Duration(n)*time.Hour), name, ""))
		}
		write(t, db, rows...)
	}
	promote := func(epoch int64, before, version int32) {
		t.Helper()
		p := Promotion{Epoch: epoch, From: schema.TimeBegin, To: schema.TimeEnd, Before: everything(before), Version: version}
		if err := storeLineage(t.Context(), db, p.Epoch, p.changes()); err != nil {
			t.Fatal(err)
		}
	}
	show := func(epoch int64, version int32) {
		t.Helper()
		if err := db.Activate(t.Context(), schema.Activation{Epoch: epoch, Ranges: everything(version)}); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(name string, want map[string]string) {
		t.Helper()
		for signature, line := range want {
			if got := told(t, db, signature); got != line {
				t.Errorf("%s: %s:\n%s, want\n%s", name, signature, got, line)
			}
		}
	}
	show(1, 1)
	promote(2, 1, 3) // this promotion is given up
	expect("not promoted yet", map[string]string{"f": "2026-11-22 12:00:00; |"})
	promote(2, 1, 2)
	promote(2, 1, 2) // its operator was killed, and did it again
	show(2, 2)
	split := " 2:f>f | a 2 0.67! 2:f>f | b 1 0.33"
	expect("after one promotion", map[string]string{
		"f":     "2026-11-22 12:00:00; |" + split,
		"f | b": "2026-11-22 12:00:00; 2:f>f | b 1 0.33 |",
		"g":     "2026-11-22 15:00:00; |",
		"same":  "2026-11-22 16:00:00; |",
		"none":  "never; |",
	})
	promote(3, 2, 3)
	show(3, 3)
	expect("after two", map[string]string{
		"f":     "2026-11-22 12:00:00; |" + split + " 3:f | b>x 1 1.00!",
		"x":     "2026-11-22 12:00:00; 3:f | b>x 1 1.00! 3:g>x 1 1.00! 2:f>f | b 1 0.33 |",
		"f | a": "2026-11-22 12:00:00; 2:f>f | a 2 0.67! |",
	})
	if err := db.Purge(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	expect("the first is dropped", map[string]string{"x": "2026-11-22 12:00:00; 3:f | b>x 1 1.00! 3:g>x 1 1.00! 2:f>f | b 1 0.33 |"})
	promote(4, 3, 2)
	show(4, 2)
	if got := told(t, db, "x"); !strings.HasSuffix(got, "| 4:x>f | b 1 0.50! 4:x>g 1 0.50") {
		t.Errorf("rolled back: %s", got)
	}
	var out bytes.Buffer
	l, err := FindLineage(t.Context(), db, clickhouse.Limits{}, "f | b")
	if err != nil || l.WriteText(&out) != nil || !strings.Contains(out.String(), `      1    33 % of "f" → "f | b"`) {
		t.Errorf("%v\n%s", err, out.String())
	}
	for _, hostile := range []string{"'", `\`, "') OR 1 --", "\xff", strings.Repeat("x", 10_000), "?"} {
		if got := told(t, db, hostile); got != "never; |" {
			t.Errorf("%q: %s", hostile, got)
		}
	}
}

func TestABatchOfALineageCountsWhenItIsWhole(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	if err := db.Activate(t.Context(), schema.Activation{Epoch: 9}); err != nil {
		t.Fatal(err)
	}
	at := func(seconds int) *lineageRows {
		return newLineageRows(5, noon.Add(time.Duration(seconds)*time.Second))
	}
	descent := func(to string) []Descent { return []Descent{{1, 2, "old", to, 1, true, noon}} }
	lineage := func() []string {
		return asked(t, db, "SELECT concat(old_signature, ' > ', new_signature) FROM aftershock.lineage ORDER BY 1")
	}
	first, second, third := at(1), at(2), at(3)
	first.rows = descent("first")
	if err := first.store(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if err := second.insert(t.Context(), db, descent("half"), 0); err != nil { // and killed
		t.Fatal(err)
	}
	if got := lineage(); !slices.Equal(got, []string{"old > first"}) {
		t.Errorf("%q", got)
	}
	if err := third.store(t.Context(), db); err != nil { // nothing changes any more
		t.Fatal(err)
	}
	if got := lineage(); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

func TestALineageIsBounded(t *testing.T) {
	w := walk{}
	names := make([]string, maxFollowed)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	if got := w.bounded(slices.Concat(names, names)); len(got) != maxFollowed || w.cut {
		t.Errorf("%d names, cut: %v", len(got), w.cut)
	}
	if got := w.bounded(slices.Concat(names, []string{"one more"})); len(got) != maxFollowed || !w.cut {
		t.Errorf("%d names, cut: %v", len(got), w.cut)
	}
}
