// Package pyjson reads JSON as Python's json.loads does, member by member: what the
// reader has no use for is never in memory. It trusts nothing of its input.
package pyjson

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may nest. Python gives up near it.
const MaxDepth = 900

// Reader reads JSON as Python's json.loads does: NaN and Infinity are
// numbers, the last of equal keys wins, and errors have Python's words, because
// they end in notes. Strings without escapes alias the input.
//
// After an error every method returns a zero value and reads nothing more.
type Reader struct {
	in    string
	at    int
	depth int
	err   *syntaxError
}

// New returns a reader of a text.
func New(text string) Reader { return Reader{in: text} }

// TooDeep tells whether the document nests deeper than MaxDepth.
func (r *Reader) TooDeep() bool { return r.err != nil && r.err.message == errTooDeep }

// syntaxError says what is wrong and where. It quotes nothing.
type syntaxError struct {
	message string
	in      string
	at      int
}

// errTooDeep is what Python raises a RecursionError for.
const errTooDeep = "nested too deep"

func (e *syntaxError) Error() string {
	before := e.in[:e.at]
	lineStart := strings.LastIndexByte(before, '\n') + 1
	return fmt.Sprintf("%s: line %d column %d (char %d)", e.message,
		strings.Count(before, "\n")+1, utf8.RuneCountInString(before[lineStart:])+1, utf8.RuneCountInString(before))
}

func (r *Reader) fail(message string, at int) {
	if r.err == nil {
		r.err = &syntaxError{message, r.in, min(at, len(r.in))}
	}
	r.at = len(r.in)
}

// Peek skips white space and returns the next byte, 0 at the end.
func (r *Reader) Peek() byte {
	for r.at < len(r.in) {
		switch c := r.in[r.at]; c {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return c
		}
	}
	return 0
}

// Document reads one value with read and refuses anything behind it.
func (r *Reader) Document(read func()) error {
	if strings.HasPrefix(r.in, "\ufeff") {
		r.fail("Unexpected UTF-8 BOM (decode using utf-8-sig)", 0)
	}
	r.Peek()
	read()
	if r.Peek(); r.err == nil && r.at < len(r.in) {
		r.fail("Extra data", r.at)
	}
	if r.err != nil {
		return r.err
	}
	return nil
}

func (r *Reader) enter() bool {
	if r.depth++; r.depth > MaxDepth {
		r.fail(errTooDeep, r.at)
	}
	r.at++
	return r.err == nil
}

// Object reads an object: member must read the value of each key.
func (r *Reader) Object(member func(key string)) {
	if !r.enter() {
		return
	}
	if r.Peek() == '}' {
		r.at++
		r.depth--
		return
	}
	for r.err == nil {
		if r.Peek() != '"' {
			r.fail("Expecting property name enclosed in double quotes", r.at)
			return
		}
		key := r.Text()
		if r.Peek() != ':' {
			r.fail("Expecting ':' delimiter", r.at)
			return
		}
		r.at++
		r.Peek()
		member(key)
		if r.more('}') {
			return
		}
	}
}

// Array reads an array: element must read each.
func (r *Reader) Array(element func()) {
	if !r.enter() {
		return
	}
	if r.Peek() == ']' {
		r.at++
		r.depth--
		return
	}
	for r.err == nil {
		element()
		if r.more(']') {
			return
		}
	}
}

// more reads what follows an element and tells whether it was the last.
func (r *Reader) more(end byte) (last bool) {
	switch c := r.Peek(); {
	case r.err != nil:
		return true
	case c == end && r.at < len(r.in):
		r.at++
		r.depth--
		return true
	case c == ',':
		r.at++
		r.Peek()
		return false
	}
	r.fail("Expecting ',' delimiter", r.at)
	return true
}

// Skip reads any value, and keeps nothing of it.
func (r *Reader) Skip() {
	switch r.Peek() {
	case '{':
		r.Object(func(string) { r.Skip() })
	case '[':
		r.Array(r.Skip)
	case '"':
		r.Text()
	default:
		r.Scalar()
	}
}

// Raw reads any value and returns its text, "" behind an error.
func (r *Reader) Raw() string {
	r.Peek()
	from := r.at
	if r.Skip(); r.err != nil {
		return ""
	}
	return r.in[from:r.at]
}

// Value reads any value: nil, bool, Int, float64, string, []any or *Object.
func (r *Reader) Value() any {
	switch r.Peek() {
	case '{':
		o := &Object{Values: map[string]any{}}
		r.Object(func(key string) {
			if _, again := o.Values[key]; !again {
				o.Keys = append(o.Keys, key)
			}
			o.Values[key] = r.Value()
		})
		return o
	case '[':
		a := []any{}
		r.Array(func() { a = append(a, r.Value()) })
		return a
	case '"':
		return r.Text()
	}
	return r.Scalar()
}

// Int is an integer of any size, in decimal.
type Int string

// Object keeps the order of its keys.
type Object struct {
	Keys   []string
	Values map[string]any
}

var words = []struct {
	word  string
	value any
}{
	{"null", nil},
	{"true", true},
	{"false", false},
	{"NaN", parseFloat("NaN")},
	{"Infinity", parseFloat("Infinity")},
	{"-Infinity", parseFloat("-Infinity")},
}

// parseFloat never fails: what is too large is infinite.
func parseFloat(s string) float64 {
	f, _ := strconv.ParseFloat(s, 64)
	return f
}

// Scalar reads a value that is no object, array or string.
func (r *Reader) Scalar() any {
	rest := r.in[r.at:]
	for _, w := range words {
		if strings.HasPrefix(rest, w.word) {
			r.at += len(w.word)
			return w.value
		}
	}
	text, float := number(rest)
	switch {
	case text == "":
		r.fail("Expecting value", r.at)
		return nil
	case float:
		r.at += len(text)
		return parseFloat(text)
	}
	r.at += len(text)
	if text == "-0" {
		text = "0"
	}
	return Int(text)
}

// number returns the number that s begins with, or nothing.
func number(s string) (text string, float bool) {
	end := 0
	digits := func(from int) int {
		for from < len(s) && s[from] >= '0' && s[from] <= '9' {
			from++
		}
		return from
	}
	if strings.HasPrefix(s, "-") {
		end++
	}
	switch {
	case end < len(s) && s[end] == '0':
		end++
	case digits(end) > end:
		end = digits(end)
	default:
		return "", false
	}
	if end+1 < len(s) && s[end] == '.' && digits(end+1) > end+1 {
		end, float = digits(end+1), true
	}
	if end < len(s) && (s[end] == 'e' || s[end] == 'E') {
		exponent := end + 1
		if exponent < len(s) && (s[exponent] == '+' || s[exponent] == '-') {
			exponent++
		}
		if digits(exponent) > exponent {
			end, float = digits(exponent), true
		}
	}
	return s[:end], float
}

// Text reads a string; the next byte is its opening quote.
func (r *Reader) Text() string {
	open := r.at
	r.at++
	start := r.at
	var out []byte // what came before start, once there was an escape
	for i := start; i < len(r.in); {
		switch c := r.in[i]; {
		case c == '"':
			r.at = i + 1
			if out == nil {
				return r.in[start:i]
			}
			return string(append(out, r.in[start:i]...))
		case c < 0x20:
			r.fail("Invalid control character at", i)
			return ""
		case c == '\\':
			out = append(out, r.in[start:i]...)
			var size int
			if out, size = r.escape(out, i, open); size == 0 {
				return ""
			}
			i += size
			start = i
		default:
			i++
		}
	}
	r.fail("Unterminated string starting at", open)
	return ""
}

// escape appends what the escape at i stands for and returns its size, 0 when
// it is wrong. Half a surrogate pair becomes the replacement character.
func (r *Reader) escape(out []byte, i, open int) ([]byte, int) {
	if i+1 == len(r.in) {
		r.fail("Unterminated string starting at", open)
		return out, 0
	}
	switch c := r.in[i+1]; c {
	case '"', '\\', '/':
		return append(out, c), 2
	case 'b':
		return append(out, '\b'), 2
	case 'f':
		return append(out, '\f'), 2
	case 'n':
		return append(out, '\n'), 2
	case 'r':
		return append(out, '\r'), 2
	case 't':
		return append(out, '\t'), 2
	case 'u':
		high, ok := r.unit(i)
		if !ok {
			r.fail(`Invalid \uXXXX escape`, i+1)
			return out, 0
		}
		if utf16.IsSurrogate(high) {
			if low, ok := r.unit(i + 6); ok && utf16.DecodeRune(high, low) != utf8.RuneError {
				return utf8.AppendRune(out, utf16.DecodeRune(high, low)), 12
			}
		}
		return utf8.AppendRune(out, high), 6
	}
	r.fail(`Invalid \escape`, i)
	return out, 0
}

// unit reads \uXXXX at i. One that ends with the input is none.
func (r *Reader) unit(i int) (rune, bool) {
	if i+6 >= len(r.in) || r.in[i] != '\\' || r.in[i+1] != 'u' {
		return 0, false
	}
	var u rune
	for _, c := range []byte(r.in[i+2 : i+6]) {
		switch {
		case c >= '0' && c <= '9':
			u = u<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			u = u<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return u, true
}
