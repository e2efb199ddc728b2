// Package cursor reads fixed-width fields from untrusted bytes.
//
// A Cursor carries a sticky error: after the first read past the end every
// further read answers zero, and Err tells where it went wrong. Callers decode
// a whole structure and look at Err once. Nothing here allocates except the
// error itself.
package cursor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// ErrTruncated is wrapped by every error of a read that wants more bytes than are left.
var ErrTruncated = errors.New("truncated")

// Cursor is a position in a byte slice. The zero value reads from an empty
// slice. It is not safe for concurrent use; copy it to look ahead.
type Cursor struct {
	buf       []byte
	off       int
	end       int  // len(buf), or less than off after an error
	bigEndian bool // a flag, for calls through binary.ByteOrder are not inlined
	err       error
}

// New returns a cursor at the start of buf. Slices that it hands out alias buf.
func New(buf []byte, order binary.ByteOrder) Cursor {
	return Cursor{buf: buf, end: len(buf), bigEndian: order == binary.BigEndian}
}

// Len is the number of unread bytes, 0 after an error.
func (c *Cursor) Len() int { return max(c.end-c.off, 0) }

// Offset is the number of bytes read so far.
func (c *Cursor) Offset() int { return c.off }

// Err is the first error, or nil.
func (c *Cursor) Err() error { return c.err }

func (c *Cursor) fail(want uint64) {
	if c.err == nil {
		c.err = fmt.Errorf("at %#x: want %d bytes, have %d: %w", c.off, want, len(c.buf)-c.off, ErrTruncated)
		c.end = -1
	}
}

// Bytes reads n bytes. The result aliases the input and is capped, so that an
// append cannot overwrite what follows; it is nil when fewer than n are left.
func (c *Cursor) Bytes(n uint64) []byte {
	if c.end < c.off || n > uint64(c.end-c.off) { // "off+n > len" would wrap
		c.fail(n)
		return nil
	}
	b := c.buf[c.off : c.off+int(n) : c.off+int(n)]
	c.off += int(n)
	return b
}

// Skip passes over n bytes.
func (c *Cursor) Skip(n uint64) { c.Bytes(n) }

// U8 reads one byte.
func (c *Cursor) U8() uint8 {
	if b := c.Bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 reads two bytes in the cursor's order.
func (c *Cursor) U16() uint16 {
	b := c.Bytes(2)
	switch {
	case b == nil:
		return 0
	case c.bigEndian:
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

// U32 reads four bytes in the cursor's order.
func (c *Cursor) U32() uint32 {
	if c.off+4 > c.end {
		c.fail(4)
		return 0
	}
	v := binary.LittleEndian.Uint32(c.buf[c.off:])
	c.off += 4
	if c.bigEndian {
		v = bits.ReverseBytes32(v)
	}
	return v
}

// U64 reads eight bytes in the cursor's order.
func (c *Cursor) U64() uint64 {
	if c.off+8 > c.end {
		c.fail(8)
		return 0
	}
	v := binary.LittleEndian.Uint64(c.buf[c.off:])
	c.off += 8
	if c.bigEndian {
		v = bits.ReverseBytes64(v)
	}
	return v
}

// Count reads a 32-bit count of records that follow, each of at least size
// bytes. It fails unless that many bytes are left, so that a caller may
// allocate for the count it gets.
func (c *Cursor) Count(size uint64) int {
	n := uint64(c.U32())
	if c.err == nil && size > 0 && n > uint64(c.Len())/size {
		c.fail(n * size)
		return 0
	}
	return int(n)
}
