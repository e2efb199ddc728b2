package symbolicate

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Results of a request.
const (
	resultAnswered = "answered"
	resultRefused  = "refused"
	resultBusy     = "busy"
	resultAborted  = "aborted"
	resultFailed   = "failed"
)

type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	frames   prometheus.Counter
	modules  *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	return &metrics{
		requests: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_symbolicate_requests_total", Help: "Symbolication requests by version of the API and result: answered, refused (a mistake or a limit), busy, aborted (the client has left), failed (our bug).",
		}, []string{"version", "result"}),
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "aftershock_symbolicate_seconds", Help: "Time from the head of a request to the end of its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10),
		}, []string{"version"}),
		frames: f.NewCounter(prometheus.CounterOpts{
			Name: "aftershock_symbolicate_frames_total", Help: "Frames that were asked for.",
		}),
		modules: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_symbolicate_modules_total", Help: "Modules that symbols were looked for of, once a request, by outcome.",
		}, []string{"outcome"}),
	}
}

func (m *metrics) request(v version, result string, took time.Duration) {
	name := "v" + strconv.Itoa(int(v))
	m.requests.WithLabelValues(name, result).Inc()
	m.seconds.WithLabelValues(name).Observe(took.Seconds())
}
