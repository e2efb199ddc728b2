package collector

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"aftershock/collector/throttle"
)

// Results of a report.
const (
	resultAccepted  = "accepted"
	resultDeferred  = "deferred"
	resultFake      = "fake_accepted"
	resultRejected  = "rejected"
	resultRepeated  = "repeated"
	resultMalformed = "malformed"
	resultFailed    = "failed"
	resultBusy      = "busy"
)

// results of reports that were answered with a crash id, by what the rules decided.
var results = map[string]string{
	string(throttle.Accept): resultAccepted, string(throttle.Defer): resultDeferred, string(throttle.FakeAccept): resultFake, resultRepeated: resultRepeated,
}

type metrics struct {
	rules     *prometheus.CounterVec
	ruleFails *prometheus.CounterVec
	reports   *prometheus.CounterVec
	malformed *prometheus.CounterVec
	bytes     prometheus.Counter
	claims    prometheus.Counter
	seconds   prometheus.Histogram
	full      prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	return &metrics{
		reports: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_collector_reports_total", Help: "Reports by result: accepted, repeated (sent before, and stored once), deferred, fake_accepted, rejected (by a rule), malformed, failed, busy.",
		}, []string{"result"}),
		malformed: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_collector_malformed_total", Help: "Refused reports by reason.",
		}, []string{"reason"}),
		rules: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_collector_rule_total", Help: "Reports of which a rule of the throttle decided, by rule and result.",
		}, []string{"rule", "result"}),
		ruleFails: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_collector_rule_failures_total", Help: "Reports of which a rule's condition could not be told, by rule: it did not hold.",
		}, []string{"rule"}),
		bytes: f.NewCounter(prometheus.CounterOpts{
			Name: "aftershock_collector_body_bytes_total", Help: "Bytes on the wire of accepted reports.",
		}),
		claims: f.NewCounter(prometheus.CounterOpts{
			Name: "aftershock_collector_claim_checks_total", Help: "Dumps put into the blob store.",
		}),
		full: f.NewGauge(prometheus.GaugeOpts{
			Name: "aftershock_collector_full", Help: "1 while reports are asked to come again because the door has no room for them.",
		}),
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "aftershock_collector_report_seconds", Help: "Time from the head of a report to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9),
		}),
	}
}

func (m *metrics) ruled(d throttle.Decision) {
	m.rules.WithLabelValues(d.Rule, string(d.Result)).Inc()
	for _, rule := range d.Failed {
		m.ruleFails.WithLabelValues(rule).Inc()
	}
}
