package symbolcache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// disk is the directory of compiled files. Processes may share it, also those of
// different releases:
//
//	v1/ab/<hash>.csym      compiled files; v1 is the format's Version
//	v1/missed/ab/<hash>    what was not found (negative.go)
//	tmp/<random>           being written, locked by who writes
//	locks/abcd             one load at a time of the files whose hash begins so
//	space                  bytes in use and reserved, locked to change them
//
// All locks are flock's: the kernel drops them when a process ends, however that
// happens. Lock files are never removed, because a lock on a removed file
// excludes nobody; there are at most 65,536, all empty.
//
// A file's time of modification is when its load began (see changer), its time
// of access when it was last used. Both are set by us: the file system's own idea
// of access depends on how it is mounted.
type disk struct {
	root  string
	space *space
}

const (
	dirMode  = 0o750
	fileMode = 0o600
	// lockDigits of a hash name its lock.
	lockDigits = 4
	// touchInterval bounds how often a use is written down.
	touchInterval = 10 * time.Minute
)

// openDisk makes the directory ready and removes what killed writers left.
func openDisk(root string, maxBytes int64, evicted func(hash string)) (*disk, error) {
	for _, name := range []string{"tmp", "locks", versionDir()} {
		if err := os.MkdirAll(filepath.Join(root, name), dirMode); err != nil {
			return nil, err
		}
	}
	s, err := openSpace(root, maxBytes, evicted)
	if err != nil {
		return nil, err
	}
	return &disk{root: root, space: s}, nil
}

func versionDir() string { return fmt.Sprintf("v%d", Version) }

func (d *disk) close() error { return d.space.file.Close() }

// path is where the compiled file lies.
func (d *disk) path(hash string) string {
	return filepath.Join(d.root, versionDir(), hash[:2], hash+Extension)
}

// lock waits until no other load of the hash is under way in any process.
func (d *disk) lock(ctx context.Context, hash string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(d.root, "locks", hash[:lockDigits]), os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	if err := flock(ctx, f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { f.Close() }, nil //nolint:errcheck,gosec // that unlocks
}

// How often a lock that another holds is tried.
const (
	minLockWait = time.Millisecond
	maxLockWait = 50 * time.Millisecond
)

// flock locks a file. It polls: a system call that waits cannot be ended.
func flock(ctx context.Context, f *os.File) error {
	for wait := minLockWait; ; wait = min(2*wait, maxLockWait) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil || !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("waiting for the lock %s: %w", f.Name(), ctx.Err())
		}
	}
}

// open maps the compiled file of a hash. The error is fs.ErrNotExist also for a
// file that is damaged, foreign or of another version: it is removed. Of two who
// open a file while it is replaced, each gets the old or the new one.
func (d *disk) open(hash string) (*handle, error) {
	path := d.path(hash)
	file, err := Open(path)
	switch {
	case errors.Is(err, ErrNotCompiled), errors.Is(err, ErrOldVersion), errors.Is(err, ErrNewVersion), errors.Is(err, ErrTruncated), errors.Is(err, ErrCorrupt):
		os.Remove(path) //nolint:errcheck,gosec // the next load replaces it
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case err != nil:
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	now := time.Now()
	d.touch(hash, now)
	return &handle{hash: hash, file: file, info: info, bytes: info.Size(), loaded: info.ModTime(), touched: now}, nil
}

// touch writes down that a file was used.
func (d *disk) touch(hash string, now time.Time) {
	os.Chtimes(d.path(hash), now, time.Time{}) //nolint:errcheck,gosec // it may have been evicted
}

// publish writes a compiled file and opens it. What is at its place is the old
// one or the new one, whole, whatever happens. Errors of the disk are *DiskError,
// among them ErrNoSpace; others are write's.
func (d *disk) publish(hash string, began time.Time, write func(io.Writer) error) (*handle, error) {
	t, err := d.space.create()
	if err != nil {
		return nil, err
	}
	if err = write(t); err == nil {
		err = t.finish()
	}
	if t.err != nil {
		err = t.err // write may have called it something else
	}
	if err != nil {
		return nil, errors.Join(err, t.abandon())
	}
	info, err := t.file.Stat()
	if err != nil {
		return nil, errors.Join(&DiskError{err}, t.abandon())
	}
	file, err := Open(t.file.Name())
	if err == nil {
		if err = file.Verify(); err == nil {
			err = d.place(t, hash, began)
		}
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}
	if err != nil {
		return nil, errors.Join(&DiskError{err}, t.abandon())
	}
	return &handle{hash: hash, file: file, info: info, bytes: t.written, loaded: began, touched: began}, nil
}

// place renames a finished file.
func (d *disk) place(t *reserved, hash string, began time.Time) error {
	path := d.path(hash)
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return err
	}
	if err := os.Chtimes(t.file.Name(), time.Now(), began); err != nil {
		return err
	}
	if err := t.rename(path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// DiskError says that the cache's directory is what failed.
type DiskError struct{ Err error }

func (e *DiskError) Error() string { return fmt.Sprintf("symbol cache: %v", e.Err) }

// Unwrap returns the system's error, or ErrNoSpace.
func (e *DiskError) Unwrap() error { return e.Err }
