package web

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics of a Handler. A nil *Metrics counts nothing.
type Metrics struct{ logins, events *prometheus.CounterVec }

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	return &Metrics{
		logins: f.NewCounterVec(prometheus.CounterOpts{Name: "aftershock_web_logins_total", Help: "Logins by result: done, refused, limited (too many had failed), failed (at the provider)."}, []string{"result"}),
		events: f.NewCounterVec(prometheus.CounterOpts{Name: "aftershock_web_audit_events_total", Help: "Audit events by result: kept, failed. Of what failed nothing was shown."}, []string{"result"}),
	}
}

func (m *Metrics) login(result string) {
	if m != nil {
		m.logins.WithLabelValues(result).Inc()
	}
}

func (m *Metrics) kept(err error) {
	if m == nil {
		return
	}
	result := "kept"
	if err != nil {
		result = "failed"
	}
	m.events.WithLabelValues(result).Inc()
}
