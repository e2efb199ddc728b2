package processor

import (
	"math"
	"slices"
	"strings"
	"testing"

	"aftershock/schema"
)

// What a door that is not ours has left in, or made up, is in nothing that is made of the crash.
func TestWhatAForeignDoorWritesIsNotBelieved(t *testing.T) {
	p := newProcessor(t)
	in := input(sample(t, "orchard-null.dmp"))
	in.Raw.Annotations["Email"] = "jane@example.org"
	in.Raw.Annotations["E-Mail"] = "jane@example.org"
	out := process(t, p, in)
	b, err := schema.Encode(out)
	if err != nil || strings.Contains(string(b), "jane") {
		t.Errorf("the event holds what is never stored (%v)", err)
	}
	if !slices.ContainsFunc(out.Notes, func(n schema.Note) bool { return n.Code == schema.NoteNeverStoreRemoved }) {
		t.Errorf("notes %v", out.Notes)
	}
	for name, tc := range map[string]struct {
		is    schema.Throttle
		rule  string
		rate  float64
		noted bool
	}{
		"a rule":                {schema.Throttle{Rule: "is_nightly", Rate: 0.1, Result: "accept"}, "is_nightly", 0.1, false},
		"all":                   {schema.Throttle{Rule: "NO_MATCH", Rate: 1}, "NO_MATCH", 1, false},
		"a sentence":            {schema.Throttle{Rule: "call jane", Rate: 0.5}, "", 1, true},
		"a long one":            {schema.Throttle{Rule: strings.Repeat("a", 65), Rate: 0.5}, "", 1, true},
		"no rule":               {schema.Throttle{Rate: 1}, "", 1, true},
		"no rate":               {schema.Throttle{Rule: "a"}, "", 1, true},
		"a negative one":        {schema.Throttle{Rule: "a", Rate: -1}, "", 1, true},
		"one above 1":           {schema.Throttle{Rule: "a", Rate: 1.001}, "", 1, true},
		"one that is no number": {schema.Throttle{Rule: "a", Rate: math.NaN()}, "", 1, true},
	} {
		in.Raw.Throttle = tc.is
		out := process(t, p, in)
		noted := slices.ContainsFunc(out.Notes, func(n schema.Note) bool { return n.Code == schema.NoteThrottleMalformed })
		if out.ThrottleRule != tc.rule || out.ThrottleRate != tc.rate || noted != tc.noted {
			t.Errorf("%s: %q %g, noted %v", name, out.ThrottleRule, out.ThrottleRate, noted)
		}
	}
}
