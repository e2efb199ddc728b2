package spool

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// ErrFull says that the folder holds as much as it may.
var ErrFull = errors.New("the spool is full (--spool-bytes)")

const (
	tornSuffix  = ".torn" // being written: nobody was answered
	asideSuffix = ".bad"  // set aside: somebody must look
)

// folder holds crashes, a file each. It is safe for concurrent use, but only one
// goroutine takes and removes.
type folder struct {
	dir     string
	limit   int64
	lock    *os.File
	now     func() time.Time
	metrics *Metrics
	log     zerolog.Logger
	// step is called between the steps of put and remove, where tests let the
	// disk fail or the process die.
	step func(at string) error

	mu      sync.Mutex
	entries []*entry // oldest first
	bytes   int64    // on the disk, with what is being written and what was set aside
	number  uint64   // of the next crash
}

// entry is a crash that was answered and lies in the folder. But for its name,
// size and time it belongs to the goroutine that drains.
type entry struct {
	name, crashID string
	bytes         int64 // on the disk
	at            time.Time
	// doubt, if not nil, will tell whether the broker took the crash after all.
	doubt <-chan error
	// sent: the broker has it, the file can go.
	sent bool
	// alone: it was refused in a batch, which may be another's fault.
	alone bool
	// stuck: it can be neither sent nor set aside.
	stuck bool
}

// onDisk is what a file of n bytes takes.
func onDisk(n int64) int64 { return (n + blockBytes - 1) / blockBytes * blockBytes }

func openFolder(o Options) (*folder, error) {
	if o.Bytes < MinBytes {
		return nil, fmt.Errorf("spool: --spool-bytes %d: want at least %d", o.Bytes, MinBytes)
	}
	lock, err := lockFolder(o.Dir)
	if err != nil {
		return nil, err
	}
	f := &folder{
		dir: o.Dir, limit: o.Bytes, lock: lock, now: o.Now, metrics: o.Metrics, log: o.Log,
		step: func(string) error { return nil },
	}
	if err := f.scan(); err != nil {
		return nil, errors.Join(fmt.Errorf("spool %s: %w", o.Dir, err), f.unlock())
	}
	return f, nil
}

func (f *folder) unlock() error { return f.lock.Close() }

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

// scan takes up what an earlier process left.
func (f *folder) scan() error {
	all, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.IsDir() || d.Name() == lockName {
			continue
		}
		info, err := d.Info()
		if err == nil {
			err = f.found(d.Name(), info)
		}
		if err != nil { // it must not keep the door shut
			f.log.Error().Err(err).Str("file", d.Name()).Msg("spool: a file cannot be taken up")
		}
	}
	slices.SortFunc(f.entries, func(a, b *entry) int { return cmp.Compare(a.name, b.name) })
	f.changed()
	return syncFolder(f.dir)
}

// found takes up one file.
func (f *folder) found(name string, info fs.FileInfo) error {
	if torn, ok := strings.CutSuffix(name, tornSuffix); ok {
		if _, _, ours := parseName(torn); ours {
			return os.Remove(f.path(name))
		}
	}
	f.bytes += onDisk(info.Size())
	if strings.HasSuffix(name, asideSuffix) {
		f.metrics.aside(1)
		return nil
	}
	e := &entry{name: name, bytes: onDisk(info.Size()), at: info.ModTime()}
	number, crashID, ours := parseName(name)
	if !ours || !info.Mode().IsRegular() {
		return f.aside(e, "not a spool's file")
	}
	e.crashID = crashID
	f.number = max(f.number, number+1)
	f.entries = append(f.entries, e)
	return nil
}

// put stores a crash, and returns when it would survive a power cut. After an
// error it is not there.
func (f *folder) put(r Record, doubt <-chan error) (err error) {
	if len(r.Event) > maxEventBytes {
		return fmt.Errorf("spool: an event of %d bytes, want at most %d", len(r.Event), maxEventBytes)
	}
	data := encode(r)
	e, err := f.reserve(r.CrashID, onDisk(int64(len(data))))
	if err != nil {
		return err
	}
	e.doubt = doubt
	path := f.path(e.name)
	defer func() {
		if err != nil {
			err = fmt.Errorf("spool: %w", err)
			os.Remove(path + tornSuffix) //nolint:errcheck,gosec // it need not be there
			os.Remove(path)              //nolint:errcheck,gosec // nor this
			f.free(e)
		}
	}()
	for _, do := range []func() error{
		func() error { return f.write(path+tornSuffix, data) },
		func() error { return f.step("written") },
		func() error { return os.Rename(path+tornSuffix, path) },
		func() error { return f.step("renamed") },
		func() error { return syncFolder(f.dir) },
		func() error { return f.step("stored") },
	} {
		if err := do(); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entries = append(f.entries, e)
	f.changed()
	return nil
}

// reserve makes room for a crash's file, and names it.
func (f *folder) reserve(crashID string, bytes int64) (*entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bytes+bytes > f.limit {
		return nil, ErrFull
	}
	f.bytes += bytes
	e := &entry{name: fileName(f.number, crashID), crashID: crashID, bytes: bytes, at: f.now()}
	f.number++
	return e, nil
}

// free gives an entry's room back.
func (f *folder) free(e *entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bytes -= e.bytes
	f.changed()
}

// write makes a file and syncs it.
func (f *folder) write(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err = f.step("created"); err == nil {
		_, err = file.Write(data)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// oldest returns entries that wanted says yes to, the oldest first, as many as a
// drain takes at once.
func (f *folder) oldest(wanted func(*entry) bool) []*entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []*entry
	var bytes int64
	for _, e := range f.entries {
		if len(out) == drainRecords || bytes > drainBytes {
			break
		}
		if wanted(e) {
			out = append(out, e)
			bytes += e.bytes
		}
	}
	return out
}

// empty tells whether nothing is left to be sent.
func (f *folder) empty() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.entries) == 0
}

// read returns an entry's crash; errDamaged says that it cannot be had any more.
func (f *folder) read(e *entry) (Record, error) {
	file, err := os.OpenFile(f.path(e.name), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return Record{}, err
	}
	defer file.Close() //nolint:errcheck // read only: nothing is lost
	data, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err != nil {
		return Record{}, err
	}
	if int64(len(data)) > maxFileBytes {
		return Record{}, errDamaged
	}
	return decode(e.crashID, data)
}

// remove removes the files of crashes that the broker has. One that cannot be
// removed stays, sent, and is only removed the next time.
func (f *folder) remove(entries []*entry) error {
	var errs []error
	gone := map[*entry]bool{}
	for _, e := range entries {
		if err := f.step("acknowledged"); err != nil {
			errs = append(errs, err)
			continue
		}
		if err := os.Remove(f.path(e.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
			continue
		}
		gone[e] = true
	}
	// Should the folder not be synced, a power cut brings the files back: the
	// crashes are sent again, and counted once.
	errs = append(errs, f.step("removed"), syncFolder(f.dir))
	f.forget(gone, true)
	return errors.Join(errs...)
}

// forget drops entries whose files are gone, or just have another name.
func (f *folder) forget(gone map[*entry]bool, free bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entries = slices.DeleteFunc(f.entries, func(e *entry) bool {
		if gone[e] && free {
			f.bytes -= e.bytes
		}
		return gone[e]
	})
	f.changed()
}

// setAside gives an entry's file a name that is never looked at, for somebody to
// look into. It still takes its room.
func (f *folder) setAside(e *entry, why string) {
	if err := f.aside(e, why); err != nil {
		e.stuck = true
		f.log.Error().Err(err).Str("file", e.name).Msg("spool: a file cannot be set aside")
		return
	}
	f.forget(map[*entry]bool{e: true}, false)
}

func (f *folder) aside(e *entry, why string) error {
	for n := range maxSetAside {
		to := e.name + asideSuffix
		if n > 0 {
			to = fmt.Sprintf("%s.%d%s", e.name, n, asideSuffix)
		}
		if _, err := os.Lstat(f.path(to)); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := errors.Join(os.Rename(f.path(e.name), f.path(to)), syncFolder(f.dir)); err != nil {
			return err
		}
		f.metrics.aside(1)
		f.log.Error().Str("file", to).Str("why", why).Msg("spool: a file was set aside; look at it, nothing will be done with it")
		return nil
	}
	return fmt.Errorf("%s: %d files of that name are set aside already: remove them", e.name, maxSetAside)
}

// changed tells the metrics what there is; mu is held, or nobody else is there yet.
func (f *folder) changed() {
	var oldest time.Time
	if len(f.entries) > 0 {
		oldest = f.entries[0].at
	}
	f.metrics.holds(len(f.entries), f.bytes, f.limit, oldest)
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
