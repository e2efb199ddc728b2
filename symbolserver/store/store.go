// Package store keeps symbol files, and modules' own files, where every tool looks for
// them: below a directory (Dir) or a prefix of an S3 bucket (S3), in one layout:
//
//	<debug file>/<debug id>/<stem>.sym         a symbol file
//	<code file>/<time stamp and size>/<name>   a PE's own file, as the symbol server has it
//	buildid/<id>/executable, …/debuginfo       an ELF's or Mach-O's, as debuginfod has it
//	try/…                                      the same once more, of builds that are tried
//	.aftershock/code/<code file>/<code id>     index of code ids: the path of the symbol file
//
// The index can be made again from the files: RebuildIndex.
package store

import (
	"context"
	"errors"
	"io"
	"time"

	"aftershock/symbolcache"
)

// ErrNoLinks is about a store that only hands out bytes.
var ErrNoLinks = errors.New("the store has no addresses of its own")

// Object is what a store knows of a file.
type Object struct {
	Path string
	// Bytes is the size as it lies there, encoded as Encoding says: "", gzip or zstd.
	Bytes    int64
	Encoding string
	Modified time.Time
	// SHA256 is that of the content, not encoded, in hexadecimal digits, and By who put
	// it. They are empty for a file that was put there by other hands.
	SHA256, By string
}

// Store keeps files. Implementations are safe for concurrent use, also by several
// processes. Paths are those of the layout; Open's errors are those of a Source.
type Store interface {
	symbolcache.Source
	// Stat tells what is at a path; the error wraps symbolcache.ErrNotFound when nothing
	// is.
	Stat(ctx context.Context, path string) (Object, error)
	// Put writes o.Path from r, which has the encoding that o says, in place of what is
	// there. It is visible whole or not at all, and durable when Put returns.
	Put(ctx context.Context, o Object, r io.Reader) error
	// Delete removes a file; one that is not there is no error.
	Delete(ctx context.Context, path string) error
	// List tells each of the files below a prefix, in no order, until each fails.
	List(ctx context.Context, prefix string, each func(Object) error) error
	// GetLink and PutLink are addresses that hand out and take a file until a time, without a
	// token; ErrNoLinks when there are none. Who puts must send the headers.
	GetLink(ctx context.Context, path string, valid time.Duration) (string, error)
	PutLink(ctx context.Context, o Object, valid time.Duration) (link string, headers map[string]string, err error)
}
