package symbolicate

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

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
	err     error
	at      breakpad.Locations
	quoted  [][]byte // of a job's modules, what answers say of each; in names
	names   []byte
}

var streams = sync.Pool{New: func() any { return new(stream) }}

func newStream(client context.Context, w http.ResponseWriter) *stream {
	s := streams.Get().(*stream) //nolint:forcetypeassert // the pool holds nothing else
	s.w, s.control, s.client = w, http.NewResponseController(w), client
	return s
}

func (s *stream) free() {
	if cap(s.buf) > keptBytes { // then names were long, too
		return
	}
	clear(s.quoted[:cap(s.quoted)])
	s.at.Reset()
	*s = stream{buf: s.buf[:0], at: s.at, quoted: s.quoted[:0], names: s.names[:0]}
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
	s.begin()
	if _, s.err = s.w.Write(s.buf); s.err == nil {
		s.control.Flush() //nolint:errcheck,gosec // the next write fails as well
	}
	s.buf = s.buf[:0]
}

func (s *stream) begin() {
	s.control.SetWriteDeadline(time.Now().Add(writeTime)) //nolint:errcheck,gosec // a server that has none looks after that itself
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
	s.begin()
	_, s.err = s.w.Write(s.buf)
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

const hexDigits = "0123456789abcdef"

// plain are the bytes that stand for themselves in a JSON string.
var plain = func() (t [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// appendString appends a JSON string. What is no UTF-8 becomes U+FFFD.
func appendString[T ~string | ~[]byte](b []byte, text T) []byte {
	return append(appendEscaped(append(b, '"'), text), '"')
}

// appendEscaped appends what stands between the quotes.
func appendEscaped[T ~string | ~[]byte](b []byte, text T) []byte {
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		if plain[c] {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := decodeRune(text[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			b = append(append(b, text[from:i]...), "\ufffd"...)
		} else {
			b = append(b, text[from:i]...)
			if c == '"' || c == '\\' {
				b = append(b, '\\', c)
			} else {
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
		}
		i++
		from = i
	}
	return append(b, text[from:]...)
}

func decodeRune[T ~string | ~[]byte](text T) (rune, int) {
	var head [utf8.UTFMax]byte
	return utf8.DecodeRune(head[:copy(head[:], text)])
}

// appendHex appends 0x and the digits.
func appendHex(b []byte, v uint64) []byte {
	return strconv.AppendUint(append(b, "0x"...), v, 16)
}

// appendOffset appends a frame's offset, as a JSON string's content.
func appendOffset(b []byte, f frame) []byte {
	if f.below {
		return append(b, "-0x1"...)
	}
	return appendHex(b, f.offset)
}
