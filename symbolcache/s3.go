package symbolcache

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/minio/minio-go/v7"

	"aftershock/internal/bucket"
)

// NewS3 is the source of objects at s3://bucket/prefix/<path>; bucket.Open tells
// the URL's parameters and where credentials come from.
func NewS3(name string) (Source, error) {
	at := &targets{}
	b, err := bucket.Open(name, bucket.Options{Transport: newTransport(at), Tries: 1}) // load tries again
	if err != nil {
		return nil, fmt.Errorf("symbol source: %w", err)
	}
	endpoint, err := url.Parse(b.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("symbol source %s: %w", b, err)
	}
	at.name(endpoint)
	return &s3Source{b}, nil
}

type s3Source struct {
	*bucket.Bucket
}

func (s *s3Source) Name() string {
	return fmt.Sprintf("s3 %s %s %s", s.Endpoint, s.Bucket.Name, s.Prefix)
}

func (s *s3Source) Open(ctx context.Context, path string) (Body, error) {
	ctx, body := newDownload(ctx)
	object, info, _, err := s.Core.GetObject(ctx, s.Bucket.Name, s.Key(path), minio.GetObjectOptions{})
	if err != nil {
		body.Close() //nolint:errcheck,gosec // ends the context
		return Body{}, s3Error(err)
	}
	body.src = object
	return Body{ReadCloser: body, Bytes: info.Size, Remote: true, Encoding: info.Metadata.Get("Content-Encoding")}, nil
}

func s3Error(err error) error {
	res := minio.ToErrorResponse(err)
	switch {
	case res.StatusCode == 0:
		return transportError(err)
	case res.StatusCode == http.StatusNotFound && res.Code != minio.NoSuchKey && res.Code != "NotFound":
		return fmt.Errorf("symbol source: %w", err) // no such bucket is no missing file
	}
	return fmt.Errorf("%w: %s", statusError(res.StatusCode), res.Code)
}
