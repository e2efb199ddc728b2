// Package collector is the door: it takes a crash report over HTTP, makes a raw
// crash of it, and answers with the crash id once the event is safe.
//
// Start at Collector.ServeHTTP. A report goes through four steps, a file each:
// its body is bounded and inflated (body.go), its parts become annotations and
// dumps (report.go), those become an event with what is too large in the blob
// store (event.go), and the event is appended by the function handed in.
//
// The answer "CrashID=bp-<id>" is a promise: it is given only after every blob
// is stored and the append was acknowledged.
package collector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"aftershock/blob"
	"aftershock/schema"
)

// Options of a Collector. Zero limits take their defaults.
type Options struct {
	// Append appends the event to the raw topic and returns once the broker
	// acknowledged it on all replicas, or a spool has it on the disk.
	Append func(ctx context.Context, raw *schema.RawCrash) error
	// Blobs takes what does not fit the event.
	Blobs blob.Store
	// Annotations is the registry that knows what is never stored.
	Annotations *schema.Registry
	// InlineMax is the largest compressed dump that travels inside the event,
	// in bytes; 0 puts every dump into the blob store, a negative value means
	// DefaultInlineMax.
	InlineMax int
	// Limits bounds what one report, and all at once, may take.
	Limits Limits
	// Now is the clock.
	Now     func() time.Time
	Log     zerolog.Logger
	Metrics prometheus.Registerer
}

// DefaultInlineMax is where a claim check begins to be cheaper than a larger event.
const DefaultInlineMax = 64 << 10

// Collector is an http.Handler for POST /submit. It is safe for concurrent use.
type Collector struct {
	o       Options
	small   *semaphore.Weighted
	large   *semaphore.Weighted
	metrics *metrics
}

// New returns a Collector. Append, Blobs, Annotations and Now must be set.
func New(o Options) *Collector {
	if o.InlineMax < 0 {
		o.InlineMax = DefaultInlineMax
	}
	o.Limits = o.Limits.withDefaults()
	return &Collector{
		o:       o,
		small:   semaphore.NewWeighted(o.Limits.Reports),
		large:   semaphore.NewWeighted(o.Limits.LargeReports),
		metrics: newMetrics(o.Metrics),
	}
}

// refusal is an answer that discards the report; reason is a code of the schema.
type refusal struct {
	reason string
	err    error
}

func (r *refusal) Error() string {
	if r.err == nil {
		return r.reason
	}
	return r.reason + ": " + r.err.Error()
}

func (r *refusal) Unwrap() error { return r.err }

func refuse(reason string, err error) error { return &refusal{reason: reason, err: err} }

// ServeHTTP takes one report.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	start := c.o.Now()
	id, err := c.take(r, start)
	c.metrics.seconds.Observe(c.o.Now().Sub(start).Seconds())
	var no *refusal
	switch {
	case err == nil:
		c.metrics.reports.WithLabelValues(resultAccepted).Inc()
		c.answer(w, http.StatusOK, "CrashID=bp-"+id+"\n")
	case errors.As(err, &no):
		c.metrics.reports.WithLabelValues(resultMalformed).Inc()
		c.metrics.malformed.WithLabelValues(no.reason).Inc()
		status := http.StatusBadRequest
		if no.reason == schema.RejectTooLarge {
			status = http.StatusRequestEntityTooLarge
			w.Header().Set("Connection", "close") // the rest of the body is not read
		}
		c.answer(w, status, "Discarded=malformed_"+no.reason+"\n")
	case r.Context().Err() != nil:
		c.metrics.reports.WithLabelValues(resultGone).Inc() // nobody is there to be answered
	default:
		c.metrics.reports.WithLabelValues(resultFailed).Inc()
		c.o.Log.Error().Err(err).Msg("report not stored")
		w.Header().Set("Retry-After", "10")
		c.answer(w, http.StatusServiceUnavailable, "")
	}
}

func (c *Collector) answer(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	if _, err := w.Write([]byte(text)); err != nil { //nolint:gosec // plain text of our own making
		c.o.Log.Debug().Err(err).Msg("answer not written")
	}
}

// take does the whole of one report; err is a *refusal when the report is to blame.
func (c *Collector) take(r *http.Request, received time.Time) (id string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in the door: %v\n%s", p, debug.Stack())
		}
	}()
	if err := c.small.Acquire(r.Context(), 1); err != nil {
		return "", fmt.Errorf("wait for a free place: %w", err)
	}
	defer c.small.Release(1)

	body, err := c.open(r)
	if err != nil {
		return "", err
	}
	defer body.close()
	rep, err := readReport(body, r.Header.Get("Content-Type"), c.o.Limits)
	if err != nil {
		return "", err
	}
	raw, err := c.event(r.Context(), rep, received, schema.Payload{
		Kind: rep.kind(), Gzip: body.gzip, Size: body.wire, UserAgent: clip(r.UserAgent(), maxUserAgentBytes),
	})
	if err != nil {
		return "", err
	}
	if err := c.o.Append(r.Context(), raw); err != nil {
		return "", fmt.Errorf("append raw crash: %w", err)
	}
	c.metrics.bytes.Add(float64(body.wire))
	return raw.CrashID, nil
}
