package symboldump

import (
	"slices"
	"strconv"

	"aftershock/breakpad"
)

// armStack is the virtual stack pointer while the unwinding instructions of a
// function run (Exception handling ABI for the Arm architecture, section 10.3),
// and where registers were found meanwhile.
type armStack struct {
	base   uint8 // the register that it counts from
	offset int64
	saved  [16]armSlot
	popped uint16 // registers that have a slot
}

type armSlot struct {
	base   uint8
	offset int64
}

const (
	armSP = 13
	armLR = 14
	armPC = 15

	exidxCantUnwind = 1
	exidxInline     = 1 << 31
)

// writeExidx writes records of .ARM.exidx. The ABI's tables hold for whole
// functions, calls in them that is: not for prologs and epilogs.
func (f *File) writeExidx(out *output, report *Report) {
	s := f.find(".ARM.exidx")
	if s == nil || f.module.Arch != breakpad.ARM {
		return
	}
	type armEntry struct {
		start uint32
		at    uint64 // offset of its second word
	}
	r := f.reader(s.data)
	var entries []armEntry
	if !report.hold(int64(len(s.data)) / 8 * heldEntry) {
		return
	}
	defer report.hold(-int64(len(s.data)) / 8 * heldEntry)
	for r.left() >= 8 {
		at := uint64(r.off)
		start := prel31(r.u32(), uint32(s.addr+at))
		entries = append(entries, armEntry{start &^ 1, at + 4})
		r.skip(4)
	}
	slices.SortStableFunc(entries, func(a, b armEntry) int { return int(int64(a.start) - int64(b.start)) })
	for i, e := range entries {
		rva, ok := f.rva(uint64(e.start))
		if !ok || !f.inCode(rva) {
			report.drop(UnwindDamaged)
			continue
		}
		end := f.codeEnd(rva)
		if i+1 < len(entries) {
			if next, ok := f.rva(uint64(entries[i+1].start)); ok {
				end = min(end, next)
			}
		}
		if end <= rva || out.err != nil {
			continue
		}
		code, known := f.armInstructions(s, e.at)
		if !report.step(len(code)) {
			return
		}
		if !known {
			report.drop(UnwindDamaged)
			continue
		}
		var stack armStack
		if rules, ok := stack.rules(code); ok && code != nil {
			report.CFI++
			out.text("STACK CFI INIT ")
			out.hex(rva)
			out.text(" ")
			out.hex(end - rva)
			out.text(rules)
			out.text("\n")
		} else {
			report.drop(UnwindUnsaid)
		}
	}
}

// prel31 is the address that a place-relative offset of 31 bits stands for.
func prel31(v, place uint32) uint32 { return place + uint32(int32(v<<1)>>1) }

// armInstructions are the unwinding instructions of an entry: in its second word,
// or in .ARM.extab. They are nil for a function that nobody unwinds through.
func (f *File) armInstructions(s *section, at uint64) ([]byte, bool) {
	r := f.reader(s.data)
	r.seek(at)
	word := r.u32()
	switch {
	case word == exidxCantUnwind:
		return nil, true
	case word&exidxInline != 0:
		return f.compactModel(word, reader{bigEndian: bool(f.order)})
	}
	table := f.reader(f.atAddress(uint64(prel31(word, uint32(s.addr+at))), maxArmInstructions))
	first := table.u32()
	if first&exidxInline != 0 {
		return f.compactModel(first, table)
	}
	// The generic model: a personality routine, whose data of C++ begin with the
	// number of words that follow, and three instructions.
	first = table.u32()
	words := table.part(min(uint64(first>>24)*4, uint64(table.left())))
	return append([]byte{byte(first >> 16), byte(first >> 8), byte(first)}, f.armWords(words)...), !table.bad
}

// compactModel takes the instructions of the ABI's own personality routines out.
func (f *File) compactModel(word uint32, more reader) ([]byte, bool) {
	switch word >> 24 & 0x7f {
	case 0:
		return []byte{byte(word >> 16), byte(word >> 8), byte(word)}, true
	case 1, 2:
		words := more.part(uint64(word>>16&0xff) * 4)
		return append([]byte{byte(word >> 8), byte(word)}, f.armWords(words)...), !more.bad
	}
	return nil, false
}

// armWords are bytes in the order of instructions: words with the first one on
// top.
func (f *File) armWords(r reader) []byte {
	var out []byte
	for r.left() >= 4 {
		w := r.u32()
		out = append(out, byte(w>>24), byte(w>>16), byte(w>>8), byte(w))
	}
	return out
}

// rules executes the instructions and says what they found.
func (s *armStack) rules(code []byte) (string, bool) {
	*s = armStack{base: armSP}
	r := reader{data: code}
	for r.left() > 0 {
		op := r.u8()
		if op == 0xb0 { // finish
			break
		}
		if !s.execute(op, &r) || r.bad {
			return "", false
		}
	}
	names := registersOf[breakpad.ARM].names
	rules := " .cfa: " + names[s.base] + " " + strconv.FormatInt(s.offset, 10) + " +"
	switch {
	case s.popped>>armPC&1 != 0:
		rules += " .ra: " + s.slot(armPC)
	case s.popped>>armLR&1 != 0:
		rules += " .ra: " + s.slot(armLR)
	default:
		rules += " .ra: lr"
	}
	for i := range uint8(armSP) {
		if s.popped>>i&1 != 0 {
			rules += " " + names[i] + ": " + s.slot(i)
		}
	}
	return rules, true
}

// slot says the word of a register.
func (s *armStack) slot(register uint8) string {
	at := s.saved[register]
	if at.base == s.base {
		return ".cfa " + strconv.FormatInt(at.offset-s.offset, 10) + " + ^"
	}
	return registersOf[breakpad.ARM].names[at.base] + " " + strconv.FormatInt(at.offset, 10) + " + ^"
}

// execute runs one instruction (table 4 of the section).
func (s *armStack) execute(op uint8, r *reader) bool {
	switch {
	case op < 0x40:
		s.offset += int64(op&0x3f)*4 + 4
	case op < 0x80:
		s.offset -= int64(op&0x3f)*4 + 4
	case op < 0x90:
		mask := uint16(op&0xf)<<12 | uint16(r.u8())<<4
		return mask != 0 && s.pop(mask) // 0 refuses to unwind
	case op < 0xa0:
		n := op & 0xf
		if n == armSP || n == armPC || s.popped>>n&1 != 0 { // reserved; or a value that only memory has
			return false
		}
		s.base, s.offset = n, 0
	case op < 0xb0:
		mask := uint16(1<<(op&7+1)-1) << 4
		if op&8 != 0 {
			mask |= 1 << armLR
		}
		return s.pop(mask)
	case op == 0xb1:
		mask := r.u8()
		return mask != 0 && mask < 0x10 && s.pop(uint16(mask))
	case op == 0xb2:
		s.offset += 0x204 + int64(min(r.uleb(), 1<<28))<<2
	case op == 0xb3:
		s.offset += int64(r.u8()&0xf)*8 + 12
	case op == 0xb4: // the return address is signed, and its code above it
		return false
	case op >= 0xb8 && op < 0xc0:
		s.offset += int64(op&7)*8 + 12
	case op == 0xc8, op == 0xc9:
		s.offset += int64(r.u8()&0xf)*8 + 8
	case op >= 0xd0 && op < 0xd8:
		s.offset += int64(op&7)*8 + 8
	default: // coprocessors of old
		return false
	}
	return true
}

// pop finds registers above the stack pointer, the lowest one first. A stack
// pointer among them is where the stack goes on, which postfix rules cannot say.
func (s *armStack) pop(mask uint16) bool {
	if mask>>armSP&1 != 0 {
		return false
	}
	for i := range uint8(16) {
		if mask>>i&1 == 0 {
			continue
		}
		if s.popped>>i&1 == 0 {
			s.saved[i] = armSlot{s.base, s.offset}
			s.popped |= 1 << i
		}
		s.offset += 4
	}
	return true
}
