package symbolcache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNoSpace tells that the cache's byte bound leaves no room, and nothing can be evicted.
var ErrNoSpace = errors.New("symbol cache is full")

const (
	// reserveStep is what a writer reserves at a time.
	reserveStep = 256 << 10
	// Who evicts frees a sixteenth of the bound, so that the directory is not
	// read again for every file.
	evictShare = 16
)

// space keeps the directory below its bound. Bytes are reserved before they are
// written, by giving the file being written its size in advance: so what a
// directory listing adds up to is all there is to know, and a killed writer
// leaves a file that the next one finds unlocked and removes.
//
// The sum is kept in the file "space". It is changed under that file's lock, up
// before the disk and down after it: a process killed in between leaves it too
// high, never too low. When it passes the bound, and once a process, the
// directory is read and the sum corrected. Processes that share a directory
// should have the same bound; each keeps its own.
//
// Not counted are lock files, missed files (bounded by number) and evicted files
// that somebody still has mapped: whoever evicts unmaps his own, other processes
// within sweepInterval of their next lookup (Cache.sweep), unless they are in use.
type space struct {
	root    string
	max     int64
	evicted func(hash string)

	mu      sync.Mutex // a file's lock does not exclude those who share the file
	file    *os.File
	counted bool // the directory was read
	used    atomic.Int64
}

func openSpace(root string, maxBytes int64, evicted func(string)) (*space, error) {
	file, err := os.OpenFile(filepath.Join(root, "space"), os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	s := &space{root: root, max: maxBytes, evicted: evicted, file: file}
	if err := s.locked(s.clean); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return s, nil
}

// locked runs f while nobody else in any process changes the directory. It waits
// in the kernel, whose queue is fair: who polls for a lock that is wanted all the
// time hardly gets it. It is held for moments only.
func (s *space) locked(f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		err := unix.Flock(int(s.file.Fd()), unix.LOCK_EX)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
	err := f()
	return errors.Join(err, unix.Flock(int(s.file.Fd()), unix.LOCK_UN))
}

// sum reads the bytes in use; a damaged file reads as more than the bound, which
// makes reserve count.
func (s *space) sum() int64 {
	var b [8]byte
	if n, err := s.file.ReadAt(b[:], 0); n < len(b) || err != nil && !errors.Is(err, io.EOF) {
		return s.max + 1
	}
	if n := int64(binary.LittleEndian.Uint64(b[:])); n >= 0 {
		return n
	}
	return s.max + 1
}

func (s *space) setSum(n int64) error {
	s.used.Store(n)
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	_, err := s.file.WriteAt(b[:], 0)
	return err
}

// add changes the sum by what was freed, n < 0, or is about to be taken.
func (s *space) add(n int64) error { return s.setSum(max(s.sum()+n, 0)) }

// reserve makes room for n bytes more and counts them as used. It is called with
// the lock held.
func (s *space) reserve(n int64) error {
	if s.counted && s.sum()+n <= s.max {
		return s.add(n)
	}
	if err := s.clean(); err != nil {
		return err
	}
	files, used, err := s.list()
	if err != nil {
		return err
	}
	s.counted = true
	fixed := used // what eviction cannot free
	for _, f := range files {
		fixed -= f.bytes
	}
	if fixed+n > s.max {
		return errors.Join(s.setSum(used), fmt.Errorf("%w: %d bytes of %d are being written, want %d more", ErrNoSpace, fixed, s.max, n))
	}
	if used+n > s.max {
		used = s.evict(files, used, s.max-n)
	}
	if err := s.setSum(used); err != nil {
		return err
	}
	if used+n > s.max {
		return fmt.Errorf("%w: %d bytes of %d cannot be removed, want %d more", ErrNoSpace, used, s.max, n)
	}
	return s.add(n)
}

// evict removes what was used longest ago until no more than limit is used, and
// a share on top if there is that much. Who has a file open keeps it.
func (s *space) evict(files []cached, used, limit int64) int64 {
	slices.SortFunc(files, func(a, b cached) int {
		if c := a.used.Compare(b.used); c != 0 {
			return c
		}
		return strings.Compare(a.path, b.path)
	})
	goal := limit - min(s.max/evictShare, limit/2)
	for _, f := range files {
		if used <= goal {
			break
		}
		if os.Remove(f.path) == nil {
			used -= f.bytes
			s.evicted(strings.TrimSuffix(filepath.Base(f.path), Extension))
		}
	}
	return used
}

// cached is a compiled file that may be evicted.
type cached struct {
	path  string
	bytes int64
	used  time.Time
}

// list reads the directory: the compiled files of every version, and the bytes
// of these and of what is being written.
func (s *space) list() (files []cached, used int64, err error) {
	err = filepath.WalkDir(s.root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if entry.Name() == "locks" || entry.Name() == missedDir {
				return fs.SkipDir
			}
			return nil
		}
		compiled := filepath.Ext(path) == Extension
		if !compiled && filepath.Base(filepath.Dir(path)) != "tmp" {
			return nil
		}
		var stat unix.Stat_t
		if err := unix.Lstat(path, &stat); err != nil {
			return nil //nolint:nilerr // it has just gone
		}
		used += stat.Size
		if compiled {
			files = append(files, cached{path, stat.Size, time.Unix(stat.Atim.Unix())})
		}
		return nil
	})
	return files, used, err
}

// clean removes what writers that are gone left behind. The lock must be held:
// a file that is just being made is not locked yet.
func (s *space) clean() error {
	dir := filepath.Join(s.root, "tmp")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		f, err := os.Open(path)
		if err != nil {
			continue // renamed by its writer
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			os.Remove(path) //nolint:errcheck,gosec // the next one tries again
		}
		f.Close() //nolint:errcheck,gosec // opened for reading
	}
	return nil
}

// create makes a file to write, with a first step reserved.
func (s *space) create() (*reserved, error) {
	t := &reserved{space: s}
	err := s.locked(func() (err error) {
		if t.file, err = os.CreateTemp(filepath.Join(s.root, "tmp"), ""); err != nil {
			return err
		}
		return unix.Flock(int(t.file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	})
	if err != nil {
		if t.file != nil {
			err = errors.Join(err, t.abandon())
		}
		return nil, &DiskError{err}
	}
	return t, nil
}

// reserved is a file being written. Its size is what is reserved.
type reserved struct {
	space         *space
	file          *os.File
	written, size int64
	err           error // the disk's
}

// Write reserves what is missing and writes. Its error is a *DiskError, which
// stays.
func (t *reserved) Write(p []byte) (int, error) {
	if t.err != nil {
		return 0, t.err
	}
	if want := t.written + int64(len(p)); want > t.size {
		if err := t.grow(want); err != nil {
			t.err = &DiskError{err}
			return 0, t.err
		}
	}
	n, err := t.file.Write(p)
	t.written += int64(n)
	if err != nil {
		t.err = &DiskError{err}
		return n, t.err
	}
	return n, nil
}

// grow reserves in steps, or what is needed if no more can be had.
func (t *reserved) grow(want int64) error {
	return t.space.locked(func() error {
		size := (want + reserveStep - 1) / reserveStep * reserveStep
		err := t.space.reserve(size - t.size)
		if errors.Is(err, ErrNoSpace) {
			size = want
			err = t.space.reserve(size - t.size)
		}
		if err != nil {
			return err
		}
		if err := t.file.Truncate(size); err != nil {
			return err
		}
		t.size = size
		return nil
	})
}

// finish gives back what was reserved and not written, and syncs.
func (t *reserved) finish() error {
	err := t.space.locked(func() error {
		if err := t.file.Truncate(t.written); err != nil {
			return err
		}
		spare := t.size - t.written
		t.size = t.written
		return t.space.add(-spare)
	})
	if err == nil {
		err = t.file.Sync()
	}
	if err != nil {
		t.err = &DiskError{err}
		return t.err
	}
	return nil
}

// rename puts the file in its place and ends the writing.
func (t *reserved) rename(path string) error {
	return t.space.locked(func() error {
		var old int64
		if info, err := os.Stat(path); err == nil {
			old = info.Size()
		}
		if err := os.Rename(t.file.Name(), path); err != nil {
			return err
		}
		t.size = 0
		return errors.Join(t.space.add(-old), t.file.Close())
	})
}

// abandon removes the file and gives back what it had reserved. After rename it
// does nothing.
func (t *reserved) abandon() error {
	return t.space.locked(func() error {
		err := os.Remove(t.file.Name())
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return errors.Join(err, t.file.Close(), t.space.add(-t.size))
	})
}
