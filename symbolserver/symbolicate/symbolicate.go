// Package symbolicate answers which functions and source lines are at addresses of
// modules, over HTTP: the symbolication API of Mozilla's Eliot, v4 and v5, and a v6
// that also says how good an answer is.
//
// [New] makes the http.Handler of all three. A request goes through these files:
//
//	body.go       the body is read, bounded, and inflated
//	json.go       its JSON is looked through once, and then read where it matters
//	request5.go   jobs, modules, stacks of v4 and v5; request6.go of v6
//	modules.go    the symbols of the modules that frames are in, all at a time
//	answer5.go    the answer, a job after the other; answer4.go, answer6.go
//
// What is different from Eliot, and why, is in testdata/differences.json; docs/symbolication.md
// is what clients need to know. Addresses are looked up as they are given: who has
// a return address subtracts 1.
package symbolicate

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"aftershock/symbolcache"
)

// Options of a Handler. Zero values take the defaults.
type Options struct {
	Limits Limits
	// Deadline is how long a request waits for symbols. What is not known then is
	// not found for v4 and v5, and timed out for v6.
	Deadline time.Duration
	// Version is told at /__version__.
	Version string
	Metrics prometheus.Registerer // may be nil
	Log     zerolog.Logger
	// Now is the clock of metrics and of what Debug tells.
	Now func() time.Time
}

// Handler is safe for concurrent use.
type Handler struct {
	cache    *symbolcache.Cache
	limits   Limits
	deadline time.Duration
	version  string
	metrics  *metrics
	log      zerolog.Logger
	now      func() time.Time
	held     held
	names    *remembered
}

// New makes the handler of every path of the API. The cache stays the caller's, who
// closes it when no request is under way any more.
func New(cache *symbolcache.Cache, o Options) *Handler {
	h := &Handler{
		cache: cache, limits: o.Limits.withDefaults(), deadline: orDefault(o.Deadline, DefaultDeadline),
		version: o.Version, metrics: newMetrics(o.Metrics), log: o.Log, now: o.Now,
	}
	if h.now == nil {
		h.now = time.Now
	}
	h.held.limit = h.limits.HeldBytes
	h.names = newRemembered(h.limits.RememberedBytes)
	return h
}

// version is one of the API.
type version int

const (
	v4 version = 4
	v5 version = 5
	v6 version = 6
)

var versions = map[string]version{"/symbolicate/v4": v4, "/symbolicate/v5": v5, "/symbolicate/v6": v6}

// ServeHTTP answers a request. Paths that the API does not have are 404.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	allowOrigins(w.Header())
	v, ok := versions[r.URL.Path]
	switch {
	case !ok:
		h.elsewhere(w, r)
	case r.Method == http.MethodOptions:
		preflight(w, r, http.MethodPost)
	case r.Method != http.MethodPost:
		notAllowed(w, "POST, OPTIONS")
	default:
		h.post(w, r, v)
	}
}

func (h *Handler) post(w http.ResponseWriter, r *http.Request, v version) {
	began := h.now()
	result := resultFailed
	defer func() {
		h.metrics.request(v, result, h.now().Sub(began))
		if p := recover(); p != nil {
			h.log.Error().Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("symbolication")
			panic(http.ErrAbortHandler)
		}
	}()
	result = h.answer(w, r, v)
}

// answer answers and tells how it went.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, v version) string {
	text, held, problem := h.body(w, r)
	defer h.held.drop(held)
	if problem != nil {
		problem.send(w)
		return problem.result()
	}
	q := requests.Get().(*request) //nolint:forcetypeassert // the pool holds nothing else
	defer q.free()
	if v == v6 {
		problem = q.decode6(text, &h.limits)
	} else {
		problem = q.decode5(text, v, &h.limits)
	}
	if problem != nil {
		problem.send(w)
		return problem.result()
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.deadline)
	defer cancel()
	began := h.now()
	found := h.lookUp(ctx, q)
	defer func() {
		cancel() // who has left waits for nothing
		found.release(h.metrics)
	}()
	a := newStream(r.Context(), w, h.names)
	defer a.free()
	switch v {
	case v4:
		a.answer4(q)
	case v5:
		a.answer5(q)
		if r.Header.Get("Debug") != "" {
			a.buf = append(a.buf, `,"debug":`...)
			a.buf = appendDebug(a.buf, q, found, h.now().Sub(began))
		}
		a.buf = append(a.buf, '}')
	case v6:
		a.answer6(q)
	}
	h.metrics.frames.Add(float64(len(q.frames)))
	if a.end() != nil {
		return resultAborted
	}
	return resultAnswered
}
