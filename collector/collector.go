// Package collector is the door: it takes a crash report over HTTP, makes a raw
// crash of it, and answers with the crash id once the event is safe.
//
// Start at Collector.ServeHTTP (paths.go) and Collector.take. A report goes through these
// steps, a file each: its body arrives whole (arrive.go), within what all reports share
// (room.go); it is inflated (body.go), its parts become annotations and dumps (parts.go,
// report.go, annotations.go, dump.go), it gets a crash id and what the rules decide
// (decide.go), it becomes an event with what is too large in the blob store (event.go), and
// the event is appended by the function handed in. Once the body has arrived, its client
// cannot change what becomes of it.
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
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"aftershock/blob"
	"aftershock/collector/throttle"
	"aftershock/internal/forwarded"
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
	// Live is the registry of the newest signature version, which may know more that is never
	// stored; nil, or returning nil, knows none.
	Live func() *schema.Registry
	// InlineMax is the largest compressed dump that travels inside the event,
	// in bytes; 0 puts every dump into the blob store, a negative value means
	// DefaultInlineMax.
	InlineMax int
	// Limits bounds what one report, and all at once, may take.
	Limits Limits
	// Repeats is how long the same report is answered with its first crash id; 0 takes each
	// one for another.
	Repeats time.Duration
	// Rules are the newest of the throttle, asked for each report; nil accepts everything.
	Rules func() *throttle.Rules
	// IDToken lets clients that send it choose the crash ids of their reports; when it is
	// empty nobody may.
	IDToken string
	// Sentry opens the path of Sentry's minidump endpoint as well.
	Sentry bool
	// Origins are those of web pages that may send reports; "*" is every one.
	Origins []string
	// Proxies are the networks of proxies whose X-Forwarded-For is believed.
	Proxies []netip.Prefix
	// Checks are what a heartbeat asks for, and Release is the JSON object that tells which
	// build this is.
	Checks  []Check
	Release []byte
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

// Collector is an http.Handler for all that the door is asked. It is safe for concurrent
// use.
type Collector struct {
	o       Options
	room    room
	metrics *metrics
	beats   heartbeats
	repeats repeats
}

// New returns a Collector. Append, Blobs, Annotations and Now must be set.
func New(o Options) *Collector {
	if o.InlineMax < 0 {
		o.InlineMax = DefaultInlineMax
	}
	o.Limits = o.Limits.withDefaults()
	if o.Rules == nil {
		all := throttle.AcceptAll()
		o.Rules = func() *throttle.Rules { return all }
	}
	if o.Live == nil {
		o.Live = func() *schema.Registry { return nil }
	}
	if len(o.Release) == 0 {
		o.Release = []byte("{}")
	}
	if o.Ready == nil {
		o.Ready = func(error) {}
	}
	c := &Collector{o: o, metrics: newMetrics(o.Metrics), repeats: repeats{window: o.Repeats}}
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

// form is what is sent to a path of the door.
type form int

const (
	formReport form = iota
	formSentry      // a report as Sentry's clients send it
	formPing
)

// submit takes one report, or ping, and answers.
func (c *Collector) submit(w http.ResponseWriter, r *http.Request, form form) {
	start := c.o.Now()
	a := answer{unread: true}
	raw, err := c.take(w, r, form, start, &a)
	c.metrics.seconds.Observe(c.o.Now().Sub(start).Seconds())
	var no *refusal
	var not *ruling
	switch {
	case err == nil:
		c.metrics.reports.WithLabelValues(results[raw.Throttle.Result]).Inc()
		a.status, a.text = http.StatusOK, "CrashID=bp-"+raw.CrashID+"\n"
	case errors.As(err, &not):
		c.metrics.reports.WithLabelValues(resultRejected).Inc()
		a.status, a.text = http.StatusOK, "Discarded=rule_"+not.rule
	case errors.As(err, &no):
		c.metrics.reports.WithLabelValues(resultMalformed).Inc()
		c.metrics.malformed.WithLabelValues(no.reason).Inc()
		a.status, a.text = no.answer()
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

// take does the whole of one report; err is a *refusal when the report is to blame, and a
// *ruling when a rule discards it. It says in the answer when the body has arrived.
func (c *Collector) take(w http.ResponseWriter, r *http.Request, form form, received time.Time, a *answer) (raw *schema.RawCrash, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in the door: %v\n%s", p, debug.Stack())
		}
	}()
	leave, err := c.room.enter(r.Context(), forwarded.Address(r, c.o.Proxies))
	if err != nil {
		return nil, err
	}
	defer leave()
	h, err := c.head(r, form)
	if err != nil {
		return nil, err
	}
	arrived, err := c.receive(w, r)
	if err != nil {
		return nil, err
	}
	defer arrived.free()
	a.unread = false
	leave()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), keepTime)
	defer cancel()
	p := place{room: &c.room}
	defer p.leave()
	rep, err := c.read(ctx, arrived, h, &p)
	if err != nil {
		return nil, err
	}
	payload := schema.Payload{Kind: rep.form(), Gzip: h.encoding == encodingGzip, Size: arrived.size, UserAgent: clip(h.agent, maxUserAgentBytes)}
	arrived.free()
	id, err := c.chosenID(rep, h.authorization)
	if err != nil {
		return nil, err
	}
	return c.once(ctx, rep, id, &p, func() (*schema.RawCrash, error) {
		raw, err := c.decide(rep, received, id)
		if err != nil || !stored(raw) {
			return raw, err
		}
		raw.Payload = payload
		if err := c.fill(ctx, raw, rep); err != nil {
			return nil, err
		}
		if err := p.small(ctx); err != nil { // it is an event now, whatever it was before
			return nil, err
		}
		if err := c.o.Append(ctx, raw); err != nil {
			return nil, fmt.Errorf("append raw crash: %w", err)
		}
		c.metrics.bytes.Add(float64(payload.Size))
		return raw, nil
	})
}

// stored tells whether the raw crash is one that is kept: some only seem to be.
func stored(raw *schema.RawCrash) bool {
	return throttle.Result(raw.Throttle.Result) != throttle.FakeAccept
}

// head is what a request says of its body and of itself.
type head struct {
	form          form
	boundary      string // "" when the body is a dump and nothing else, or a ping
	encoding      encoding
	agent         string
	authorization string
}

// head looks at the request before its body is read.
func (c *Collector) head(r *http.Request, form form) (h head, err error) {
	switch {
	case r.ContentLength == 0:
		return h, refuse(schema.RejectEmptyBody, nil)
	case r.ContentLength > c.o.Limits.BodyBytes:
		return h, refuse(schema.RejectTooLarge, fmt.Errorf("content length %d", r.ContentLength))
	}
	h = head{encoding: encodingOf(r.Header.Get("Content-Encoding")), agent: r.UserAgent(), authorization: r.Header.Get("Authorization"), form: form}
	kind := r.Header.Get("Content-Type")
	if form == formPing || form == formSentry && isDump(kind) {
		return h, nil
	}
	h.boundary, err = boundaryOf(kind)
	return h, err
}

// read reads the report of a body that has arrived.
func (c *Collector) read(ctx context.Context, body *held, h head, p *place) (rep *report, err error) {
	b, err := c.open(ctx, body, h.encoding, p)
	if err != nil {
		return nil, err
	}
	defer b.close()
	switch {
	case h.form == formPing:
		return readPing(b, c.o.Limits)
	case h.boundary == "":
		rep, err = readDump(b, c.o.Limits)
	default:
		rep, err = readReport(b, h.boundary, c.o.Limits)
	}
	if err == nil && h.form == formSentry {
		rep.fromSentry()
	}
	return rep, err
}
