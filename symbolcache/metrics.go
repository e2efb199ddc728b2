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
	bytes     prometheus.Gauge
	evictions prometheus.Counter
	downloads prometheus.Counter
	rests     *prometheus.GaugeVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	return &Metrics{
		lookups: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_symbolcache_lookups_total", Help: "Lookups of modules' symbols by outcome.",
		}, []string{"outcome"}),
		loads: f.NewGauge(prometheus.GaugeOpts{
			Name: "aftershock_symbolcache_loads", Help: "Symbol files being looked for, fetched or compiled.",
		}),
		bytes: f.NewGauge(prometheus.GaugeOpts{
			Name: "aftershock_symbolcache_bytes", Help: "Bytes in use and reserved in the directory of compiled symbol files, as of the last load.",
		}),
		evictions: f.NewCounter(prometheus.CounterOpts{
			Name: "aftershock_symbolcache_evictions_total", Help: "Compiled symbol files removed to make room.",
		}),
		downloads: f.NewCounter(prometheus.CounterOpts{
			Name: "aftershock_symbolcache_download_bytes_total", Help: "Bytes of symbol files fetched over the network, as they came.",
		}),
		rests: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "aftershock_symbolcache_source_resting", Help: "1 while a symbol source, by its place among the flags, is left alone because it failed too often.",
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
	if m != nil {
		m.bytes.Set(float64(bytes))
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
