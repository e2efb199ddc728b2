package generate

import (
	"strings"
	"testing"
	"time"
)

func TestOptionsHaveLimits(t *testing.T) {
	day := func(year int) time.Time { return time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC) }
	for name, tc := range map[string]struct {
		o    Options
		want string // of the error; none if it is fine
	}{
		"one crash":               {Options{Count: 1}, ""},
		"no crash":                {Options{}, "count"},
		"fewer":                   {Options{Count: -1}, "count"},
		"most crashes":            {Options{Count: MaxCount}, ""},
		"one more":                {Options{Count: MaxCount + 1}, "count"},
		"a day":                   {Options{Count: 1, Days: 1}, ""},
		"most days":               {Options{Count: 1, Days: MaxDays}, ""},
		"a day more":              {Options{Count: 1, Days: MaxDays + 1}, "days"},
		"days before":             {Options{Count: 1, Days: -1}, "days"},
		"a signature":             {Options{Count: 1, Signatures: 1}, ""},
		"most signatures":         {Options{Count: 1, Signatures: MaxSignatures}, ""},
		"a signature more":        {Options{Count: 1, Signatures: MaxSignatures + 1}, "signatures"},
		"most installs":           {Options{Count: 1, Installs: MaxInstalls}, ""},
		"an install more":         {Options{Count: 1, Installs: MaxInstalls + 1}, "installs"},
		"negative version":        {Options{Count: 1, SignatureVersion: -1}, "signature version"},
		"the first years":         {Options{Count: 1, Until: day(2002)}, ""},
		"before them":             {Options{Count: 1, Until: day(2001)}, "until"},
		"the last year of ids":    {Options{Count: 1, Until: day(2099)}, ""},
		"one of the next century": {Options{Count: 1, Until: day(2100)}, "until"},
	} {
		_, err := tc.o.filled()
		if (tc.want == "") != (err == nil) || err != nil && !strings.HasPrefix(err.Error(), tc.want+": want ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDefaultsGrowWithTheCount(t *testing.T) {
	for count, want := range map[int]Options{
		1:          {Signatures: 20, Installs: 50},
		100_000:    {Signatures: 2000, Installs: 30_000},
		1_000_000:  {Signatures: 20_000, Installs: 300_000},
		10_000_000: {Signatures: 20_000, Installs: 300_000},
	} {
		o, err := Options{Count: count}.filled()
		if err != nil || o.Signatures != want.Signatures || o.Installs != want.Installs || o.Days != 28 || o.SignatureVersion != 1 || !o.Until.Equal(defaultUntil) {
			t.Errorf("%d: %+v, %v", count, o, err)
		}
	}
}

// The least and the most of everything still give crashes.
func TestCrashesAtTheLimits(t *testing.T) {
	for name, o := range map[string]Options{
		"least": {Count: 3, Days: 1, Signatures: 1, Installs: 1}, "most": {Count: MaxCount, Days: MaxDays, Signatures: MaxSignatures, Installs: MaxInstalls},
	} {
		g := newCrashes(t, o)
		for _, i := range []int{0, 1, g.Len() - 1} {
			if c := g.At(i); c.Signature == "" || encoded(t, c) != encoded(t, g.At(i)) {
				t.Errorf("%s: crash %d: %q", name, i, c.Signature)
			}
		}
	}
}

// Different numbers have different names, up to the most signatures and their callers.
func TestNamesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for n := range MaxSignatures + callersOf {
		name := nameOf(n)
		seen[name.cpp()] = true
		seen[name.rust()] = true
	}
	if len(seen) != 2*(MaxSignatures+callersOf) {
		t.Errorf("%d names", len(seen))
	}
}
