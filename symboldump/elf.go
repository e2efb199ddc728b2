package symboldump

import (
	"bytes"
	"debug/elf"
	"strings"

	"aftershock/breakpad"
)

// elfHeader is what is needed of Elf32_Ehdr and Elf64_Ehdr.
type elfHeader struct {
	is64             bool
	kind, machine    uint16
	phoff, shoff     uint64
	phsize, phnum    uint64
	shsize, shnum    uint64
	shstrndx         uint64
	dynamic, buildID []byte
	// ehFrameHeader is the address of .eh_frame_hdr, 0 for none.
	ehFrameHeader uint64
	loaded        []loadedSegment
}

// loadedSegment is what a PT_LOAD puts at an address.
type loadedSegment struct {
	addr uint64
	data []byte
}

// openELF reads headers, notes and the dynamic section (System V ABI, chapters 4
// and 5).
func (f *File) openELF() error {
	if len(f.data) < elf.EI_NIDENT {
		return damaged("ELF header")
	}
	var h elfHeader
	h.is64 = elf.Class(f.data[elf.EI_CLASS]) == elf.ELFCLASS64
	f.order = elf.Data(f.data[elf.EI_DATA]) == elf.ELFDATA2MSB
	f.wordBytes = 4
	if h.is64 {
		f.wordBytes = 8
	}
	r := f.reader(f.data)
	r.skip(elf.EI_NIDENT)
	h.kind, h.machine = r.u16(), r.u16()
	r.skip(4)           // e_version
	r.word(f.wordBytes) // e_entry
	h.phoff, h.shoff = r.word(f.wordBytes), r.word(f.wordBytes)
	r.skip(4 + 2) // e_flags, e_ehsize
	h.phsize, h.phnum = uint64(r.u16()), uint64(r.u16())
	h.shsize, h.shnum, h.shstrndx = uint64(r.u16()), uint64(r.u16()), uint64(r.u16())
	if r.bad {
		return damaged("ELF header")
	}
	f.module = Module{OS: "Linux"}
	f.module.Arch, f.module.CPU = elfArch(elf.Machine(h.machine), h.is64)
	f.elfSegments(&h)
	f.elfSections(&h)
	f.elfIdentity(&h)
	if f.find(".eh_frame") == nil {
		f.elfFrames(&h)
	}
	if len(f.code) == 0 && len(f.sections) == 0 {
		return damaged("ELF segments and sections")
	}
	return nil
}

func elfArch(machine elf.Machine, is64 bool) (breakpad.Arch, string) {
	arch := breakpad.ArchUnknown
	switch machine {
	case elf.EM_386:
		arch = breakpad.X86
	case elf.EM_X86_64:
		arch = breakpad.AMD64
	case elf.EM_ARM:
		arch = breakpad.ARM
	case elf.EM_AARCH64:
		arch = breakpad.ARM64
	case elf.EM_MIPS:
		arch = breakpad.MIPS
		if is64 {
			arch = breakpad.MIPS64
		}
	case elf.EM_RISCV:
		if is64 {
			arch = breakpad.RISCV64
		}
	case elf.EM_PPC:
		return arch, "ppc"
	case elf.EM_PPC64:
		return arch, "ppc64"
	default:
	}
	return arch, arch.String()
}

// elfSegments reads program headers: where code is, and which notes there are.
func (f *File) elfSegments(h *elfHeader) {
	want := uint64(32)
	if h.is64 {
		want = 56
	}
	if h.phsize < want {
		return
	}
	loaded := false
	for i := range min(h.phnum, maxProgramHeaders) {
		r := f.reader(f.data)
		r.seek(h.phoff)
		r.skip(i * h.phsize)
		kind := elf.ProgType(r.u32())
		var flags elf.ProgFlag
		if h.is64 {
			flags = elf.ProgFlag(r.u32())
		}
		off, addr := r.word(f.wordBytes), r.word(f.wordBytes)
		r.word(f.wordBytes) // p_paddr
		fileSize, memSize := r.word(f.wordBytes), r.word(f.wordBytes)
		if !h.is64 {
			flags = elf.ProgFlag(r.u32())
		}
		if r.bad {
			return
		}
		data := f.within(off, fileSize)
		switch kind {
		case elf.PT_LOAD:
			h.loaded = append(h.loaded, loadedSegment{addr, data})
			if !loaded {
				f.load, loaded = addr, true
			}
			if rva, ok := f.rva(addr); ok && flags&elf.PF_X != 0 && memSize > 0 {
				f.code = append(f.code, Segment{rva, min(memSize, maxRVA+1-rva), data[:min(uint64(len(data)), memSize)]})
			}
		case elf.PT_GNU_EH_FRAME:
			h.ehFrameHeader = addr
		case elf.PT_DYNAMIC:
			h.dynamic = data
		case elf.PT_NOTE:
			if h.buildID == nil {
				h.buildID = f.buildID(data)
			}
		default:
		}
	}
}

// within is the part of the file; shorter if the file ends before.
func (f *File) within(off, size uint64) []byte {
	if off >= uint64(len(f.data)) {
		return nil
	}
	size = min(size, uint64(len(f.data))-off)
	return f.data[off : off+size : off+size]
}

// elfSections reads section headers. They may be missing.
func (f *File) elfSections(h *elfHeader) {
	want := uint64(40)
	if h.is64 {
		want = 64
	}
	if h.shoff == 0 || h.shsize < want {
		return
	}
	header := func(i uint64) (name, link uint32, s section, ok bool) {
		r := f.reader(f.data)
		r.seek(h.shoff)
		r.skip(i * h.shsize)
		name = r.u32()
		kind := elf.SectionType(r.u32())
		flags := elf.SectionFlag(r.word(f.wordBytes))
		s.addr = r.word(f.wordBytes)
		off := r.word(f.wordBytes)
		s.size = r.word(f.wordBytes)
		link = r.u32()
		if r.bad {
			return
		}
		s.compressed, s.executable = flags&elf.SHF_COMPRESSED != 0, flags&elf.SHF_EXECINSTR != 0
		if kind != elf.SHT_NOBITS {
			s.data = f.within(off, s.size)
		}
		return name, link, s, true
	}
	// Of more than 65,279 sections the first header has their number and the
	// string table's (System V ABI, section header table index extension).
	if _, link, first, ok := header(0); ok {
		if h.shnum == 0 {
			h.shnum = first.size
		}
		if h.shstrndx == uint64(elf.SHN_XINDEX) {
			h.shstrndx = uint64(link)
		}
	}
	h.shnum = min(h.shnum, maxSections, uint64(len(f.data))/h.shsize+1)
	_, _, names, _ := header(h.shstrndx)
	f.sections = make([]section, 0, h.shnum)
	for i := range h.shnum {
		name, _, s, ok := header(i)
		if !ok {
			break
		}
		s.name = sectionName(names.data, uint64(name))
		f.sections = append(f.sections, s)
	}
}

// sectionName is a section's name in a string table. No more is looked at than a name
// may have: there are many sections, and they can name one place.
func sectionName(table []byte, off uint64) string {
	name, _, _ := bytes.Cut(cut(table[min(off, uint64(len(table))):], maxSectionName), []byte{0})
	return string(name)
}

// elfFrames finds .eh_frame of a file without section headers, by .eh_frame_hdr
// (Linux Standard Base, 10.6.2). It ends with an empty entry.
func (f *File) elfFrames(h *elfHeader) {
	const version, enoughForPointer = 1, 4 + 8
	header := h.at(h.ehFrameHeader)
	if h.ehFrameHeader == 0 || len(header) < enoughForPointer || header[0] != version {
		return
	}
	t := frameSection{file: f, addr: h.ehFrameHeader, got: h.ehFrameHeader}
	r := f.reader(header)
	r.skip(4) // version, and the encodings of three fields
	addr, ok := t.pointer(&r, header[1], 0, f.wordBytes)
	entries := f.reader(h.at(addr))
	for entries.left() >= 4 {
		length, _ := entries.unitLength()
		if length == 0 {
			break
		}
		entries.skip(length)
	}
	if data := entries.data[:entries.off]; ok && !entries.bad && len(data) > 0 {
		f.sections = append(f.sections, section{name: ".eh_frame", addr: addr, size: uint64(len(data)), data: data})
	}
}

// at are the bytes from an address to the end of its segment.
func (h *elfHeader) at(addr uint64) []byte {
	for _, s := range h.loaded {
		if off := addr - s.addr; addr >= s.addr && off < uint64(len(s.data)) {
			return s.data[off:]
		}
	}
	return nil
}

func cut(b []byte, n int) []byte { return b[:min(len(b), n)] }

// elfIdentity finds build id, name and links. Of a file without a build id the
// first page of its code makes one, as Breakpad's tools do.
func (f *File) elfIdentity(h *elfHeader) {
	if s := f.find(".note.gnu.build-id"); h.buildID == nil && s != nil {
		h.buildID = f.buildID(s.data)
	}
	switch text := f.find(".text"); {
	case len(h.buildID) > 0:
		f.module.CodeID = upperHex(h.buildID)
		f.module.DebugID = debugID(h.buildID, f.order)
	case text != nil && len(text.data) > 0:
		var hash [16]byte
		for i, b := range cut(text.data, 4096) {
			hash[i%16] ^= b
		}
		f.module.DebugID = debugID(hash[:], f.order)
	default:
		f.module.DebugID = strings.Repeat("0", 33)
	}
	f.module.Name = f.soname(h)
	if s := f.find(".gnu_debuglink"); s != nil {
		r := f.reader(s.data)
		name := r.text()
		r.seek(uint64(r.off+3) &^ 3)
		if crc := r.u32(); !r.bad {
			f.link = Link{Name: string(name), CRC: crc}
		}
	}
	if s := f.find(".gnu_debugaltlink"); s != nil {
		r := f.reader(s.data)
		if name := r.text(); !r.bad {
			f.alternate = Link{Name: string(name), BuildID: r.bytes(uint64(r.left()))}
		}
	}
}

// buildID finds NT_GNU_BUILD_ID among notes (gABI, note section).
func (f *File) buildID(notes []byte) []byte {
	const ntGNUBuildID = 3
	r := f.reader(notes)
	for ; r.left() >= 12 && f.notes < maxNotes; f.notes++ {
		nameSize, descSize, kind := uint64(r.u32()), uint64(r.u32()), r.u32()
		name := r.bytes(nameSize)
		r.skip(-nameSize & 3)
		desc := r.bytes(descSize)
		if r.bad {
			return nil
		}
		if kind == ntGNUBuildID && string(name) == "GNU\x00" && len(desc) > 0 {
			return cut(desc, 64)
		}
		r.skip(-descSize & 3)
	}
	return nil
}

// soname is DT_SONAME without folders. Its string lies at an address, so it is
// read through the segments; of a file with sections through .dynstr.
func (f *File) soname(h *elfHeader) string {
	s := f.find(".dynstr")
	if s == nil {
		return ""
	}
	r := f.reader(h.dynamic)
	for r.left() >= 2*f.wordBytes {
		tag, value := elf.DynTag(r.word(f.wordBytes)), r.word(f.wordBytes)
		switch tag {
		case elf.DT_NULL:
			return ""
		case elf.DT_SONAME:
			name := cut(textAt(s.data, value), 4096)
			return printableName(name[bytes.LastIndexByte(name, '/')+1:])
		default:
		}
	}
	return ""
}

// printableName is a name that cannot end a line.
func printableName(name []byte) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return '_'
		}
		return c
	}, string(name))
}

// elfPublics calls yield with every function symbol that has an address in
// executable sections: those of .symtab, then those of .dynsym.
func (f *File) elfPublics(report *Report, yield func(addr uint64, name []byte, resolver bool)) {
	left := f.maxSymbols()
	for _, names := range [2][2]string{{".symtab", ".strtab"}, {".dynsym", ".dynstr"}} {
		table, text := f.find(names[0]), f.find(names[1])
		if table == nil || text == nil {
			continue
		}
		r := f.reader(f.bytesOf(table, report))
		strtab := f.bytesOf(text, report)
		for r.left() > 0 {
			if left--; left < 0 {
				report.drop(SymbolLimit)
				return
			}
			var name, section uint32
			var info uint8
			var addr uint64
			if f.wordBytes == 8 {
				name, info = r.u32(), r.u8()
				r.skip(1)
				section, addr = uint32(r.u16()), r.u64()
				r.skip(8)
			} else {
				name, addr = r.u32(), uint64(r.u32())
				r.skip(4)
				info = r.u8()
				r.skip(1)
				section = uint32(r.u16())
			}
			if r.bad {
				break
			}
			// A GNU_IFUNC is a resolver.
			if kind := elf.ST_TYPE(info); kind != elf.STT_FUNC && kind != elf.STT_GNU_IFUNC {
				continue
			}
			if section == uint32(elf.SHN_UNDEF) || int(section) >= len(f.sections) || !f.sections[section].executable {
				continue
			}
			if f.module.Arch == breakpad.ARM {
				addr &^= 1 // the bit says that it is Thumb code (ELF for the Arm architecture, 5.5.3)
			}
			yield(addr, report.textAt(strtab, uint64(name)), elf.ST_TYPE(info) == elf.STT_GNU_IFUNC)
		}
	}
}
