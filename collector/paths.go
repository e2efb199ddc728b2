package collector

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Paths of the door. The names of the last three are those that load balancers and
// operators of the reference ask.
const (
	pathSubmit    = "/submit"
	pathPing      = "/ping"
	pathAlive     = "/__lbheartbeat__"
	pathHeartbeat = "/__heartbeat__"
	pathVersion   = "/__version__"
)

// ServeHTTP answers what the door is asked. Slashes that are too many are overlooked:
// clients are set up with //submit and /submit/, and no client follows a redirect with its
// report.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.fromPage(w, r) {
		return
	}
	switch path := tidy(r.URL.Path); {
	case path == pathSubmit:
		by(w, r, func() { c.submit(w, r, formReport) }, http.MethodPost)
	case path == pathPing:
		by(w, r, func() { c.submit(w, r, formPing) }, http.MethodPost)
	case c.o.Sentry && isSentry(path):
		by(w, r, func() { c.submit(w, r, formSentry) }, http.MethodPost)
	case path == pathAlive:
		by(w, r, func() { writeJSON(w, r, http.StatusOK, []byte(`{}`)) }, http.MethodGet, http.MethodHead)
	case path == pathHeartbeat:
		by(w, r, func() { c.heartbeat(w, r) }, http.MethodGet, http.MethodHead)
	case path == pathVersion:
		by(w, r, func() { writeJSON(w, r, http.StatusOK, c.o.Release) }, http.MethodGet, http.MethodHead)
	default:
		title(w, r, http.StatusNotFound)
	}
}

// by lets do answer the methods, and tells of the others.
func by(w http.ResponseWriter, r *http.Request, do func(), methods ...string) {
	if slices.Contains(methods, r.Method) {
		do()
		return
	}
	if r.Method == http.MethodOptions {
		w.Header().Set("Allow", strings.Join(methods, ", "))
		writeJSON(w, r, http.StatusOK, nil)
		return
	}
	w.Header().Set("Allow", strings.Join(append(methods, http.MethodOptions), ", "))
	title(w, r, http.StatusMethodNotAllowed)
}

// tidy is a path with single slashes and none behind.
func tidy(path string) string {
	return "/" + strings.Join(strings.FieldsFunc(path, func(c rune) bool { return c == '/' }), "/")
}

// title answers with what a status means.
func title(w http.ResponseWriter, r *http.Request, status int) {
	writeJSON(w, r, status, []byte(`{"title": "`+strconv.Itoa(status)+" "+http.StatusText(status)+`"}`))
}

func writeJSON(w http.ResponseWriter, r *http.Request, status int, text []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(text) //nolint:errcheck,gosec // the client left
	}
}
