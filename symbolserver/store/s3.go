package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"aftershock/internal/bucket"
	"aftershock/symbolcache"
)

const (
	// s3Tries is how often minio-go sends a request that fails for a passing reason.
	s3Tries = 4
	// s3Timeout bounds a request that moves no file.
	s3Timeout = 30 * time.Second
	// partBytes is what a Put sends at a time, and holds in memory.
	partBytes = 16 << 20
	// maxPrefixBytes leaves a path its place below the 1024 bytes of an object's name.
	maxPrefixBytes = 300
)

// Metadata of an object, as minio-go names it; on the wire they begin with X-Amz-Meta-.
const (
	metaSHA256 = "Aftershock-Sha256"
	metaBy     = "Aftershock-By" // percent-encoded: a header is ASCII
	metaPrefix = "X-Amz-Meta-"
)

// s3 is a Store in a bucket: an object per file, whose Content-Encoding is its encoding.
type s3 struct{ in *bucket.Bucket }

// S3 returns the store at s3://bucket/prefix; see bucket.Open for the URL's parameters and
// the credentials. It asks the server nothing. The credentials must allow to list the
// bucket: else the server does not say that a file is missing, but that it is forbidden.
func S3(name string) (Store, error) {
	b, err := bucket.Open(name, bucket.Options{Tries: s3Tries})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadName, err)
	}
	if b.Prefix != "" && !fs.ValidPath(b.Prefix) || len(b.Prefix) > maxPrefixBytes {
		return nil, fmt.Errorf("%w: the prefix of s3://%s: want a path of at most %d bytes", ErrBadName, b.Name, maxPrefixBytes)
	}
	return s3{b}, nil
}

func (s s3) Name() string {
	return fmt.Sprintf("s3 %s %s %s", s.in.Endpoint, s.in.Name, s.in.Prefix)
}

// Check asks for the bucket.
func (s s3) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s3Timeout)
	defer cancel()
	there, err := s.in.Core.BucketExists(ctx, s.in.Name)
	switch {
	case err != nil:
		return fmt.Errorf("symbol store %s at %s: %w (are the endpoint and the credentials in the environment right?)", s.in, s.in.Endpoint, err)
	case !there:
		return fmt.Errorf("symbol store %s at %s: no such bucket: create it first", s.in, s.in.Endpoint)
	}
	return nil
}

// s3Error is what an answer means.
func s3Error(err error) error {
	res := minio.ToErrorResponse(err)
	switch {
	case res.StatusCode == http.StatusNotFound && (res.Code == minio.NoSuchKey || res.Code == "NotFound"): // and not: no such bucket
		return fmt.Errorf("%w: %w", symbolcache.ErrNotFound, err)
	case res.StatusCode == http.StatusForbidden || res.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%w: %w", symbolcache.ErrDenied, err)
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= http.StatusInternalServerError:
		return fmt.Errorf("%w: %w", symbolcache.ErrTemporary, err)
	}
	return err
}

// objectOf is what an answer says of an object.
func objectOf(path string, info *minio.ObjectInfo) Object {
	o := Object{Path: path, Bytes: info.Size, Modified: info.LastModified}
	switch encoding := info.Metadata.Get("Content-Encoding"); encoding {
	case Gzip, Zstd:
		o.Encoding = encoding
	}
	o.SHA256 = info.Metadata.Get(metaPrefix + metaSHA256)
	if by, err := url.PathUnescape(info.Metadata.Get(metaPrefix + metaBy)); err == nil {
		o.By = by
	}
	return o
}

// Stat asks for the object's head.
func (s s3) Stat(ctx context.Context, path string) (Object, error) {
	o, _, err := s.stat(ctx, path)
	return o, err
}

func (s s3) stat(ctx context.Context, path string) (Object, string, error) {
	if err := checkRead(path); err != nil {
		return Object{}, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, s3Timeout)
	defer cancel()
	info, err := s.in.Core.StatObject(ctx, s.in.Name, s.in.Key(path), minio.StatObjectOptions{})
	if err != nil {
		return Object{}, "", s3Error(err)
	}
	return objectOf(path, &info), info.ETag, nil
}

// Get asks for the object's head, and for its body when it is read (s3content.go).
func (s s3) Get(ctx context.Context, path string) (Object, Content, error) {
	o, etag, err := s.stat(ctx, path)
	if err != nil {
		return Object{}, nil, err
	}
	return o, &s3Content{ctx: ctx, s: s, path: path, bytes: o.Bytes, etag: etag, encoding: o.Encoding}, nil
}

// Open is that of a Source.
func (s s3) Open(ctx context.Context, path string) (symbolcache.Body, error) {
	if err := checkRead(path); err != nil {
		return symbolcache.Body{}, err
	}
	body, info, err := s.body(ctx, path, minio.GetObjectOptions{})
	if err != nil {
		return symbolcache.Body{}, err
	}
	return symbolcache.Body{ReadCloser: body, Bytes: info.Size, Remote: true, Encoding: info.Metadata.Get("Content-Encoding")}, nil
}

// contentType is what a browser is told: a symbol file is text, the rest is to be kept.
func contentType(path string) string {
	if strings.HasSuffix(path, ".sym") {
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// metadata is what an object carries of o.
func metadata(o Object) map[string]string {
	m := map[string]string{}
	if o.SHA256 != "" {
		m[metaSHA256] = o.SHA256
	}
	if o.By != "" {
		m[metaBy] = url.PathEscape(o.By)
	}
	return m
}

// noTransform keeps those between from decoding what is encoded.
const noTransform = "no-transform"

// Put sends the object in one request, or in parts when it is large; S3 shows the whole or
// nothing, and answers when it is durable.
func (s s3) Put(ctx context.Context, o Object, r io.Reader) error {
	if err := o.check(); err != nil {
		return err
	}
	options := minio.PutObjectOptions{
		ContentType: contentType(o.Path), ContentEncoding: o.Encoding, CacheControl: noTransform, UserMetadata: metadata(o), PartSize: partBytes,
		// The digest of the whole stands in the header: minio-go's chunks behind an empty
		// body upset servers.
		DisableContentSha256: true,
	}
	err := s.put(ctx, s.in.Key(o.Path), exactly(contextReader{ctx, r}, o.Bytes), options)
	if err != nil {
		return fmt.Errorf("put %s: %w", o.Path, s3Error(err))
	}
	return nil
}

func (s s3) put(ctx context.Context, key string, r io.Reader, options minio.PutObjectOptions) error {
	first, err := io.ReadAll(io.LimitReader(r, partBytes))
	if err != nil {
		return err
	}
	if len(first) < partBytes {
		ctx, cancel := context.WithTimeout(ctx, 2*s3Timeout)
		defer cancel()
		sum := sha256.Sum256(first)
		_, err = s.in.Core.PutObject(ctx, s.in.Name, key, bytes.NewReader(first), int64(len(first)), "", hex.EncodeToString(sum[:]), options)
		return err
	}
	_, err = s.in.Core.Client.PutObject(ctx, s.in.Name, key, io.MultiReader(bytes.NewReader(first), r), -1, options)
	return err
}

// Delete removes the object. In a bucket with versions the server keeps it as an old one.
func (s s3) Delete(ctx context.Context, path string) error {
	if err := checkPath(path); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s3Timeout)
	defer cancel()
	if err := s.in.Core.RemoveObject(ctx, s.in.Name, s.in.Key(path), minio.RemoveObjectOptions{}); err != nil {
		return fmt.Errorf("delete %s: %w", path, s3Error(err))
	}
	return nil
}

// List lists the objects.
func (s s3) List(ctx context.Context, prefix string, each func(Object) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for o := range s.in.Core.ListObjectsIter(ctx, s.in.Name, minio.ListObjectsOptions{Prefix: s.in.Key(prefix), Recursive: true}) {
		if o.Err != nil {
			return fmt.Errorf("list %s/%s: %w", s.in, prefix, o.Err)
		}
		path := strings.TrimPrefix(o.Key, s.in.Key(""))
		if checkPath(path) != nil {
			continue
		}
		if err := each(Object{Path: path, Bytes: o.Size, Modified: o.LastModified}); err != nil {
			return err
		}
	}
	return ctx.Err() // a listing that was cancelled just ends
}

// GetLink signs an address.
func (s s3) GetLink(ctx context.Context, path string, valid time.Duration) (string, error) {
	if err := checkRead(path); err != nil {
		return "", err
	}
	u, err := s.in.Core.PresignedGetObject(ctx, s.in.Name, s.in.Key(path), valid, nil)
	if err != nil {
		return "", fmt.Errorf("link to %s: %w", path, err)
	}
	return u.String(), nil
}

// PutLink signs an address together with the headers. What is put there is what its sender
// says it is, in size and content, until somebody has looked. What is to be looked at in any
// case needs no headers: others' clients send what they like.
func (s s3) PutLink(ctx context.Context, o Object, valid time.Duration) (string, map[string]string, error) {
	if err := o.check(); err != nil {
		return "", nil, err
	}
	headers := map[string]string{"Content-Type": contentType(o.Path), "Cache-Control": noTransform}
	if o.Encoding != Identity {
		headers["Content-Encoding"] = o.Encoding
	}
	for name, value := range metadata(o) {
		headers[metaPrefix+name] = value
	}
	if inIncoming(o.Path) {
		headers = map[string]string{}
	}
	signed := http.Header{}
	for name, value := range headers {
		signed.Set(name, value)
	}
	u, err := s.in.Core.PresignHeader(ctx, http.MethodPut, s.in.Name, s.in.Key(o.Path), valid, nil, signed)
	if err != nil {
		return "", nil, fmt.Errorf("link to put %s: %w", o.Path, err)
	}
	return u.String(), headers, nil
}

// Leftovers are uploads in parts that were not completed.
func (s s3) Leftovers(ctx context.Context, before time.Time, remove bool, each func(what string, bytes int64) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for u := range s.in.Core.ListIncompleteUploads(ctx, s.in.Name, s.in.Key(""), true) {
		if u.Err != nil {
			return fmt.Errorf("leftovers of %s: %w", s.in, u.Err)
		}
		if checkPath(strings.TrimPrefix(u.Key, s.in.Key(""))) != nil || !u.Initiated.Before(before) {
			continue
		}
		if remove {
			err := s.in.Core.AbortMultipartUpload(ctx, s.in.Name, u.Key, u.UploadID)
			if err = s3Error(err); err != nil && !errors.Is(err, symbolcache.ErrNotFound) {
				return fmt.Errorf("leftovers of %s: %w", s.in, err)
			}
		}
		if err := each(strings.TrimPrefix(u.Key, s.in.Key(""))+" (upload "+u.UploadID+")", u.Size); err != nil {
			return err
		}
	}
	return ctx.Err()
}
