package symbolicate

import (
	"net/http"
	"strconv"
)

const contentType = "application/json"

// problem is what a client is told in place of an answer. Titles never repeat what
// the client sent.
type problem struct {
	status int
	title  string
}

func badRequest(title string) *problem { return &problem{http.StatusBadRequest, title} }

func (p *problem) result() string {
	if p.status == http.StatusServiceUnavailable {
		return resultBusy
	}
	return resultRefused
}

func (p *problem) send(w http.ResponseWriter) {
	if p.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	b := append([]byte(`{"title": `), appendString(nil, p.title)...)
	send(w, p.status, contentType, append(b, '}'))
}

func send(w http.ResponseWriter, status int, kind string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) //nolint:errcheck,gosec // a client that has left cannot be told
}

// exposed are the headers that scripts of other origins may read.
const exposed = "accept, accept-encoding, authorization, content-type, dnt, origin, user-agent, x-csrftoken, x-requested-with"

// allowOrigins lets scripts of every origin read the answer.
func allowOrigins(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", exposed)
}

// preflight answers OPTIONS, which a browser sends before a request of another origin.
func preflight(w http.ResponseWriter, r *http.Request, methods string) {
	h := w.Header()
	h.Set("Allow", methods)
	if r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != "" {
		h.Set("Access-Control-Allow-Methods", methods)
		asked := r.Header.Get("Access-Control-Request-Headers")
		if asked == "" {
			asked = "*"
		}
		h.Set("Access-Control-Allow-Headers", asked)
		h.Set("Access-Control-Max-Age", "86400")
	}
	send(w, http.StatusOK, contentType, nil)
}

func notAllowed(w http.ResponseWriter, methods string) {
	w.Header().Set("Allow", methods)
	(&problem{http.StatusMethodNotAllowed, "405 Method Not Allowed"}).send(w)
}

// elsewhere answers the paths that load balancers ask, and those that are not there.
func (h *Handler) elsewhere(w http.ResponseWriter, r *http.Request) {
	const utf8 = contentType + "; charset=utf-8"
	kind, body := utf8, []byte(nil)
	switch r.URL.Path {
	case "/__heartbeat__", "/__lbheartbeat__":
	case "/__version__":
		kind = contentType
		body = append(append([]byte(`{"version": `), appendString(nil, h.version)...), '}')
	default:
		(&problem{http.StatusNotFound, "404 Not Found"}).send(w)
		return
	}
	switch r.Method {
	case http.MethodGet:
		send(w, http.StatusOK, kind, body)
	case http.MethodOptions:
		preflight(w, r, http.MethodGet)
	default:
		notAllowed(w, "GET, OPTIONS")
	}
}
