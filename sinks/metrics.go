package sinks

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics of every sink in a process. A nil *Metrics counts nothing.
type Metrics struct {
	rows, dead, failures *prometheus.CounterVec
	seconds              *prometheus.HistogramVec
	guard                *prometheus.GaugeVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	return &Metrics{
		rows: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_sinks_rows_total", Help: "Rows stored, by sink; a row may be stored again after a restart.",
		}, []string{"sink"}),
		dead: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_sinks_dead_letters_total", Help: "Records that a sink dead-lettered, by sink.",
		}, []string{"sink"}),
		failures: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_sinks_write_failures_total", Help: "Writes that failed and are tried again, by sink.",
		}, []string{"sink"}),
		guard: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "aftershock_sinks_guard_tripped", Help: "1 for a sink that stopped because it refused too much.",
		}, []string{"sink"}),
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "aftershock_sinks_write_seconds", Help: "Time of a write, by sink.", Buckets: prometheus.ExponentialBuckets(0.002, 4, 8),
		}, []string{"sink"}),
	}
}

func (m *Metrics) wrote(sink string, rows, dead int) {
	if m != nil {
		m.rows.WithLabelValues(sink).Add(float64(rows))
		m.dead.WithLabelValues(sink).Add(float64(dead))
	}
}

func (m *Metrics) took(sink string, d time.Duration) {
	if m != nil {
		m.seconds.WithLabelValues(sink).Observe(d.Seconds())
	}
}

func (m *Metrics) failed(sink string) {
	if m != nil {
		m.failures.WithLabelValues(sink).Inc()
	}
}

func (m *Metrics) stopped(sink string) {
	if m != nil {
		m.guard.WithLabelValues(sink).Set(1)
	}
}
