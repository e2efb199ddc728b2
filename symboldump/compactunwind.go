package symboldump

import (
	"encoding/binary"
	"strconv"

	"aftershock/breakpad"
)

// Encodings of __unwind_info (mach-o/compact_unwind_encoding.h).
const (
	compactModeMask     = 0x0f000000
	compactFirstLevel   = 12 // bytes of an entry
	compactRegularPage  = 2
	compactCompressPage = 3
	compactPageBytes    = 4096
	compactEntryBytes   = 4 // of the smaller kind of page

	x64ModeFrame     = 0x01000000
	x64ModeImmediate = 0x02000000
	x64ModeIndirect  = 0x03000000
	x64ModeDWARF     = 0x04000000

	arm64ModeFrameless = 0x02000000
	arm64ModeDWARF     = 0x03000000
	arm64ModeFrame     = 0x04000000
)

// compactEntry is a range of code and how it is unwound.
type compactEntry struct {
	start    uint32 // rva
	encoding uint32
}

// compactUnwind reads the entries of __unwind_info: pages of them, each found by
// an index. end is where the last range ends.
func (f *File) compactUnwind(data []byte, report *Report) (entries []compactEntry, end uint32) {
	r := f.reader(data)
	// Of what the pages may have, and the last of them has more.
	if !report.hold(int64(len(data)) / compactEntryBytes * heldEntry) {
		return nil, 0
	}
	version := r.u32()
	commonAt, commonCount := uint64(r.u32()), uint64(r.u32())
	r.skip(8)
	indexAt, indexCount := uint64(r.u32()), uint64(r.u32())
	if r.bad || version != 1 {
		report.drop(UnwindDamaged)
		return nil, 0
	}
	common := f.wordsAt(data, commonAt, commonCount)
	index := f.reader(data)
	index.seek(indexAt)
	for range indexCount {
		first, page := index.u32(), uint64(index.u32())
		index.skip(4)
		if index.bad || report.spent() || len(entries) > len(data)/compactEntryBytes { // pages that several entries of the index name
			report.drop(UnwindDamaged)
			break
		}
		if page == 0 { // behind the last one
			end = first
			break
		}
		entries = f.compactPage(entries, data, page, first, common, report)
	}
	return entries, end
}

// wordsAt are n words of 32 bits at an offset, as many as there are.
func (f *File) wordsAt(data []byte, off, n uint64) []byte {
	if off > uint64(len(data)) {
		return nil
	}
	return data[off : off+min(4*n, uint64(len(data))-off)]
}

// compactPage appends the entries of a page of the second level.
func (f *File) compactPage(entries []compactEntry, data []byte, at uint64, first uint32, common []byte, report *Report) []compactEntry {
	r := f.reader(data)
	r.seek(at)
	kind := r.u32()
	from, n := at+uint64(r.u16()), uint64(r.u16())
	switch kind {
	case compactRegularPage:
		list := f.reader(f.wordsAt(data, from, 2*n))
		if !report.step(list.left()) {
			return entries
		}
		for list.left() >= 8 {
			entries = append(entries, compactEntry{list.u32(), list.u32()})
		}
	case compactCompressPage:
		own := f.wordsAt(data, at+uint64(r.u16()), uint64(r.u16()))
		list := f.reader(f.wordsAt(data, from, n))
		if !report.step(list.left()) {
			return entries
		}
		for list.left() >= 4 {
			packed := list.u32()
			i, table := packed>>24, common
			if number := uint32(len(common) / 4); i >= number {
				i, table = i-number, own
			}
			if uint64(i)*4+4 > uint64(len(table)) {
				report.drop(UnwindDamaged)
				continue
			}
			encoding := f.reader(table[4*i:])
			entries = append(entries, compactEntry{first + packed&0xffffff, encoding.u32()})
		}
	default:
		report.drop(UnwindDamaged)
	}
	return entries
}

// writeCompactUnwind writes records of __unwind_info; functions that it refers to
// __eh_frame for have those of there. It answers false if the file has none.
func (f *File) writeCompactUnwind(out *output, report *Report) bool {
	s := f.find("__unwind_info")
	if s == nil || f.module.Arch != breakpad.AMD64 && f.module.Arch != breakpad.ARM64 {
		return false
	}
	entries, end := f.compactUnwind(s.data, report)
	var frames *frameSection
	for _, t := range f.frameSections(report) {
		if t.eh {
			frames = t
		}
	}
	w := &cfiWriter{out: out, section: frames, names: registersOf[f.module.Arch], report: report}
	for i, e := range entries {
		next := end
		if i+1 < len(entries) {
			next = entries[i+1].start
		}
		if next <= e.start { // the first of several that begin together has no code
			continue
		}
		if out.err != nil {
			break
		}
		if offset, ok := f.dwarfOffset(e.encoding); ok {
			if fde, found := frames.find(uint64(offset)); found {
				w.entry(fde)
			} else {
				report.drop(UnwindDamaged)
			}
			continue
		}
		rules, ok := f.compactRules(e)
		if !ok {
			report.drop(UnwindUnsaid)
			continue
		}
		report.CFI++
		out.text("STACK CFI INIT ")
		out.hex(uint64(e.start))
		out.text(" ")
		out.hex(uint64(next - e.start))
		out.text(rules)
		out.text("\n")
	}
	return true
}

// dwarfOffset is the offset of an FDE in __eh_frame, if the encoding is one.
func (f *File) dwarfOffset(encoding uint32) (uint32, bool) {
	mode := uint32(x64ModeDWARF)
	if f.module.Arch == breakpad.ARM64 {
		mode = arm64ModeDWARF
	}
	return encoding & 0xffffff, encoding&compactModeMask == mode
}

// compactRules says an encoding. 0 is a function that touches no stack, or one
// that nobody unwinds through: its return address is where the call put it.
func (f *File) compactRules(e compactEntry) (string, bool) {
	if f.module.Arch == breakpad.ARM64 {
		return compactARM64(e.encoding)
	}
	switch e.encoding & compactModeMask {
	case 0:
		return " .cfa: $rsp 8 + .ra: .cfa -8 + ^", true
	case x64ModeFrame:
		return compactX64Frame(e.encoding), true
	case x64ModeImmediate:
		return compactX64Frameless(e.encoding, int64(e.encoding>>16&0xff)*8)
	case x64ModeIndirect:
		// The size is the operand of the "sub" at this offset of the function.
		at := f.atAddress(f.load+uint64(e.start)+uint64(e.encoding>>16&0xff), 4)
		if len(at) < 4 {
			return "", false
		}
		return compactX64Frameless(e.encoding, int64(binary.LittleEndian.Uint32(at))+int64(e.encoding>>13&7)*8)
	}
	return "", false
}

// atAddress are up to size bytes at an address.
func (f *File) atAddress(addr, size uint64) []byte {
	if addr < f.load {
		return nil
	}
	return f.atRVA(addr-f.load, size)
}

var compactX64Registers = [8]string{"", "$rbx", "$r12", "$r13", "$r14", "$r15", "$rbp", ""}

// compactX64Frame says UNWIND_X86_64_MODE_RBP_FRAME: up to five registers lie
// below the frame pointer.
func compactX64Frame(encoding uint32) string {
	rules := " .cfa: $rbp 16 + .ra: .cfa -8 + ^ $rbp: .cfa -16 + ^"
	offset := -16 - int64(encoding>>16&0xff)*8
	for i := range 5 {
		if name := compactX64Registers[encoding>>(3*i)&7]; name != "" && name != "$rbp" {
			rules += savedAt(name, offset+int64(8*i))
		}
	}
	return rules
}

func savedAt(register string, fromCFA int64) string {
	return " " + register + ": .cfa " + strconv.FormatInt(fromCFA, 10) + " + ^"
}

// compactWeights are what the digits of a permutation of so many registers weigh.
var compactWeights = [7][]int{
	0: {}, 1: {1}, 2: {5, 1}, 3: {20, 4, 1}, 4: {60, 12, 3, 1}, 5: {120, 24, 6, 2, 1}, 6: {120, 24, 6, 2, 1, 1},
}

// compactX64Frameless says UNWIND_X86_64_MODE_STACK_IMMD and _IND: the registers
// that were pushed first, as the number of a permutation.
func compactX64Frameless(encoding uint32, size int64) (string, bool) {
	n := int(encoding >> 10 & 7)
	if n > 6 {
		return "", false
	}
	rules := " .cfa: $rsp " + strconv.FormatInt(size, 10) + " + .ra: .cfa -8 + ^"
	left := []int{1, 2, 3, 4, 5, 6}
	permutation := int(encoding & 0x3ff)
	for i, weight := range compactWeights[n] {
		digit := permutation / weight
		permutation %= weight
		if digit >= len(left) {
			return "", false
		}
		rules += savedAt(compactX64Registers[left[digit]], -8-int64(8*(n-i)))
		left = append(left[:digit:digit], left[digit+1:]...)
	}
	return rules, true
}

// compactARM64 says an encoding of arm64: pairs of registers lie below the frame
// record, or below the CFA of a function without one.
func compactARM64(encoding uint32) (string, bool) {
	var rules string
	var at int64
	switch encoding & compactModeMask {
	case 0:
		return " .cfa: sp .ra: x30", true
	case arm64ModeFrameless:
		rules = " .cfa: sp " + strconv.FormatInt(int64(encoding>>12&0xfff)*16, 10) + " + .ra: x30"
	case arm64ModeFrame:
		rules, at = " .cfa: x29 16 + .ra: .cfa -8 + ^ x29: .cfa -16 + ^", -16
	default:
		return "", false
	}
	for i, pair := range [...][2]string{{"x19", "x20"}, {"x21", "x22"}, {"x23", "x24"}, {"x25", "x26"}, {"x27", "x28"}} {
		if encoding>>i&1 != 0 {
			rules += savedAt(pair[0], at-8) + savedAt(pair[1], at-16)
			at -= 16
		}
	}
	return rules, true // pairs of d8 to d15 lie below
}
