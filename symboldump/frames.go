package symboldump

import (
	"bytes"
	"cmp"
	"math"
	"slices"
)

// frameSection is an .eh_frame or .debug_frame section (DWARF 5 section 6.4;
// Linux Standard Base, exception frames).
type frameSection struct {
	file   *File
	data   []byte
	addr   uint64 // of data
	eh     bool
	report *Report
	cies   map[uint64]*cie // by offset; nil for one that makes no sense
	// text and got are what pointers can be relative to.
	text, got uint64
}

// cie is a common information entry, with the state that its instructions leave.
type cie struct {
	codeAlign    uint64
	dataAlign    int64
	ra           uint64 // return address column
	pointers     uint8  // encoding of an FDE's addresses
	augmented    bool   // FDEs have augmentation data
	signal       bool   // its functions are called by a signal: the return address is the interrupted pc
	addressBytes int
	start        unwindState
}

// fde is a frame description entry.
type fde struct {
	cie          *cie
	start, end   uint64 // addresses
	instructions reader // at offset 0 of its own data
	base         uint64 // offset of those in the section
}

// Pointer encodings, DW_EH_PE_* (Linux Standard Base, 10.5.1).
const (
	pointerOmit      = 0xff
	pointerFormat    = 0x0f
	pointerRelative  = 0x70
	pointerIndirect  = 0x80
	pointerPCRel     = 0x10
	pointerTextRel   = 0x20
	pointerDataRel   = 0x30
	pointerAbsolute  = 0x00
	pointerUleb      = 0x01
	pointerUdata2    = 0x02
	pointerUdata4    = 0x03
	pointerUdata8    = 0x04
	pointerSleb      = 0x09
	pointerSdata2    = 0x0a
	pointerSdata4    = 0x0b
	pointerSdata8    = 0x0c
	ehFrameCIE       = 0
	debugFrameCIE    = 0xffffffff
	debugFrameCIE64  = math.MaxUint64
	maxDataAlignment = 1 << 16
)

// frameSections are the file's sections with frame entries, .debug_frame first:
// of two entries for one place, readers of records keep the first.
func (f *File) frameSections(report *Report) []*frameSection {
	var out []*frameSection
	for _, name := range [2]string{"debug_frame", "eh_frame"} {
		s := f.findAny(name)
		if s == nil {
			continue
		}
		t := &frameSection{file: f, data: f.bytesOf(s, report), addr: s.addr, eh: name == "eh_frame", report: report, cies: map[uint64]*cie{}}
		if text := f.findAny("text"); text != nil {
			t.text = text.addr
		}
		if got := f.findAny("got"); got != nil {
			t.got = got.addr
		}
		out = append(out, t)
	}
	return out
}

// each yields the FDEs in the section's order.
func (t *frameSection) each(yield func(*fde) bool) {
	r := t.file.reader(t.data)
	for r.left() >= 4 {
		length, is64 := r.unitLength()
		if length == 0 { // .eh_frame's end; crtend's lies in the middle of linked ones
			continue
		}
		start := uint64(r.off)
		body := r.part(length)
		if body.bad {
			t.report.drop(FDEDamaged)
			return
		}
		id := body.offset(is64)
		if t.isCIE(id, is64) {
			continue
		}
		at := id
		if t.eh { // relative to the field itself
			at = start - id
		}
		c := t.cie(at)
		if c == nil || body.bad {
			t.report.drop(FDEDamaged)
			continue
		}
		if e, ok := t.fde(c, body, start); !ok {
			t.report.drop(FDEDamaged)
		} else if !yield(e) {
			return
		}
	}
}

// find is the FDE at an offset of the section, which Mach-O's compact unwind
// entries give.
func (t *frameSection) find(off uint64) (*fde, bool) {
	if t == nil {
		return nil, false
	}
	r := t.file.reader(t.data)
	r.seek(off)
	length, is64 := r.unitLength()
	start := uint64(r.off)
	body := r.part(length)
	id := body.offset(is64)
	if body.bad || length == 0 || t.isCIE(id, is64) {
		return nil, false
	}
	at := id
	if t.eh {
		at = start - id
	}
	c := t.cie(at)
	if c == nil || !t.report.step(int(length)) { // many entries can name it
		return nil, false
	}
	return t.fde(c, body, start)
}

func (t *frameSection) isCIE(id uint64, is64 bool) bool {
	switch {
	case t.eh:
		return id == ehFrameCIE
	case is64:
		return id == debugFrameCIE64
	}
	return id == debugFrameCIE
}

// fde reads an FDE behind its CIE's id. start is the offset of body.
func (t *frameSection) fde(c *cie, body reader, start uint64) (*fde, bool) {
	e := &fde{cie: c}
	var ok bool
	if e.start, ok = t.pointer(&body, c.pointers, start, c.addressBytes); !ok {
		return nil, false
	}
	size, ok := t.pointer(&body, c.pointers&pointerFormat, start, c.addressBytes)
	if !ok {
		return nil, false
	}
	if c.augmented {
		body.skip(body.uleb())
	}
	if body.bad || size > math.MaxUint64-e.start {
		return nil, false
	}
	e.end = e.start + size
	e.base = start + uint64(body.off)
	e.instructions = body.part(uint64(body.left()))
	return e, true
}

// cie reads the CIE at an offset, once.
func (t *frameSection) cie(off uint64) *cie {
	if c, ok := t.cies[off]; ok {
		return c
	}
	if len(t.cies) == maxCIEs {
		return nil
	}
	c := t.readCIE(off)
	t.cies[off] = c
	return c
}

func (t *frameSection) readCIE(off uint64) *cie {
	r := t.file.reader(t.data)
	r.seek(off)
	length, is64 := r.unitLength()
	if length > maxCIEBytes {
		return nil
	}
	start := uint64(r.off)
	body := r.part(length)
	if id := body.offset(is64); body.bad || !t.isCIE(id, is64) {
		return nil
	}
	version := body.u8()
	augmentation := body.text()
	c := &cie{addressBytes: t.file.wordBytes}
	if version != 1 && version != 3 && version != 4 || body.bad {
		return nil
	}
	if version == 4 {
		if c.addressBytes = int(body.u8()); body.u8() != 0 { // segment selectors
			return nil
		}
	}
	if bytes.Equal(augmentation, []byte("eh")) { // of gcc 2
		body.skip(uint64(t.file.wordBytes))
		augmentation = nil
	}
	c.codeAlign, c.dataAlign = body.uleb(), body.sleb()
	if version == 1 {
		c.ra = uint64(body.u8())
	} else {
		c.ra = body.uleb()
	}
	if !t.augmentation(c, &body, augmentation, start) {
		return nil
	}
	if body.bad || c.ra >= maxRegisters || c.codeAlign > maxDataAlignment || c.dataAlign < -maxDataAlignment || c.dataAlign > maxDataAlignment {
		return nil
	}
	e := &fde{cie: c, base: start + uint64(body.off)}
	e.instructions = body.part(uint64(body.left()))
	m := unwindMachine{section: t, fde: e}
	if !m.run(nil) {
		return nil
	}
	c.start = m.state
	return c
}

// augmentation reads the data that the letters announce.
func (t *frameSection) augmentation(c *cie, body *reader, letters []byte, start uint64) bool {
	if len(letters) == 0 {
		return true
	}
	if letters[0] != 'z' {
		return false // nobody knows how long it is
	}
	c.augmented = true
	size := body.uleb()
	from := uint64(body.off)
	data := body.part(size)
	for _, letter := range letters[1:] {
		switch letter {
		case 'R':
			c.pointers = data.u8()
		case 'P':
			encoding := data.u8()
			t.pointer(&data, encoding&^pointerIndirect, start+from, t.file.wordBytes)
		case 'L':
			data.u8()
		case 'S':
			c.signal = true
		case 'B', 'G': // arm64: return addresses are signed with key B; tagged stack
		default:
			return !data.bad // what follows is passed over with the size
		}
	}
	return !data.bad
}

// pointer reads an encoded pointer; start is the offset of r's data in the
// section.
func (t *frameSection) pointer(r *reader, encoding uint8, start uint64, size int) (uint64, bool) {
	if encoding == pointerOmit || encoding&pointerIndirect != 0 {
		return 0, false
	}
	var base uint64
	switch encoding & pointerRelative {
	case pointerAbsolute:
	case pointerPCRel:
		base = t.addr + start + uint64(r.off)
	case pointerTextRel:
		base = t.text
	case pointerDataRel:
		base = t.got
	default:
		return 0, false
	}
	var v uint64
	switch encoding & pointerFormat {
	case pointerAbsolute:
		v = r.word(size)
	case pointerUleb:
		v = r.uleb()
	case pointerUdata2:
		v = uint64(r.u16())
	case pointerUdata4:
		v = uint64(r.u32())
	case pointerUdata8, pointerSdata8:
		v = r.u64()
	case pointerSleb:
		v = uint64(r.sleb())
	case pointerSdata2:
		v = uint64(int64(int16(r.u16())))
	case pointerSdata4:
		v = uint64(int64(int32(r.u32())))
	default:
		return 0, false
	}
	v += base
	if size == 4 {
		v &= math.MaxUint32
	}
	return v, !r.bad
}

// SignalFrames are the ranges of code that the kernel enters to call a signal's
// handler, by address: the caller's pc there is exactly where it was interrupted,
// and no return address.
func (f *File) SignalFrames() []Range {
	var report Report
	return f.signalFrames(&report)
}

func (f *File) signalFrames(report *Report) []Range {
	var out []Range
	for _, t := range f.frameSections(report) {
		t.report = &Report{} // what is damaged is counted when it is written
		t.each(func(e *fde) bool {
			if rva, ok := f.rva(e.start); ok && e.cie.signal && e.end > e.start {
				out = append(out, Range{rva, e.end - e.start})
			}
			return len(out) < maxSignalFrames
		})
	}
	slices.SortFunc(out, func(a, b Range) int { return cmp.Compare(a.RVA, b.RVA) })
	return slices.Compact(out)
}
