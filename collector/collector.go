// Package collector is the door: it takes a crash report over HTTP, makes a raw
// crash of it, and answers with the crash id once the event is safe.
//
// Start at Collector.ServeHTTP. A report goes through these steps, a file each:
// its body arrives whole (arrive.go), within what all reports share (room.go); it
// is inflated (body.go), its parts become annotations and dumps (parts.go,
// report.go, annotations.go, dump.go), those become an event with what is too large
// in the blob store (event.go), and the event is appended by the function handed
// in. Once the body has arrived, its client cannot change what becomes of it.
//
// The answer "CrashID=bp-<id>" is a promise: it is given only after every blob
// is stored and the append was acknowledged. Every other end of the handler is an
// answer that is no success (answer.go).
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
	// Folder is where the files of bodies lie that memory has no room for: they
	// have no names, and go with the process. By default the system's.
	Folder string
	// Ready is told when the door is full, and when it is not any more.
	Ready func(error)
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
	room    room
	metrics *metrics
}

// New returns a Collector. Append, Blobs, Annotations and Now must be set.
func New(o Options) *Collector {
	if o.InlineMax < 0 {
		o.InlineMax = DefaultInlineMax
	}
	o.Limits = o.Limits.withDefaults()
	if o.Ready == nil {
		o.Ready = func(error) {}
	}
	c := &Collector{o: o, metrics: newMetrics(o.Metrics)}
	c.room = newRoom(o.Limits, o.Folder, func(err error) {
		c.metrics.full.Set(0)
		if err != nil {
			c.metrics.full.Set(1)
		}
		o.Ready(err)
	})
	return c
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
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	start := c.o.Now()
	a := answer{unread: true}
	id, err := c.take(w, r, start, &a)
	c.metrics.seconds.Observe(c.o.Now().Sub(start).Seconds())
	var no *refusal
	switch {
	case err == nil:
		c.metrics.reports.WithLabelValues(resultAccepted).Inc()
		a.status, a.text = http.StatusOK, "CrashID=bp-"+id+"\n"
	case errors.As(err, &no):
		c.metrics.reports.WithLabelValues(resultMalformed).Inc()
		c.metrics.malformed.WithLabelValues(no.reason).Inc()
		a.status, a.text = no.status(), "Discarded=malformed_"+no.reason+"\n"
	case errors.Is(err, errFull):
		c.metrics.reports.WithLabelValues(resultBusy).Inc()
		a.status, a.again = http.StatusServiceUnavailable, true
	default:
		c.metrics.reports.WithLabelValues(resultFailed).Inc()
		c.o.Log.Error().Err(err).Msg("report not stored")
		a.status, a.again = http.StatusServiceUnavailable, true
	}
	if err := a.send(w, r); err != nil {
		c.o.Log.Debug().Err(err).Msg("answer not written")
	}
}

// take does the whole of one report; err is a *refusal when the report is to blame.
// It says in the answer when the body has arrived.
func (c *Collector) take(w http.ResponseWriter, r *http.Request, received time.Time, a *answer) (id string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in the door: %v\n%s", p, debug.Stack())
		}
	}()
	leave, err := c.room.enter(r.Context(), r.RemoteAddr)
	if err != nil {
		return "", err
	}
	defer leave()
	boundary, zipped, err := c.head(r)
	if err != nil {
		return "", err
	}
	arrived, err := c.receive(w, r)
	if err != nil {
		return "", err
	}
	defer arrived.free()
	a.unread = false
	leave()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), keepTime)
	defer cancel()
	p := place{room: &c.room}
	defer p.leave()
	raw, err := c.make(ctx, arrived, boundary, zipped, received, r.UserAgent(), &p)
	if err != nil {
		return "", err
	}
	arrived.free()
	if err := p.small(ctx); err != nil { // it is an event now, whatever it was before
		return "", err
	}
	if err := c.o.Append(ctx, raw); err != nil {
		return "", fmt.Errorf("append raw crash: %w", err)
	}
	c.metrics.bytes.Add(float64(arrived.size))
	return raw.CrashID, nil
}

// head looks at what the request says of its body.
func (c *Collector) head(r *http.Request) (boundary string, zipped bool, err error) {
	switch {
	case r.ContentLength == 0:
		return "", false, refuse(schema.RejectEmptyBody, nil)
	case r.ContentLength > c.o.Limits.BodyBytes:
		return "", false, refuse(schema.RejectTooLarge, fmt.Errorf("content length %d", r.ContentLength))
	}
	if zipped, err = encoded(r); err != nil {
		return "", false, err
	}
	boundary, err = boundaryOf(r.Header.Get("Content-Type"))
	return boundary, zipped, err
}

// make makes the raw crash of a body that has arrived, and stores its blobs.
func (c *Collector) make(ctx context.Context, h *held, boundary string, zipped bool, received time.Time, agent string, p *place) (*schema.RawCrash, error) {
	b, err := c.open(ctx, h, zipped, p)
	if err != nil {
		return nil, err
	}
	defer b.close()
	rep, err := readReport(b, boundary, c.o.Limits)
	if err != nil {
		return nil, err
	}
	return c.event(ctx, rep, received, schema.Payload{Kind: rep.kind(), Gzip: zipped, Size: h.size, UserAgent: clip(agent, maxUserAgentBytes)})
}
