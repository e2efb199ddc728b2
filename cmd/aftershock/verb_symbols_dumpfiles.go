package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"aftershock/breakpad"
	"aftershock/symboldump"
)

// moduleFiles finds the files that belong to a module, where debuggers do.
type moduleFiles struct {
	debugDir string
	arch     breakpad.Arch // of universal files
	// debugPath is where the debug information was found.
	debugPath string
}

// open reads a file that must be one.
func (m *moduleFiles) open(path string) (*symboldump.File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := symboldump.OpenArch(data, m.arch)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// try reads a file that may not be there.
func (m *moduleFiles) try(path string) *symboldump.File {
	f, err := m.open(path)
	if err != nil {
		return nil
	}
	return f
}

// debugOf is the file with the debug information of a module: the one that was
// asked for, or else the one of its build id or .gnu_debuglink.
func (m *moduleFiles) debugOf(binaryPath, asked string, binary *symboldump.File) (*symboldump.File, error) {
	if asked != "" {
		m.debugPath = asked
		f, err := m.open(asked)
		if err != nil {
			return nil, err
		}
		if have, want := f.Module().DebugID, binary.Module().DebugID; have != want && binary.Module().CodeID != "" {
			return nil, fmt.Errorf("%s: has debug id %s, and %s has %s: they are not of one build", asked, have, binaryPath, want)
		}
		return f, nil
	}
	if binary.HasDebugInfo() {
		return nil, nil
	}
	if id := strings.ToLower(binary.Module().CodeID); len(id) > 2 {
		m.debugPath = filepath.Join(m.debugDir, ".build-id", id[:2], id[2:]+".debug")
		if f := m.try(m.debugPath); f != nil {
			return f, nil
		}
	}
	link := binary.DebugLink()
	if link.Name == "" {
		return nil, nil
	}
	folder := filepath.Dir(binaryPath)
	if full, err := filepath.Abs(folder); err == nil {
		folder = full
	}
	name := filepath.Base(link.Name)
	for _, m.debugPath = range []string{
		filepath.Join(folder, name), filepath.Join(folder, ".debug", name), filepath.Join(m.debugDir, folder, name),
	} {
		if data, err := os.ReadFile(m.debugPath); err == nil && crc32.ChecksumIEEE(data) == link.CRC {
			if f, err := symboldump.Open(data); err == nil {
				return f, nil
			}
		}
	}
	return nil, nil
}

// alternate is the file that dwz made of what is common to several, nil if none
// was or it is not there.
func (m *moduleFiles) alternate(path string, f *symboldump.File) *symboldump.File {
	link := f.Alternate()
	if link.Name == "" {
		return nil
	}
	name := link.Name
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(path), name)
	}
	if alternate := m.try(name); alternate != nil {
		return alternate
	}
	if id := hex.EncodeToString(link.BuildID); len(id) > 2 {
		return m.try(filepath.Join(m.debugDir, ".build-id", id[:2], id[2:]+".debug"))
	}
	return nil
}

// split finds the file of a split unit.
func (m *moduleFiles) split(dir, name string) *symboldump.File {
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	return m.try(name)
}

// replaceFile puts what write writes in the place of a file, as a whole or not at
// all.
func replaceFile(path string, write func(io.Writer) error) (err error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() { // a device, a pipe
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".dump-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()           //nolint:errcheck,gosec // the first error counts
			os.Remove(f.Name()) //nolint:errcheck,gosec // the same
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Chmod(fs.FileMode(0o644)); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
