package main

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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

const deferringRules = `rules:
- {name: betas_later, when: 'annotation.ReleaseChannel == "beta"', percent: 100, result: defer, else: reject}
- {name: everything, result: accept}
pings:
- {name: pings_later, result: defer}
`

// Deferred crashes are a number in ClickHouse, each once however often it is read; the one
// that somebody asks for is a crash as well.
func TestDeferredCrashesAreCountedInSQL(t *testing.T) {
	t.Parallel()
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(rules, []byte(deferringRules), 0o600); err != nil {
		t.Fatal(err)
	}
	u := startUp(t, "--symbols", sampleSymbols, "--throttle", rules)
	dump := samples(t)[0]
	later := u.submit("--annotation", "ReleaseChannel=beta", dump, samples(t)[1], samples(t)[2])
	now := u.submit(dump)
	u.ping([]byte(`{"document_id":"5bf3b2d0-7c4e-4c0a-9a51-3b1d2f6e7a90","stack_traces":{}}`))
	counted := func() {
		t.Helper()
		const want = "ping\tpings_later\t1\t1\nreport\tbetas_later\t3\t3\n"
		eventually(t, time.Minute, func() error {
			got, err := u.query("SELECT kind, throttle_rule, sum(deferred), sum(sent) FROM aftershock.deferred GROUP BY kind, throttle_rule ORDER BY kind FORMAT TSV")
			if err != nil || got != want {
				return fmt.Errorf("%q, %w", got, err)
			}
			return nil
		})
	}
	counted()
	u.rows(1)
	if out, errs, code := u.verb("reprocess", later[0], "--brokers", u.kafka); code != 0 {
		t.Fatalf("reprocess: %s%s", out, errs)
	}
	u.eachOnce([]string{now[0], later[0]})
	counted()
	u.whole()
	u.kill()
	u.start()
	u.waitReady()
	u.submit("--annotation", "ReleaseChannel=nightly", dump)
	u.rows(3)
	counted()
}
