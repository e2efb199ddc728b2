package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// look is how old what is known of a file may be: what was taken out of it is of no use
// afterwards.
const look = time.Second

// watched is a file with a JSON array that several processes read and change. It is safe for
// concurrent use.
type watched[E any] struct {
	what  string // for errors
	file  string
	bytes int // most of them
	now   func() time.Time
	// check looks at what was read: a file that is wrong anywhere gives nobody anything.
	check func([]E) error

	mu     sync.Mutex
	looked time.Time
	is     fs.FileInfo
	all    []E
}

// list is what the file holds, at most look old. The caller must not change it.
func (w *watched[E]) list() ([]E, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if since := now.Sub(w.looked); w.looked.IsZero() || since < 0 || since >= look {
		if err := w.read(); err != nil {
			return nil, err
		}
		w.looked = now
	}
	return w.all, nil
}

// read reads the file if it has changed. It is called with the mutex held.
func (w *watched[E]) read() error {
	f, err := os.Open(w.file)
	if errors.Is(err, fs.ErrNotExist) {
		w.all, w.is = nil, nil
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", w.what, err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%s: %w", w.what, err)
	}
	if w.is != nil && os.SameFile(info, w.is) && info.ModTime().Equal(w.is.ModTime()) && info.Size() == w.is.Size() {
		return nil
	}
	w.all, w.is = nil, nil
	text, err := io.ReadAll(io.LimitReader(f, int64(w.bytes)+1))
	if err != nil {
		return fmt.Errorf("%s: %w", w.what, err)
	}
	if len(text) > w.bytes {
		return fmt.Errorf("%s: %s: more than %d bytes", w.what, w.file, w.bytes)
	}
	var all []E
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(&all); err != nil {
		return fmt.Errorf("%s: %s: %w", w.what, w.file, err)
	}
	if in.More() {
		return fmt.Errorf("%s: %s: want one array and nothing behind it", w.what, w.file)
	}
	if err := w.check(all); err != nil {
		return fmt.Errorf("%s: %s: %w", w.what, w.file, err)
	}
	w.all, w.is = all, info
	return nil
}

// change writes the file anew. Who reads it meanwhile has the one or the other; who changes it
// too waits, else one of two changes would be lost.
func (w *watched[E]) change(change func([]E) ([]E, error)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	folder, err := os.Open(filepath.Dir(w.file))
	if err != nil {
		return fmt.Errorf("%s: %w", w.what, err)
	}
	defer folder.Close() //nolint:errcheck // that unlocks
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Flock(int(folder.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", w.what, err)
	}
	w.is = nil
	if err := w.read(); err != nil {
		return err
	}
	all, err := change(slices.Clone(w.all))
	if err != nil {
		return err
	}
	if err := w.check(all); err != nil {
		return fmt.Errorf("%s: %w", w.what, err)
	}
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return err
	}
	if text = append(text, '\n'); len(text) > w.bytes {
		return fmt.Errorf("%s: %s would have more than %d bytes", w.what, w.file, w.bytes)
	}
	if err := replace(w.file, text); err != nil {
		return fmt.Errorf("%s: %w", w.what, err)
	}
	w.is = nil
	return w.read()
}

// replace puts a file, which only its owner may read, in the place of another.
func replace(file string, text []byte) error {
	aside, err := os.CreateTemp(filepath.Dir(file), ".aftershock-")
	if err != nil {
		return err
	}
	_, err = aside.Write(text)
	err = errors.Join(err, aside.Sync(), aside.Close())
	if err == nil {
		err = os.Rename(aside.Name(), file)
	}
	if err != nil {
		os.Remove(aside.Name()) //nolint:errcheck,gosec // it is of no use
	}
	return err
}
