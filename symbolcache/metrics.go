package symbolcache

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics of a cache. Nil counts nothing.
type Metrics struct {
	lookups   *prometheus.CounterVec
	loads     prometheus.Gauge
	compiles  prometheus.Counter
	compiled  prometheus.Counter
	bytes     prometheus.Gauge // nil for modules' own files, which lie in the directory of symbol files
	evictions prometheus.Counter
	downloads prometheus.Counter
	rests     *prometheus.GaugeVec
}

// NewMetrics registers the metrics of a cache of symbol files.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	m := newMetrics(f, "aftershock_symbolcache_", "symbols", "symbol files", "a symbol source")
	m.bytes = f.NewGauge(prometheus.GaugeOpts{
		Name: "aftershock_symbolcache_bytes", Help: "Bytes in use and reserved in the directory of compiled symbol files, as of the last load.",
	})
	return m
}

// NewModuleMetrics registers the metrics of a cache of modules' own files, see
// [Options.Modules].
func NewModuleMetrics(r prometheus.Registerer) *Metrics {
	return newMetrics(promauto.With(r), "aftershock_modulecache_", "own files", "modules' own files", "a source of modules' own files")
}

func newMetrics(f promauto.Factory, prefix, sought, files, source string) *Metrics {
	return &Metrics{
		lookups: f.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "lookups_total", Help: "Lookups of modules' " + sought + " by outcome.",
		}, []string{"outcome"}),
		loads: f.NewGauge(prometheus.GaugeOpts{
			Name: prefix + "loads", Help: "Loads of " + files + " under way: looking for them, fetching, compiling.",
		}),
		compiles: f.NewCounter(prometheus.CounterOpts{
			Name: prefix + "compiles_total", Help: "Compiles of " + files + " that succeeded.",
		}),
		compiled: f.NewCounter(prometheus.CounterOpts{
			Name: prefix + "compiled_bytes_total", Help: "Bytes that " + files + " have when they are compiled.",
		}),
		evictions: f.NewCounter(prometheus.CounterOpts{
			Name: prefix + "evictions_total", Help: "Compiled files removed to make room for " + files + ".",
		}),
		downloads: f.NewCounter(prometheus.CounterOpts{
			Name: prefix + "download_bytes_total", Help: "Bytes of " + files + " fetched over the network, as they came.",
		}),
		rests: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: prefix + "source_resting", Help: "1 while " + source + ", by its place among the flags, is left alone because it failed too often.",
		}, []string{"source"}),
	}
}

func (m *Metrics) lookup(o Outcome) {
	if m != nil {
		m.lookups.WithLabelValues(string(o)).Inc()
	}
}

func (m *Metrics) loading(n float64) {
	if m != nil {
		m.loads.Add(n)
	}
}

func (m *Metrics) used(bytes int64) {
	if m != nil && m.bytes != nil {
		m.bytes.Set(float64(bytes))
	}
}

// made counts a compile, and what it made.
func (m *Metrics) made(bytes int64) {
	if m != nil {
		m.compiles.Inc()
		m.compiled.Add(float64(bytes))
	}
}

func (m *Metrics) resting(source int, is bool) {
	if m == nil {
		return
	}
	value := 0.0
	if is {
		value = 1
	}
	m.rests.WithLabelValues(strconv.Itoa(source + 1)).Set(value)
}

func (m *Metrics) evicted() {
	if m != nil {
		m.evictions.Inc()
	}
}

func (m *Metrics) downloaded(bytes int64) {
	if m != nil {
		m.downloads.Add(float64(bytes))
	}
}
