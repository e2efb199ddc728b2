package minidump

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	lowerHex = "0123456789abcdef"
	upperHex = "0123456789ABCDEF"
)

// appendHex appends v in at least that many digits.
func appendHex(dst []byte, v uint64, digits int, alphabet string) []byte {
	for digits < 16 && v>>(4*digits) != 0 {
		digits++
	}
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		dst = append(dst, alphabet[v>>shift&15])
	}
	return dst
}

// AppendHex appends "0x" and v in at least that many lower-case digits.
func AppendHex(dst []byte, v uint64, digits int) []byte {
	return appendHex(append(dst, "0x"...), v, digits, lowerHex)
}

// AppendAddress is AppendHex with as many digits as a pointer of the dump's CPU
// has.
func (d *Dump) AppendAddress(dst []byte, addr uint64) []byte {
	return AppendHex(dst, addr, 2*d.cpuOrUnknown().WordBytes())
}

// appendGUID appends a GUID, whose first three fields have a byte order, in 32
// hex digits.
func appendGUID(dst []byte, order binary.ByteOrder, b []byte, alphabet string) []byte {
	dst = appendHex(dst, uint64(order.Uint32(b)), 8, alphabet)
	dst = appendHex(dst, uint64(order.Uint16(b[4:])), 4, alphabet)
	dst = appendHex(dst, uint64(order.Uint16(b[6:])), 4, alphabet)
	return appendHex(dst, binary.BigEndian.Uint64(b[8:]), 16, alphabet)
}

// utf8Text is text from outside; runs of invalid bytes become U+FFFD.
func utf8Text(b []byte) string { return strings.ToValidUTF8(string(b), "\ufffd") }

// utf16Text decodes UTF-16; unpaired surrogates become U+FFFD.
func utf16Text(b []byte, bigEndian bool) string {
	low := 0 // where a unit's low byte is
	if bigEndian {
		low = 1
	}
	b = b[:len(b)&^1]
	var short [256]byte // most are paths in ASCII
	dst := short[:0]
	for len(b) >= 8 { // four characters at a time
		v := binary.LittleEndian.Uint64(b) >> (8 * low)
		if v&0xff80ff80ff80ff80 != 0 || low == 1 && b[0] != 0 {
			break
		}
		v = (v | v>>8) & 0x0000ffff0000ffff
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v|v>>16))
		b = b[8:]
	}
	for len(b) > 0 && b[low] < utf8.RuneSelf && b[1-low] == 0 {
		dst, b = append(dst, b[low]), b[2:]
	}
	if len(b) == 0 {
		return string(dst)
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i+low]) | uint16(b[2*i+1-low])<<8
	}
	return string(dst) + string(utf16.Decode(units))
}

// untilNUL is UTF-16 up to its first NUL.
func untilNUL(b []byte) []byte {
	for i := 0; i+1 < len(b); i += 2 {
		if b[i]|b[i+1] == 0 {
			return b[:i]
		}
	}
	return b
}
