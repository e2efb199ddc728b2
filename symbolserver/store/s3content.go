package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/minio/minio-go/v7"
)

// s3Content reads an object that was looked at before. A request is sent when something is
// read, from where it is read on, and fails when the object is another by then.
type s3Content struct {
	ctx   context.Context //nolint:containedctx // io.ReadSeeker has none
	s     s3
	path  string
	bytes int64

	etag, encoding string

	at   int64 // where the next Read begins
	body io.ReadCloser
	from int64 // where body is
}

func (c *s3Content) Read(p []byte) (int, error) {
	if c.at >= c.bytes {
		return 0, io.EOF
	}
	if c.body != nil && c.from != c.at {
		c.body.Close() //nolint:errcheck,gosec // what is left of it is not wanted
		c.body = nil
	}
	if c.body == nil {
		if err := c.open(); err != nil {
			return 0, err
		}
	}
	n, err := c.body.Read(p)
	c.at += int64(n)
	c.from = c.at
	if errors.Is(err, io.EOF) && c.at < c.bytes {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (c *s3Content) open() error {
	var o minio.GetObjectOptions
	if err := o.SetMatchETag(c.etag); err != nil {
		return err
	}
	if c.at > 0 {
		if err := o.SetRange(c.at, 0); err != nil {
			return err
		}
	}
	body, info, err := c.s.body(c.ctx, c.path, o)
	if err != nil {
		return fmt.Errorf("read %s: %w", c.path, err)
	}
	if info.ETag != c.etag || objectOf(c.path, &info).Encoding != c.encoding { // not every server looks at If-Match
		return errors.Join(fmt.Errorf("read %s: it is another file by now", c.path), body.Close())
	}
	c.body, c.from = body, c.at
	return nil
}

var errSeek = errors.New("seek: before the start")

func (c *s3Content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.at
	case io.SeekEnd:
		offset += c.bytes
	}
	if offset < 0 {
		return 0, errSeek
	}
	c.at = offset
	return offset, nil
}

func (c *s3Content) Close() error {
	if c.body == nil {
		return nil
	}
	return c.body.Close()
}

// s3Stall ends the reading of an object of which nothing arrives any more.
const s3Stall = 30 * time.Second

// body asks for an object.
func (s s3) body(ctx context.Context, path string, o minio.GetObjectOptions) (io.ReadCloser, minio.ObjectInfo, error) {
	ctx, cancel := context.WithCancel(ctx)
	r, info, _, err := s.in.Core.GetObject(ctx, s.in.Name, s.in.Key(path), o)
	if err != nil {
		cancel()
		return nil, info, s3Error(err)
	}
	return &s3Body{r, cancel}, info, nil
}

type s3Body struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *s3Body) Read(p []byte) (int, error) {
	stall := time.AfterFunc(s3Stall, b.cancel)
	defer stall.Stop()
	return b.ReadCloser.Read(p)
}

func (b *s3Body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
