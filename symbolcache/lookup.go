package symbolcache

import (
	"encoding/binary"

	"aftershock/breakpad"
)

// AppendLocations appends the inlined calls at rva, innermost first, and then
// the function itself. It appends nothing when no symbol covers rva. It does
// not allocate when dst has room; names alias the file.
func (f *File) AppendLocations(dst *breakpad.Locations, rva uint64) {
	i, ok := f.runAt(rva)
	if !ok {
		return
	}
	r := f.run(i)
	s, ok := f.segmentAt(i, uint32(rva))
	if !ok {
		return
	}
	start := len(dst.List)
	// The place of a call is where the function around it is.
	for s.node != 0 {
		n, ok := f.node(s.node, r.base)
		if !ok || len(dst.List)-start == maxInlines {
			dst.List = dst.List[:start]
			return
		}
		l := breakpad.Location{Function: f.text(n.name), FunctionRVA: uint64(n.rva), Inline: true}
		f.setPlace(&l, s.place)
		dst.List = append(dst.List, l)
		s.place, s.node = n.call, n.parent
	}
	l := breakpad.Location{Function: f.text(r.name), FunctionRVA: uint64(r.base), ParameterSize: r.parameterSize}
	f.setPlace(&l, s.place)
	dst.List = append(dst.List, l)
}

// maxInlines bounds the inlined calls at one address: breakpad takes no
// deeper nest.
const maxInlines = 512

// HasFunction tells whether rva lies in a function with a name. Scans ask it
// for every word that might be a return address.
func (f *File) HasFunction(rva uint64) bool {
	i, ok := f.runAt(rva)
	return ok && f.run(i).name != 0
}

// runAt is the index of the run that covers rva.
func (f *File) runAt(rva uint64) (int, bool) {
	if rva > maxRVA {
		return 0, false
	}
	i := lastAtOrBefore(f.sections[sectionRunAddresses], uint32(rva))
	if i < 0 || uint32(rva) > binary.LittleEndian.Uint32(f.sections[sectionRuns][i*runSize:]) {
		return 0, false
	}
	return i, true
}

func (f *File) run(i int) run {
	b := f.sections[sectionRuns][i*runSize:][:runSize]
	return run{
		base:          binary.LittleEndian.Uint32(b[4:]),
		name:          binary.LittleEndian.Uint32(b[8:]),
		parameterSize: binary.LittleEndian.Uint32(b[12:]),
	}
}

// segmentAt decodes the segments of run i up to the one that covers address.
// It is false for a damaged one.
func (f *File) segmentAt(i int, address uint32) (segment, bool) {
	start := binary.LittleEndian.Uint32(f.sections[sectionRunAddresses][4*i:])
	b := part(f.sections[sectionSegments], f.sections[sectionRuns], runSize, i, runSize-4)
	var (
		s                segment
		file, line, node uint32
		v                uint64
		at               int
	)
	for n := 0; n < runSegments && at < len(b); n++ {
		first := uint64(b[at])
		if at++; first >= 0x80 {
			first, at = number(b, at-1)
		}
		if start += uint32(first >> segmentCodeBits); start > address {
			break
		}
		code := first & (1<<segmentCodeBits - 1)
		switch code {
		case segmentSameLine:
		case segmentNoLine:
			s.place = place{}
		case segmentAnyLine:
			v, at = number(b, at)
			s.place = place{known: true, rva: start - uint32(v)}
		default:
			s.place = place{known: true, rva: start}
		}
		if hasFile(code) {
			v, at = number(b, at)
			file = uint32(v)
		}
		if hasLine(code) {
			v, at = number(b, at)
			line += unzigzag(uint32(v))
			s.place.file, s.place.line = file, line
		}
		if hasNode(code) {
			v, at = number(b, at)
			if s.node = 0; v != 0 {
				node += unzigzag(uint32(v - 1))
				s.node = node
			}
		}
	}
	return s, at <= len(b)
}

// node decodes the node at an offset. Its parent stands before it, so that
// chains end.
func (f *File) node(at, base uint32) (node, bool) {
	r := reader{b: f.sections[sectionNodes], at: int(at)}
	first := r.uvarint()
	back, code := first>>callCodeBits, first&(1<<callCodeBits-1)
	if back > uint64(at) {
		return node{}, false
	}
	n := node{}
	if back > 0 {
		n.parent = at - uint32(back)
	}
	n.name = r.uint32()
	n.rva = base + r.difference()
	if code == callUnknown {
		return n, !r.bad
	}
	n.call = place{known: true, rva: n.rva}
	if code == callAnywhere {
		n.call.rva = base + r.difference()
	}
	n.call.file, n.call.line = r.uint32(), r.uint32()
	return n, !r.bad
}

func (f *File) setPlace(l *breakpad.Location, p place) {
	if !p.known {
		return
	}
	l.Line, l.LineRVA = p.line, uint64(p.rva)
	if files := f.sections[sectionFiles]; uint64(p.file) < uint64(len(files)/4) {
		l.File = f.text(binary.LittleEndian.Uint32(files[4*p.file:]))
	}
}

func (f *File) text(at uint32) []byte { return textAt(f.sections[sectionStrings], at) }

// lastAtOrBefore is the index of the last of the sorted numbers that is not
// greater than v, -1 without one.
func lastAtOrBefore(numbers []byte, v uint32) int {
	lo, hi := 0, len(numbers)/4
	for lo < hi { // the number of those not greater
		mid := int(uint(lo+hi) >> 1)
		if binary.LittleEndian.Uint32(numbers[4*mid:]) <= v {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo - 1
}

// part is what entry i of a table owns of bytes: from the offset that the
// table has there to the one of the next entry, or the end of bytes. It is nil
// where they do not fit. field is where the offset stands in an entry.
func part(bytes, table []byte, entrySize, i, field int) []byte {
	start, end := uint64(binary.LittleEndian.Uint32(table[i*entrySize+field:])), uint64(len(bytes))
	if next := (i+1)*entrySize + field; next < len(table) {
		end = uint64(binary.LittleEndian.Uint32(table[next:]))
	}
	if start > end || end > uint64(len(bytes)) {
		return nil
	}
	return bytes[start:end:end]
}
