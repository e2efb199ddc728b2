package heal

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics of a Healer. A nil *Metrics counts nothing.
type Metrics struct {
	modules, failures prometheus.Counter
	crashes           *prometheus.CounterVec
	waiting           prometheus.Gauge
	rechecked         *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	return &Metrics{
		modules:   f.NewCounter(prometheus.CounterOpts{Name: "aftershock_heal_modules_total", Help: "Modules whose symbols have come, or others."}),
		crashes:   f.NewCounterVec(prometheus.CounterOpts{Name: "aftershock_heal_crashes_total", Help: "Crashes that were asked for again because symbols had come, by kind; once for each signature version, and again after a restart."}, []string{"kind"}),
		failures:  f.NewCounter(prometheus.CounterOpts{Name: "aftershock_heal_failures_total", Help: "Passes over the crashes that failed and are tried again."}),
		waiting:   f.NewGauge(prometheus.GaugeOpts{Name: "aftershock_heal_waiting", Help: "Requests that are not yet processed, when they were last looked at."}),
		rechecked: f.NewCounterVec(prometheus.CounterOpts{Name: "aftershock_heal_rechecked_total", Help: "Modules that crashes lack and sources were asked for again, by what they said."}, []string{"outcome"}),
	}
}

func (m *Metrics) came(modules int) {
	if m != nil {
		m.modules.Add(float64(modules))
	}
}

func (m *Metrics) asked(kind string, crashes int) {
	if m != nil {
		m.crashes.WithLabelValues(kind).Add(float64(crashes))
	}
}

func (m *Metrics) failed() {
	if m != nil {
		m.failures.Inc()
	}
}

func (m *Metrics) waits(requests int64) {
	if m != nil {
		m.waiting.Set(float64(requests))
	}
}

func (m *Metrics) recheck(outcome string) {
	if m != nil {
		m.rechecked.WithLabelValues(outcome).Inc()
	}
}
