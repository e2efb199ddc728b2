package upload

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics of a Handler. A nil *Metrics counts nothing.
type Metrics struct {
	files, refusals *prometheus.CounterVec
	silent          prometheus.Counter
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	return &Metrics{
		files:    f.NewCounterVec(prometheus.CounterOpts{Name: "aftershock_symbols_uploaded_total", Help: "Uploaded files by what became of them: kept, same, replaced, error."}, []string{"status"}),
		refusals: f.NewCounterVec(prometheus.CounterOpts{Name: "aftershock_symbols_uploads_refused_total", Help: "Uploads that were refused as a whole, by reason: token, zip, url, manifest."}, []string{"reason"}),
		silent:   f.NewCounter(prometheus.CounterOpts{Name: "aftershock_symbols_unannounced_total", Help: "Uploaded symbol files of which nobody could be told; their uploader was told to send them again."}),
	}
}

func (m *Metrics) file(status string) {
	if m != nil {
		m.files.WithLabelValues(status).Inc()
	}
}

func (m *Metrics) refused(reason string) {
	if m != nil {
		m.refusals.WithLabelValues(reason).Inc()
	}
}

func (m *Metrics) untold(files int) {
	if m != nil {
		m.silent.Add(float64(files))
	}
}
