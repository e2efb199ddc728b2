// Package store keeps symbol files, and modules' own files, where every tool looks for
// them: below a directory (Dir) or a prefix of an S3 bucket (S3), in one layout:
//
//	<debug file>/<debug id>/<stem>.sym         a symbol file
//	<debug file>/<debug id>/<debug file>       a PDB, as the symbol server has it
//	<code file>/<time stamp and size>/<name>   a PE's own file, as the symbol server has it
//	buildid/<id>/executable, …/debuginfo       an ELF's or Mach-O's, as debuginfod has it
//	try/…                                      the same once more, of builds that are tried
//	.aftershock/code/<code file>/<code id>     index of code ids: the path of the symbol file
//	.aftershock/try/code/…                     that of builds that are tried
//
// ParsePath (path.go) is the one place that says what is a path; a Store takes no other.
// The index can be made again from the files: RebuildIndex. Collect removes tried builds
// that have had their time, and what was left of writes that were broken off.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"aftershock/symbolcache"
)

// Errors of stores.
var (
	// ErrNoLinks is about a store that only hands out bytes.
	ErrNoLinks = errors.New("the store has no addresses of its own")
	// ErrBadName: Open was given what names no store.
	ErrBadName = errors.New("not a symbol store")
	// ErrBadObject: Put was given what a store cannot keep.
	ErrBadObject = errors.New("not to be stored")
)

// Encodings of a file's content.
const (
	Identity = ""
	Gzip     = "gzip"
	Zstd     = "zstd"
)

// Object is what a store knows of a file.
type Object struct {
	Path string
	// Bytes is the size as it lies there, encoded as Encoding says.
	Bytes    int64
	Encoding string
	Modified time.Time
	// SHA256 is that of the content, not encoded, in hexadecimal digits, and By who put
	// it. They are empty for a file that was put there by other hands.
	SHA256, By string
}

// Content is an open file. Reading fails rather than mix two files of one path.
type Content interface {
	io.ReadSeeker
	io.Closer
}

// Store keeps files. Implementations are safe for concurrent use, also by several
// processes. Paths are those of the layout; Open's errors are those of a Source.
type Store interface {
	symbolcache.Source
	// Check tells whether the store is there and lets us in. It writes nothing.
	Check(ctx context.Context) error
	// Stat tells what is at a path; the error wraps symbolcache.ErrNotFound when nothing
	// is.
	Stat(ctx context.Context, path string) (Object, error)
	// Get is Stat and Open of one moment: what is told is of the file that is read. The
	// context is that of the content too.
	Get(ctx context.Context, path string) (Object, Content, error)
	// Put writes o.Path from r, which has the encoding that o says, in place of what is
	// there. It is visible whole or not at all, and durable when Put returns. When
	// o.Bytes is not 0, r must have so many; o.Modified is not looked at.
	Put(ctx context.Context, o Object, r io.Reader) error
	// Delete removes a file; one that is not there is no error.
	Delete(ctx context.Context, path string) error
	// List tells each of the files below a prefix, which is empty or ends in a slash, in
	// no order, until each fails. Of a file it tells path, size and time, and what else
	// costs nothing; what is no path of the layout is left out.
	List(ctx context.Context, prefix string, each func(Object) error) error
	// GetLink and PutLink are addresses that hand out and take a file until a time, without a
	// token; ErrNoLinks when there are none. Who puts must send the headers.
	GetLink(ctx context.Context, path string, valid time.Duration) (string, error)
	PutLink(ctx context.Context, o Object, valid time.Duration) (link string, headers map[string]string, err error)
	// Leftovers tells each of what Puts that were broken off before a time have left,
	// and removes it if asked to.
	Leftovers(ctx context.Context, before time.Time, remove bool, each func(what string, bytes int64) error) error
}

// Open opens the store that a flag names: a directory, which is made when it does not
// exist, or s3://bucket/prefix (see bucket.Open for its parameters and where credentials
// come from). It asks no server: Check does.
func Open(name string) (Store, error) {
	scheme, _, remote := strings.Cut(name, "://")
	switch {
	case name == "":
		return nil, fmt.Errorf("%w: want a directory or s3://bucket/prefix", ErrBadName)
	case remote && scheme == "s3", strings.HasPrefix(name, "s3:"):
		return S3(name)
	case remote:
		return nil, fmt.Errorf("%w: %.16q: want a directory or s3://bucket/prefix", ErrBadName, scheme+"://")
	}
	return Dir(name)
}

// MaxByBytes bounds who put a file.
const MaxByBytes = 200

// check refuses what Put cannot keep.
func (o Object) check() error {
	if err := checkPath(o.Path); err != nil {
		return err
	}
	switch {
	case o.Encoding != Identity && o.Encoding != Gzip && o.Encoding != Zstd:
		return fmt.Errorf("%w: %s: encoding %.20q: want gzip, zstd or none", ErrBadObject, o.Path, o.Encoding)
	case o.SHA256 != "" && (len(o.SHA256) != 64 || strings.Trim(o.SHA256, "0123456789abcdef") != ""):
		return fmt.Errorf("%w: %s: SHA-256: want 64 hexadecimal digits in lower case", ErrBadObject, o.Path)
	case len(o.By) > MaxByBytes || o.Bytes < 0:
		return fmt.Errorf("%w: %s: want a size of 0 or more and at most %d bytes of who put it", ErrBadObject, o.Path, MaxByBytes)
	}
	return nil
}

// exactly fails at the end of a reader that had not the bytes that were said; 0 says
// nothing.
func exactly(r io.Reader, want int64) io.Reader {
	if want == 0 {
		return r
	}
	return &exact{r: r, left: want}
}

type exact struct {
	r    io.Reader
	left int64
}

func (e *exact) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	e.left -= int64(n)
	switch {
	case e.left < 0:
		return 0, fmt.Errorf("%w: more bytes than were said", ErrBadObject)
	case e.left > 0 && errors.Is(err, io.EOF):
		return n, fmt.Errorf("%w: %d bytes less than were said: %w", ErrBadObject, e.left, io.ErrUnexpectedEOF)
	}
	return n, err
}
