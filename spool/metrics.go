package spool

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// What failed.
const (
	failedStore   = "store"
	failedRead    = "read"
	failedSend    = "send"
	failedRefused = "refused"
	failedRemove  = "remove"
)

// Metrics of a spool. A nil *Metrics counts nothing.
type Metrics struct {
	records, bytes, limit, oldest, setAside prometheus.Gauge
	in, out                                 prometheus.Counter
	failures                                *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	m := &Metrics{
		records: f.NewGauge(prometheus.GaugeOpts{
			Name: "aftershock_spool_records", Help: "Crashes in the spool that the broker has not acknowledged.",
		}),
		bytes: f.NewGauge(prometheus.GaugeOpts{
			Name: "aftershock_spool_bytes", Help: "Bytes that the spool takes of the disk, with files set aside.",
		}),
		limit: f.NewGauge(prometheus.GaugeOpts{
			Name: "aftershock_spool_limit_bytes", Help: "Bytes that the spool may take of the disk (--spool-bytes).",
		}),
		oldest: f.NewGauge(prometheus.GaugeOpts{
			Name: "aftershock_spool_oldest_timestamp_seconds", Help: "When the oldest crash in the spool came, in Unix seconds; 0 when there is none.",
		}),
		setAside: f.NewGauge(prometheus.GaugeOpts{
			Name: "aftershock_spool_set_aside", Help: "Files set aside (.bad): damaged, foreign, or refused by the broker.",
		}),
		in: f.NewCounter(prometheus.CounterOpts{
			Name: "aftershock_spool_spooled_total", Help: "Crashes stored in the spool because the broker was away.",
		}),
		out: f.NewCounter(prometheus.CounterOpts{
			Name: "aftershock_spool_drained_total", Help: "Crashes removed from the spool because the broker has them.",
		}),
		failures: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_spool_failures_total", Help: "Failures by operation: store, read, send (tried again), refused, remove.",
		}, []string{"operation"}),
	}
	for _, operation := range []string{failedStore, failedRead, failedSend, failedRefused, failedRemove} {
		m.failures.WithLabelValues(operation)
	}
	return m
}

func (m *Metrics) holds(records int, bytes, limit int64, oldest time.Time) {
	if m == nil {
		return
	}
	m.limit.Set(float64(limit))
	m.records.Set(float64(records))
	m.bytes.Set(float64(bytes))
	at := 0.0
	if !oldest.IsZero() {
		at = float64(oldest.UnixMilli()) / 1000
	}
	m.oldest.Set(at)
}

func (m *Metrics) aside(n int) {
	if m != nil {
		m.setAside.Add(float64(n))
	}
}

func (m *Metrics) spooled() {
	if m != nil {
		m.in.Inc()
	}
}

func (m *Metrics) drained(n int) {
	if m != nil {
		m.out.Add(float64(n))
	}
}

func (m *Metrics) failed(operation string) {
	if m != nil {
		m.failures.WithLabelValues(operation).Inc()
	}
}
