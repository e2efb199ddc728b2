package symbolicate

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"aftershock/breakpad"
)

// stream writes an answer. A short one is sent whole; from streamBytes on it is sent
// in parts, and nothing is kept of it.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	client  context.Context //nolint:containedctx // of the request that is answered
	buf     []byte
	started bool
	sent    int64         // bytes that have left
	spent   time.Duration // on sending them
	err     error
	at      breakpad.Locations
	known   *remembered
	quoted  [][]byte // of a job's modules, what answers say of each; in escaped
	escaped []byte
}

var streams = sync.Pool{New: func() any { return new(stream) }}

func newStream(client context.Context, w http.ResponseWriter, known *remembered) *stream {
	s := streams.Get().(*stream) //nolint:forcetypeassert // the pool holds nothing else
	s.w, s.control, s.client, s.known = w, http.NewResponseController(w), client, known
	return s
}

func (s *stream) free() {
	if cap(s.buf) > keptBytes { // then names were long, too
		return
	}
	clear(s.quoted[:cap(s.quoted)])
	s.at.Reset()
	*s = stream{buf: s.buf[:0], at: s.at, quoted: s.quoted[:0], escaped: s.escaped[:0]}
	streams.Put(s)
}

// full sends what is there if it is much. It tells whether to go on: not when the
// client has left.
func (s *stream) full() bool {
	if len(s.buf) >= streamBytes {
		s.flush()
	}
	return s.err == nil
}

// flush sends what is there.
func (s *stream) flush() {
	if s.err = s.client.Err(); s.err != nil {
		return
	}
	if s.send(); s.err == nil {
		s.control.Flush() //nolint:errcheck,gosec // the next write fails as well
	}
	s.buf = s.buf[:0]
}

// send sends what is there. A client that takes less than leastRate for long gets no more: its
// body holds room that others wait for.
func (s *stream) send() {
	s.begin()
	began := time.Now()
	_, s.err = s.w.Write(s.buf)
	s.spent += time.Since(began)
	s.sent += int64(len(s.buf))
}

func (s *stream) begin() {
	left := writeTime + time.Duration(s.sent/leastRate)*time.Second - s.spent
	s.control.SetWriteDeadline(time.Now().Add(left)) //nolint:errcheck,gosec // a server that has none looks after that itself
	if !s.started {
		s.started = true
		s.w.Header().Set("Content-Type", contentType)
		s.w.WriteHeader(http.StatusOK)
	}
}

// end sends the rest.
func (s *stream) end() error {
	if s.err == nil {
		s.err = s.client.Err()
	}
	if s.err != nil {
		return s.err
	}
	if !s.started {
		s.w.Header().Set("Content-Length", strconv.Itoa(len(s.buf)))
	}
	s.send()
	return s.err
}

// await waits for the symbols of a job's modules. What is finished is sent before.
func (s *stream) await(modules []module, finished bool) {
	for i := range modules {
		if l := modules[i].lookup; !l.ready() {
			if finished {
				s.flush()
				finished = false
			}
			l.wait()
		}
	}
}
