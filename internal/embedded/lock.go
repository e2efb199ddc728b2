package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// lockName is the file in a data directory that its one user holds locked.
const lockName = "aftershock.lock"

// LockedError says that another process uses a data directory.
type LockedError struct {
	Dir string
	PID int // 0 when the other process has not written it yet
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("data directory %s is in use by process %d: stop it or choose another directory", e.Dir, e.PID)
}

// dirLock is a held lock. The kernel drops it when the process ends, however
// that happens, so there is nothing to clean up after a crash.
type dirLock struct{ file *os.File }

// lockDir creates dir if need be and takes its lock, or answers *LockedError.
func lockDir(dir string) (*dirLock, error) {
	if dir == "" {
		return nil, errors.New("no data directory given")
	}
	if err := os.MkdirAll(dir, privateDir); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		text, _ := io.ReadAll(io.LimitReader(file, 32))
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return nil, errors.Join(&LockedError{Dir: dir, PID: pid}, file.Close())
	}
	if err == nil {
		err = file.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintln(file, os.Getpid())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), file.Close())
	}
	return &dirLock{file}, nil
}

// release lets the next process in. The file stays: removing it would let two
// processes lock two different files of the same name.
func (l *dirLock) release() error { return l.file.Close() }
