package breakpad

import (
	"bytes"
	"unicode/utf8"
)

// strictReader follows a text as minidump-stackwalk 0.27 reads it, which refuses
// a file for one line that no record looks like. Version 1 of a walk, which is
// parity, does without such a file. What it forgives are lines that are too
// long and STACK WIN records of other types.
type strictReader struct {
	refused bool
	section section // what the lines before allow
	started bool    // a line has been read: MODULE must be the first
}

// strictRecord is a record that may stand anywhere: its keyword, and its fields
// in the letters of strictFields.
type strictRecord struct{ keyword, fields string }

// strictRecords are in the order in which they are tried.
var strictRecords = [...]strictRecord{
	{"FUNC", "mHhhu"},
	{"PUBLIC", "mHhu"},
	{"STACK CFI INIT", "Hhu"},
	{"FILE", "Du"},
	{"INLINE_ORIGIN", "Du"},
	{"STACK WIN", "xHhhhhhhhdu"},
	{"INFO URL", "u"},
	{"INFO", "t"},
	{"MODULE", "wwiu"},
}

// line reads one, without its end.
func (s *strictReader) line(text []byte) {
	if s.refused {
		return
	}
	first := !s.started
	s.started = true
	if s.section == sectionFunc {
		switch {
		case strictLine(text, "INLINE_ORIGIN", "Du"), strictLine(text, "INLINE", "DDDDR"), strictFields(text, "HhDE"):
			return
		}
	}
	if s.section == sectionCFI && strictLine(text, "STACK CFI", "Hu") {
		return
	}
	s.section = sectionNone
	if len(text) == 0 {
		return
	}
	for i := range strictRecords {
		r := &strictRecords[i]
		if !strictLine(text, r.keyword, r.fields) {
			continue
		}
		switch r.keyword {
		case "FUNC":
			s.section = sectionFunc
		case "STACK CFI INIT":
			s.section = sectionCFI
		case "INFO": // else its URL is no text
			s.refused = bytes.HasPrefix(text, []byte("INFO URL ")) || bytes.HasPrefix(text, []byte("INFO URL\t"))
		case "MODULE":
			s.refused = !first
		}
		return
	}
	s.refused = true
}

// tooLong is a line that was passed over.
func (s *strictReader) tooLong() { s.started = true }

// strictLine tells whether a line is a keyword, blanks, and these fields.
func strictLine(text []byte, keyword, fields string) bool {
	if len(text) <= len(keyword) || string(text[:len(keyword)]) != keyword {
		return false
	}
	rest := afterBlanks(text[len(keyword):])
	return len(rest) < len(text)-len(keyword) && strictFields(rest, fields)
}

// strictFields tells whether a text is these fields with blanks between: H and h
// are hexadecimal of up to 16 and 8 digits, D is decimal of 32 bits, d and x are
// one digit, i is hexadecimal of any size, w a word, m the mark of several
// symbols or nothing. The last one goes to the end: u is UTF-8, t anything, E a
// decimal number, R pairs of H and h.
func strictFields(text []byte, fields string) bool {
	for i := range len(fields) {
		n := 0
		switch fields[i] {
		case 'm':
			if len(text) > 1 && text[0] == 'm' && blank(text[1]) {
				text = afterBlanks(text[1:])
			}
			continue
		case 'H':
			n = hexDigitsOf(text, 16)
		case 'h':
			n = hexDigitsOf(text, 8)
		case 'i':
			n = hexDigitsOf(text, len(text))
		case 'x':
			n = hexDigitsOf(text, 1)
		case 'd':
			if len(text) > 0 && text[0]-'0' < 10 {
				n = 1
			}
		case 'D':
			n = decimalDigitsOf(text)
		case 'w':
			if n = bytes.IndexByte(text, ' '); n < 0 {
				return false
			}
		case 'E':
			n = decimalDigitsOf(text)
			return n > 0 && n == len(text)
		case 'R':
			return strictRanges(text)
		case 't':
			return bytes.IndexByte(text, '\r') < 0
		default:
			return bytes.IndexByte(text, '\r') < 0 && utf8.Valid(text)
		}
		rest := afterBlanks(text[n:])
		if n == 0 || len(rest) == len(text)-n {
			return false
		}
		text = rest
	}
	return false
}

// strictRanges reads one or more addresses with their sizes, to the end.
func strictRanges(text []byte) bool {
	for {
		n := hexDigitsOf(text, 16)
		rest := afterBlanks(text[n:])
		if n == 0 || len(rest) == len(text)-n {
			return false
		}
		if n = hexDigitsOf(rest, 8); n == 0 {
			return false
		}
		if text = rest[n:]; len(text) == 0 {
			return true
		}
		if rest = afterBlanks(text); len(rest) == len(text) {
			return false
		}
		text = rest
	}
}

func afterBlanks(text []byte) []byte {
	for len(text) > 0 && blank(text[0]) {
		text = text[1:]
	}
	return text
}

// hexDigitsOf counts the digits that a text starts with, up to limit.
func hexDigitsOf(text []byte, limit int) int {
	n := 0
	for n < min(len(text), limit) && hexDigits[text[n]] != noDigit {
		n++
	}
	return n
}

// decimalDigitsOf counts those of a number of 32 bits; 0 if it is larger.
func decimalDigitsOf(text []byte) int {
	n, v := 0, uint64(0)
	for n < min(len(text), 10) && text[n]-'0' < 10 {
		v = v*10 + uint64(text[n]-'0')
		n++
	}
	if v > 1<<32-1 {
		return 0
	}
	return n
}
