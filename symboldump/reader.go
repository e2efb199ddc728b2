package symboldump

import (
	"bytes"
	"encoding/binary"
)

// reader reads the encodings of object files and DWARF from untrusted bytes.
// After the first read past the end it is bad, every further read answers zero,
// and nothing is left: callers decode a structure and look once. What it hands
// out aliases the bytes.
type reader struct {
	data      []byte
	off       int
	bigEndian bool
	bad       bool
}

// left is the number of unread bytes.
func (r *reader) left() int { return len(r.data) - r.off }

func (r *reader) fail() {
	r.bad = true
	r.off = len(r.data)
}

func (r *reader) seek(off uint64) {
	if r.bad || off > uint64(len(r.data)) {
		r.fail()
		return
	}
	r.off = int(off)
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(r.left()) {
		r.fail()
		return nil
	}
	b := r.data[r.off : r.off+int(n) : r.off+int(n)]
	r.off += int(n)
	return b
}

func (r *reader) skip(n uint64) { r.bytes(n) }

func (r *reader) u8() uint8 {
	if r.off >= len(r.data) {
		r.fail()
		return 0
	}
	b := r.data[r.off]
	r.off++
	return b
}

func (r *reader) u16() uint16 {
	b := r.bytes(2)
	switch {
	case b == nil:
		return 0
	case r.bigEndian:
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func (r *reader) u32() uint32 {
	b := r.bytes(4)
	switch {
	case b == nil:
		return 0
	case r.bigEndian:
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

func (r *reader) u64() uint64 {
	b := r.bytes(8)
	switch {
	case b == nil:
		return 0
	case r.bigEndian:
		return binary.BigEndian.Uint64(b)
	}
	return binary.LittleEndian.Uint64(b)
}

// u24 reads three bytes, as DW_FORM_strx3 has them.
func (r *reader) u24() uint32 {
	b := r.bytes(3)
	switch {
	case b == nil:
		return 0
	case r.bigEndian:
		return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
	}
	return uint32(b[2])<<16 | uint32(b[1])<<8 | uint32(b[0])
}

// word reads an unsigned number of 1, 2, 4 or 8 bytes; other sizes are bad.
func (r *reader) word(size int) uint64 {
	switch size {
	case 1:
		return uint64(r.u8())
	case 2:
		return uint64(r.u16())
	case 4:
		return uint64(r.u32())
	case 8:
		return r.u64()
	}
	r.fail()
	return 0
}

// uleb reads an unsigned LEB128 (DWARF 5 section 7.6). Bits beyond 64 are lost.
func (r *reader) uleb() uint64 {
	var v uint64
	for shift := uint(0); ; shift += 7 {
		if r.off >= len(r.data) || shift == 7*maxLEBBytes {
			r.fail()
			return 0
		}
		b := r.data[r.off]
		r.off++
		v |= uint64(b&0x7f) << shift // shifts of 64 and more give 0
		if b < 0x80 {
			return v
		}
	}
}

// sleb reads a signed LEB128.
func (r *reader) sleb() int64 {
	var v int64
	for shift := uint(0); ; shift += 7 {
		if r.off >= len(r.data) || shift == 7*maxLEBBytes {
			r.fail()
			return 0
		}
		b := r.data[r.off]
		r.off++
		v |= int64(b&0x7f) << shift
		if b < 0x80 {
			if b&0x40 != 0 && shift+7 < 64 {
				v |= -1 << (shift + 7)
			}
			return v
		}
	}
}

// text reads up to the next NUL, which is not part of it. One of more than
// maxTextBytes is bad: many places can name the same.
func (r *reader) text() []byte {
	rest := r.data[r.off:]
	i := bytes.IndexByte(rest[:min(len(rest), maxTextBytes)], 0)
	if i < 0 {
		r.fail()
		return nil
	}
	r.off += i + 1
	return rest[:i:i]
}

// unitLength reads the length that begins a DWARF unit or a frame entry (DWARF 5
// section 7.4), and whether offsets in it have 64 bits.
func (r *reader) unitLength() (length uint64, is64 bool) {
	length = uint64(r.u32())
	if length == 0xffffffff {
		return r.u64(), true
	}
	if length >= 0xfffffff0 { // reserved
		r.fail()
	}
	return length, false
}

// offset reads an offset into a section.
func (r *reader) offset(is64 bool) uint64 {
	if is64 {
		return r.u64()
	}
	return uint64(r.u32())
}

// part is a reader of the next n bytes, which this one passes over.
func (r *reader) part(n uint64) reader {
	return reader{data: r.bytes(n), bigEndian: r.bigEndian, bad: r.bad}
}

// textAt is the text up to a NUL at an offset of a string table.
func textAt(table []byte, off uint64) []byte {
	r := reader{data: table}
	r.seek(off)
	return r.text()
}
