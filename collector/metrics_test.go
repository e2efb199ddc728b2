package collector_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"aftershock/blob"
	"aftershock/collector"
	"aftershock/schema"
)

// counted is what a registry holds that is not 0, by name and labels; of histograms their
// counts and sums.
func counted(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := strings.TrimPrefix(f.GetName(), "aftershock_collector_")
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			if h := m.GetHistogram(); h != nil {
				out[name], out[name+" sum"] = float64(h.GetSampleCount()), h.GetSampleSum()
				continue
			}
			if v := m.GetCounter().GetValue() + m.GetGauge().GetValue(); v != 0 {
				out[name] = v
			}
		}
	}
	return out
}

// Each end of a report is counted, once and under its own name.
func TestEachEndOfAReportIsCounted(t *testing.T) {
	blobs, err := blob.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	decided := rules(t, `
rules:
- {name: unwanted, when: annotation.ProductName == "Bad", result: reject}
- {name: later, when: annotation.ProductName == "Late", result: defer}
- {name: seeming, when: annotation.ProductName == "Seeming", result: fake-accept}
- {name: rest, result: accept}`)
	registry := prometheus.NewRegistry()
	var refuse atomic.Pointer[error]
	var clock atomic.Int64
	door := collector.New(collector.Options{
		Blobs: blobs, Annotations: schema.DefaultRegistry, Log: zerolog.Nop(), Metrics: registry, Repeats: time.Hour, InlineMax: 0, IDToken: "token",
		Rules: decided,
		Now:   func() time.Time { return received.Add(time.Duration(clock.Add(1)) * time.Second) },
		Append: func(context.Context, *schema.RawCrash) error {
			if err := refuse.Load(); err != nil {
				if errors.Is(*err, errPanics) {
					panic("a bug")
				}
				return *err
			}
			return nil
		},
	})
	server := httptest.NewServer(door)
	defer server.Close()
	before := map[string]float64{}
	send := func(name string, want map[string]float64, status int, fields ...string) {
		t.Helper()
		body, kind := form(t, fields...)
		began := clock.Load()
		res, err := http.Post(server.URL+"/submit", kind, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		if res.StatusCode != status {
			t.Errorf("%s: %d %q, want %d", name, res.StatusCode, text, status)
		}
		after := counted(t, registry)
		got := map[string]float64{}
		for k, v := range after {
			if v != before[k] {
				got[k] = v - before[k]
			}
		}
		before = after
		if want["body_bytes_total"] == 1 {
			want["body_bytes_total"] = float64(len(body))
		}
		want["report_seconds"], want["report_seconds sum"] = 1, float64(clock.Load()-began-1)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	dump := func(n int, product string) []string {
		return []string{"ProductName", product, "@upload_file_minidump", fmt.Sprintf("MDMP%d", n)}
	}
	send("accepted", map[string]float64{"reports_total accepted": 1, "rule_total accept rest": 1, "body_bytes_total": 1, "claim_checks_total": 1}, 200, dump(1, "Good")...)
	send("again", map[string]float64{"reports_total repeated": 1}, 200, dump(1, "Good")...)
	send("deferred", map[string]float64{"reports_total deferred": 1, "rule_total defer later": 1, "body_bytes_total": 1, "claim_checks_total": 1}, 200, dump(2, "Late")...)
	send("only seems to be taken", map[string]float64{"reports_total fake_accepted": 1, "rule_total fake-accept seeming": 1}, 200, dump(3, "Seeming")...)
	send("rejected", map[string]float64{"reports_total rejected": 1, "rule_total reject unwanted": 1}, 200, dump(4, "Bad")...)
	send("malformed", map[string]float64{"reports_total malformed": 1, "malformed_total " + schema.RejectDumpName: 1}, 400, "@raw_crash", "MDMP")
	refuse.Store(new(errors.New("no broker")))
	send("not stored", map[string]float64{"reports_total failed": 1, "rule_total accept rest": 1, "claim_checks_total": 1}, 503, dump(5, "Good")...)
	refuse.Store(&errPanics)
	send("a bug", map[string]float64{"reports_total failed": 1, "rule_total accept rest": 1, "claim_checks_total": 1}, 503, dump(6, "Good")...)
	refuse.Store(nil)
	send("after it", map[string]float64{"reports_total accepted": 1, "rule_total accept rest": 1, "body_bytes_total": 1, "claim_checks_total": 1}, 200, dump(6, "Good")...)
}

// errPanics makes Append panic.
var errPanics = errors.New("it panics")
