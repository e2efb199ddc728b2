package symbolcache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Errors of a Source.
var (
	// ErrNotFound: the source has no such file.
	ErrNotFound = errors.New("no symbol file")
	// ErrDenied: the source refuses.
	ErrDenied = errors.New("access to the symbol file denied")
	// ErrTemporary: trying again at once may help.
	ErrTemporary = errors.New("symbol source failed")
)

// Source hands out symbol files. Implementations are safe for concurrent use.
type Source interface {
	// Name tells sources apart, also tomorrow: it is part of the cache's keys.
	Name() string
	// Open opens the file at a path like app.pdb/5A98…1/app.sym. Errors, the
	// body's too, wrap those above where they are meant. The context is that of
	// the body too.
	Open(ctx context.Context, path string) (Body, error)
}

// Body is an open symbol file: text, or text in gzip or zstd.
type Body struct {
	io.ReadCloser
	Bytes  int64 // -1 when unknown
	Remote bool  // it comes over a network: progress is worth showing
	// Encoding is what the source says it is encoded in, if it says anything: a symbol
	// file's first bytes say it too.
	Encoding string
}

// changer is a Source that can say cheaply whether it has got another file at a
// path since a time. Others' files are taken to stay what they were.
type changer interface {
	changedSince(path string, t time.Time) bool
}

// NewSource returns the source that a flag names: an http or https URL, an S3
// bucket (see NewS3), or a directory, which must exist. redirects are NewHTTP's. Errors
// never repeat a URL: it may hold a password.
func NewSource(name string, redirects ...string) (Source, error) {
	switch scheme, _, ok := strings.Cut(name, "://"); {
	case ok && (scheme == "http" || scheme == "https"):
		u, err := url.Parse(name)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("symbol source: not a URL: want %s://host/path", scheme)
		}
		return NewHTTP(u, redirects...), nil
	case ok && scheme == "s3":
		return NewS3(name)
	}
	info, err := os.Stat(name)
	switch {
	case err != nil && (strings.Contains(name, "://") || strings.Contains(name, "@")): // a URL with a slip
		return nil, errors.New("symbol source: want a directory, an http or https URL, or s3://bucket/prefix")
	case err != nil:
		return nil, fmt.Errorf("symbol source: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("symbol source %s: want a directory, an http URL or an s3 URL", name)
	}
	return Dir(name), nil
}

// Dir is the source of files below a directory. A file may be compressed and
// then end in .gz or .zst; a plain one comes first. A file that appears or
// changes later is noticed by the next lookup.
func Dir(root string) Source {
	if abs, err := filepath.Abs(root); err == nil {
		root = abs
	}
	return dir(root)
}

type dir string

var dirEndings = [...]string{"", ".gz", ".zst"}

func (d dir) Name() string { return "dir " + string(d) }

func (d dir) Open(_ context.Context, path string) (Body, error) {
	for _, ending := range dirEndings {
		f, err := os.Open(d.file(path, ending))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case errors.Is(err, fs.ErrPermission):
			return Body{}, fmt.Errorf("%w: %w", ErrDenied, err)
		case err != nil:
			return Body{}, err
		}
		info, err := f.Stat()
		if err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%s is no file", f.Name())
		}
		if err != nil {
			return Body{}, errors.Join(err, f.Close())
		}
		return Body{ReadCloser: f, Bytes: info.Size()}, nil
	}
	return Body{}, ErrNotFound
}

func (d dir) file(path, ending string) string {
	return filepath.Join(string(d), filepath.FromSlash(path)) + ending
}

// clockTick is how far a file system's clock may lag behind time.Now.
const clockTick = 10 * time.Millisecond

// changedSince looks at the time of the last change of the inode: unlike that of
// the content it also moves when an older file is put in place.
func (d dir) changedSince(path string, t time.Time) bool {
	for _, ending := range dirEndings {
		var s unix.Stat_t
		if unix.Stat(d.file(path, ending), &s) == nil {
			return time.Unix(s.Ctim.Unix()).After(t.Add(-clockTick))
		}
	}
	return false
}
