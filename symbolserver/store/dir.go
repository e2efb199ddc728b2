package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"aftershock/symbolcache"
)

const (
	dirMode  = 0o755 // files are public, and other tools serve them
	fileMode = 0o644
	// tmpFolder holds what Puts have not moved into place yet.
	tmpFolder = reserved + "/tmp"
	// lockFile is locked by who moves files into place.
	lockFile = reserved + "/lock"
)

// dir is a Store below a directory. A file that is encoded has an ending that says so. When
// there are several of one path, the first of endings counts: a reader never finds none
// while one replaces another.
type dir struct{ root string }

var endings = [...]struct{ encoding, ending string }{{Identity, ""}, {Gzip, ".gz"}, {Zstd, ".zst"}}

// fileName is that of a path's file in an encoding. There is none when it would be that of
// another path: x.dbg.gz has its own.
func fileName(path, encoding string) (string, bool) {
	for _, e := range endings {
		if e.encoding == encoding {
			name := path + e.ending
			return name, encoding == Identity || checkPath(name) != nil
		}
	}
	return "", false
}

// pathOf is the reverse of fileName.
func pathOf(name string) (path, encoding string, ok bool) {
	if checkPath(name) == nil {
		return name, Identity, true
	}
	for _, e := range endings[1:] {
		if path, ok := strings.CutSuffix(name, e.ending); ok {
			return path, e.encoding, checkPath(path) == nil
		}
	}
	return "", "", false
}

// Dir returns the store below root, which is made when it does not exist. Its files may be
// read, written and removed by other hands too.
func Dir(root string) (Store, error) {
	abs, err := filepath.Abs(root)
	if err == nil {
		err = os.MkdirAll(filepath.Join(abs, filepath.FromSlash(tmpFolder)), dirMode)
	}
	if err != nil {
		return nil, fmt.Errorf("symbol store: %w", err)
	}
	return dir{abs}, nil
}

func (d dir) Name() string { return "dir " + d.root }

func (d dir) at(path string) string { return filepath.Join(d.root, filepath.FromSlash(path)) }

// Check looks for the directory.
func (d dir) Check(context.Context) error {
	if _, err := os.Stat(d.at(tmpFolder)); err != nil {
		return fmt.Errorf("symbol store: %w", err)
	}
	return nil
}

// find looks for the file of a path. It looks twice before it says that there is none: one
// encoding may just be taking the place of another.
func (d dir) find(path string) (name, encoding string, info fs.FileInfo, err error) {
	if err := checkRead(path); err != nil {
		return "", "", nil, err
	}
	for range 2 {
		for _, e := range endings {
			name, ok := fileName(path, e.encoding)
			if !ok {
				continue
			}
			info, err := os.Stat(d.at(name))
			switch {
			case err == nil && info.Mode().IsRegular():
				return name, e.encoding, info, nil
			case err != nil && !gone(err):
				return "", "", nil, readError(err)
			}
		}
	}
	return "", "", nil, symbolcache.ErrNotFound
}

// gone tells whether an error says that there is no such file.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

func readError(err error) error {
	switch {
	case gone(err):
		return fmt.Errorf("%w: %w", symbolcache.ErrNotFound, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", symbolcache.ErrDenied, err)
	}
	return err
}

func (d dir) object(path, name, encoding string, info fs.FileInfo) Object {
	o := Object{Path: path, Bytes: info.Size(), Encoding: encoding, Modified: info.ModTime()}
	o.SHA256, o.By = d.readNote(name, info)
	return o
}

// Stat looks at the file and its note.
func (d dir) Stat(_ context.Context, path string) (Object, error) {
	name, encoding, info, err := d.find(path)
	if err != nil {
		return Object{}, err
	}
	return d.object(path, name, encoding, info), nil
}

// Get opens the file, which stays what it was while it is read.
func (d dir) Get(_ context.Context, path string) (Object, Content, error) {
	for again := false; ; again = true {
		name, encoding, _, err := d.find(path)
		if err != nil {
			return Object{}, nil, err
		}
		f, err := os.Open(d.at(name))
		if gone(err) && !again {
			continue // another has taken its place
		}
		if err != nil {
			return Object{}, nil, readError(err)
		}
		info, err := f.Stat()
		if err != nil {
			return Object{}, nil, errors.Join(err, f.Close())
		}
		return d.object(path, name, encoding, info), f, nil
	}
}

// Open is that of a Source.
func (d dir) Open(ctx context.Context, path string) (symbolcache.Body, error) {
	o, content, err := d.Get(ctx, path)
	if err != nil {
		return symbolcache.Body{}, err
	}
	return symbolcache.Body{ReadCloser: content, Bytes: o.Bytes, Encoding: o.Encoding}, nil
}

// Put writes the file aside, syncs it, writes what is known of it (note.go), and moves both
// into place.
func (d dir) Put(ctx context.Context, o Object, r io.Reader) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	name, ok := fileName(o.Path, o.Encoding)
	if !ok {
		return fmt.Errorf("%w: %s: encoded as %s it would lie where another path does", ErrBadObject, o.Path, o.Encoding)
	}
	tmp, info, err := d.writeAside(exactly(contextReader{ctx, r}, o.Bytes))
	if err != nil {
		return fmt.Errorf("put %s: %w", o.Path, err)
	}
	note, err := d.writeNote(o, info)
	if err == nil {
		err = d.place(o.Path, name, tmp, note)
	}
	if err != nil {
		removeIf(tmp)
		removeIf(note)
		return fmt.Errorf("put %s: %w", o.Path, err)
	}
	return d.syncFolders(name)
}

// contextReader ends a Put between two reads.
type contextReader struct {
	ctx context.Context //nolint:containedctx // io.Reader has none
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// writeAside writes a file that nobody sees yet, durably.
func (d dir) writeAside(r io.Reader) (name string, info fs.FileInfo, err error) {
	f, err := os.CreateTemp(d.at(tmpFolder), "put-*")
	if err != nil {
		return "", nil, err
	}
	if _, err = io.Copy(f, r); err == nil {
		err = f.Chmod(fileMode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		info, err = f.Stat()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		removeIf(f.Name())
		return "", nil, err
	}
	return f.Name(), info, nil
}

func removeIf(name string) {
	if name != "" {
		os.Remove(name) //nolint:errcheck,gosec // Leftovers finds it
	}
}

// place moves a file and its note to where they belong, and removes what else has that
// path. Of two who do, one waits: else a file could stand beside the other's note.
func (d dir) place(path, name, tmp, note string) error {
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	for _, at := range []string{name, noteOf(name)} {
		if err := os.MkdirAll(filepath.Dir(d.at(at)), dirMode); err != nil {
			return err
		}
	}
	if note != "" {
		if err := os.Rename(note, d.at(noteOf(name))); err != nil {
			return err
		}
	}
	if err := os.Rename(tmp, d.at(name)); err != nil {
		return err
	}
	return d.removeBut(path, name)
}

// removeBut removes the files of a path except one, those first that others hide.
func (d dir) removeBut(path, but string) error {
	for i := len(endings) - 1; i >= 0; i-- {
		name, ok := fileName(path, endings[i].encoding)
		if !ok || name == but {
			continue
		}
		if err := os.Remove(d.at(name)); err != nil && !gone(err) {
			return err
		}
		removeIf(d.at(noteOf(name)))
	}
	return nil
}

// lock waits for its turn to move files. The kernel lets go when a process ends.
func (d dir) lock() (unlock func(), err error) {
	f, err := os.OpenFile(d.at(lockFile), os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { f.Close() }, nil //nolint:errcheck,gosec // that unlocks
}

// syncFolders makes the way to a file survive a power cut.
func (d dir) syncFolders(name string) error {
	for at := name; at != "."; {
		at = path.Dir(at)
		f, err := os.Open(d.at(at))
		if gone(err) {
			continue // the file has been removed meanwhile, and its folder
		}
		if err == nil {
			err = errors.Join(f.Sync(), f.Close())
		}
		if err != nil {
			return fmt.Errorf("put %s: %w", name, err)
		}
	}
	return nil
}

// Delete removes the file, its note, and the folders that are empty then.
func (d dir) Delete(_ context.Context, path string) error {
	if err := checkPath(path); err != nil {
		return err
	}
	unlock, err := d.lock()
	if err != nil {
		return fmt.Errorf("delete %s: %w", path, err)
	}
	defer unlock()
	if err := d.removeBut(path, ""); err != nil {
		return fmt.Errorf("delete %s: %w", path, err)
	}
	for _, at := range []string{path, noteOf(path)} {
		folder := filepath.Dir(d.at(at)) // an id's
		if os.Remove(folder) == nil {
			os.Remove(filepath.Dir(folder)) //nolint:errcheck,gosec // other ids are still there
		}
	}
	return nil
}

// GetLink has none to give.
func (dir) GetLink(context.Context, string, time.Duration) (string, error) { return "", ErrNoLinks }

// PutLink has none to give.
func (dir) PutLink(context.Context, Object, time.Duration) (string, map[string]string, error) {
	return "", nil, ErrNoLinks
}
