package schema_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"aftershock/schema"
)

// Doors that are not ours can write anything: what the rules decided is public.
func TestWhatTheDoorsRulesDecideHasAShape(t *testing.T) {
	for name, tc := range map[string]struct {
		rule string
		rate float64
		want bool
	}{
		"as ours":             {"accept_everything", 1, true},
		"a small share":       {"r", math.SmallestNonzeroFloat64, true},
		"none":                {"r", 0, false},
		"less than none":      {"r", -0.5, false},
		"more than all":       {"r", math.Nextafter(1, 2), false},
		"per cent":            {"r", 100, false},
		"no number":           {"r", math.NaN(), false},
		"no rule":             {"", 1, false},
		"the longest name":    {strings.Repeat("r", 64), 1, true},
		"a longer one":        {strings.Repeat("r", 65), 1, false},
		"a name with a blank": {"my rule", 1, false},
	} {
		if got := (schema.Throttle{Rule: tc.rule, Rate: tc.rate}).Valid(); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	for result, want := range map[string]bool{schema.ThrottleAccept: false, schema.ThrottleDefer: true, "": false, "reject": false} {
		if got := (&schema.RawCrash{Throttle: schema.Throttle{Result: result}}).Deferred(); got != want {
			t.Errorf("%q: deferred %v", result, got)
		}
	}
}

// A registry is one file that ships, so many that are added, and one of names.
func TestFilesOfARegistryAreCounted(t *testing.T) {
	files := func(added int) []schema.RulesetFile {
		out := []schema.RulesetFile{{Name: "annotations.yaml", Text: "[]"}}
		for n := range added {
			out = append(out, schema.RulesetFile{Name: fmt.Sprintf("added-%d.yaml", n), Text: "[]"})
		}
		return append(out, schema.RulesetFile{Name: "names.yaml", Text: "products: [a]"})
	}
	for added, want := range map[int]bool{0: true, 16: true, 17: false} {
		if _, err := schema.RegistryFromFiles(files(added)); (err == nil) != want {
			t.Errorf("%d files are added: %v", added, err)
		}
	}
	if _, err := schema.RegistryFromFiles(files(0)[:1]); err != nil {
		t.Errorf("the one that ships: %v", err)
	}
}
