package store

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/minio/minio-go/v7"
)

// s3Content reads an object that was looked at before. A request is sent when something is
// read, from where it is read on, and fails when the object is another by then.
type s3Content struct {
	ctx   context.Context //nolint:containedctx // io.ReadSeeker has none
	s     s3
	path  string
	etag  string
	bytes int64

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
	body, _, _, err := c.s.in.Core.GetObject(c.ctx, c.s.in.Name, c.s.in.Key(c.path), o)
	if err != nil {
		return fmt.Errorf("read %s: %w", c.path, s3Error(err))
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
