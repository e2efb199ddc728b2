package breakpad

// fields takes a line apart. A failed read sets bad, so that a record is
// checked once.
type fields struct {
	rest []byte
	bad  bool
	long bool // a decimal number has more than ten digits
}

func blank(b byte) bool { return b == ' ' || b == '\t' }

// skip passes over blanks.
func (f *fields) skip() {
	n := 0
	for n < len(f.rest) && blank(f.rest[n]) {
		n++
	}
	f.rest = f.rest[n:]
}

// token is what stands before the next blank; empty at the end.
func (f *fields) token() []byte {
	f.skip()
	n := 0
	for n < len(f.rest) && !blank(f.rest[n]) {
		n++
	}
	token := f.rest[:n]
	f.rest = f.rest[n:]
	return token
}

// keyword passes over word and the blank after it if they stand next.
func (f *fields) keyword(word string) bool {
	if len(f.rest) <= len(word) || string(f.rest[:len(word)]) != word || !blank(f.rest[len(word)]) {
		return false
	}
	f.rest = f.rest[len(word)+1:]
	return true
}

// hexDigits gives the value of every byte as a hexadecimal digit, noDigit of
// the others.
var hexDigits = func() (values [256]byte) {
	for i := range values {
		values[i] = noDigit
	}
	for v, c := range "0123456789abcdef" {
		values[c] = byte(v)
	}
	for v, c := range "ABCDEF" {
		values[c] = byte(10 + v)
	}
	return values
}()

const noDigit = 0xff

// hex reads a hexadecimal number of at most digits (at most 16) digits.
func (f *fields) hex(digits int) uint64 {
	b := f.rest
	start := 0
	for start < len(b) && blank(b[start]) {
		start++
	}
	v, at := uint64(0), start
	for ; at < len(b); at++ {
		digit := hexDigits[b[at]]
		if digit == noDigit {
			break
		}
		v = v<<4 | uint64(digit)
	}
	if at == start || at-start > digits || at < len(b) && !blank(b[at]) {
		f.bad = true
		return 0
	}
	f.rest = b[at:]
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
	b := f.rest
	start := 0
	for start < len(b) && blank(b[start]) {
		start++
	}
	v, at := uint64(0), start
	for ; at < len(b) && b[at]-'0' < 10 && v <= maxRVA; at++ {
		v = v*10 + uint64(b[at]-'0')
	}
	if at == start || v > maxRVA || at < len(b) && !blank(b[at]) {
		f.bad = true
		return 0
	}
	f.long = f.long || at-start > 10
	f.rest = b[at:]
	return uint32(v)
}

// name is the rest of the line after the blanks; it may be empty.
func (f *fields) name() []byte {
	f.skip()
	return f.rest
}

// done tells whether nothing is left.
func (f *fields) done() bool {
	if len(f.rest) > 0 {
		f.skip()
	}
	return len(f.rest) == 0
}

// count is how many tokens are left.
func (f fields) count() int {
	n := 0
	for len(f.token()) > 0 {
		n++
	}
	return n
}

// multiple passes over the "m" that marks a record standing for several
// symbols at one address.
func (f *fields) multiple() {
	f.skip()
	if len(f.rest) > 1 && f.rest[0] == 'm' && blank(f.rest[1]) {
		f.rest = f.rest[2:]
	}
}
