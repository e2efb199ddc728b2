package collector

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	text "golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
	"golang.org/x/text/transform"
)

// decodeText reads a text in the charset that its part names. It returns false, and the
// text as it came, for a charset that nobody knows.
func decodeText(value, charset string) (string, bool) {
	if charset == "" {
		return value, true
	}
	e, err := htmlindex.Get(charset)
	if err != nil {
		return value, false
	}
	if name, err := htmlindex.Name(e); err == nil && name == "utf-8" {
		return value, true // what is not text in it is noted where it is kept
	}
	out, err := e.NewDecoder().String(value)
	return out, err == nil
}

// asUTF8 reads a JSON text in whichever of Unicode's encodings it is written. A text begins
// with a byte order mark, or with ASCII: the zeros among its first bytes tell (RFC 4627 3).
func asUTF8(src io.Reader) (*bufio.Reader, error) {
	b := bufio.NewReader(src)
	head, err := b.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var e text.Encoding
	big, little := unicode.UTF16(unicode.BigEndian, unicode.UseBOM), unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	zero := func(i int) bool { return i < len(head) && head[i] == 0 }
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, err := b.Discard(3)
		return b, err
	case bytes.HasPrefix(head, []byte("\xff\xfe\x00\x00")), !zero(0) && zero(1) && zero(2) && zero(3):
		e = utf32.UTF32(utf32.LittleEndian, utf32.UseBOM)
	case bytes.HasPrefix(head, []byte("\x00\x00\xfe\xff")), zero(0) && zero(1) && zero(2) && !zero(3):
		e = utf32.UTF32(utf32.BigEndian, utf32.UseBOM)
	case bytes.HasPrefix(head, []byte("\xff\xfe")), !zero(0) && zero(1):
		e = little
	case bytes.HasPrefix(head, []byte("\xfe\xff")), zero(0) && !zero(1):
		e = big
	default:
		return b, nil
	}
	return bufio.NewReader(transform.NewReader(b, e.NewDecoder())), nil
}
