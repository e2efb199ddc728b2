package stream

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics of every loop in a process. A nil *Metrics counts nothing.
type Metrics struct {
	records      *prometheus.CounterVec
	transactions *prometheus.CounterVec
	seconds      *prometheus.HistogramVec
	rebuilds     *prometheus.CounterVec
	duplicates   *prometheus.CounterVec
	waits        *prometheus.CounterVec
	guard        *prometheus.GaugeVec
	crashes      *prometheus.CounterVec
	unwanted     *prometheus.CounterVec
	crashSeconds prometheus.Histogram
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	return &Metrics{
		records: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_stream_records_total", Help: "Records consumed in committed transactions, by group.",
		}, []string{"group"}),
		transactions: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_stream_transactions_total", Help: "Transactions by group and result: commit, abort.",
		}, []string{"group", "result"}),
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "aftershock_stream_batch_seconds", Help: "Time of a batch from poll to commit, by group.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9),
		}, []string{"group"}),
		rebuilds: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_stream_sessions_rebuilt_total", Help: "Sessions rebuilt after an error, by group.",
		}, []string{"group"}),
		duplicates: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_stream_duplicates_total", Help: "Outputs left out because they had been produced already, by group.",
		}, []string{"group"}),
		waits: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_stream_waits_total", Help: "Tries of records that a fault of their surroundings hindered, by group.",
		}, []string{"group"}),
		guard: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "aftershock_stream_guard_tripped", Help: "1 for a group that stopped because too much was dead-lettered.",
		}, []string{"group"}),
		crashes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_stream_crashes_total", Help: "Raw crashes worked on, by result: processed, or the class of the dead letter.",
		}, []string{"result"}),
		unwanted: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_stream_left_out_total", Help: "Crashes that are not processed in a version, because of when they were received or because another one is seen for them, by group.",
		}, []string{"group"}),
		crashSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "aftershock_stream_crash_seconds", Help: "Time of one raw crash from record to processed crash.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 10),
		}),
	}
}

func (m *Metrics) batch(group string, records int, committed bool, took time.Duration) {
	if m == nil {
		return
	}
	result := "abort"
	if committed {
		result = "commit"
		m.records.WithLabelValues(group).Add(float64(records))
	}
	m.transactions.WithLabelValues(group, result).Inc()
	m.seconds.WithLabelValues(group).Observe(took.Seconds())
}

func (m *Metrics) rebuilt(group string) {
	if m != nil {
		m.rebuilds.WithLabelValues(group).Inc()
	}
}

func (m *Metrics) skipped(group string, duplicates int) {
	if m != nil && duplicates > 0 {
		m.duplicates.WithLabelValues(group).Add(float64(duplicates))
	}
}

func (m *Metrics) waited(group string) {
	if m != nil {
		m.waits.WithLabelValues(group).Inc()
	}
}

func (m *Metrics) stopped(group string) {
	if m != nil {
		m.guard.WithLabelValues(group).Set(1)
	}
}

func (m *Metrics) crash(took time.Duration, class string) {
	if m == nil {
		return
	}
	if class == "" {
		class = "processed"
	}
	m.crashes.WithLabelValues(class).Inc()
	m.crashSeconds.Observe(took.Seconds())
}

func (m *Metrics) leftOut(group string) {
	if m != nil {
		m.unwanted.WithLabelValues(group).Inc()
	}
}
