package signature

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestComparisonTellsWhatBecameOfSignatures(t *testing.T) {
	from := with(t, map[string]string{irrelevantFile: "raise\nskip", prefixFile: "abort\nold"})
	to := with(t, map[string]string{irrelevantFile: "raise\nwrapper", prefixFile: "abort\nhelper"})
	c := NewComparison(from, to)
	for range 3 {
		c.Add(stackOf("abort", "helper", "a")) // abort | helper → abort | helper | a
	}
	c.Add(stackOf("abort", "helper", "b"))   // abort | helper → abort | helper | b
	c.Add(stackOf("abort", "wrapper", "f"))  // abort | wrapper → abort | f
	c.Add(stackOf("abort", "wrapper2", "f")) // abort | wrapper2 → abort | f
	c.Add(stackOf("abort", "f"))             // as before
	c.Add(stackOf("old", "g"))               // old | g → old
	c.Add(stackOf("h"))                      // as before
	helper, wrapper := ListLine{prefixFile, 2, "helper"}, ListLine{irrelevantFile, 2, "wrapper"}
	a, b := Move{"abort | helper", "abort | helper | a", 3, helper, true}, Move{"abort | helper", "abort | helper | b", 1, helper, true}
	old := Move{"old | g", "old", 1, ListLine{prefixFile, 2, "old"}, false}
	want := []Change{
		{Split, "abort | helper", 4, []Move{a, b}},
		{Vanished, "abort | helper", 4, []Move{a, b}},
		{Merged, "abort | f", 3, []Move{
			{"abort | f", "abort | f", 1, ListLine{}, false},
			{"abort | wrapper", "abort | f", 1, wrapper, true},
			{"abort | wrapper2", "abort | f", 1, wrapper, true},
		}},
		{New, "abort | helper | a", 3, []Move{a}},
		{Moved, "old | g", 1, []Move{old}},
		{New, "abort | helper | b", 1, []Move{b}},
		{New, "old", 1, []Move{old}},
		{Vanished, "abort | wrapper", 1, []Move{{"abort | wrapper", "abort | f", 1, wrapper, true}}},
		{Vanished, "abort | wrapper2", 1, []Move{{"abort | wrapper2", "abort | f", 1, wrapper, true}}},
		{Vanished, "old | g", 1, []Move{old}},
	}
	if diff := cmp.Diff(want, c.Changes()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if all, changed := c.Crashes(); all != 9 || changed != 7 {
		t.Errorf("%d of %d changed, want 7 of 9", changed, all)
	}
}

// The cause is the first step that differs, also where one has more steps than the other.
func TestCauseIsTheFirstStepThatDiffers(t *testing.T) {
	same, one, other := Step{Frame: 0, Text: "same"}, Step{Frame: 1, Text: "a", Line: ListLine{"prefix.txt", 1, "a"}}, Step{Frame: 1, Text: "b", Line: ListLine{"irrelevant.txt", 2, "b"}}
	for name, tc := range map[string]struct {
		old, new []Step
		line     ListLine
		added    bool
	}{
		"none":        {[]Step{same}, []Step{same}, ListLine{}, false},
		"other":       {[]Step{same, one}, []Step{same, other}, other.Line, true},
		"old is more": {[]Step{same, one}, []Step{same}, one.Line, false},
		"new is more": {[]Step{same}, []Step{same, other}, other.Line, true},
		"no line":     {[]Step{same, one}, []Step{same, {Frame: 1, Text: "c"}}, one.Line, false},
	} {
		if line, added := Cause(tc.old, tc.new); line != tc.line || added != tc.added {
			t.Errorf("%s: %v, %v", name, line, added)
		}
	}
}
