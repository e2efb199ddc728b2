package symbolcache

import "bytes"

// boundaries collects the addresses of a symbol file at which what it says may
// change: where records start and behind where they end. It sees the text as
// an io.Writer while breakpad parses it. Too many addresses do no harm, so it
// does not ask whether a record makes sense.
type boundaries struct {
	code []uint32 // of FUNC, line, INLINE, PUBLIC and STACK WIN records
	cfi  []uint32
	win  []uint32
	part []byte // a line whose end is still to come
}

// maxPart bounds a line that is kept; breakpad skips much shorter ones.
const maxPart = 1 << 20

// Write never fails.
func (b *boundaries) Write(text []byte) (int, error) {
	n := len(text)
	for {
		end := bytes.IndexByte(text, '\n')
		if end < 0 {
			break
		}
		line := text[:end]
		if len(b.part) > 0 {
			line = append(b.part, line...)
			b.part = line[:0]
		}
		b.line(line)
		text = text[end+1:]
	}
	if len(b.part)+len(text) <= maxPart { // else what is kept of the line is of no use, and no harm
		b.part = append(b.part, text...)
	}
	return n, nil
}

// finish takes the line that no newline ended.
func (b *boundaries) finish() {
	b.line(b.part)
	b.part = nil
}

func (b *boundaries) line(line []byte) {
	words := fields{bytes.TrimRight(line, "\r\n")}
	switch first := words.next(); string(first) {
	case "FILE", "INFO", "INLINE_ORIGIN", "MODULE":
	case "FUNC":
		words.multiple()
		addRange(&b.code, words.next(), words.next())
	case "PUBLIC":
		words.multiple()
		addRange(&b.code, words.next(), nil)
	case "INLINE":
		words.next() // depth
		words.next() // line
		words.next() // file, or origin in the older form
		if words.count()%2 == 1 {
			words.next() // origin
		}
		for len(words.rest) > 0 {
			addRange(&b.code, words.next(), words.next())
		}
	case "STACK":
		switch string(words.next()) {
		case "CFI":
			address := words.next()
			if string(address) == "INIT" {
				addRange(&b.cfi, words.next(), words.next())
			} else {
				addRange(&b.cfi, address, nil)
			}
		case "WIN":
			words.next() // type
			start, size := words.next(), words.next()
			addRange(&b.win, start, size)
			addRange(&b.code, start, size) // the parameters' size is taken from it
		}
	default:
		addRange(&b.code, first, words.next())
	}
}

// addRange adds where a range starts and where what comes after it does.
func addRange(list *[]uint32, start, size []byte) {
	first, ok := parseHex(start)
	if !ok || first > maxRVA {
		return
	}
	add(list, uint32(first))
	n, ok := parseHex(size)
	if end := first + n; ok && end > first && end <= maxRVA {
		add(list, uint32(end))
	}
}

// add leaves out an address that was just added: most ranges start where the
// one before ends.
func add(list *[]uint32, address uint32) {
	if n := len(*list); n == 0 || (*list)[n-1] != address {
		*list = append(*list, address)
	}
}

// fields takes a line apart at blanks.
type fields struct{ rest []byte }

func (f *fields) next() []byte {
	f.skip()
	n := 0
	for n < len(f.rest) && f.rest[n] != ' ' && f.rest[n] != '\t' {
		n++
	}
	word := f.rest[:n]
	f.rest = f.rest[n:]
	return word
}

func (f *fields) skip() {
	for len(f.rest) > 0 && (f.rest[0] == ' ' || f.rest[0] == '\t') {
		f.rest = f.rest[1:]
	}
}

// multiple passes over the "m" of a FUNC or PUBLIC record.
func (f *fields) multiple() {
	if after := *f; string(after.next()) == "m" {
		*f = after
	}
}

// count is how many words are left.
func (f fields) count() int {
	n := 0
	for len(f.next()) > 0 {
		n++
	}
	return n
}

// parseHex reads a hexadecimal number of at most 16 digits.
func parseHex(digits []byte) (v uint64, ok bool) {
	for _, c := range digits {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		v = v<<4 | uint64(c)
	}
	return v, len(digits) > 0 && len(digits) <= 16
}
