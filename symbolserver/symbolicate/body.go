package symbolicate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

var errNoRoom = errors.New("no room")

// held bounds the bytes of bodies that are in memory.
type held struct{ bytes, limit int64 }

func (h *held) take(n int64) bool {
	if atomic.AddInt64(&h.bytes, n) > h.limit {
		atomic.AddInt64(&h.bytes, -n)
		return false
	}
	return true
}

func (h *held) drop(n int64) { atomic.AddInt64(&h.bytes, -n) }

// arriving reads a body and counts what it holds, before it holds it.
type arriving struct {
	r     io.Reader
	held  *held
	taken int64
	limit int64
}

func (a *arriving) Read(p []byte) (int, error) {
	if left := a.limit - a.taken; int64(len(p)) > left+1 {
		p = p[:left+1]
	}
	n, err := a.r.Read(p)
	if !a.held.take(int64(n)) {
		return 0, errNoRoom
	}
	if a.taken += int64(n); a.taken > a.limit {
		return 0, &http.MaxBytesError{Limit: a.limit}
	}
	return n, err
}

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// body reads a request's body. It answers how many bytes it holds of Handler.held,
// also with a problem.
func (h *Handler) body(w http.ResponseWriter, r *http.Request) (text string, taken int64, p *problem) {
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Now().Add(bodyTime)) //nolint:errcheck,gosec // a server that has none looks after that itself
	from, closed, p := inflated(http.MaxBytesReader(w, r.Body, h.limits.BodyBytes), r.Header.Get("Content-Encoding"))
	if p != nil {
		return "", 0, p
	}
	defer closed()
	b := bodies.Get().(*bytes.Buffer) //nolint:forcetypeassert // the pool holds nothing else
	defer func() {
		if b.Reset(); b.Cap() <= keptBytes {
			bodies.Put(b)
		}
	}()
	in := &arriving{r: from, held: &h.held, limit: h.limits.BodyBytes}
	if _, err := b.ReadFrom(in); err != nil {
		return "", in.taken, h.blame(err)
	}
	control.SetReadDeadline(time.Time{}) //nolint:errcheck,gosec // as above
	return b.String(), in.taken, nil
}

// blame says why a body could not be read.
func (h *Handler) blame(err error) *problem {
	var large *http.MaxBytesError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &large):
		return &problem{http.StatusRequestEntityTooLarge, fmt.Sprintf("please limit the body of a single request to <= %d bytes", h.limits.BodyBytes)}
	case errors.Is(err, errNoRoom):
		return &problem{http.StatusServiceUnavailable, "too many large requests at a time, please try again"}
	case errors.As(err, &timeout) && timeout.Timeout():
		return &problem{http.StatusRequestTimeout, "the body did not arrive in time"}
	}
	return badRequest("the body cannot be read")
}

// inflated reads a body in the encoding that the header names.
func inflated(body io.Reader, encoding string) (r io.Reader, closed func(), p *problem) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return body, func() {}, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, nil, badRequest("the body is not gzip")
		}
		return z, func() { z.Close() }, nil //nolint:errcheck,gosec // it has been read
	case "zstd":
		z, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return nil, nil, badRequest("the body is not zstd")
		}
		return z, z.Close, nil
	}
	return nil, nil, &problem{http.StatusUnsupportedMediaType, "Content-Encoding is none of gzip and zstd"}
}
