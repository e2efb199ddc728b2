// Package blob is the claim-check store: what does not fit an event lies here
// under a key, and the event carries the key and the SHA-256.
//
// Blobs are written before the event that names them, and never changed. A key
// is made of a crash id and a digest (key.go), so that two writers of one key
// write the same bytes. Open opens a directory (dir.go) or a bucket (s3.go).
// What no event names any more, because all of them have expired, Collect
// removes (collect.go).
package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Errors of stores.
var (
	// ErrNotFound: no blob has that key.
	ErrNotFound = errors.New("blob not found")
	// ErrTooLarge: the blob is larger than the reader allows.
	ErrTooLarge = errors.New("blob too large")
	// ErrBadKey: the key is not one that Key makes.
	ErrBadKey = errors.New("bad blob key")
	// ErrBadName: Open was given what names no store.
	ErrBadName = errors.New("not a blob store")
)

// Store keeps blobs. Implementations are safe for concurrent use.
type Store interface {
	// Put stores data under key and returns when it would survive a crash of
	// the machine. Storing a key again is no error and changes nothing.
	Put(ctx context.Context, key string, data []byte) error
	// Get returns the blob; errors wrap ErrNotFound and ErrTooLarge. The
	// caller owns the result.
	Get(ctx context.Context, key string, maxBytes int64) ([]byte, error)
}

// Backend is a Store as those see it who run it.
type Backend interface {
	Store
	// Check tells whether the store is there and lets us in. It writes nothing.
	Check(ctx context.Context) error
	// Days are those of which something is stored, oldest first, as midnights
	// in UTC.
	Days(ctx context.Context) ([]time.Time, error)
	// List calls each for everything stored of a day, in no particular order,
	// until it fails; each may delete. What is not ours is left out.
	List(ctx context.Context, day time.Time, each func(Entry) error) error
	// Delete removes an entry. One that is gone is no error.
	Delete(ctx context.Context, e Entry) error
}

// Entry is something stored: a blob, or what a Put that was killed left, which no
// event can name.
type Entry struct {
	Path  string // a blob's key
	Bytes int64
}

// Open opens the store that a flag names: a directory, which is made when it does
// not exist, or s3://bucket/prefix (see bucket.Open for its parameters and where
// credentials come from). It asks no server: Check does.
func Open(name string) (Backend, error) {
	scheme, _, remote := strings.Cut(name, "://")
	switch {
	case name == "":
		return nil, fmt.Errorf("%w: want a directory or s3://bucket/prefix", ErrBadName)
	case remote && scheme == "s3", strings.HasPrefix(name, "s3:"):
		return NewS3(name)
	case remote:
		return nil, fmt.Errorf("%w: %.16q: want a directory or s3://bucket/prefix", ErrBadName, scheme+"://")
	}
	return NewDir(name)
}

// readBounded reads a blob of at most maxBytes.
func readBounded(r io.Reader, maxBytes int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err == nil && int64(len(data)) > maxBytes {
		return nil, fmt.Errorf("more than %d bytes: %w", maxBytes, ErrTooLarge)
	}
	return data, err
}
