// Package watched has small files with a JSON array that several processes read and change: who
// may log in, tokens, what viewers have saved.
//
// Whoever reads one knows a change within a second; whoever changes one holds its folder's lock,
// so that no change is lost, and puts a new file in the place of the old one.
package watched

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

// File is one such file. It is safe for concurrent use.
type File[E any] struct {
	o Options[E]

	mu     sync.Mutex
	looked time.Time
	is     fs.FileInfo
	all    []E
}

// Options of a File.
type Options[E any] struct {
	What  string // for errors
	Path  string
	Bytes int // most of them
	Now   func() time.Time
	// Check looks at what was read, and what will be written: a file that is wrong anywhere gives
	// nobody anything.
	Check func([]E) error
}

// Open reads a file; one that does not exist is empty.
func Open[E any](o Options[E]) (*File[E], error) {
	w := &File[E]{o: o}
	_, err := w.List()
	return w, err
}

// List is what the file holds, at most look old. The caller must not change it.
func (w *File[E]) List() ([]E, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.o.Now()
	if since := now.Sub(w.looked); w.looked.IsZero() || since < 0 || since >= look {
		if err := w.read(); err != nil {
			return nil, err
		}
		w.looked = now
	}
	return w.all, nil
}

// read reads the file if it has changed. It is called with the mutex held.
func (w *File[E]) read() error {
	f, err := os.Open(w.o.Path)
	if errors.Is(err, fs.ErrNotExist) {
		w.all, w.is = nil, nil
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", w.o.What, err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%s: %w", w.o.What, err)
	}
	if w.is != nil && os.SameFile(info, w.is) && info.ModTime().Equal(w.is.ModTime()) && info.Size() == w.is.Size() {
		return nil
	}
	w.all, w.is = nil, nil
	text, err := io.ReadAll(io.LimitReader(f, int64(w.o.Bytes)+1))
	if err != nil {
		return fmt.Errorf("%s: %w", w.o.What, err)
	}
	if len(text) > w.o.Bytes {
		return fmt.Errorf("%s: %s: more than %d bytes", w.o.What, w.o.Path, w.o.Bytes)
	}
	var all []E
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(&all); err != nil {
		return fmt.Errorf("%s: %s: %w", w.o.What, w.o.Path, err)
	}
	if in.More() {
		return fmt.Errorf("%s: %s: want one array and nothing behind it", w.o.What, w.o.Path)
	}
	if err := w.o.Check(all); err != nil {
		return fmt.Errorf("%s: %s: %w", w.o.What, w.o.Path, err)
	}
	w.all, w.is = all, info
	return nil
}

// Change writes the file anew. Who reads it meanwhile has the one or the other; who changes it
// too waits, else one of two changes would be lost.
func (w *File[E]) Change(change func([]E) ([]E, error)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	folder, err := os.Open(filepath.Dir(w.o.Path))
	if err != nil {
		return fmt.Errorf("%s: %w", w.o.What, err)
	}
	defer folder.Close() //nolint:errcheck // that unlocks
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Flock(int(folder.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", w.o.What, err)
	}
	w.is = nil
	if err := w.read(); err != nil {
		return err
	}
	all, err := change(slices.Clone(w.all))
	if err != nil {
		return err
	}
	if err := w.o.Check(all); err != nil {
		return fmt.Errorf("%s: %w", w.o.What, err)
	}
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return err
	}
	if text = append(text, '\n'); len(text) > w.o.Bytes {
		return fmt.Errorf("%s: %s would have more than %d bytes", w.o.What, w.o.Path, w.o.Bytes)
	}
	if err := replace(w.o.Path, text); err != nil {
		return fmt.Errorf("%s: %w", w.o.What, err)
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
