package symbolcache

import "encoding/binary"

// code is an entry of the code section: the line records and inlined calls of
// one function. Numbers of a damaged entry may be anything, so that every read
// is checked.
type code struct {
	bytes []byte // from the tables on
	base  uint32 // addresses in the tables count from it
	wide  bool

	lineCount  uint64
	depths     int
	depthTable int // where depths end in the ranges
	ranges     int
	calls      int
	lines      int
}

// place is where in the source an address is or a call stands. The zero place
// is unknown.
type place struct {
	known      bool
	file, line uint32
	rva        uint32 // where its line record or the call's range starts
}

// codeAt reads the head of the entry at an offset.
func (f *File) codeAt(offset, first uint32) (c code, ok bool) {
	b := f.sections[sectionCode]
	head, at := number(b, int(offset))
	depths, callBytes := uint64(0), uint64(0)
	if head&codeInlines != 0 {
		depths, at = number(b, at)
		callBytes, at = number(b, at)
	}
	if at > len(b) || depths > maxInlines {
		return code{}, false
	}
	c = code{bytes: b[at:], base: first, wide: head&codeWide != 0, lineCount: head >> codeBits, depths: int(depths)}
	word := uint64(2)
	if c.wide {
		word, c.base = 4, 0
	}
	groups := (c.lineCount + lineGroup - 1) / lineGroup
	if groups > uint64(len(c.bytes)) || callBytes > uint64(len(c.bytes)) {
		return code{}, false
	}
	c.depthTable = int(2 * word * groups)
	c.ranges = c.depthTable + int(word*depths)
	c.calls = c.ranges
	if depths > 0 {
		c.calls += int(3*word) * int(c.word(c.depthTable, int(depths)-1))
	}
	c.lines = c.calls + int(callBytes)
	return c, uint64(c.lines) <= uint64(len(c.bytes))
}

// word is number i of the table at an offset; 0 where there is none.
func (c *code) word(table, i int) uint32 {
	if c.wide {
		if at := table + 4*i; uint(at) < uint(len(c.bytes)) && len(c.bytes)-at >= 4 {
			return binary.LittleEndian.Uint32(c.bytes[at:])
		}
	} else if at := table + 2*i; uint(at) < uint(len(c.bytes)) && len(c.bytes)-at >= 2 {
		return uint32(binary.LittleEndian.Uint16(c.bytes[at:]))
	}
	return 0
}

// lineAt is the line record that covers an address.
func (c *code) lineAt(address uint32) place {
	// offset is that of the address in terms of the tables.
	offset := address - c.base
	lo, hi := 0, int((c.lineCount+lineGroup-1)/lineGroup)
	for lo < hi { // the number of groups that start at or before it
		mid := int(uint(lo+hi) >> 1)
		if c.word(0, 2*mid) <= offset {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return place{}
	}
	end := uint64(c.word(0, 2*(lo-1))) // of the record before
	at := c.lines + int(c.word(0, 2*(lo-1)+1))
	var p place
	b := c.bytes
	for n := min(lineGroup, c.lineCount-uint64(lo-1)*lineGroup); n > 0 && uint(at) < uint(len(b)); n-- {
		var first, v uint64
		if first = uint64(b[at]); first < 0x80 {
			at++
		} else {
			first, at = number(b, at)
		}
		if first&lineGap != 0 {
			v, at = number(b, at)
			end += v
		}
		if first&lineFile != 0 {
			v, at = number(b, at)
			p.file = uint32(v)
		}
		v, at = number(b, at)
		p.line += unzigzag(uint32(v))
		if end > uint64(offset) {
			return place{}
		}
		start := end
		if end += first >> lineBits; end > uint64(offset) {
			p.known, p.rva = at <= len(b), c.base+uint32(start)
			return p
		}
	}
	return place{}
}

// inlineAt finds the range of a depth that covers an address: where it starts,
// and where its call is. Ranges of a depth are disjoint.
func (c *code) inlineAt(depth int, address uint32) (first uint32, call int, ok bool) {
	offset := address - c.base
	lo, hi := 0, int(c.word(c.depthTable, depth))
	if depth > 0 {
		lo = int(c.word(c.depthTable, depth-1))
	}
	start := lo
	for lo < hi { // the end of those that start at or before it
		mid := int(uint(lo+hi) >> 1)
		if c.word(c.ranges, 3*mid) <= offset {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == start {
		return 0, 0, false
	}
	first = c.word(c.ranges, 3*(lo-1))
	if offset-first >= c.word(c.ranges, 3*(lo-1)+1) {
		return 0, 0, false
	}
	return c.base + first, c.calls + int(c.word(c.ranges, 3*(lo-1)+2)), true
}

// call decodes the call at an offset that inlineAt answered: what is called,
// and how and where its place is told.
func (c *code) call(at int) (origin uint32, kind uint64, file, line uint32) {
	v, at := number(c.bytes, at)
	origin, kind = uint32(v>>callPlaceBits), v&(1<<callPlaceBits-1)
	if kind == callAt {
		v, at = number(c.bytes, at)
		file = uint32(v)
	}
	if kind != callUnknown {
		v, _ = number(c.bytes, at)
		line = uint32(v)
	}
	return origin, kind, file, line
}
