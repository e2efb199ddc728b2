package symbolserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// spool is a file without a name that one writes and many read meanwhile. Whoever retains
// it releases it.
type spool struct {
	folder string

	mu    sync.Mutex
	refs  int
	file  *os.File // nil until open
	size  int64
	done  bool
	err   error
	grown chan struct{} // closed when there is more to know
}

// spoolError says that our own disk failed.
type spoolError struct{ err error }

func (e *spoolError) Error() string { return fmt.Sprintf("the folder for downloads: %v", e.err) }

func (e *spoolError) Unwrap() error { return e.err }

// newSpool is retained once.
func newSpool(folder string) *spool {
	return &spool{folder: folder, refs: 1, grown: make(chan struct{})}
}

// open makes the file, once.
func (s *spool) open() error {
	if s.file != nil {
		return nil
	}
	f, err := os.CreateTemp(s.folder, "aftershock-symbols-*")
	if err == nil {
		if err = os.Remove(f.Name()); err != nil {
			err = errors.Join(err, f.Close())
		}
	}
	if err != nil {
		return &spoolError{err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file = f
	return nil
}

// reset forgets what was written. Nobody reads yet.
func (s *spool) reset() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.size = 0; s.file == nil {
		return nil
	}
	if err := s.file.Truncate(0); err != nil {
		return &spoolError{err}
	}
	return nil
}

// Write is the one writer's.
func (s *spool) Write(p []byte) (int, error) {
	n, err := s.file.WriteAt(p, s.size)
	if err != nil {
		return n, &spoolError{err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.size += int64(n)
	s.tell()
	return n, nil
}

// finish says that all was written, or why not.
func (s *spool) finish(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done, s.err = true, err
	s.tell()
}

func (s *spool) tell() {
	close(s.grown)
	s.grown = make(chan struct{})
}

func (s *spool) bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

func (s *spool) retain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refs++
}

func (s *spool) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refs--; s.refs == 0 && s.file != nil {
		s.file.Close() //nolint:errcheck,gosec // nobody can read it any more
	}
}

// follow reads from the start, and waits for what is not there yet. It takes over the
// caller's hold. The end is told only when the writer says that it is one.
func (s *spool) follow(ctx context.Context) io.ReadCloser { return &follower{s: s, ctx: ctx} }

type follower struct {
	s   *spool
	ctx context.Context //nolint:containedctx // io.Reader has none
	at  int64
}

func (f *follower) Read(p []byte) (int, error) {
	for {
		f.s.mu.Lock()
		size, done, err, grown := f.s.size, f.s.done, f.s.err, f.s.grown
		f.s.mu.Unlock()
		switch {
		case f.at < size:
			n, err := f.s.file.ReadAt(p[:min(int64(len(p)), size-f.at)], f.at)
			if f.at += int64(n); n > 0 {
				err = nil
			}
			return n, err
		case done && err == nil:
			return 0, io.EOF
		case done:
			return 0, err
		}
		select {
		case <-grown:
		case <-f.ctx.Done():
			return 0, f.ctx.Err()
		}
	}
}

func (f *follower) Close() error {
	f.s.release()
	return nil
}
