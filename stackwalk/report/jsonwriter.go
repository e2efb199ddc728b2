package report

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"sync"
	"unicode/utf8"

	"aftershock/minidump"
)

// jsonWriter appends JSON to a buffer and hands it on in large pieces. Keys and
// values are written in the order of the document, so that no tree of it is
// built. After an error it writes nothing more.
type jsonWriter struct {
	out      io.Writer
	err      error
	b        []byte
	indented bool
	depth    int
	empty    bool // nothing stands yet in the innermost object or array
}

// flushAt is how much is collected before it is written.
const flushAt = 64 << 10

// buffers holds those that are not in use.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, flushAt+flushAt/4) // few values are longer than the rest of it
	return &b
}}

func (j *jsonWriter) flush() {
	if j.err == nil {
		_, j.err = j.out.Write(j.b)
	}
	j.b = j.b[:0]
}

// next goes to where the next key, element or closing bracket stands.
func (j *jsonWriter) next(closing bool) {
	if !closing && !j.empty {
		j.b = append(j.b, ',')
	}
	if j.indented && (!closing || !j.empty) {
		j.newLine()
	}
	j.empty = false
	if len(j.b) >= flushAt {
		j.flush()
	}
}

func (j *jsonWriter) newLine() {
	j.b = append(j.b, '\n')
	for range j.depth {
		j.b = append(j.b, ' ', ' ')
	}
}

// open begins an object or array, where a value stands.
func (j *jsonWriter) open(bracket byte) {
	j.b = append(j.b, bracket)
	j.depth++
	j.empty = true
}

func (j *jsonWriter) close(bracket byte) {
	j.depth--
	j.next(true)
	j.b = append(j.b, bracket)
}

// element begins an element of an array; its value follows.
func (j *jsonWriter) element() { j.next(false) }

// key begins a member of an object; its value follows. The name is plain ASCII.
func (j *jsonWriter) key(name string) {
	j.next(false)
	j.b = append(j.b, '"')
	j.b = append(j.b, name...)
	j.b = append(j.b, '"', ':')
	if j.indented {
		j.b = append(j.b, ' ')
	}
}

func (j *jsonWriter) null() { j.b = append(j.b, "null"...) }

func (j *jsonWriter) bool(v bool) { j.b = strconv.AppendBool(j.b, v) }

func (j *jsonWriter) int(v int) { j.b = strconv.AppendInt(j.b, int64(v), 10) }

func (j *jsonWriter) uint(v uint64) { j.b = strconv.AppendUint(j.b, v, 10) }

func (j *jsonWriter) float(v float64) { j.b = strconv.AppendFloat(j.b, v, 'f', -1, 64) }

const hexDigits = "0123456789abcdef"

// hex writes a text like "0x00401000" of at least that many digits.
func (j *jsonWriter) hex(v uint64, digits int) {
	j.b = append(minidump.AppendHex(append(j.b, '"'), v, digits), '"')
}

// optional writes null for the empty text.
func (j *jsonWriter) optional(s string) {
	if s == "" {
		j.null()
		return
	}
	j.text(s)
}

// text and bytes write a string; what is no UTF-8 becomes U+FFFD.
func (j *jsonWriter) text(s string)  { j.b = appendText(j.b, s) }
func (j *jsonWriter) bytes(s []byte) { j.b = appendText(j.b, s) }

func appendText[T string | []byte](b []byte, s T) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		if c < utf8.RuneSelf {
			b = appendEscaped(b, c)
			i++
		} else {
			r, size := utf8.DecodeRuneInString(string(s[i:min(len(s), i+utf8.UTFMax)]))
			b = utf8.AppendRune(b, r)
			i += size
		}
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// appendEscaped writes an ASCII character that may not stand in a string.
func appendEscaped(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// raw writes JSON from elsewhere, null if it is none.
func (j *jsonWriter) raw(document []byte) {
	var kept bytes.Buffer
	var err error
	if j.indented {
		err = json.Indent(&kept, document, string(bytes.Repeat([]byte("  "), j.depth)), "  ")
	} else {
		err = json.Compact(&kept, document)
	}
	if err != nil {
		j.null()
		return
	}
	j.b = append(j.b, bytes.TrimSpace(kept.Bytes())...)
}
