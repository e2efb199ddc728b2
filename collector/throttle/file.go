package throttle

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// File is rules in a file, which are read again when it changes. It is safe for concurrent
// use.
type File struct {
	path  string
	rules atomic.Pointer[Rules]
	last  os.FileInfo // of what was read last
}

// same tells whether a file is the one that was read, unchanged. A mounted configuration
// is another file behind the same link.
func same(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// Open reads the rules of a file.
func Open(path string) (*File, error) {
	f := &File{path: path}
	return f, f.read()
}

// Rules are the newest that could be compiled.
func (f *File) Rules() *Rules { return f.rules.Load() }

// read takes the file's rules, if they compile.
func (f *File) read() error {
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // read only: nothing is lost
	info, err := file.Stat()
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(file, MaxBytes+1))
	if err != nil {
		return err
	}
	f.last = info
	rules, err := Parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	f.rules.Store(rules)
	return nil
}

// Watch reads the file again when it has changed, looked at every so often, and whenever
// now says so, until ctx is done. told is called after each reading, also of one that
// failed: the rules before stay then.
func (f *File) Watch(ctx context.Context, every time.Duration, now <-chan os.Signal, told func(error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-now:
			told(f.read())
		case <-tick.C:
			if info, err := os.Stat(f.path); err == nil && !same(f.last, info) {
				told(f.read())
			}
		}
	}
}
