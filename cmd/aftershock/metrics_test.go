package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"aftershock/collector"
	"aftershock/heal"
	"aftershock/spool"
	"aftershock/stream"
	"aftershock/symbolcache"
	"aftershock/symbolserver"
	"aftershock/symbolserver/symbolicate"
	"aftershock/symbolserver/upload"
	"aftershock/web"
)

var update = flag.Bool("update", false, "rewrite docs/metrics.md")

// describing is a Registerer that only looks at what is registered.
type describing struct {
	descs      []string
	histograms map[string]bool // descs of these
}

func (d *describing) Register(c prometheus.Collector) error {
	ch := make(chan *prometheus.Desc, 16)
	c.Describe(ch)
	close(ch)
	_, one := c.(prometheus.Histogram)
	_, many := c.(*prometheus.HistogramVec)
	for desc := range ch {
		d.descs = append(d.descs, desc.String())
		d.histograms[desc.String()] = one || many
	}
	return nil
}

func (d *describing) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		d.Register(c) //nolint:errcheck // never fails
	}
}

func (d *describing) Unregister(prometheus.Collector) bool { return false }

var desc = regexp.MustCompile(`fqName: "([^"]+)", help: "([^"]+)".*variableLabels: \{([^}]*)\}`)

// registered is what all roles together register.
func registered() *describing {
	d := &describing{histograms: map[string]bool{}}
	newRoles(stream.Kafka{}, "", zerolog.Nop(), d, nil)
	collector.New(collector.Options{Metrics: d})
	newRulesOutdated(d)
	symbolcache.NewMetrics(d)
	symbolcache.NewModuleMetrics(d)
	heal.NewMetrics(d)
	symbolserver.NewMetrics(d)
	symbolicate.New(nil, symbolicate.Options{Metrics: d})
	upload.NewMetrics(d)
	spool.NewMetrics(d)
	web.NewMetrics(d)
	return d
}

// Every metric has a name of ours and a sentence, and docs/metrics.md lists it.
func TestMetricsAreDocumented(t *testing.T) {
	d := registered()
	var lines []string
	for _, text := range d.descs {
		m := desc.FindStringSubmatch(text)
		if m == nil || !regexp.MustCompile(`^aftershock_[a-z]+(_[a-z]+)*$`).MatchString(m[1]) {
			t.Errorf("odd metric: %s", text)
			continue
		}
		lines = append(lines, fmt.Sprintf("| `%s` | %s | %s |\n", m[1], m[3], m[2]))
	}
	slices.Sort(lines)
	var doc bytes.Buffer
	doc.WriteString("# Metrics\n\nOn `/metrics` of every role, beside those of Go and the process. Made by `make generate`; a test holds it to the code.\nLabels have values from closed sets in the code and the names of the door's rules: never a signature or anything of a report. Groups, topics and parts end in the number of a signature version.\n\n| metric | labels | |\n| --- | --- | --- |\n")
	for _, l := range lines {
		doc.WriteString(l)
	}
	const path = "../../docs/metrics.md"
	if *update {
		if err := os.WriteFile(path, doc.Bytes(), 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), doc.String()); diff != "" {
		t.Errorf("docs/metrics.md is not what the code says (make generate):\n%s", diff)
	}
}
