package symbolcache

import (
	"fmt"
	"hash/crc32"
	"os"

	"golang.org/x/sys/unix"

	"aftershock/breakpad"
)

// File is a compiled symbol file. It answers as the breakpad.File of the same
// text does, without having read it: lookups decode what they need from the
// bytes. It is immutable and safe for concurrent use.
//
// Every read is checked, so a damaged file makes a lookup answer nothing or
// something wrong, but never panic, loop or leave the file. [File.Verify] finds
// damage.
//
// The file must not be changed in place while it is open (replace it by a
// rename instead): bytes that vanish from below a mapping kill the process.
type File struct {
	// OS, DebugID, Name, CodeID, CodeFile and URL are those of breakpad.File.
	OS, DebugID, Name, CodeID, CodeFile, URL string
	Encoding                                 breakpad.Encoding

	header   header
	strict   bool
	sections [sectionCount][]byte
	mapped   []byte // nil when the bytes are the caller's
}

// Open maps a compiled file. It reads front and footer only, so that it takes
// microseconds whatever the size. The error wraps one of the Err variables of
// this package or is the system's.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // opened for reading; the mapping stays
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := info.Size()
	if size < int64(len(magic)) || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", path, ErrNotCompiled)
	}
	if int64(int(size)) != size {
		return nil, fmt.Errorf("%s: %w", path, ErrTooLarge)
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("%s: map: %w", path, err)
	}
	file, err := OpenBytes(b)
	if err != nil {
		unix.Munmap(b) //nolint:errcheck,gosec // nothing can be done
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	file.mapped = b
	return file, nil
}

// OpenBytes is Open for a file in memory, which must not change afterwards.
func OpenBytes(b []byte) (*File, error) {
	f := &File{}
	front, footer := b[:min(len(b), frontSize)], b[max(len(b)-footerSize, min(len(b), frontSize)):]
	if err := f.header.decode(front, footer, uint64(len(b))); err != nil {
		return nil, err
	}
	for i, s := range f.header.sections {
		end := s.offset + s.size
		f.sections[i] = b[s.offset:end:end]
	}
	meta := reader{b: f.sections[sectionMeta]}
	for _, field := range [...]*string{&f.OS, &f.DebugID, &f.Name, &f.CodeID, &f.CodeFile, &f.URL, (*string)(&f.Encoding)} {
		size := meta.uvarint()
		if meta.bad || size > uint64(len(meta.b)-meta.at) {
			return nil, fmt.Errorf("%w: section %q", ErrCorrupt, sections[sectionMeta].name)
		}
		end := meta.at + int(size)
		*field, meta.at = string(meta.b[meta.at:end]), end
	}
	if meta.at == len(meta.b) {
		return nil, fmt.Errorf("%w: section %q", ErrCorrupt, sections[sectionMeta].name)
	}
	f.strict = meta.b[meta.at]&metaStrict != 0
	return f, nil
}

// Close ends the mapping. CFI rows and WIN programs that lookups answered must
// not be used afterwards; names may.
func (f *File) Close() error {
	b := f.mapped
	f.mapped, f.sections = nil, [sectionCount][]byte{}
	if b == nil {
		return nil
	}
	return unix.Munmap(b)
}

// Verify reads the whole file and compares every section with its checksum. It
// answers ErrCorrupt, wrapped with the name of the section, if one differs.
func (f *File) Verify() error {
	for i, b := range f.sections {
		sum := uint32(0)
		for from := 0; from < len(b); from += verifyBytes {
			some := b[from:min(from+verifyBytes, len(b))]
			sum = crc32.Update(sum, castagnoli, some)
			f.letGo(f.header.sections[i].offset+uint64(from), len(some))
		}
		if sum != f.header.sections[i].checksum {
			return fmt.Errorf("%w: checksum of section %q", ErrCorrupt, sections[i].name)
		}
	}
	return nil
}

// verifyBytes of a file are verified at a time.
const verifyBytes = 1 << 20

// letGo gives the pages of a part of the mapping back, which count as the process's own
// while they are mapped: of a large file a lookup needs few. Who needs them reads them
// again.
func (f *File) letGo(offset uint64, size int) {
	page := uint64(os.Getpagesize())
	first, last := (offset+page-1)/page*page, (offset+uint64(size))/page*page
	if f.mapped != nil && first < last {
		unix.Madvise(f.mapped[first:last], unix.MADV_DONTNEED) //nolint:errcheck,gosec // it is only advice
	}
}

// Arch is the architecture that register indices in CFI rows are of.
func (f *File) Arch() breakpad.Arch { return f.header.arch }

// Strict tells whether minidump-stackwalk takes the text as it is.
func (f *File) Strict() bool { return f.strict }

// HasFunctions tells whether any FUNC or PUBLIC record can be found.
func (f *File) HasFunctions() bool { return len(f.sections[sectionSymbols]) > 0 }

// BadLines is the number of lines of the text that made no sense.
func (f *File) BadLines() int { return int(f.header.badLines) }

// Records is the number of lines of the text that were understood.
func (f *File) Records() int { return int(f.header.records) }

// TextSHA256 is that of the text that the file was compiled from.
func (f *File) TextSHA256() [32]byte { return f.header.textSHA256 }

// TextBytes is the size of that text.
func (f *File) TextBytes() uint64 { return f.header.textBytes }

// Section describes a section of a compiled file to people.
type Section struct {
	Name         string
	Offset, Size uint64
	Checksum     uint32 // CRC-32C
}

// Sections lists the file's sections in their order.
func (f *File) Sections() []Section {
	out := make([]Section, sectionCount)
	for i, s := range f.header.sections {
		out[i] = Section{sections[i].name, s.offset, s.size, s.checksum}
	}
	return out
}
