package collector

import (
	"context"
	"errors"
	"fmt"
	"io"

	"aftershock/schema"
)

// body is a report's body that has arrived: inflated and bounded again. Errors of
// Read are refusals, or say that the door is full.
type body struct {
	ctx   context.Context
	src   io.Reader // what was held, or what it inflates to
	flate *inflater // nil when the body is not compressed
	read  int64     // bytes handed out
	limit int64
	small int64
	place *place
	large bool // it has a large report's place
}

// open begins to read a body that has arrived.
func (c *Collector) open(ctx context.Context, h *held, by encoding, p *place) (*body, error) {
	b := &body{ctx: ctx, limit: c.o.Limits.InflatedBytes, small: c.o.Limits.SmallBytes, place: p, src: h.reader()}
	if err := b.settle(h.size); err != nil {
		return nil, err
	}
	if by == encodingNone {
		return b, nil
	}
	var err error
	if b.flate, err = newInflater(b.src, by); err != nil {
		return nil, b.blame(err)
	}
	b.src = b.flate
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
	if b.flate == nil {
		return fmt.Errorf("read the body again: %w", err) // the disk
	}
	return b.blame(err)
}

// blame blames what was to be inflated.
func (b *body) blame(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return refuse(schema.RejectTruncated, err)
	}
	return refuse(schema.RejectBadGzip, err)
}

// drain reads to the end, so that checksums are looked at and a cut body is noticed.
func (b *body) drain() error {
	_, err := io.Copy(io.Discard, b)
	return err
}

// extra tells whether something stood behind the compressed body that is none.
func (b *body) extra() bool { return b.flate != nil && b.flate.extra }

func (b *body) close() {
	if b.flate != nil {
		b.flate.close()
	}
}

// wholeBody copies a body that has no parts.
type wholeBody struct{ *body }

// WriteTo copies it.
func (b wholeBody) WriteTo(w io.Writer) (int64, error) {
	n, err := io.Copy(w, struct{ io.Reader }{b.body})
	return n, err
}
