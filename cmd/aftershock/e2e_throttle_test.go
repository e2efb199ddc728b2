package main

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const samplingRules = `rules:
- {name: release_sample, when: 'annotation.ReleaseChannel == "release"', percent: 20, result: continue, else: reject}
- {name: hang_sample, when: 'annotation.Hang == "1"', percent: 50, result: accept, else: reject}
- {name: everything, result: accept}
`

// Analysts learn from the crashes that are kept how many were sent: exactly where all are,
// and within the samples' error where not. The error is 5 sigma: crash ids are drawn anew
// each time, and a test that fails once in a million runs is good enough.
func TestWeightsInSQLEstimateWhatWasSent(t *testing.T) {
	t.Parallel()
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(rules, []byte(samplingRules), 0o600); err != nil {
		t.Fatal(err)
	}
	u := startUp(t, "--symbols", sampleSymbols, "--throttle", rules)
	const sent = 500
	var kept []string
	var want strings.Builder
	for _, class := range []struct {
		rate        float64
		annotations map[string]string
	}{
		{0.1, map[string]string{"ReleaseChannel": "release", "Hang": "1"}},
		{0.2, map[string]string{"ReleaseChannel": "release"}},
		{0.5, map[string]string{"ReleaseChannel": "beta", "Hang": "1"}},
		{1, map[string]string{"ReleaseChannel": "nightly"}},
	} {
		report, n := newSubmission(class.annotations, nil), 0
		for range sent {
			id, status, said := report.post(u)
			switch {
			case status != http.StatusOK:
				t.Fatalf("%d %q", status, said)
			case strings.HasPrefix(said, "CrashID="):
				kept = append(kept, id)
				n++
			case !strings.HasPrefix(said, "Discarded=rule_"):
				t.Fatalf("%q", said)
			}
		}
		estimate := float64(n) / class.rate
		if off, sigma := math.Abs(estimate-sent), math.Sqrt(sent*(1-class.rate)/class.rate); off > 5*sigma {
			t.Errorf("of %d at a rate of %v %d were kept", sent, class.rate, n)
		}
		fmt.Fprintf(&want, "%v\t%d\t%d\n", class.rate, n, int(math.Round(estimate)))
	}
	u.eachOnce(kept)
	got, err := u.query("SELECT throttle_rate, count(), toUInt64(round(sum(1 / throttle_rate))) FROM crashes GROUP BY throttle_rate ORDER BY throttle_rate")
	if err != nil || got != want.String() {
		t.Errorf("rate, kept, estimated, %v:\n%swant\n%s", err, got, &want)
	}
}
