package symbolserver

import (
	"net/http"
	"strconv"
	"time"
)

// sendTime is how long a client may take to read what is sent to it at a time; how long
// the whole takes is its own matter.
const sendTime = time.Minute

// answer writes to a client: in pieces that each have their time, counted, and with the time that it
// took to find it when the client wants to know.
type answer struct {
	http.ResponseWriter
	control *http.ResponseController
	metrics *Metrics
	began   time.Time // zero when the client does not want to know
	ignored bool      // no time was spent
	told    bool
	flushes bool // what is written is sent at once: more may be long in coming
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) *answer {
	a := &answer{ResponseWriter: w, control: http.NewResponseController(w), metrics: s.o.Metrics}
	switch r.Header.Get("Debug") {
	case "true", "True", "1":
		a.began = time.Now()
	}
	w.Header().Set("Access-Control-Allow-Origin", "*") // downloads are for everybody
	w.Header().Set("X-Content-Type-Options", "nosniff")
	return a
}

// WriteHeader adds how long it took.
func (a *answer) WriteHeader(status int) {
	if !a.told {
		a.told = true
		a.metrics.answered(status)
		switch {
		case a.began.IsZero():
		case a.ignored:
			a.Header().Set("Debug-Time", "0")
		default:
			a.Header().Set("Debug-Time", strconv.FormatFloat(time.Since(a.began).Seconds(), 'f', 6, 64))
		}
	}
	a.giveTime()
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) giveTime() {
	a.control.SetWriteDeadline(time.Now().Add(sendTime)) //nolint:errcheck,gosec // what has none is a test's
}

// Write gives the client its time anew.
func (a *answer) Write(p []byte) (int, error) {
	if !a.told {
		a.WriteHeader(http.StatusOK)
	}
	a.giveTime()
	n, err := a.ResponseWriter.Write(p)
	a.metrics.sent(n)
	if a.flushes && err == nil {
		err = a.control.Flush()
	}
	return n, err
}

// notFound is as Mozilla's server says it.
func (a *answer) notFound() { a.text(http.StatusNotFound, "Symbol Not Found") }

func (a *answer) text(status int, text string) {
	a.Header().Set("Content-Type", "text/plain; charset=utf-8")
	a.WriteHeader(status)
	a.Write([]byte(text)) //nolint:errcheck,gosec // the client left
}

// abort ends the connection: what was sent is not whole. The client would take an answer
// that just ends for one.
func abort() { panic(http.ErrAbortHandler) }
