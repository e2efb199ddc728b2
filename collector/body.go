package collector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"

	"aftershock/schema"
)

// body reads a request's body: bounded on the wire, inflated, bounded again.
// Errors of Read are refusals, or say that the client went away.
type body struct {
	ctx    context.Context
	src    io.Reader // the wire, or gzip over it
	gzip   bool
	wire   int64 // bytes read off the wire so far
	limits Limits
	read   int64                       // bytes handed out
	grow   func(context.Context) error // waits for a large report's place; nil when it has one
	free   func()                      // gives it back
}

// wire bounds and counts the bytes on the wire.
type wire struct {
	src  io.Reader
	left int64
	n    *int64
}

var errWireTooLarge = errors.New("body too large")

func (w *wire) Read(p []byte) (int, error) {
	if int64(len(p)) > w.left+1 {
		p = p[:w.left+1]
	}
	n, err := w.src.Read(p)
	*w.n += int64(n)
	if w.left -= int64(n); w.left < 0 {
		return 0, errWireTooLarge
	}
	return n, err
}

// open checks the request's head and returns its body.
func (c *Collector) open(r *http.Request) (*body, error) {
	if r.ContentLength == 0 {
		return nil, refuse(schema.RejectEmptyBody, nil)
	}
	if r.ContentLength > c.o.Limits.BodyBytes {
		return nil, refuse(schema.RejectTooLarge, fmt.Errorf("content length %d", r.ContentLength))
	}
	b := &body{ctx: r.Context(), limits: c.o.Limits, free: func() {}}
	onWire := &wire{src: r.Body, left: c.o.Limits.BodyBytes, n: &b.wire}
	b.src = onWire
	b.grow = func(ctx context.Context) error {
		if err := c.large.Acquire(ctx, 1); err != nil {
			return fmt.Errorf("wait for a large report's place: %w", err)
		}
		b.free = func() { c.large.Release(1) }
		return nil
	}
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		b.gzip = true
		z, err := gzip.NewReader(onWire)
		if errors.Is(err, io.EOF) { // not a byte
			return nil, refuse(schema.RejectEmptyBody, nil)
		}
		if err != nil {
			return nil, b.cause(err)
		}
		b.src = z
	default:
		return nil, refuse(schema.RejectBadGzip, fmt.Errorf("content encoding %q", clip(encoding, 20)))
	}
	return b, nil
}

// Read hands out inflated bytes. Passing SmallBytes it waits for a large
// report's place, so that few large reports are in memory at once.
func (b *body) Read(p []byte) (int, error) {
	if left := b.limits.InflatedBytes - b.read; int64(len(p)) > left+1 {
		p = p[:left+1]
	}
	n, err := b.src.Read(p)
	b.read += int64(n)
	if b.read > b.limits.InflatedBytes {
		return 0, refuse(schema.RejectTooLarge, nil)
	}
	if b.read > b.limits.SmallBytes && b.grow != nil {
		grow := b.grow
		b.grow = nil
		if gerr := grow(b.ctx); gerr != nil {
			return 0, gerr
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.cause(err)
	}
	return n, err
}

// cause says who is to blame for a failed read.
func (b *body) cause(err error) error {
	var no *refusal
	switch {
	case errors.As(err, &no):
		return err
	case errors.Is(err, errWireTooLarge):
		return refuse(schema.RejectTooLarge, err)
	case b.ctx.Err() != nil:
		return fmt.Errorf("client went away: %w", b.ctx.Err())
	case b.gzip && !errors.Is(err, io.ErrUnexpectedEOF):
		return refuse(schema.RejectBadGzip, err)
	}
	return refuse(schema.RejectTruncated, err)
}

// drain reads to the end, so that gzip's checksum is looked at and a cut body is noticed.
func (b *body) drain() error {
	_, err := io.Copy(io.Discard, b)
	return err
}

func (b *body) close() { b.free() }
