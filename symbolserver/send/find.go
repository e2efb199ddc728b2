// Package send uploads symbol files and modules' own files to a symbol server: it finds out
// what each file is (Find), asks the server which of them it lacks, and sends those
// (Sender).
package send

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"aftershock/breakpad"
	"aftershock/symbolserver/store"
)

// File is a file that a symbol server takes.
type File struct {
	Name string // where it lies
	Path store.Path
	// SHA256 is that of the content, not packed, and Bytes its size.
	SHA256 string
	Bytes  int64
	// Encoding is that in which a symbol file lies there, as it is sent.
	Encoding string
}

// ErrUnknown is about a file that is neither a symbol file nor a module.
var ErrUnknown = errors.New("neither a symbol file nor a module with an id")

// Find walks directories and looks at every file below them, and at files that are named
// themselves. What is of no use to a symbol server is handed to skipped, and is an error
// when it was named itself.
func Find(names []string, found func(File) error, skipped func(name string, err error)) error {
	for _, root := range names {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir():
				return nil
			case !d.Type().IsRegular() && name != root: // what a link leads to is found where it lies
				return nil
			}
			f, err := Identify(name)
			if errors.Is(err, ErrUnknown) && name != root {
				skipped(name, err)
				return nil
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return found(f)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// headBytes tell what a file is.
const headBytes = 8

// Identify tells what a file is, and its digests.
func Identify(name string) (File, error) {
	f, err := os.Open(name)
	if err != nil {
		return File{}, err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	head := make([]byte, headBytes)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return File{}, err
	}
	out := File{Name: name}
	var path string
	switch head = head[:n]; {
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)):
		path, err = elfPath(f)
	case bytes.HasPrefix(head, []byte("MZ")):
		path, err = pePath(f, filepath.Base(name))
	case isMachO(head):
		path, err = machoPath(f)
	default:
		path, err = symPath(f)
		out.Encoding = store.Sniff(head)
	}
	if err == nil {
		out.Path, err = store.ParsePath(path)
	}
	if err != nil {
		return File{}, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return out, out.digest(f)
}

// digest reads the file to its end.
func (out *File) digest(f *os.File) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	content := io.NopCloser(io.Reader(f))
	if out.Path.IsSym() {
		var err error
		if content, err = store.Text(f); err != nil {
			return err
		}
		defer content.Close() //nolint:errcheck // nothing is left in it
	}
	sum := sha256.New()
	var err error
	out.Bytes, err = io.Copy(sum, content)
	out.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return err
}

// symPath is the path of a symbol file, packed or not, by its MODULE record.
func symPath(f *os.File) (string, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	text, err := store.Text(f)
	if err != nil {
		return "", err
	}
	defer text.Close() //nolint:errcheck // opened for reading
	h, err := store.ReadHead(text)
	if err != nil {
		return "", err
	}
	if h.DebugID == "" || h.DebugFile == "" {
		return "", breakpad.ErrNoModule
	}
	return h.DebugFile + "/" + h.DebugID + "/" + store.SymName(h.DebugFile), nil
}

var errNoID = errors.New("it has no id")

// elfPath is debuginfod's. A file without code is that of a module's debug information.
func elfPath(f io.ReaderAt) (string, error) {
	e, err := elf.NewFile(f)
	if err != nil {
		return "", err
	}
	for _, s := range e.Sections {
		if s.Type != elf.SHT_NOTE || s.Size > 1<<16 {
			continue
		}
		note, err := s.Data()
		if err != nil {
			continue
		}
		if id := buildID(note, e.ByteOrder.Uint32); id != "" {
			kind := store.Executable
			if text := e.Section(".text"); e.Section(".debug_info") != nil && (text == nil || text.Type == elf.SHT_NOBITS) {
				kind = store.DebugInfo
			}
			return "buildid/" + id + "/" + kind, nil
		}
	}
	return "", errNoID
}

// noteGNUBuildID is NT_GNU_BUILD_ID (elf.h).
const noteGNUBuildID = 3

// buildID is that in a section of notes: sizes of name and content, type, name, content, each
// padded to four bytes.
func buildID(notes []byte, number func([]byte) uint32) string {
	pad := func(n uint32) uint64 { return (uint64(n) + 3) &^ 3 }
	for len(notes) >= 12 {
		name, size, kind := number(notes), number(notes[4:]), number(notes[8:])
		end := 12 + pad(name) + pad(size)
		if uint64(len(notes)) < 12+pad(name)+uint64(size) {
			return ""
		}
		if content := notes[12+pad(name):][:size]; kind == noteGNUBuildID && string(notes[12:][:name]) == "GNU\x00" {
			return hex.EncodeToString(content)
		}
		notes = notes[min(end, uint64(len(notes))):]
	}
	return ""
}

// pePath is that of a symbol server: time stamp and size of the image.
func pePath(f io.ReaderAt, name string) (string, error) {
	p, err := pe.NewFile(f)
	if err != nil {
		return "", err
	}
	var size uint32
	switch h := p.OptionalHeader.(type) {
	case *pe.OptionalHeader32:
		size = h.SizeOfImage
	case *pe.OptionalHeader64:
		size = h.SizeOfImage
	default:
		return "", errNoID
	}
	return fmt.Sprintf("%s/%08X%x/%s", name, p.TimeDateStamp, size, name), nil
}

// isMachO tells a Mach-O of one architecture; those of several have an id for each.
func isMachO(head []byte) bool {
	for _, magic := range []string{"\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	return false
}

// Of Mach-O (mach-o/loader.h): LC_UUID, and MH_DSYM for debug information.
const (
	loadUUID  = 0x1b
	typeDSYM  = 0xa
	uuidBytes = 16
)

// machoPath is debuginfod's, with the UUID as build id.
func machoPath(f io.ReaderAt) (string, error) {
	m, err := macho.NewFile(f)
	if err != nil {
		return "", err
	}
	for _, l := range m.Loads {
		raw := l.Raw()
		if len(raw) < 8+uuidBytes || m.ByteOrder.Uint32(raw) != loadUUID {
			continue
		}
		kind := store.Executable
		if m.Type == typeDSYM {
			kind = store.DebugInfo
		}
		return "buildid/" + hex.EncodeToString(raw[8:][:uuidBytes]) + "/" + kind, nil
	}
	return "", errNoID
}
