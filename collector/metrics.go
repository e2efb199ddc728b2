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
	resultGone      = "client_gone"
)

type metrics struct {
	reports   *prometheus.CounterVec
	malformed *prometheus.CounterVec
	bytes     prometheus.Counter
	claims    prometheus.Counter
	seconds   prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	return &metrics{
		reports: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_collector_reports_total", Help: "Reports by result: accepted, malformed, failed, client_gone.",
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
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "aftershock_collector_report_seconds", Help: "Time from the head of a report to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9),
		}),
	}
}
