package symboldump

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"aftershock/breakpad"
)

// File is a module's own file, or the file with its debug information. It
// aliases the bytes it was opened from, which must not change while it is used.
// It is safe for concurrent use only if nobody writes symbols of it.
type File struct {
	data      []byte
	format    format
	module    Module
	order     endianness
	wordBytes int
	// load is the address that rvas count from: that of the first segment.
	load     uint64
	code     []Segment
	sections []section
	unpacked map[string][]byte // by name, of compressed sections
	spent    uint64            // bytes of those
	notes    int               // that were looked at
	symbols  int               // that may be looked at, 0 for maxSymbols
	image    *peImage          // of a PE file
	machO    machOSymbols      // of a Mach-O file
	// link and alternate name the files that hold the rest of the debug
	// information.
	link, alternate Link
}

type format uint8

const (
	formatELF format = iota
	formatPE
	formatMachO
)

type endianness bool // true for big

// Module says what the MODULE record and INFO CODE_ID do.
type Module struct {
	OS   string
	Arch breakpad.Arch
	// CPU is the architecture as the MODULE record names it; it is set also where
	// Arch is unknown.
	CPU string
	// DebugID is 32 upper-case hexadecimal digits and the age. CodeID is the build
	// id of ELF and the UUID of Mach-O in upper-case hexadecimal digits, and of PE
	// the time stamp and the image's size as symbol servers have them; it is empty
	// if the file has none.
	DebugID, CodeID string
	// Name is what the file itself says the module is called in symbol files
	// (DT_SONAME, LC_ID_DYLIB, the PDB file of PE), without folders; mostly empty
	// for programs.
	Name string
}

// Segment is a range of a module that is executable when it is loaded.
type Segment struct {
	RVA, Size uint64
	// Data are the bytes at RVA that the file has, at most Size; what is missing
	// is zero. It aliases the file's bytes.
	Data []byte
}

// Range is a part of a module.
type Range struct{ RVA, Size uint64 }

// Link names another file that belongs to this one.
type Link struct {
	// Name is the name, as the file has it; empty if there is no such file.
	Name string
	// CRC is that file's CRC-32, of a .gnu_debuglink; BuildID its build id, of a
	// .gnu_debugaltlink.
	CRC     uint32
	BuildID []byte
}

// section is a section as its header describes it; data are the bytes in the
// file, which are nil if there are none.
type section struct {
	name       string
	addr, size uint64
	data       []byte
	compressed bool
	executable bool
}

// Open reads a file's headers. The error is ErrFormat or ErrDamaged, with where.
// Of a universal Mach-O file it is the first part.
func Open(data []byte) (*File, error) { return OpenArch(data, breakpad.ArchUnknown) }

// OpenArch is Open for the part of a universal Mach-O file that is for an
// architecture. Other files are opened whatever they are for.
func OpenArch(data []byte, arch breakpad.Arch) (*File, error) {
	f := &File{data: data}
	var err error
	switch {
	case !Recognizes(data):
		return nil, ErrFormat
	case string(data[:4]) == "\x7fELF":
		f.format = formatELF
		err = f.openELF()
	case data[0] == 'M' && data[1] == 'Z':
		f.format = formatPE
		err = f.openPE()
	default:
		f.format = formatMachO
		if f.data, err = thinMachO(data, arch); err == nil && len(f.data) >= 4 && isMachO(f.data) {
			err = f.openMachO()
		} else if err == nil {
			err = damaged("universal file")
		}
	}
	if err != nil {
		return nil, err
	}
	f.code = disjointCode(f.code, maxCodeRepeats*len(f.data))
	return f, nil
}

// MagicBytes are the first bytes of a file that tell what it is.
const MagicBytes = 8

// Recognizes tells whether a file that begins so may be one that Open reads.
func Recognizes(head []byte) bool {
	return len(head) >= MagicBytes && (string(head[:4]) == "\x7fELF" || string(head[:2]) == "MZ" || isMachO(head))
}

// disjointCode sorts ranges of code. What others cover already is left out, and so
// are bytes once there have been so many: segments can map the same ones again and
// again.
func disjointCode(code []Segment, bytes int) []Segment {
	slices.SortStableFunc(code, func(a, b Segment) int { return cmp.Compare(a.RVA, b.RVA) })
	kept, end := code[:0], uint64(0)
	for _, s := range code {
		if covered := min(end-min(s.RVA, end), s.Size); covered > 0 {
			s.RVA, s.Size, s.Data = s.RVA+covered, s.Size-covered, s.Data[min(covered, uint64(len(s.Data))):]
		}
		if s.Size == 0 {
			continue
		}
		s.Data = cut(s.Data, bytes)
		bytes -= len(s.Data)
		kept, end = append(kept, s), s.RVA+s.Size
	}
	return kept
}

// Module says which module the file is.
func (f *File) Module() Module { return f.module }

// Code lists the executable ranges by address; none overlap. The slice is shared: do not
// change it.
func (f *File) Code() []Segment { return f.code }

// DebugLink is what .gnu_debuglink names: the file with the debug information
// that was stripped off this one.
func (f *File) DebugLink() Link { return f.link }

// Alternate is what .gnu_debugaltlink names: the file that dwz moved to what
// several files have in common.
func (f *File) Alternate() Link { return f.alternate }

// HasDebugInfo tells whether the file has DWARF debug information.
func (f *File) HasDebugInfo() bool {
	s := f.findAny("debug_info")
	return s != nil && len(s.data) > 0
}

// rva is an address relative to the module; it is false for one outside of the
// 4 GiB that records can name.
func (f *File) rva(addr uint64) (uint64, bool) {
	if addr < f.load || addr-f.load > maxRVA {
		return 0, false
	}
	return addr - f.load, true
}

const maxRVA = 1<<32 - 1

// inCode tells whether the file says that there is code at the rva. A file that
// says nothing of code has it everywhere.
func (f *File) inCode(rva uint64) bool {
	return f.codeEnd(rva) > rva || len(f.code) == 0
}

// codeEnd is where the executable range ends that has an rva; the rva itself if none
// has it.
func (f *File) codeEnd(rva uint64) uint64 {
	i, exact := slices.BinarySearchFunc(f.code, rva, func(s Segment, rva uint64) int { return cmp.Compare(s.RVA, rva) })
	if !exact {
		i--
	}
	if i >= 0 && rva-f.code[i].RVA < f.code[i].Size {
		return f.code[i].RVA + f.code[i].Size
	}
	return rva
}

func (f *File) reader(data []byte) reader {
	return reader{data: data, bigEndian: bool(f.order)}
}

// find is the section of that name; nil if there is none.
func (f *File) find(name string) *section {
	for i := range f.sections {
		if f.sections[i].name == name {
			return &f.sections[i]
		}
	}
	return nil
}

// eachSymbol yields the symbols of functions that the file's tables have, in
// their order. A resolver is the code that chooses which function its name calls.
func (f *File) eachSymbol(report *Report, yield func(addr uint64, name []byte, resolver bool)) {
	switch f.format {
	case formatELF:
		f.elfPublics(report, yield)
	case formatPE:
		f.peSymbols(report, yield)
	case formatMachO:
		f.machOPublics(report, yield)
	}
}

func (f *File) maxSymbols() int { return cmp.Or(f.symbols, maxSymbols) }

// hasFrames tells whether there is an .eh_frame with something in it.
func (f *File) hasFrames() bool {
	s := f.findAny("eh_frame")
	return s != nil && len(s.data) > 0
}

// writeUnwind writes STACK CFI records of all that the file has. told is that
// another file has told what its .eh_frame does.
func (f *File) writeUnwind(out *output, report *Report, told bool) {
	compact := f.format == formatMachO && f.writeCompactUnwind(out, report)
	for _, t := range f.frameSections(report) {
		if !t.eh || !compact && !told { // compact entries name what of it counts
			f.writeFrames(t, out, report)
		}
	}
	switch f.format {
	case formatELF:
		f.writeExidx(out, report)
	case formatPE:
		f.writePEUnwind(out, report)
	case formatMachO:
	}
}

func damaged(what string) error { return fmt.Errorf("%s: %w", what, ErrDamaged) }

// debugID makes a Breakpad id of a build id: its first 16 bytes, taken for a
// GUID of the file's byte order, and age 0.
func debugID(id []byte, order endianness) string {
	var guid [16]byte
	copy(guid[:], id)
	if !order {
		binary.BigEndian.PutUint32(guid[0:], binary.LittleEndian.Uint32(guid[0:]))
		binary.BigEndian.PutUint16(guid[4:], binary.LittleEndian.Uint16(guid[4:]))
		binary.BigEndian.PutUint16(guid[6:], binary.LittleEndian.Uint16(guid[6:]))
	}
	return upperHex(guid[:]) + "0"
}

func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }
