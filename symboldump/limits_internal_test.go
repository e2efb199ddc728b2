package symboldump

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"aftershock/breakpad"
)

// bytesOfParts joins numbers and texts, little-endian.
func bytesOfParts(parts ...any) []byte {
	var b bytes.Buffer
	for _, p := range parts {
		switch v := p.(type) {
		case string:
			b.WriteString(v)
		case []byte:
			b.Write(v)
		default:
			if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
				panic(err)
			}
		}
	}
	return b.Bytes()
}

// sized puts the length before a unit or frame entry.
func sized(body []byte) []byte { return bytesOfParts(uint32(len(body)), body) }

func uleb(v uint64) []byte { return binary.AppendUvarint(nil, v) }

// frameFile is a file of one CIE with these instructions, and FDEs with others.
func frameFile(augmentation string, cie []byte, fdes int, fde []byte) *File {
	head := bytesOfParts(uint32(0), uint8(1), augmentation, uint8(0), uint8(1), uint8(0x78), uint8(16))
	if augmentation != "" {
		head = append(head, 0) // no augmentation data
	}
	// def_cfa rsp 8; offset rip 1
	data := sized(bytesOfParts(head, uint8(0x0c), uint8(7), uint8(8), uint8(0x90), uint8(1), cie))
	for i := range fdes {
		body := bytesOfParts(uint32(len(data)+4), uint64(0x2000+16*i), uint64(16))
		if augmentation != "" {
			body = append(body, 0)
		}
		data = append(data, sized(append(body, fde...))...)
	}
	return made(breakpad.AMD64, map[string][]byte{".eh_frame": data})
}

func reportOf(t *testing.T, f *File, o Options) (string, Report) {
	t.Helper()
	var text bytes.Buffer
	report, err := f.WriteSymbols(&text, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	return text.String(), report
}

func TestFrameLimits(t *testing.T) {
	remember := func(n int) *File { return frameFile("", nil, 1, bytes.Repeat([]byte{cfaRememberState}, n)) }
	padded := func(n int) *File { // n bytes of CIE
		return frameFile("", make([]byte, n-len("\x00\x00\x00\x00\x01\x00\x01\x78\x10\x0c\x07\x08\x90\x01")), 1, nil)
	}
	for name, tt := range map[string]struct {
		at, beyond *File
	}{
		"maxRememberedStates": {remember(maxRememberedStates), remember(maxRememberedStates + 1)},
		"maxCIEBytes":         {padded(maxCIEBytes), padded(maxCIEBytes + 1)},
	} {
		t.Run(name, func(t *testing.T) {
			if text, report := reportOf(t, tt.at, Options{}); report.Untold(FDEDamaged) != 0 || report.CFI != 1 {
				t.Errorf("at the limit: %s\n%s", report.String(), text)
			}
			if _, report := reportOf(t, tt.beyond, Options{}); report.Untold(FDEDamaged) != 1 {
				t.Errorf("beyond the limit: %s", report.String())
			}
		})
	}
	for _, n := range []int{maxSignalFrames, maxSignalFrames + 1} {
		if got := len(frameFile("zS", nil, n, nil).SignalFrames()); got != maxSignalFrames {
			t.Errorf("%d of %d signal frames", got, n)
		}
	}
	many := func(n int) *File {
		one := frameFile("", nil, 1, nil).sections[0].data
		var data []byte
		for range n { // each FDE names the CIE before it
			data = append(data, one...)
		}
		return made(breakpad.AMD64, map[string][]byte{".eh_frame": data})
	}
	if _, report := reportOf(t, many(maxCIEs), Options{}); report.Untold(FDEDamaged) != 0 {
		t.Errorf("maxCIEs, at the limit: %s", report.String())
	}
	if _, report := reportOf(t, many(maxCIEs+1), Options{}); report.Untold(FDEDamaged) != 1 {
		t.Errorf("maxCIEs, beyond the limit: %s", report.String())
	}
}

// Abbreviations of the made units.
const (
	madeUnit     = 1 // compile_unit: low_pc
	madeFunction = 2 // subprogram: low_pc, high_pc (data4), name
	madeInlined  = 3 // inlined_subroutine: low_pc, high_pc, name
	madeBlock    = 4 // lexical_block
	madeRanged   = 5 // subprogram: ranges, name
	madeOrigin   = 6 // subprogram: abstract_origin (ref4)
	madeCode     = 7 // subprogram: low_pc, high_pc, abstract_origin
	madeLined    = 8 // compile_unit: low_pc, stmt_list
)

func madeAbbrevs() []byte {
	one := func(code, tag, children uint8, pairs ...uint8) []byte {
		return bytesOfParts(code, tag, children, pairs, uint8(0), uint8(0))
	}
	return bytesOfParts(
		one(madeUnit, 0x11, 1, attrLowPC, formAddr),
		one(madeFunction, tagSubprogram, 1, attrLowPC, formAddr, attrHighPC, formData4, attrName, formString),
		one(madeInlined, tagInlinedSubroutine, 1, attrLowPC, formAddr, attrHighPC, formData4, attrName, formString),
		one(madeBlock, 0x0b, 1),
		one(madeRanged, tagSubprogram, 0, attrRanges, formSecOffset, attrName, formString),
		one(madeOrigin, tagSubprogram, 0, attrAbstractOrigin, formRef4),
		one(madeCode, tagSubprogram, 0, attrLowPC, formAddr, attrHighPC, formData4, attrAbstractOrigin, formRef4),
		one(madeLined, 0x11, 1, attrLowPC, formAddr, attrStmtList, formSecOffset),
		uint8(0))
}

// madeDWARF is a file with one unit of DWARF 4.
func madeDWARF(entries []byte, sections map[string][]byte) *File {
	unit := sized(bytesOfParts(uint16(4), uint32(0), uint8(8), uint8(madeUnit), uint64(0x1000), entries))
	all := map[string][]byte{".debug_info": unit, ".debug_abbrev": madeAbbrevs()}
	for name, data := range sections {
		all[name] = data
	}
	return made(breakpad.AMD64, all)
}

func madeEntry(code uint8, low uint64, size uint32, name string) []byte {
	return bytesOfParts(code, low, size, name, uint8(0))
}

func TestEntryLimits(t *testing.T) {
	nested := func(n int) *File { // the unit is one level, blocks are the others, the function lies in the last
		return madeDWARF(bytesOfParts(bytes.Repeat([]byte{madeBlock}, n-2), madeEntry(madeFunction, 0x2000, 16, "deep")), nil)
	}
	if _, report := reportOf(t, nested(maxEntryDepth), Options{}); report.Functions != 1 || report.Untold(DepthLimit) != 0 {
		t.Errorf("maxEntryDepth, at the limit: %s", report.String())
	}
	if _, report := reportOf(t, nested(maxEntryDepth+1), Options{}); report.Untold(DepthLimit) != 1 {
		t.Errorf("maxEntryDepth, beyond the limit: %s", report.String())
	}
	inlined := func(n int) *File {
		b := madeEntry(madeFunction, 0x2000, 0x1000, "f")
		for range n {
			b = append(b, madeEntry(madeInlined, 0x2000, 0x1000, "g")...)
		}
		return madeDWARF(b, nil)
	}
	if _, report := reportOf(t, inlined(maxInlineDepth-1), Options{}); report.Inlines != maxInlineDepth-1 || report.Untold(DepthLimit) != 0 {
		t.Errorf("maxInlineDepth, at the limit: %s", report.String())
	}
	if _, report := reportOf(t, inlined(maxInlineDepth+1), Options{}); report.Inlines != maxInlineDepth || report.Untold(DepthLimit) == 0 {
		t.Errorf("maxInlineDepth, beyond the limit: %s", report.String())
	}
	chain := func(n int) *File { // n references until a name
		base := uint32(11 + 9) // of the first entry behind the unit's own
		b := bytesOfParts(uint8(madeCode), uint64(0x2000), uint32(16), base+17)
		for i := 1; i < n; i++ {
			b = append(b, bytesOfParts(uint8(madeOrigin), base+17+5*uint32(i))...)
		}
		return madeDWARF(append(b, madeEntry(madeFunction, 0, 0, "found")...), nil)
	}
	if text, _ := reportOf(t, chain(maxReferences-1), Options{}); !strings.Contains(text, " found\n") {
		t.Errorf("maxReferences, at the limit:\n%s", text)
	}
	if text, _ := reportOf(t, chain(maxReferences), Options{}); strings.Contains(text, " found\n") {
		t.Errorf("maxReferences, beyond the limit:\n%s", text)
	}
}

func TestRangeLimits(t *testing.T) {
	ranges := func(n int) *File {
		var list []byte
		for i := range n {
			list = append(list, bytesOfParts(uint64(0x1000+32*i), uint64(0x1010+32*i))...)
		}
		return madeDWARF(bytesOfParts(uint8(madeRanged), uint32(0), "parts\x00"), map[string][]byte{".debug_ranges": append(list, make([]byte, 16)...)})
	}
	for _, n := range []int{maxFunctionRanges, maxFunctionRanges + 1} {
		if _, report := reportOf(t, ranges(n), Options{}); report.Functions != maxFunctionRanges {
			t.Errorf("%d functions of %d ranges, want %d", report.Functions, n, maxFunctionRanges)
		}
	}
	// Many entries that name one list read it maxRepeats times, and then no more.
	list := bytesOfParts(bytes.Repeat(bytesOfParts(uint64(0x1000), uint64(0x1010)), 1000), make([]byte, 16))
	entries := bytes.Repeat(bytesOfParts(uint8(madeRanged), uint32(0), "again\x00"), 10_000)
	_, report := reportOf(t, madeDWARF(entries, map[string][]byte{".debug_ranges": list}), Options{})
	if report.Untold(RangesDamaged) == 0 {
		t.Errorf("a list was read 10,000 times: %s", report.String())
	}
}

func TestAbbreviationLimits(t *testing.T) {
	table := func(entries, attributes int) *abbrevTable {
		var b []byte
		for i := range entries {
			b = append(b, bytesOfParts(uleb(uint64(i+1)), uint8(0x34), uint8(0), bytes.Repeat([]byte{attrName, formData1}, attributes), uint8(0), uint8(0))...)
		}
		t := &abbrevTable{}
		t.read(&reader{data: append(b, 0)}, &Report{})
		return t
	}
	if got := len(table(maxAbbrevs, 1).dense); got != maxAbbrevs {
		t.Errorf("%d abbreviations, want %d", got, maxAbbrevs)
	}
	if got := len(table(maxAbbrevs+1, 1).dense); got != maxAbbrevs {
		t.Errorf("%d abbreviations, want %d", got, maxAbbrevs)
	}
	if !table(1, maxAttributes).find(1).known || table(1, maxAttributes+1).find(1).known {
		t.Error("maxAttributes is not the limit")
	}
}

func TestUnitLimit(t *testing.T) {
	one := sized(bytesOfParts(uint16(4), uint32(0), uint8(8)))
	for _, n := range []int{maxUnits, maxUnits + 1} {
		var report Report
		d := dwarfOf(made(breakpad.AMD64, map[string][]byte{".debug_info": bytes.Repeat(one, n)}), "", &report)
		if len(d.units) != maxUnits || report.Untold(UnitUnknown) != n-maxUnits {
			t.Errorf("%d of %d units: %s", len(d.units), n, report.String())
		}
	}
}

// linesOf is the table that a version has with a header and a program.
func linesOf(version uint16, head, program []byte) *lineTable {
	prefix := []byte{}
	if version == 5 {
		prefix = []byte{8, 0} // sizes of addresses and segment selectors
	}
	head = bytesOfParts(uint8(1), uint8(1), uint8(1), uint8(0xfb), uint8(14), uint8(1), head)
	if version < 4 {
		head = append(head[:1], head[2:]...) // without maximum_operations_per_instruction
	}
	d := &dwarf{report: &Report{}, lines: sized(bytesOfParts(version, prefix, uint32(len(head)), head, program))}
	lines := &lineTable{}
	lines.read(&unit{dwarf: d, addrBytes: 8}, d, 0)
	return lines
}

func TestLineFileLimit(t *testing.T) {
	for _, n := range []int{maxLineFiles, maxLineFiles + 1} {
		names, file := bytes.Repeat([]byte("f\x00"), n), []byte("f\x00\x00\x00\x00")
		if got := linesOf(4, bytesOfParts(uint8(0), bytes.Repeat(file, n), uint8(0)), nil); len(got.files) != maxLineFiles {
			t.Errorf("%d of %d files", len(got.files), n)
		}
		if got := linesOf(4, bytesOfParts(names[2:], uint8(0), uint8(0)), nil); len(got.dirs) != maxLineFiles { // and the unit's own
			t.Errorf("%d of %d folders", len(got.dirs), n)
		}
		listed := bytesOfParts(uint8(1), uint8(lnctPath), uint8(formString), uleb(uint64(n)), names)
		if got := linesOf(5, append(listed, 0, 0), nil); len(got.dirs) != maxLineFiles {
			t.Errorf("version 5: %d of %d folders", len(got.dirs), n)
		}
		if got := linesOf(5, append([]byte{0, 0}, listed...), nil); len(got.files) != maxLineFiles {
			t.Errorf("version 5: %d of %d files", len(got.files), n)
		}
		defined := append([]byte{0, uint8(1 + len(file)), lneDefineFile}, file...)
		if got := linesOf(4, []byte{0, 0}, bytes.Repeat(defined, n)); len(got.files) != maxLineFiles {
			t.Errorf("%d of %d files that the program defines", len(got.files), n)
		}
	}
}

func TestLineFormatLimit(t *testing.T) {
	for n, want := range map[int]int{maxLineFormats: 1, maxLineFormats + 1: 0} {
		formats := bytesOfParts(uint8(lnctPath), uint8(formString), bytes.Repeat([]byte{lnctDirectoryIndex, formData1}, n-1))
		head := bytesOfParts(uint8(0), uint8(0), uint8(n), formats, uint8(1), "f\x00", make([]byte, n-1))
		if got := linesOf(5, head, nil); len(got.files) != want {
			t.Errorf("%d files of %d formats, want %d", len(got.files), n, want)
		}
	}
}

func TestTextLimits(t *testing.T) {
	for n, want := range map[int]bool{maxTextBytes - 1: true, maxTextBytes: false} {
		r := reader{data: append(bytes.Repeat([]byte("a"), n), 0)}
		if r.text(); r.bad == want {
			t.Errorf("a text of %d bytes: %v", n, want)
		}
	}
	for n, dropped := range map[int]int{maxNameBytes: 0, maxNameBytes + 1: 1} {
		var report Report
		if got := symbolName(bytes.Repeat([]byte("a"), n), &report); len(got) != maxNameBytes || report.Untold(NameTooLong) != dropped {
			t.Errorf("a name of %d bytes has %d: %s", n, len(got), report.String())
		}
	}
	for n, dropped := range map[int]int{maxNameBytes: 0, maxNameBytes + 1: 1} {
		report := &Report{}
		fr := &functionReader{report: report, symbols: &symbols{report: report, nameRoom: 2 * maxNameBytes}}
		if got := fr.functionName(&unit{language: languageGo}, bytes.Repeat([]byte("a"), n)); len(got) != maxNameBytes || report.Untold(NameTooLong) != dropped {
			t.Errorf("a name of Go of %d bytes has %d: %s", n, len(got), report.String())
		}
	}
	for _, n := range []int{maxPathBytes, maxPathBytes + 1} {
		if got := cleanPath(nil, nil, bytes.Repeat([]byte("a"), n)); len(got) != maxPathBytes {
			t.Errorf("a path of %d bytes has %d", n, len(got))
		}
		long := bytes.Repeat([]byte("a"), n)
		if got, want := cleanPath(long, long, []byte("f")), 2*(maxPathBytes+1)+1; len(got) != want {
			t.Errorf("a path in folders of %d bytes has %d, want %d", n, len(got), want)
		}
	}
}

func TestSectionsAreInflatedUpToALimit(t *testing.T) {
	packed := func(n int) []byte {
		var b bytes.Buffer
		z := zlib.NewWriter(&b)
		if _, err := z.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	data := make([]byte, 1000)
	limit := minSectionRoom + maxSectionRatio*len(data)
	for n, want := range map[int]bool{limit: true, limit + 1: false} {
		f := &File{data: data}
		if _, err := f.inflate(elf.COMPRESS_ZLIB, uint64(n), packed(n), &Report{}); (err == nil) != want {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	f := &File{data: data}
	if _, err := f.inflate(elf.COMPRESS_ZLIB, 100, packed(50), &Report{}); err == nil {
		t.Error("a section shorter than it says was taken")
	}
	data = make([]byte, maxSectionBytes/maxSectionRatio) // which nobody touches
	for size, want := range map[uint64]error{maxSectionBytes: errors.ErrUnsupported, maxSectionBytes + 1: errTooLarge} {
		f := &File{data: data}
		if _, err := f.inflate(99, size, nil, &Report{}); !errors.Is(err, want) {
			t.Errorf("a section of %d bytes: %v, want %v", size, err, want)
		}
	}
}

// elfOf is an ELF file with so many program and section headers, all of code.
func elfOf(programs, sections int) []byte {
	head := bytesOfParts("\x7fELF\x02\x01\x01", make([]byte, 9), uint16(3), uint16(62), uint32(1), uint64(0), uint64(64), uint64(64+56*programs),
		uint32(0), uint16(64), uint16(56), uint16(programs), uint16(64), uint16(0), uint16(0))
	for i := range programs {
		head = append(head, bytesOfParts(uint32(1), uint32(5), uint64(0), uint64(0x1000*i), uint64(0), uint64(16), uint64(16), uint64(16))...)
	}
	for i := range sections {
		size := uint64(0)
		if i == 0 { // the number of them
			size = uint64(sections)
		}
		head = append(head, bytesOfParts(uint32(0), uint32(0), uint64(0), uint64(0), uint64(0), size, make([]byte, 24))...)
	}
	return head
}

func TestHeaderLimits(t *testing.T) {
	for _, n := range []int{maxProgramHeaders, maxProgramHeaders + 1} {
		f, err := Open(elfOf(n, 1))
		if err != nil || len(f.code) != maxProgramHeaders {
			t.Errorf("%d of %d segments: %v", len(f.code), n, err)
		}
	}
	for _, n := range []int{maxSections, maxSections + 1} {
		f, err := Open(elfOf(1, n))
		if err != nil || len(f.sections) != maxSections {
			t.Errorf("%d of %d sections: %v", len(f.sections), n, err)
		}
	}
	for n, want := range map[int]bool{maxProgramHeaders: true, maxProgramHeaders + 1: false} {
		data := machOOf(1)
		const head = 32
		binary.LittleEndian.PutUint32(data[16:], uint32(n))
		data = bytesOfParts(data[:head], bytes.Repeat(bytesOfParts(uint32(loadUUID), uint32(8)), n-1), data[head:])
		if _, err := Open(data); (err == nil) != want {
			t.Errorf("the segment in load command %d: %v", n, err)
		}
	}
	for parts, want := range map[int]bool{maxFatParts: true, maxFatParts + 1: false} {
		data := binary.BigEndian.AppendUint32(nil, fatMagic)
		data = binary.BigEndian.AppendUint32(data, uint32(parts))
		if isMachO(data) != want {
			t.Errorf("a universal file of %d parts: %v", parts, want)
		}
	}
}

// machOOf is a Mach-O file of a segment with so many sections.
func machOOf(sections int) []byte {
	body := bytesOfParts("__TEXT", make([]byte, 10+4*8+8), uint32(sections), uint32(0))
	for range sections {
		body = append(body, bytesOfParts("__text", make([]byte, 10+16+8), uint64(16), make([]byte, 4+12), uint32(sectionHasCode), make([]byte, 12))...)
	}
	return bytesOfParts(macho.Magic64, uint32(macho.CpuAmd64), uint32(0), uint32(0), uint32(1), uint32(0), uint32(0), uint32(0),
		uint32(loadSegment64), uint32(8+len(body)), body)
}

// peOf is a PE file with so many sections, and no optional header.
func peOf(sections int) []byte {
	data := bytesOfParts("MZ", make([]byte, 0x3a), uint32(0x40), "PE\x00\x00", uint16(pe.IMAGE_FILE_MACHINE_AMD64), uint16(sections), make([]byte, 16))
	return append(data, make([]byte, 40*sections)...)
}

func TestSectionLimits(t *testing.T) {
	for _, n := range []int{maxNumberedSections, maxNumberedSections + 1} {
		for format, data := range map[string][]byte{"PE": peOf(n), "Mach-O": machOOf(n)} {
			if f, err := Open(data); err != nil || len(f.sections) != maxNumberedSections {
				t.Errorf("%s of %d sections: %v, %v", format, n, f, err)
			}
		}
		f := &File{sections: make([]section, n)}
		f.sections[n-1] = section{addr: 0x1000, data: []byte("found")}
		if got := string(f.atRVA(0x1000, 5)); (got == "found") != (n <= maxMappedSections) {
			t.Errorf("maxMappedSections: %q in section %d", got, n)
		}
	}
	for _, n := range []int{maxSectionName, maxSectionName + 1} {
		table := append(bytes.Repeat([]byte("a"), n), 0)
		if got := sectionName(table, 0); len(got) != maxSectionName {
			t.Errorf("the name of a section of %d bytes has %d", n, len(got))
		}
	}
}

func TestUnwindChainLimit(t *testing.T) {
	chain := func(n int) *File { // n UNWIND_INFOs, each of which goes on with the next
		var infos []byte
		for i := 1; i <= n; i++ {
			flags, next := uint8(unwindFlagChained<<3|1), uint32(0x100+16*i)
			if i == n {
				flags, next = 1, 0
			}
			infos = append(infos, bytesOfParts(flags, uint8(0), uint8(0), uint8(0), uint64(0), next)...)
		}
		f := &File{format: formatPE, wordBytes: 8, image: &peImage{}, sections: []section{{name: ".xdata", addr: 0x100, size: 1 << 16, data: infos}}}
		return f
	}
	for n, want := range map[int]bool{maxUnwindChain: true, maxUnwindChain + 1: false} {
		p := prolog{size: 8}
		if got := chain(n).readProlog(&p, 0x100, &Report{}); got != want {
			t.Errorf("a chain of %d: %v, want %v", n, got, want)
		}
	}
}
