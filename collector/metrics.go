package collector

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Results of a report.
const (
	resultAccepted  = "accepted"
	resultMalformed = "malformed"
	resultFailed    = "failed"
	resultBusy      = "busy"
)

type metrics struct {
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
			Name: "aftershock_collector_reports_total", Help: "Reports by result: accepted, malformed, failed, busy.",
		}, []string{"result"}),
		malformed: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_collector_malformed_total", Help: "Refused reports by reason.",
		}, []string{"reason"}),
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
