package blob

import (
	"context"
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
)

// Dir is a Backend in a directory: one file per blob, below the key's folders.
type Dir struct {
	root string
	// synced holds the folders of days whose entries above were synced by us.
	synced sync.Map
}

// NewDir returns the store below root, which is made when it does not exist.
func NewDir(root string) (*Dir, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("blob directory: %w", err)
	}
	return &Dir{root: filepath.Clean(root)}, nil
}

// Check looks for the directory.
func (d *Dir) Check(context.Context) error {
	if _, err := os.ReadDir(d.root); err != nil {
		return fmt.Errorf("blob directory: %w", err)
	}
	return nil
}

// path refuses what is no key: it could leave the root.
func (d *Dir) path(ctx context.Context, key string) (string, error) {
	if _, err := Day(key); err != nil {
		return "", err
	}
	return d.at(key), ctx.Err()
}

func (d *Dir) at(path string) string { return filepath.Join(d.root, filepath.FromSlash(path)) }

// torn begins the names of files that a Put has not moved into place yet.
const torn = ".put-"

// ours tells whether a file in a crash's folder comes from a Put.
func ours(name string) bool { return strings.HasPrefix(name, torn) || last.MatchString(name) }

// Put writes the blob beside its place, syncs it, moves it into place and
// syncs the folders that lead to it.
func (d *Dir) Put(ctx context.Context, key string, data []byte) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("put %s: %w", key, err)
		}
	}()
	path, err := d.path(ctx, key)
	if err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && info.Size() == int64(len(data)) {
		return d.syncFolders(filepath.Dir(path)) // stored before: the key names the content
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(folder, torn+"*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return d.syncFolders(folder)
}

// syncFolders makes the way to a crash's folder survive a power cut. That folders
// were there already says nothing: another Put may have made them and not synced
// them yet. The folders above a day are synced once.
func (d *Dir) syncFolders(crash string) error {
	day := filepath.Dir(crash)
	if err := errors.Join(syncFolder(crash), syncFolder(day)); err != nil {
		return err
	}
	if _, done := d.synced.Load(day); done {
		return nil
	}
	for at := day; at != d.root; {
		at = filepath.Dir(at)
		if err := syncFolder(at); err != nil {
			return err
		}
	}
	d.synced.Store(day, true)
	return nil
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Get reads the blob.
func (d *Dir) Get(ctx context.Context, key string, maxBytes int64) ([]byte, error) {
	path, err := d.path(ctx, key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	defer f.Close() //nolint:errcheck // read only: nothing is lost
	data, err := readBounded(f, maxBytes)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	return data, nil
}

// Days looks at the folders' names.
func (d *Dir) Days(ctx context.Context) ([]time.Time, error) {
	return days(func(folder string) (names []string, err error) {
		err = d.eachIn(ctx, folder, func(e fs.DirEntry) error {
			if e.IsDir() {
				names = append(names, e.Name())
			}
			return nil
		})
		slices.Sort(names)
		return names, err
	})
}

// List reads the folders of the day's crashes.
func (d *Dir) List(ctx context.Context, day time.Time, each func(Entry) error) error {
	folder := dayFolder(day)
	return d.eachIn(ctx, folder, func(crash fs.DirEntry) error {
		folder := folder + "/" + crash.Name()
		if _, err := crashFolder(folder); err != nil || !crash.IsDir() {
			return nil //nolint:nilerr // not ours
		}
		return d.eachIn(ctx, folder, func(f fs.DirEntry) error {
			if !f.Type().IsRegular() || !ours(f.Name()) {
				return nil
			}
			info, err := f.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil // a Put has moved it, or somebody else collects
			}
			if err != nil {
				return err
			}
			return each(Entry{Path: folder + "/" + f.Name(), Bytes: info.Size()})
		})
	})
}

// folderChunk is how many names of a folder are held in memory.
const folderChunk = 1000

// eachIn calls each for the entries of a folder, which need not exist.
func (d *Dir) eachIn(ctx context.Context, folder string, each func(fs.DirEntry) error) error {
	f, err := os.Open(d.at(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list blobs: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only: nothing is lost
	for {
		entries, err := f.ReadDir(folderChunk)
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := each(e); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, fs.ErrNotExist) { // each may have removed the folder
			return nil
		}
		if err != nil {
			return fmt.Errorf("list blobs: %w", err)
		}
	}
}

// Delete removes the file, and the folders of its crash and of its day when they
// are empty. Those above may just be wanted by a Put of another day.
func (d *Dir) Delete(ctx context.Context, e Entry) error {
	folder, name := split(e.Path)
	if _, err := crashFolder(folder); err != nil {
		return err
	}
	if !ours(name) {
		return badKey(e.Path)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	path := d.at(e.Path)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete %s: %w", e.Path, err)
	}
	if os.Remove(filepath.Dir(path)) == nil {
		os.Remove(filepath.Dir(filepath.Dir(path))) //nolint:errcheck,gosec // others of that day are still there
	}
	return nil
}
