package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// spool holds the whole body of an insert. The engine commits an insert block
// by block (measured: a body cut off after 5 million rows left a million
// behind), so nothing is handed to it before the body is known to be complete.
// It also means that a slow client does not occupy a connection of the engine.
type spool struct {
	memory []byte
	file   *os.File // nil if all fits into memory; has no name any more
}

// newSpool reads src to its end. What exceeds memoryBytes goes to a file in dir.
// A source that does not end with io.EOF, or gives more than maxBytes, is an error.
func newSpool(src io.Reader, dir string, memoryBytes int, maxBytes int64) (*spool, error) {
	src = &io.LimitedReader{R: src, N: maxBytes + 1}
	var head bytes.Buffer
	n, err := head.ReadFrom(io.LimitReader(src, int64(memoryBytes)))
	if err != nil {
		return nil, err
	}
	s := &spool{memory: head.Bytes()}
	if n < int64(memoryBytes) {
		if n > maxBytes {
			return nil, errInsertTooLarge(maxBytes)
		}
		return s, nil
	}
	if s.file, err = os.CreateTemp(dir, "insert-*"); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	// Without a name, the file goes when it is closed or the process dies.
	err = os.Remove(s.file.Name())
	if err == nil {
		var rest int64
		rest, err = io.Copy(s.file, src)
		if err == nil && n+rest > maxBytes {
			err = errInsertTooLarge(maxBytes)
		}
	}
	if err == nil {
		_, err = s.file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func errInsertTooLarge(maxBytes int64) error {
	return exceptionf(131, "TOO_LARGE_STRING_SIZE", "The data of the INSERT exceed %d bytes", maxBytes)
}

// reader reads the body, once.
func (s *spool) reader() io.Reader {
	if s.file == nil {
		return bytes.NewReader(s.memory)
	}
	return io.MultiReader(bytes.NewReader(s.memory), s.file)
}

// close frees the disk space.
func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
