package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Dir is a Store in a directory: one file per blob, below the key's folders.
type Dir struct {
	root string
}

// NewDir returns the store below root, which is made when it does not exist.
func NewDir(root string) (*Dir, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("blob directory: %w", err)
	}
	return &Dir{root: root}, nil
}

// path refuses keys that would leave the root.
func (d *Dir) path(key string) (string, error) {
	if !strings.HasPrefix(key, "raw/v1/") || !filepath.IsLocal(key) || filepath.ToSlash(filepath.Clean(key)) != key {
		return "", fmt.Errorf("%w %q", ErrBadKey, key)
	}
	return filepath.Join(d.root, filepath.FromSlash(key)), nil
}

// Put writes the blob beside its place, syncs it, moves it into place and
// syncs the folders whose entries are new.
func (d *Dir) Put(_ context.Context, key string, data []byte) (err error) {
	path, err := d.path(key)
	if err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && info.Size() == int64(len(data)) {
		return syncFolder(filepath.Dir(path)) // stored before: the key names the content
	}
	folder := filepath.Dir(path)
	created, err := d.makeFolders(folder)
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	tmp, err := os.CreateTemp(folder, ".put-*")
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("put %s: %w", key, err), os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	for _, dir := range append(created, folder) {
		if serr := syncFolder(dir); serr != nil {
			return fmt.Errorf("put %s: %w", key, serr)
		}
	}
	return nil
}

// makeFolders makes the folder and its parents and returns the ones that got a
// new entry, which must be synced for the entry to survive a power cut.
func (d *Dir) makeFolders(folder string) ([]string, error) {
	var grown []string
	for at := folder; at != d.root; at = filepath.Dir(at) {
		if _, err := os.Stat(at); err == nil {
			break
		}
		grown = append(grown, filepath.Dir(at))
	}
	return grown, os.MkdirAll(folder, 0o700)
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Get reads the blob.
func (d *Dir) Get(_ context.Context, key string, maxBytes int64) ([]byte, error) {
	path, err := d.path(key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("get %s: %w", key, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	defer f.Close() //nolint:errcheck // read only: nothing is lost
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	if int64(len(data)) > maxBytes {
		return nil, fmt.Errorf("get %s: more than %d bytes: %w", key, maxBytes, ErrTooLarge)
	}
	return data, nil
}
