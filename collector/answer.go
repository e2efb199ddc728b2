package collector

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"aftershock/schema"
)

// answer is what a client is told of a report that is refused.
func (r *refusal) answer() (status int, text string) {
	switch r.reason {
	case schema.RejectTooLarge:
		status = http.StatusRequestEntityTooLarge
	case schema.RejectTooSlow:
		status = http.StatusRequestTimeout
	case schema.RejectIDToken:
		return http.StatusUnauthorized, "Discarded=" + r.reason
	default:
		status = http.StatusBadRequest
	}
	return status, "Discarded=malformed_" + r.reason
}

// retryAfter is the number of seconds after which a client may try again.
const retryAfter = 10

// answer is what a client is told. There is one for every end of a report.
type answer struct {
	status int
	text   string
	again  bool // the client may send it again
	unread bool // the body has not arrived whole
}

// send writes the answer. A client that is still sending would lose it if the
// connection were just closed: what it sends is read and thrown away for a while,
// and the connection then ends in order.
func (a answer) send(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(a.text)))
	if a.again {
		h.Set("Retry-After", strconv.Itoa(retryAfter))
	}
	control := http.NewResponseController(w)
	if err := control.SetWriteDeadline(time.Now().Add(answerTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	waits := r.Header.Get("Expect") != "" // it sends nothing before it is asked to
	linger := a.unread && !waits && r.Body != nil && r.Body != http.NoBody
	if a.unread {
		h.Set("Connection", "close")
	}
	if linger && control.EnableFullDuplex() != nil {
		linger = false // a server that cannot looks after the rest itself
	}
	w.WriteHeader(a.status)
	_, err := io.WriteString(w, a.text)
	if !linger {
		return err
	}
	err = errors.Join(err, control.Flush(), control.SetReadDeadline(time.Now().Add(lingerTime)))
	if err == nil {
		io.CopyN(io.Discard, r.Body, lingerBytes) //nolint:errcheck,gosec // nobody needs it
	}
	return err
}
