package signature

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxJSONDepth is how deep arrays and objects may nest. Python gives up near it.
const maxJSONDepth = 900

// jsonReader reads JSON as Python's json.loads does: NaN and Infinity are
// numbers, the last of equal keys wins, and errors have Python's words, because
// they end in notes. Strings without escapes alias the input.
//
// After an error every method returns a zero value and reads nothing more.
type jsonReader struct {
	in    string
	at    int
	depth int
	err   *jsonError
}

// jsonError says what is wrong and where. It quotes nothing.
type jsonError struct {
	message string
	in      string
	at      int
}

// errTooDeep is what Python raises a RecursionError for.
const errTooDeep = "nested too deep"

func (e *jsonError) Error() string {
	before := e.in[:e.at]
	lineStart := strings.LastIndexByte(before, '\n') + 1
	return fmt.Sprintf("%s: line %d column %d (char %d)", e.message,
		strings.Count(before, "\n")+1, utf8.RuneCountInString(before[lineStart:])+1, utf8.RuneCountInString(before))
}

func (r *jsonReader) fail(message string, at int) {
	if r.err == nil {
		r.err = &jsonError{message, r.in, min(at, len(r.in))}
	}
	r.at = len(r.in)
}

// peek skips white space and returns the next byte, 0 at the end.
func (r *jsonReader) peek() byte {
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

// document reads one value with read and refuses anything behind it.
func (r *jsonReader) document(read func()) error {
	if strings.HasPrefix(r.in, "\ufeff") {
		r.fail("Unexpected UTF-8 BOM (decode using utf-8-sig)", 0)
	}
	r.peek()
	read()
	if r.peek(); r.err == nil && r.at < len(r.in) {
		r.fail("Extra data", r.at)
	}
	if r.err != nil {
		return r.err
	}
	return nil
}

func (r *jsonReader) enter() bool {
	if r.depth++; r.depth > maxJSONDepth {
		r.fail(errTooDeep, r.at)
	}
	r.at++
	return r.err == nil
}

// object reads an object: member must read the value of each key.
func (r *jsonReader) object(member func(key string)) {
	if !r.enter() {
		return
	}
	if r.peek() == '}' {
		r.at++
		r.depth--
		return
	}
	for r.err == nil {
		if r.peek() != '"' {
			r.fail("Expecting property name enclosed in double quotes", r.at)
			return
		}
		key := r.text()
		if r.peek() != ':' {
			r.fail("Expecting ':' delimiter", r.at)
			return
		}
		r.at++
		r.peek()
		member(key)
		if r.more('}') {
			return
		}
	}
}

// array reads an array: element must read each.
func (r *jsonReader) array(element func()) {
	if !r.enter() {
		return
	}
	if r.peek() == ']' {
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
func (r *jsonReader) more(end byte) (last bool) {
	switch c := r.peek(); {
	case r.err != nil:
		return true
	case c == end && r.at < len(r.in):
		r.at++
		r.depth--
		return true
	case c == ',':
		r.at++
		r.peek()
		return false
	}
	r.fail("Expecting ',' delimiter", r.at)
	return true
}

// value reads any value: nil, bool, jsonInt, float64, string, []any or *jsonObject.
func (r *jsonReader) value() any {
	switch r.peek() {
	case '{':
		o := &jsonObject{values: map[string]any{}}
		r.object(func(key string) {
			if _, again := o.values[key]; !again {
				o.keys = append(o.keys, key)
			}
			o.values[key] = r.value()
		})
		return o
	case '[':
		a := []any{}
		r.array(func() { a = append(a, r.value()) })
		return a
	case '"':
		return r.text()
	}
	return r.scalar()
}

// jsonInt is an integer of any size, in decimal.
type jsonInt string

// jsonObject keeps the order of its keys.
type jsonObject struct {
	keys   []string
	values map[string]any
}

var jsonWords = []struct {
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

func (r *jsonReader) scalar() any {
	rest := r.in[r.at:]
	for _, w := range jsonWords {
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
	return jsonInt(text)
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

// text reads a string; the next byte is its opening quote.
func (r *jsonReader) text() string {
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
func (r *jsonReader) escape(out []byte, i, open int) ([]byte, int) {
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
func (r *jsonReader) unit(i int) (rune, bool) {
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
