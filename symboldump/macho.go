package symboldump

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"strings"

	"aftershock/breakpad"
)

// machOSymbols is the symbol table of a Mach-O file.
type machOSymbols struct {
	table, strings []byte
}

// Load commands and magics (mach-o/loader.h, mach-o/fat.h).
const (
	fatMagic   = 0xcafebabe
	fatMagic64 = 0xcafebabf

	loadSymtab    = 0x02
	loadSegment   = 0x01
	loadSegment64 = 0x19
	loadIDDylib   = 0x0d
	loadUUID      = 0x1b

	sectionHasCode = 0x80000400 // S_ATTR_PURE_INSTRUCTIONS, S_ATTR_SOME_INSTRUCTIONS
)

// thinMachO is the part of a universal file for an architecture, the first one
// for ArchUnknown. A file that is not universal is its own part.
func thinMachO(data []byte, arch breakpad.Arch) ([]byte, error) {
	r := reader{data: data, bigEndian: true}
	magic := r.u32()
	if magic != fatMagic && magic != fatMagic64 {
		return data, nil
	}
	n := r.u32()
	for range min(n, maxFatParts) {
		cpu := macho.Cpu(r.u32())
		r.skip(4)
		var off, size uint64
		if magic == fatMagic {
			off, size = uint64(r.u32()), uint64(r.u32())
			r.skip(4)
		} else {
			off, size = r.u64(), r.u64()
			r.skip(8)
		}
		if r.bad {
			break
		}
		if have, _ := machOArch(cpu); arch != breakpad.ArchUnknown && have != arch {
			continue
		}
		if off >= uint64(len(data)) || size > uint64(len(data))-off {
			return nil, damaged("universal file")
		}
		return data[off : off+size : off+size], nil
	}
	return nil, damaged("universal file: no part for the architecture")
}

// isMachO tells whether bytes begin as a Mach-O or universal file does. Java's
// classes have the same magic as the latter, and a version where the number of
// parts is.
func isMachO(data []byte) bool {
	magic := binary.BigEndian.Uint32(data)
	switch magic {
	case fatMagic, fatMagic64:
		return len(data) >= 8 && binary.BigEndian.Uint32(data[4:]) <= maxFatParts
	case macho.Magic32, macho.Magic64:
		return true
	}
	magic = binary.LittleEndian.Uint32(data)
	return magic == macho.Magic32 || magic == macho.Magic64
}

func machOArch(cpu macho.Cpu) (breakpad.Arch, string) {
	arch := breakpad.ArchUnknown
	switch cpu {
	case macho.Cpu386:
		arch = breakpad.X86
	case macho.CpuAmd64:
		arch = breakpad.AMD64
	case macho.CpuArm:
		arch = breakpad.ARM
	case macho.CpuArm64:
		arch = breakpad.ARM64
	case macho.CpuPpc:
		return arch, "ppc"
	case macho.CpuPpc64:
		return arch, "ppc64"
	}
	return arch, arch.String()
}

// openMachO reads the header and load commands.
func (f *File) openMachO() error {
	f.order = endianness(binary.LittleEndian.Uint32(f.data) != macho.Magic32 && binary.LittleEndian.Uint32(f.data) != macho.Magic64)
	r := f.reader(f.data)
	magic, cpu := r.u32(), macho.Cpu(r.u32())
	r.skip(8)
	count := r.u32()
	r.skip(8)
	f.wordBytes = 4
	if magic == macho.Magic64 {
		f.wordBytes = 8
		r.skip(4)
	}
	f.module = Module{OS: "Mac", DebugID: strings.Repeat("0", 33)}
	f.module.Arch, f.module.CPU = machOArch(cpu)
	for range min(count, maxProgramHeaders) {
		kind, size := r.u32(), uint64(r.u32())
		if size < 8 {
			break
		}
		command := r.part(size - 8)
		if command.bad {
			break
		}
		f.loadCommand(kind, command)
	}
	if len(f.sections) == 0 {
		return damaged("Mach-O load commands")
	}
	for i := range f.sections { // now that it is known where the module begins
		s := &f.sections[i]
		if rva, ok := f.rva(s.addr); ok && s.executable && s.size > 0 {
			f.code = append(f.code, Segment{rva, min(s.size, maxRVA+1-rva), s.data})
		}
	}
	return nil
}

func (f *File) loadCommand(kind uint32, r reader) {
	switch kind {
	case loadSegment, loadSegment64:
		f.machOSegment(&r)
	case loadUUID:
		if id := r.bytes(16); id != nil {
			f.module.DebugID, f.module.CodeID = upperHex(id)+"0", upperHex(id)
		}
	case loadIDDylib:
		at := uint64(r.u32())
		if name := textAt(r.data, at-8); at >= 8 { // offsets count from the command's start
			f.module.Name = printableName(cut(name, 4096)[bytes.LastIndexByte(cut(name, 4096), '/')+1:])
		}
	case loadSymtab:
		off, n := uint64(r.u32()), uint64(r.u32())
		stringsAt, size := uint64(r.u32()), uint64(r.u32())
		if !r.bad {
			f.machO.table = f.within(off, n*uint64(f.wordBytes+8))
			f.machO.strings = f.within(stringsAt, size)
		}
	}
}

// machOSegment reads a segment and its sections.
func (f *File) machOSegment(r *reader) {
	segment := fixedName(r.bytes(16))
	addr := r.word(f.wordBytes)
	r.word(f.wordBytes)
	r.word(f.wordBytes)
	r.word(f.wordBytes)
	r.skip(8)
	n := r.u32()
	r.skip(4)
	if r.bad {
		return
	}
	if segment == "__TEXT" {
		f.load = addr
	}
	for range n {
		s := section{name: fixedName(r.bytes(16))}
		r.skip(16)
		s.addr, s.size = r.word(f.wordBytes), r.word(f.wordBytes)
		off := uint64(r.u32())
		r.skip(12)
		flags := r.u32()
		r.skip(uint64(f.wordBytes) + 4) // two reserved words, three of 64 bits
		if r.bad || len(f.sections) == maxNumberedSections {
			return
		}
		s.executable = flags&sectionHasCode != 0
		if flags&0xff != 1 && off != 0 { // S_ZEROFILL
			s.data = f.within(off, s.size)
		}
		f.sections = append(f.sections, s)
	}
}

func fixedName(b []byte) string {
	name, _, _ := bytes.Cut(b, []byte{0})
	return string(name)
}

// machOPublics yields the symbols of code.
func (f *File) machOPublics(report *Report, yield func(addr uint64, name []byte, resolver bool)) {
	const (
		stab, kindMask, inSection = 0xe0, 0x0e, 0x0e // N_STAB, N_TYPE, N_SECT
	)
	r := f.reader(f.machO.table)
	for n := 0; r.left() >= f.wordBytes+8; n++ {
		if n == f.maxSymbols() {
			report.drop(SymbolLimit)
			return
		}
		name := uint64(r.u32())
		kind, number := r.u8(), int(r.u8())
		r.skip(2)
		addr := r.word(f.wordBytes)
		if kind&stab != 0 || kind&kindMask != inSection || number == 0 || number > len(f.sections) {
			continue
		}
		if s := f.sections[number-1]; s.name == "__text" || s.name == "__stubs" {
			yield(addr, bytes.TrimPrefix(report.textAt(f.machO.strings, name), []byte("_")), false)
		}
	}
}
