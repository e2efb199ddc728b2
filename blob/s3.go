package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"aftershock/internal/bucket"
)

// s3Tries is how often minio-go sends a request: again when the network fails,
// and after the answers 408, 429, 5xx and their codes (SlowDown, InternalError
// …), after random pauses of at most 0.2, 0.4 … 1 s. Callers try again later.
const s3Tries = 4

// s3Timeout bounds a Put, a Get and a Check with all tries: a server that
// answers no more must not hold a processor for ever. The largest dump that the
// door lets in by default needs 1 MB/s.
const s3Timeout = 2 * time.Minute

// maxPrefixBytes leaves a key its place below the 1024 bytes of an object's name.
const maxPrefixBytes = 512

// S3 is a Backend in a bucket: one object per blob, named prefix/key. The
// credentials must allow to list the bucket: else the server does not say that an
// object is missing, but that it is forbidden.
type S3 struct {
	in *bucket.Bucket
}

// NewS3 returns the store at s3://bucket/prefix; see bucket.Open for the URL's
// parameters and the credentials. It asks the server nothing.
func NewS3(name string) (*S3, error) {
	b, err := bucket.Open(name, bucket.Options{Tries: s3Tries})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadName, err)
	}
	if b.Prefix != "" && !fs.ValidPath(b.Prefix) || len(b.Prefix) > maxPrefixBytes {
		return nil, fmt.Errorf("%w: the prefix of s3://%s: want a path of at most %d bytes", ErrBadName, b.Name, maxPrefixBytes)
	}
	return &S3{b}, nil
}

// Check asks for the bucket.
func (s *S3) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s3Timeout)
	defer cancel()
	there, err := s.in.Core.BucketExists(ctx, s.in.Name)
	switch {
	case err != nil:
		return fmt.Errorf("blob store %s at %s: %w (are the endpoint and the credentials in the environment right?)", s.in, s.in.Endpoint, err)
	case !there:
		return fmt.Errorf("blob store %s at %s: no such bucket: create it first", s.in, s.in.Endpoint)
	}
	return nil
}

// object is the name of a blob's object.
func (s *S3) object(key string) (string, error) {
	if _, err := Day(key); err != nil {
		return "", err
	}
	return s.in.Key(key), nil
}

// Put sends the object in one request that does nothing when the object is there:
// S3 stores the whole or nothing, and answers when it is durable. The server
// compares the body with its digest.
func (s *S3) Put(ctx context.Context, key string, data []byte) error {
	object, err := s.object(key)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s3Timeout)
	defer cancel()
	// The digest stands in the header and not in chunks of the body: an empty
	// body has none, and minio-go would send one, which upsets servers.
	o := minio.PutObjectOptions{DisableContentSha256: true, ContentType: "application/octet-stream"}
	o.SetMatchETagExcept("*")
	sum := sha256.Sum256(data)
	_, err = s.in.Core.PutObject(ctx, s.in.Name, object, bytes.NewReader(data), int64(len(data)), "", hex.EncodeToString(sum[:]), o)
	switch minio.ToErrorResponse(err).StatusCode {
	// There already: the key names the content. Or another writes it just now.
	case http.StatusPreconditionFailed, http.StatusConflict:
		err = s.stored(ctx, object, int64(len(data)), err)
	}
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	return nil
}

// stored tells whether an object of that size is there; refused is why it was
// not put.
func (s *S3) stored(ctx context.Context, object string, size int64, refused error) error {
	info, err := s.in.Core.StatObject(ctx, s.in.Name, object, minio.StatObjectOptions{})
	switch {
	case err != nil:
		return errors.Join(refused, err)
	case info.Size != size:
		return fmt.Errorf("stored before with %d bytes, not %d: the object is damaged, or not ours", info.Size, size)
	}
	return nil
}

// Get reads the object.
func (s *S3) Get(ctx context.Context, key string, maxBytes int64) ([]byte, error) {
	object, err := s.object(key)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s3Timeout)
	defer cancel()
	body, _, _, err := s.in.Core.GetObject(ctx, s.in.Name, object, minio.GetObjectOptions{})
	if err != nil {
		// No such bucket is no missing blob.
		if minio.ToErrorResponse(err).Code == minio.NoSuchKey {
			err = ErrNotFound
		}
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	defer body.Close() //nolint:errcheck // read only: nothing is lost
	data, err := readBounded(body, maxBytes)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	return data, nil
}

// Days lists the folders.
func (s *S3) Days(ctx context.Context) ([]time.Time, error) {
	return days(func(folder string) (names []string, err error) {
		err = s.each(ctx, folder, false, func(_ minio.ObjectInfo, path string) error {
			if sub, ok := strings.CutSuffix(path, "/"); ok {
				_, name := split(sub)
				names = append(names, name)
			}
			return nil
		})
		slices.Sort(names)
		return names, err
	})
}

// List lists the objects of the day. A Put that was killed leaves none.
func (s *S3) List(ctx context.Context, day time.Time, each func(Entry) error) error {
	return s.each(ctx, dayFolder(day), true, func(o minio.ObjectInfo, path string) error {
		if _, err := Day(path); err != nil {
			return nil //nolint:nilerr // not ours
		}
		return each(Entry{Path: path, Bytes: o.Size})
	})
}

// each calls f for what a folder holds, with its path below the prefix.
func (s *S3) each(ctx context.Context, folder string, recursive bool, f func(o minio.ObjectInfo, path string) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for o := range s.in.Core.ListObjectsIter(ctx, s.in.Name, minio.ListObjectsOptions{Prefix: s.in.Key(folder) + "/", Recursive: recursive}) {
		if o.Err != nil {
			return fmt.Errorf("list %s/%s: %w", s.in, folder, o.Err)
		}
		if err := f(o, strings.TrimPrefix(o.Key, s.in.Key(""))); err != nil {
			return err
		}
	}
	return ctx.Err() // a listing that was cancelled just ends
}

// Delete removes the object. In a bucket with versions the server keeps it as an
// old one, for as long as the bucket's own rules say.
func (s *S3) Delete(ctx context.Context, e Entry) error {
	object, err := s.object(e.Path)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s3Timeout)
	defer cancel()
	if err := s.in.Core.RemoveObject(ctx, s.in.Name, object, minio.RemoveObjectOptions{}); err != nil {
		return fmt.Errorf("delete %s: %w", e.Path, err)
	}
	return nil
}
