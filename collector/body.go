package collector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"

	"aftershock/schema"
)

// body is a report's body that has arrived: inflated and bounded again. Errors of
// Read are refusals, or say that the door is full.
type body struct {
	ctx   context.Context
	src   io.Reader // what was held, or gzip over it
	gzip  *gzip.Reader
	read  int64 // bytes handed out
	limit int64
	small int64
	place *place
	large bool // it has a large report's place
}

// encoded tells whether the body is compressed, by the request's head.
func encoded(r *http.Request) (bool, error) {
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		return false, nil
	case "gzip", "x-gzip":
		return true, nil
	default:
		return false, refuse(schema.RejectBadGzip, fmt.Errorf("content encoding %q", clip(encoding, 20)))
	}
}

// inflaters are large, and cheap to use again.
var inflaters = sync.Pool{New: func() any { return new(gzip.Reader) }}

// open begins to read a body that has arrived.
func (c *Collector) open(ctx context.Context, h *held, zipped bool, p *place) (*body, error) {
	b := &body{ctx: ctx, limit: c.o.Limits.InflatedBytes, small: c.o.Limits.SmallBytes, place: p, src: h.reader()}
	if err := b.settle(h.size); err != nil {
		return nil, err
	}
	if !zipped {
		return b, nil
	}
	b.gzip = inflaters.Get().(*gzip.Reader)
	if err := b.gzip.Reset(b.src); err != nil {
		b.close()
		return nil, b.cause(err)
	}
	b.src = b.gzip
	return b, nil
}

// settle takes the place that a body of that size needs, if it has it not.
func (b *body) settle(size int64) error {
	switch {
	case size > b.small && !b.large:
		b.large = true
		return b.place.large(b.ctx)
	case b.place.held == nil:
		return b.place.small(b.ctx)
	}
	return nil
}

// Read hands out inflated bytes.
func (b *body) Read(p []byte) (int, error) {
	if left := b.limit - b.read; int64(len(p)) > left+1 {
		p = p[:left+1]
	}
	n, err := b.src.Read(p)
	if b.read += int64(n); b.read > b.limit {
		return 0, refuse(schema.RejectTooLarge, nil)
	}
	if err := b.settle(b.read); err != nil {
		return 0, err
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.cause(err)
	}
	return n, err
}

// cause says who is to blame for a failed read.
func (b *body) cause(err error) error {
	switch {
	case b.gzip == nil:
		return fmt.Errorf("read the body again: %w", err) // the disk
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return refuse(schema.RejectTruncated, err)
	}
	return refuse(schema.RejectBadGzip, err)
}

// drain reads to the end, so that gzip's checksum is looked at and a cut body is noticed.
func (b *body) drain() error {
	_, err := io.Copy(io.Discard, b)
	return err
}

func (b *body) close() {
	if b.gzip != nil {
		inflaters.Put(b.gzip)
	}
}
