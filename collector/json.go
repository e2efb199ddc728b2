package collector

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"aftershock/schema"
)

// object reads one JSON object. Where a value ends is found here; what it means,
// and whether it is JSON at all, says encoding/json.
type object struct {
	src  *bufio.Reader
	left int // bytes that may still be read
	raw  []byte
	// notText: some value was not UTF-8; its bad bytes were replaced.
	notText bool
	// asIs tells of members whose value is handed over as it stands when it is an object or a
	// list, which whoever reads it has to find to be JSON. Nil tells of none.
	asIs func(name string) bool
}

func badJSON() error { return refuse(schema.RejectJSON, nil) } // an error's text would quote the report's

// read hands over name and value of every member: strings as they are, null as
// nothing, all else as its JSON text.
func (o *object) read(member func(name, value string) error) error {
	first, err := o.solid()
	if err != nil {
		return err
	}
	if first != '{' {
		return o.noObject(first)
	}
	c, err := o.solid()
	if err == nil && c == '}' {
		return o.end()
	}
	for err == nil {
		var name, value string
		if name, err = o.name(c); err != nil {
			return err
		}
		if value, err = o.member(o.asIs != nil && o.asIs(name)); err != nil {
			return err
		}
		if err = member(name, value); err != nil {
			return err
		}
		c, err = o.solid()
		switch {
		case err != nil:
			return err
		case c == '}':
			return o.end()
		case c != ',':
			return badJSON()
		}
		c, err = o.solid()
	}
	return err
}

func (o *object) noObject(first byte) error {
	raw, err := o.value(first)
	if err != nil {
		return err
	}
	if !json.Valid(raw) || o.end() != nil {
		return badJSON()
	}
	return refuse(schema.RejectJSONValue, nil)
}

// name reads a member's name, from its first byte to its colon.
func (o *object) name(first byte) (name string, err error) {
	if first != '"' {
		return "", badJSON()
	}
	raw, err := o.value(first)
	if err != nil {
		return "", err
	}
	if name, err = stringOf(raw); err != nil {
		return "", err
	}
	c, err := o.solid()
	if err != nil {
		return "", err
	}
	if c != ':' {
		return "", badJSON()
	}
	return name, nil
}

// stringOf is a JSON string's text. Most have no escapes, and are as they stand.
func stringOf(raw []byte) (text string, err error) {
	inner := raw[1 : len(raw)-1]
	plain := true
	for _, c := range inner {
		if c < ' ' || c >= utf8.RuneSelf || c == '\\' {
			plain = false
			break
		}
	}
	if plain {
		return string(inner), nil
	}
	if json.Unmarshal(raw, &text) != nil {
		return "", badJSON()
	}
	return text, nil
}

// member reads a member's value.
func (o *object) member(asIs bool) (text string, err error) {
	first, err := o.solid()
	if err != nil {
		return "", err
	}
	raw, err := o.value(first)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(raw) {
		o.notText = true
	}
	if first == '"' {
		return stringOf(raw)
	}
	if asIs && (first == '{' || first == '[') {
		return string(raw), nil
	}
	if string(raw) == "null" {
		return "", nil
	}
	if word := string(raw); isNoNumber(word) {
		return word, nil
	}
	var compact bytes.Buffer
	if json.Compact(&compact, quoteNoNumbers(raw)) != nil {
		return "", badJSON()
	}
	return compact.String(), nil
}

// isNoNumber tells what Python and JavaScript write for floats that JSON has not.
func isNoNumber(word string) bool { return word == "NaN" || word == "Infinity" || word == "-Infinity" }

// quoteNoNumbers makes strings of them, outside of strings, so that what is kept is JSON for
// everybody.
func quoteNoNumbers(raw []byte) []byte {
	if !bytes.Contains(raw, []byte("NaN")) && !bytes.Contains(raw, []byte("Infinity")) {
		return raw
	}
	var out []byte
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '"':
			end := i + 1
			for end < len(raw) && raw[end] != '"' {
				if raw[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end+1, len(raw))
			out = append(out, raw[i:end]...)
			i = end
		case strings.IndexByte("-NI", c) >= 0:
			n := 0
			for n < len("-Infinity") && i+n < len(raw) && (raw[i+n] == '-' || raw[i+n] >= 'A') && raw[i+n] != ']' && raw[i+n] != '}' {
				n++
			}
			if word := string(raw[i : i+n]); isNoNumber(word) {
				out = append(append(append(out, '"'), word...), '"')
			} else {
				n = max(n, 1)
				out = append(out, raw[i:i+n]...)
			}
			i += n
		default:
			out = append(out, c)
			i++
		}
	}
	return out
}

// value reads a value that begins with a byte: a string, what brackets hold, or
// all before the next comma or bracket. The result is valid until the next call.
func (o *object) value(first byte) ([]byte, error) {
	o.raw = append(o.raw[:0], first)
	s := scan{inside: first == '"'}
	switch first {
	case '{', '[':
		s.depth = 1
	case '"':
	default:
		return o.word()
	}
	for !s.over() {
		held, _ := o.src.Peek(min(o.src.Buffered(), max(o.left, 0)))
		if len(held) == 0 { // reading on fills the buffer, or says who is to blame
			if _, err := o.next(); err != nil {
				return nil, err
			}
			o.left++
			if err := o.src.UnreadByte(); err != nil {
				return nil, err
			}
			continue
		}
		n := s.end(held)
		if s.depth > maxJSONDepth {
			return nil, badJSON()
		}
		o.raw = append(o.raw, held[:n]...)
		o.left -= n
		if _, err := o.src.Discard(n); err != nil {
			return nil, err
		}
	}
	return o.raw, nil
}

// scan finds where a string, or what brackets hold, ends.
type scan struct {
	depth   int
	inside  bool // of a string
	escaped bool // the next byte of it stands for itself
}

func (s *scan) over() bool { return s.depth == 0 && !s.inside }

// end returns how many bytes belong to the value: all of them while it is not over, or
// those up to where it nests too deep.
func (s *scan) end(text []byte) int {
	for i := 0; i < len(text); i++ {
		if s.inside {
			if s.escaped {
				s.escaped = false
				continue
			}
			for i < len(text) && text[i] != '"' && text[i] != '\\' {
				i++
			}
			if i == len(text) {
				return i
			}
			if s.escaped = text[i] == '\\'; s.escaped {
				continue
			}
			s.inside = false
		} else {
			switch text[i] {
			case '"':
				s.inside = true
			case '{', '[':
				if s.depth++; s.depth > maxJSONDepth {
					return i + 1
				}
			case '}', ']':
				s.depth--
			}
		}
		if s.over() {
			return i + 1
		}
	}
	return len(text)
}

// word reads a number, true, false or null.
func (o *object) word() ([]byte, error) {
	for {
		c, err := o.src.Peek(1)
		if errors.Is(err, io.EOF) {
			return o.raw, nil
		}
		if err != nil {
			return nil, err
		}
		if strings.IndexByte(",]} \t\r\n", c[0]) >= 0 {
			return o.raw, nil
		}
		b, err := o.next()
		if err != nil {
			return nil, err
		}
		o.raw = append(o.raw, b)
	}
}

// next reads a byte. The end of the part within the object is bad JSON, that of the
// body a cut one.
func (o *object) next() (byte, error) {
	if o.left--; o.left < 0 {
		return 0, refuse(schema.RejectTooLarge, nil)
	}
	c, err := o.src.ReadByte()
	if err != nil && errors.Is(err, io.EOF) {
		return 0, badJSON()
	}
	return c, err
}

// solid reads to the next byte that is no blank.
func (o *object) solid() (byte, error) {
	for {
		c, err := o.next()
		if err != nil || strings.IndexByte(" \t\r\n", c) < 0 {
			return c, err
		}
	}
}

// end reads blanks up to the end of the part.
func (o *object) end() error {
	for {
		o.left--
		c, err := o.src.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case o.left < 0:
			return refuse(schema.RejectTooLarge, nil)
		case err != nil:
			return err
		case strings.IndexByte(" \t\r\n", c) < 0:
			return badJSON()
		}
	}
}
