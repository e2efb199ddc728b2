package symboldump

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"aftershock/breakpad"
)

// peImage is what a PE file has beside sections.
type peImage struct {
	sections   []pe.SectionHeader32
	exports    pe.DataDirectory
	exceptions pe.DataDirectory
	// The COFF symbol table, which linkers of GNU's kind leave in.
	symbols, strings []byte
}

// peNoSection begins the numbers that stand for no section (PE format, section
// number values).
const peNoSection = 0xfff0

// openPE reads headers and the debug directory (Microsoft's PE format).
func (f *File) openPE() error {
	r := f.reader(f.data)
	r.seek(0x3c)
	at := uint64(r.u32())
	r.seek(at)
	if string(r.bytes(4)) != "PE\x00\x00" {
		return damaged("PE signature")
	}
	machine, count := r.u16(), uint64(r.u16())
	stamp := r.u32()
	symbolsAt, symbolCount := uint64(r.u32()), uint64(r.u32())
	optionalSize := uint64(r.u16())
	r.skip(2) // characteristics
	optional := r.part(optionalSize)
	if r.bad {
		return damaged("PE headers")
	}
	f.module = Module{OS: "windows", DebugID: strings.Repeat("0", 33)}
	f.wordBytes = 4
	switch machine {
	case pe.IMAGE_FILE_MACHINE_AMD64:
		f.module.Arch, f.wordBytes = breakpad.AMD64, 8
	case pe.IMAGE_FILE_MACHINE_I386:
		f.module.Arch = breakpad.X86
	case pe.IMAGE_FILE_MACHINE_ARM64:
		f.module.Arch, f.wordBytes = breakpad.ARM64, 8
	case pe.IMAGE_FILE_MACHINE_ARMNT:
		f.module.Arch = breakpad.ARM
	}
	f.module.CPU = f.module.Arch.String()
	directories := f.peOptional(optional, stamp)
	image := &peImage{}
	if size := symbolCount * coffSymbolBytes; symbolsAt > 0 {
		image.symbols = f.within(symbolsAt, size)
		image.strings = f.within(symbolsAt+size, uint64(len(f.data)))
	}
	f.peSections(&r, min(count, maxNumberedSections), image)
	f.image = image
	image.exports, image.exceptions = directories[0], directories[3]
	f.peDebug(directories[6])
	if len(f.sections) == 0 {
		return damaged("PE sections")
	}
	return nil
}

// peOptional reads the optional header: the base, the code id and the data
// directories.
func (f *File) peOptional(r reader, stamp uint32) (directories [16]pe.DataDirectory) {
	const plus = 0x20b
	magic := r.u16()
	r.skip(22)
	if magic == plus {
		f.load = r.u64()
	} else {
		r.skip(4)
		f.load = uint64(r.u32())
	}
	r.skip(24)
	size := r.u32()
	r.skip(12)
	if magic == plus {
		r.skip(32)
	} else {
		r.skip(16)
	}
	r.skip(4) // loader flags
	n := r.u32()
	if !r.bad {
		f.module.CodeID = fmt.Sprintf("%08X%x", stamp, size)
	}
	for i := range min(n, 16) {
		directories[i] = pe.DataDirectory{VirtualAddress: r.u32(), Size: r.u32()}
	}
	return directories
}

func (f *File) peSections(r *reader, count uint64, image *peImage) {
	for range count {
		h := pe.SectionHeader32{}
		copy(h.Name[:], r.bytes(8))
		h.VirtualSize, h.VirtualAddress, h.SizeOfRawData, h.PointerToRawData = r.u32(), r.u32(), r.u32(), r.u32()
		r.skip(12)
		h.Characteristics = r.u32()
		if r.bad {
			return
		}
		s := section{
			name: peName(h.Name[:], image.strings), addr: f.load + uint64(h.VirtualAddress), size: uint64(h.VirtualSize),
			executable: h.Characteristics&pe.IMAGE_SCN_MEM_EXECUTE != 0,
		}
		if s.size == 0 {
			s.size = uint64(h.SizeOfRawData)
		}
		s.data = f.within(uint64(h.PointerToRawData), min(uint64(h.SizeOfRawData), s.size))
		image.sections = append(image.sections, h)
		f.sections = append(f.sections, s)
		if s.executable {
			f.code = append(f.code, Segment{uint64(h.VirtualAddress), s.size, s.data})
		}
	}
}

// peName is a section's name; a long one stands in the string table.
func peName(name, stringTable []byte) string {
	name, _, _ = bytes.Cut(name, []byte{0})
	if len(name) > 1 && name[0] == '/' {
		if off, err := strconv.ParseUint(string(name[1:]), 10, 32); err == nil {
			return sectionName(stringTable, off)
		}
	}
	return string(name)
}

// atRVA are the bytes of the file from an rva on, at most size, up to the end of
// its section.
func (f *File) atRVA(rva, size uint64) []byte {
	for i := range min(len(f.sections), maxMappedSections) {
		s := &f.sections[i]
		if off := f.load + rva - s.addr; f.load+rva >= s.addr && off < uint64(len(s.data)) {
			return s.data[off : off+min(size, uint64(len(s.data))-off)]
		}
	}
	return nil
}

// peDebug finds the CodeView record, which names the PDB file.
func (f *File) peDebug(directory pe.DataDirectory) {
	const codeView = 2
	r := f.reader(f.atRVA(uint64(directory.VirtualAddress), uint64(directory.Size)))
	for r.left() >= 28 {
		r.skip(12)
		kind, size := r.u32(), uint64(r.u32())
		r.skip(4)
		data := f.reader(f.within(uint64(r.u32()), size))
		if kind != codeView || string(data.bytes(4)) != "RSDS" {
			continue
		}
		guid := data.bytes(16)
		age := data.u32()
		if data.bad {
			continue
		}
		id := debugID(guid, false)
		f.module.DebugID = id[:32] + strings.ToUpper(strconv.FormatUint(uint64(age), 16))
		name := cut(data.text(), 4096)
		f.module.Name = printableName(name[bytes.LastIndexAny(name, `\/`)+1:])
		return
	}
}

const coffSymbolBytes = 18

// peSymbols yields what the export directory names, and functions of the COFF
// symbol table.
func (f *File) peSymbols(report *Report, yield func(addr uint64, name []byte, resolver bool)) {
	d := f.image.exports
	r := f.reader(f.atRVA(uint64(d.VirtualAddress), 40))
	r.skip(20)
	functions, names := uint64(r.u32()), uint64(r.u32())
	functionsAt, namesAt, ordinalsAt := uint64(r.u32()), uint64(r.u32()), uint64(r.u32())
	addresses := f.atRVA(functionsAt, 4*functions)
	nameTable, ordinals := f.reader(f.atRVA(namesAt, 4*names)), f.reader(f.atRVA(ordinalsAt, 2*names))
	for n := 0; !r.bad && nameTable.left() >= 4 && ordinals.left() >= 2; n++ {
		if n == f.maxSymbols() {
			report.drop(SymbolLimit)
			return
		}
		name := report.textAt(f.atRVA(uint64(nameTable.u32()), maxTextBytes), 0)
		i := 4 * uint64(ordinals.u16())
		if i+4 > uint64(len(addresses)) {
			continue
		}
		rva := uint64(binary.LittleEndian.Uint32(addresses[i:]))
		if rva-uint64(d.VirtualAddress) < uint64(d.Size) || !f.inCode(rva) { // of another module, or data
			continue
		}
		yield(f.load+rva, name, false)
	}
	f.coffSymbols(report, yield)
}

// coffSymbols yields the functions of the COFF symbol table.
func (f *File) coffSymbols(report *Report, yield func(addr uint64, name []byte, resolver bool)) {
	const isFunction = 0x20 // the complex part of the type
	r := f.reader(f.image.symbols)
	for n := 0; r.left() >= coffSymbolBytes; n++ {
		if n == f.maxSymbols() {
			report.drop(SymbolLimit)
			return
		}
		name := r.bytes(8)
		value, number, kind := r.u32(), uint64(r.u16()), r.u16()
		r.skip(1)
		r.skip(uint64(r.u8()) * coffSymbolBytes)
		if kind != isFunction || number == 0 || number >= peNoSection || number > uint64(len(f.sections)) {
			continue
		}
		if binary.LittleEndian.Uint32(name) == 0 {
			name = report.textAt(f.image.strings, uint64(binary.LittleEndian.Uint32(name[4:])))
		} else {
			name, _, _ = bytes.Cut(name, []byte{0})
		}
		if s := &f.sections[number-1]; s.executable {
			yield(s.addr+uint64(value), name, false)
		}
	}
}
