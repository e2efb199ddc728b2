package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockName is the file that the folder's one user holds locked. It also says that
// the folder is a spool's: what is foreign there may be moved aside.
const lockName = "aftershock-spool.lock"

// lockFolder makes the folder if need be and locks it. The kernel drops the lock
// with the process, however that ends.
func lockFolder(dir string) (*os.File, error) {
	if err := makeFolder(dir); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	path := filepath.Join(dir, lockName)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := wantEmpty(dir); err != nil {
			return nil, err
		}
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errors.New("another collector uses it: give each a folder of its own")
	}
	if err == nil {
		err = os.Chmod(dir, 0o700) //nolint:gosec // a folder must be entered
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("spool %s: %w", dir, err), file.Close())
	}
	return file, nil
}

// makeFolder makes a folder, and those above it, that a power cut leaves there.
func makeFolder(dir string) error {
	var made []string
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = append(made, at)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, at := range made {
		if err := syncFolder(filepath.Dir(at)); err != nil {
			return err
		}
	}
	return nil
}

// wantEmpty refuses a folder that is somebody else's.
func wantEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || e.Name() != "lost+found" { // a file system of its own has that
			return fmt.Errorf("spool: %s is not empty and not a spool: name an empty or a new folder", dir)
		}
	}
	return nil
}
