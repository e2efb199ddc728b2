package breakpad

import "bytes"

// fields takes a line apart. A failed read sets bad and all later ones answer
// zero, so that a record is checked once.
type fields struct {
	rest []byte
	bad  bool
}

func blank(b byte) bool { return b == ' ' || b == '\t' }

// token is what stands before the next blank; nil at the end.
func (f *fields) token() []byte {
	rest := f.rest
	for len(rest) > 0 && blank(rest[0]) {
		rest = rest[1:]
	}
	n := 0
	for n < len(rest) && !blank(rest[n]) {
		n++
	}
	f.rest = rest[n:]
	return rest[:n]
}

// keyword passes over word and the blank after it if they stand next.
func (f *fields) keyword(word string) bool {
	if len(f.rest) <= len(word) || string(f.rest[:len(word)]) != word || !blank(f.rest[len(word)]) {
		return false
	}
	f.rest = f.rest[len(word)+1:]
	return true
}

// hex reads a hexadecimal number of at most digits digits.
func (f *fields) hex(digits int) uint64 {
	t := f.token()
	v, ok := parseHex(t)
	if !ok || len(t) > digits {
		f.bad = true
		return 0
	}
	return v
}

func (f *fields) hex32() uint32 { return uint32(f.hex(8)) }

// rva reads an address. No module is larger than 4 GiB (SizeOfImage has 32
// bits), so that one beyond is as bad as one that is no number.
func (f *fields) rva() uint64 {
	v := f.hex(16)
	if v > maxRVA {
		f.bad = true
	}
	return v
}

const maxRVA = 1<<32 - 1

// decimal reads an unsigned 32-bit decimal number.
func (f *fields) decimal() uint32 {
	t := f.token()
	v := uint64(0)
	for _, c := range t {
		if c < '0' || c > '9' || v > maxRVA {
			f.bad = true
			return 0
		}
		v = v*10 + uint64(c-'0')
	}
	if len(t) == 0 || v > maxRVA {
		f.bad = true
	}
	return uint32(v)
}

// name is the rest of the line after the blanks; it may be empty.
func (f *fields) name() []byte {
	return bytes.TrimLeft(f.rest, " \t")
}

// done tells whether nothing is left.
func (f *fields) done() bool { return len(f.name()) == 0 }

func parseHex(t []byte) (v uint64, ok bool) {
	if len(t) == 0 || len(t) > 16 {
		return 0, false
	}
	for _, c := range t {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | uint64(c)
	}
	return v, true
}
