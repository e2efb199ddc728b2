package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/scanner"
	"time"

	"go.yaml.in/yaml/v3"
)

// metricLabels are the labels of every series that is on /metrics, by name: a
// histogram is three of them.
func metricLabels(t *testing.T) map[string][]string {
	t.Helper()
	d := registered()
	out := map[string][]string{}
	for _, text := range d.descs {
		m := desc.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("odd metric: %s", text)
		}
		var labels []string
		if m[3] != "" {
			labels = strings.Split(m[3], ",")
		}
		if !d.histograms[text] {
			out[m[1]] = labels
			continue
		}
		out[m[1]+"_sum"], out[m[1]+"_count"] = labels, labels
		out[m[1]+"_bucket"] = append(slices.Clone(labels), "le")
	}
	return out
}

// What PromQL has beside metrics, as far as we use it.
var (
	promFunctions = words("sum min max count rate increase deriv min_over_time histogram_quantile absent vector time")
	promWords     = words("and or unless bool offset")
	promLabelists = words("by without on ignoring group_left group_right")
	// Every series has these from Prometheus.
	scrapeLabels = []string{"instance", "job"}
)

func words(text string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(text) {
		out[w] = true
	}
	return out
}

// promExpression checks the names in an expression, and that its brackets close. It is no
// parser: Prometheus's own would bring all of Prometheus along.
func promExpression(expr string, metrics map[string][]string) error {
	var s scanner.Scanner
	s.Init(strings.NewReader(strings.ReplaceAll(expr, "$__rate_interval", "5m")))
	s.Mode = scanner.ScanIdents | scanner.ScanInts | scanner.ScanFloats | scanner.ScanStrings
	var bad error
	s.Error = func(_ *scanner.Scanner, msg string) { bad = fmt.Errorf("%s", msg) }
	var open []rune      // brackets
	var last string      // the metric that a { belongs to
	var list bool        // the next ( or the open one holds labels
	var grouped []string // labels of by(…) and the like
	used := 0
	possible := slices.Clone(scrapeLabels)
	for tok := s.Scan(); tok != scanner.EOF; tok = s.Scan() {
		text := s.TokenText()
		inside := rune(0)
		if len(open) > 0 {
			inside = open[len(open)-1]
		}
		switch {
		case strings.ContainsRune("([{", tok):
			open = append(open, tok)
		case strings.ContainsRune(")]}", tok):
			if closes := map[rune]rune{')': '(', ']': '[', '}': '{'}[tok]; inside != closes {
				return fmt.Errorf("%c closes nothing", tok)
			}
			open = open[:len(open)-1]
			list = false
		case tok != scanner.Ident || inside == '[':
		case inside == '{':
			if !slices.Contains(metrics[last], text) && !slices.Contains(scrapeLabels, text) {
				return fmt.Errorf("%s has no label %s", last, text)
			}
		case list:
			grouped = append(grouped, text)
		case promLabelists[text]:
			list = true
		case promWords[text]:
		case promFunctions[text]:
			if next := s.Peek(); next != '(' && next != ' ' {
				return fmt.Errorf("function %s is not called", text)
			}
		default:
			labels, ok := metrics[text]
			if !ok {
				return fmt.Errorf("no metric %s", text)
			}
			last, possible = text, append(possible, labels...)
			used++
		}
	}
	switch {
	case bad != nil:
		return bad
	case len(open) > 0:
		return fmt.Errorf("%c is not closed", open[len(open)-1])
	case used == 0:
		return fmt.Errorf("no metric in it")
	}
	for _, label := range grouped {
		if !slices.Contains(possible, label) {
			return fmt.Errorf("no metric in it has the label %s", label)
		}
	}
	return nil
}

func TestPromExpressionSeesWhatIsWrong(t *testing.T) {
	metrics := map[string][]string{"a_total": {"x", "y"}, "b_bucket": {"le"}}
	for expr, want := range map[string]string{
		`sum by (x) (rate(a_total{y!="1",x=~"b_total|c"}[$__rate_interval])) / 2.5e3 > 0 or vector(0)`: "",
		`histogram_quantile(0.95, sum by (le, instance) (rate(b_bucket[5m])))`:                         "",
		`rate(c_total[5m])`:                "no metric c_total",
		`rate(b[5m])`:                      "no metric b",
		`rat(a_total[5m])`:                 "no metric rat",
		`a_total{le="1"}`:                  "a_total has no label le",
		`a_total{x="1"} + b_bucket{x="1"}`: "b_bucket has no label x",
		`sum by (z) (a_total)`:             "no metric in it has the label z",
		`sum(a_total`:                      "( is not closed",
		`sum(a_total))`:                    ") closes nothing",
		`sum(a_total]`:                     "] closes nothing",
		`vector(1)`:                        "no metric in it",
		`a_total{x="1}`:                    "literal not terminated",
	} {
		err := promExpression(expr, metrics)
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: %v, want %q", expr, err, want)
		}
	}
}

func TestAlertsKnowTheirMetricsAndTheWayOut(t *testing.T) {
	text, err := os.ReadFile("../../deploy/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert       string
				Expr        string
				For         string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		t.Fatal(err)
	}
	metrics := metricLabels(t)
	seen := map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if err := promExpression(r.Expr, metrics); err != nil {
				t.Errorf("%s: %v: %s", r.Alert, err, r.Expr)
			}
			if !strings.HasPrefix(r.Alert, "Aftershock") || seen[r.Alert] {
				t.Errorf("%q: want a name of its own with Aftershock before it", r.Alert)
			}
			seen[r.Alert] = true
			if d, err := time.ParseDuration(r.For); r.For != "" && (err != nil || d <= 0) {
				t.Errorf("%s: for %q", r.Alert, r.For)
			}
			if s := r.Labels["severity"]; s != "critical" && s != "warning" {
				t.Errorf("%s: severity %q", r.Alert, s)
			}
			if s := r.Annotations["summary"]; len(s) < 40 || strings.Count(s, "{{") != strings.Count(s, "{{ $labels.") {
				t.Errorf("%s: a summary says what to do: %q", r.Alert, s)
			}
		}
	}
	if len(seen) < 15 {
		t.Errorf("%d alerts", len(seen))
	}
}

func TestTheDashboardKnowsItsMetrics(t *testing.T) {
	text, err := os.ReadFile("../../deploy/grafana/aftershock.json")
	if err != nil {
		t.Fatal(err)
	}
	type box struct{ H, W, X, Y int }
	var board struct {
		Title  string
		Panels []struct {
			ID      int
			Type    string
			Title   string
			GridPos box
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	metrics := metricLabels(t)
	ids := map[int]bool{}
	places := map[[2]int]string{}
	for _, p := range board.Panels {
		if p.Title == "" || ids[p.ID] {
			t.Errorf("panel %d: want a title, and an id of its own", p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := places[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s lies on %q, or outside", p.Title, other)
				}
				places[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			if err := promExpression(target.Expr, metrics); err != nil {
				t.Errorf("%s: %v: %s", p.Title, err, target.Expr)
			}
		}
	}
	if len(ids) < 20 {
		t.Errorf("%d panels", len(ids))
	}
}
