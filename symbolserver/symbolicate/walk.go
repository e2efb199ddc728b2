package symbolicate

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// What walks through a text that is valid.

// more tells whether another element or member follows; else it moves behind the
// end. Before the first one the scanner stands behind the opening bracket.
func (s *scanner) more(end byte) bool {
	switch s.peek() {
	case end:
		s.at++
		return false
	case ',':
		s.at++
	case 0:
		return false
	}
	return true
}

// array steps into an array; anything else is skipped.
func (s *scanner) array() bool { return s.open('[') }

// object steps into an object; anything else is skipped.
func (s *scanner) object() bool { return s.open('{') }

func (s *scanner) open(c byte) bool {
	if s.peek() == c {
		s.at++
		return true
	}
	s.skip()
	return false
}

// key reads a member's name, and moves to its value.
func (s *scanner) key() string {
	s.peek()
	raw, escaped, _ := s.str()
	s.take(':')
	return unescape(raw, escaped)
}

// skip moves behind a value and answers where it starts.
func (s *scanner) skip() (start int) {
	c := s.peek()
	start = s.at
	if c == '[' || c == '{' {
		i, ok := slices.BinarySearchFunc(s.ends, start, func(e extent, at int) int { return cmp.Compare(e.from, at) })
		if ok {
			s.at = s.ends[i].to
			return start
		}
	}
	s.value()
	return start
}

// absent stands for the start of a value that is not there.
const absent = -1

// back is a scanner that stands at a value which was skipped, or at nothing.
func (s *scanner) back(start int) *scanner {
	if start == absent {
		return &scanner{valid: true}
	}
	return &scanner{text: s.text, at: start, valid: true, ends: s.ends}
}

// string reads a string; anything else is skipped.
func (s *scanner) string() (string, bool) {
	if s.peek() != '"' {
		s.skip()
		return "", false
	}
	raw, escaped, _ := s.str()
	return unescape(raw, escaped), true
}

// number as it was written.
type number struct {
	abs      uint64
	negative bool
	huge     bool // it is beyond 64 bits
}

// integer reads an integer, or true and false, which are integers to Python; anything
// else is skipped.
func (s *scanner) integer() (n number, ok bool) {
	switch c := s.peek(); {
	case c == 't' || c == 'f':
		s.skip()
		if c == 't' {
			n.abs = 1
		}
		return n, true
	case c != '-' && !isDigit(c):
		s.skip()
		return n, false
	case c == '-':
		n.negative = true
		s.at++
	}
	start := s.at
	if !isDigit(s.peek()) { // -Infinity
		s.skip()
		return n, false
	}
	at, v := s.at, uint64(0)
	for ; at < len(s.text) && isDigit(s.text[at]); at++ {
		digit := uint64(s.text[at] - '0')
		if v > math.MaxUint64/10 || v*10 > math.MaxUint64-digit {
			n.huge = true
		}
		v = v*10 + digit
	}
	s.at, n.abs = at, v
	if at < len(s.text) && (s.text[at] == '.' || s.text[at]|0x20 == 'e') {
		s.at = start
		s.skip()
		return n, false
	}
	n.negative = n.negative && (n.abs != 0 || n.huge)
	return n, true
}

// unescape reads the escapes of a string. Half of a surrogate pair becomes U+FFFD.
func unescape(raw string, escaped bool) string {
	if !escaped {
		return raw
	}
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			b = append(b, raw[i])
			continue
		}
		i++
		switch c := raw[i]; c {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r := unit(raw[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if len(raw) > i+2 && raw[i+1] == '\\' && raw[i+2] == 'u' {
					low = unit(raw[i+3:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// unit is what four hexadecimal digits stand for, which are there: the text is valid.
func unit(text string) rune {
	v, _ := strconv.ParseUint(text[:4], 16, 32)
	return rune(v)
}
