package symbolserver

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"aftershock/symbolcache"
)

// Metrics of a server. Nil counts nothing.
type Metrics struct {
	answers  *prometheus.CounterVec
	bytes    prometheus.Counter
	fetches  *prometheus.CounterVec
	loading  prometheus.Gauge
	received prometheus.Counter
	rests    *prometheus.GaugeVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	return &Metrics{
		answers: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_symbols_answers_total", Help: "Answers of the symbol server to requests for files, by HTTP status.",
		}, []string{"status"}),
		bytes: f.NewCounter(prometheus.CounterOpts{
			Name: "aftershock_symbols_sent_bytes_total", Help: "Bytes of files that the symbol server has sent.",
		}),
		fetches: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_symbols_fetches_total", Help: "Files that the symbol server has asked its upstreams for, by outcome.",
		}, []string{"outcome"}),
		loading: f.NewGauge(prometheus.GaugeOpts{
			Name: "aftershock_symbols_fetches", Help: "Downloads of the symbol server from upstreams under way.",
		}),
		received: f.NewCounter(prometheus.CounterOpts{
			Name: "aftershock_symbols_fetched_bytes_total", Help: "Bytes that the symbol server has got from upstreams.",
		}),
		rests: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "aftershock_symbols_upstream_resting", Help: "1 while an upstream of the symbol server, by its place among the flags, is left alone because it failed too often.",
		}, []string{"upstream"}),
	}
}

func (m *Metrics) answered(status int) {
	if m != nil {
		m.answers.WithLabelValues(strconv.Itoa(status)).Inc()
	}
}

func (m *Metrics) sent(bytes int) {
	if m != nil {
		m.bytes.Add(float64(bytes))
	}
}

func (m *Metrics) fetching(n float64) {
	if m != nil {
		m.loading.Add(n)
	}
}

func (m *Metrics) fetched(o symbolcache.Outcome, bytes int64) {
	if m != nil {
		m.fetches.WithLabelValues(string(o)).Inc()
		m.received.Add(float64(bytes))
	}
}

func (m *Metrics) resting(upstream string, is bool) {
	if m == nil {
		return
	}
	value := 0.0
	if is {
		value = 1
	}
	m.rests.WithLabelValues(upstream).Set(value)
}
