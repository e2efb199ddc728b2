package symbolicate

import (
	"strings"
	"unicode/utf8"
)

// scanner reads JSON as Python's reader does, whose words for numbers that are none it
// takes too: NaN, Infinity, -Infinity.
//
// A text is looked through once, by valid. After that more, key, integer and the
// like walk through it and need not look for mistakes; whoever finds a value of a kind
// that it does not want skips it.
type scanner struct {
	text  string
	at    int
	valid bool     // the text has been looked through
	depth int      // until then
	deep  bool     // values nest too deep
	ends  []extent // of the outermost arrays and objects, in their order: to skip them
}

// The arrays and objects whose ends are noted: from the request to the stacks of a job.
const (
	endsDepth = 4
	maxEnds   = 1 << 14
)

// valid makes the scanner of a text, which must be one value and may begin with a byte
// order mark. It uses the memory of ends.
func valid(text string, ends []extent) (scanner, *problem) {
	s := scanner{text: strings.TrimPrefix(text, "\ufeff"), ends: ends[:0]}
	ok := s.value()
	s.space()
	switch {
	case s.deep:
		return s, badRequest("Payload is nested too deep")
	case !ok, s.at < len(s.text), !utf8.ValidString(s.text):
		return s, badRequest("Payload is not valid JSON")
	}
	s.at, s.valid = 0, true
	return s, nil
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// peek is the next byte that is no space; 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.text) && s.text[s.at] > ' ' { // as a rule
		return s.text[s.at]
	}
	if s.space(); s.at == len(s.text) {
		return 0
	}
	return s.text[s.at]
}

// take moves behind a byte, if it is the next one that is no space.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

// value moves behind a value and tells whether it is one.
func (s *scanner) value() bool {
	switch c := s.peek(); c {
	case '{', '[':
		if s.valid {
			return s.container(c + 2)
		}
		if s.depth == maxDepth {
			s.deep = true
			return false
		}
		s.depth++
		ends := len(s.ends)
		noted := s.depth <= endsDepth && ends < maxEnds
		if noted {
			s.ends = append(s.ends, extent{from: s.at})
		}
		ok := s.container(c + 2)
		if noted {
			s.ends[ends].to = s.at
		}
		s.depth--
		return ok
	case '"':
		_, _, ok := s.str()
		return ok
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	case 'N':
		return s.word("NaN")
	case 'I':
		return s.word("Infinity")
	}
	return s.number()
}

func (s *scanner) word(w string) bool {
	ok := strings.HasPrefix(s.text[s.at:], w)
	if ok {
		s.at += len(w)
	}
	return ok
}

// container moves behind an array or object, given the closing bracket: in ASCII it is
// the next but one to the opening one.
func (s *scanner) container(end byte) bool {
	s.at++
	if s.take(end) {
		return true
	}
	for {
		if end == '}' {
			if s.peek() != '"' {
				return false
			}
			if _, _, ok := s.str(); !ok || !s.take(':') {
				return false
			}
		}
		if !s.value() {
			return false
		}
		if !s.take(',') {
			return s.take(end)
		}
	}
}

// str moves behind a string. raw is what stands between the quotes.
func (s *scanner) str() (raw string, escaped, ok bool) {
	s.at++
	start := s.at
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return s.text[start : s.at-1], escaped, true
		case c < ' ':
			return "", false, false
		case c == '\\':
			escaped = true
			if s.at++; s.at == len(s.text) {
				return "", false, false
			}
			switch s.text[s.at] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if !isHex4(s.text[s.at+1:]) {
					return "", false, false
				}
				s.at += 4
			default:
				return "", false, false
			}
		}
	}
	return "", false, false
}

func isHex4(text string) bool {
	return len(text) >= 4 && strings.Trim(text[:4], "0123456789abcdefABCDEF") == ""
}

// number moves behind a number.
func (s *scanner) number() bool {
	if s.at < len(s.text) && s.text[s.at] == '-' {
		if s.at++; s.at < len(s.text) && s.text[s.at] == 'I' {
			return s.word("Infinity")
		}
	}
	if s.at < len(s.text) && s.text[s.at] == '0' {
		s.at++
	} else if !s.digits() {
		return false
	}
	if s.at < len(s.text) && s.text[s.at] == '.' {
		s.at++
		if !s.digits() {
			return false
		}
	}
	if s.at < len(s.text) && s.text[s.at]|0x20 == 'e' {
		if s.at++; s.at < len(s.text) && (s.text[s.at] == '-' || s.text[s.at] == '+') {
			s.at++
		}
		return s.digits()
	}
	return true
}

func (s *scanner) digits() bool {
	start, at := s.at, s.at
	for at < len(s.text) && isDigit(s.text[at]) {
		at++
	}
	s.at = at
	return at > start
}

func isDigit(c byte) bool { return c-'0' <= 9 }
