package symbolcache

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Extension is that of compiled files' names.
const Extension = ".csym"

// Publish compiles the text of a symbol file into a new file at path. Whoever
// opens path, also after a crash, finds what was there before or the whole new
// file, never a part: it is written beside path, synced, verified and renamed.
// Who has the old file open keeps it.
func Publish(path string, text io.Reader) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), "*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(temp.Name()) //nolint:errcheck,gosec // the first error counts
		}
	}()
	err = Compile(temp, text)
	if err == nil {
		err = temp.Sync()
	}
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if err = VerifyFile(temp.Name()); err != nil {
		return fmt.Errorf("just written: %w", err)
	}
	if err = os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// VerifyFile checks a compiled file as Open does and compares all of it with
// its checksums. It reads the file piece by piece instead of mapping it, which
// would make all of it resident.
func VerifyFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var h header
	size := info.Size()
	front := make([]byte, min(size, frontSize))
	footer := make([]byte, min(size-int64(len(front)), int64(footerSize)))
	if _, err = f.ReadAt(front, 0); err == nil {
		_, err = f.ReadAt(footer, size-int64(len(footer)))
	}
	if err == nil {
		err = h.decode(front, footer, uint64(size))
	}
	if err == nil {
		err = h.verify(f)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// syncDir makes a rename survive a power cut.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close() //nolint:errcheck // opened for reading
	return dir.Sync()
}
