package breakpad

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// Encoding tells how a text was written, if not as UTF-8 with lines that end in
// LF: by PowerShell's redirection, or by an editor.
type Encoding string

// The encodings that are read.
const (
	UTF8Marked Encoding = "UTF-8 with a byte order mark"
	UTF16LE    Encoding = "UTF-16 little-endian"
	UTF16BE    Encoding = "UTF-16 big-endian"
	CRLines    Encoding = "lines that end in CR"
)

// decoded answers a reader of the text as UTF-8 with lines that end in LF. The
// buffer of in has room for the longest line.
func decoded(in *bufio.Reader) (*bufio.Reader, Encoding) {
	start, _ := in.Peek(4)
	var e Encoding
	switch {
	case bytes.HasPrefix(start, []byte{0xff, 0xfe}), bytes.HasPrefix(start, []byte{'M', 0}):
		e = UTF16LE
	case bytes.HasPrefix(start, []byte{0xfe, 0xff}), bytes.HasPrefix(start, []byte{0, 'M'}):
		e = UTF16BE
	case bytes.HasPrefix(start, []byte("\xef\xbb\xbf")):
		e = UTF8Marked
		in.Discard(3) //nolint:errcheck,gosec // they have been seen
	}
	switch e {
	case UTF16LE:
		in = bufio.NewReaderSize(&utf16Reader{in: in, order: binary.LittleEndian}, maxLineBytes)
	case UTF16BE:
		in = bufio.NewReaderSize(&utf16Reader{in: in, order: binary.BigEndian}, maxLineBytes)
	default:
	}
	if endsInCR(in) {
		return bufio.NewReaderSize(crReader{in}, maxLineBytes), CRLines
	}
	return in, e
}

// endsInCR tells whether the first line ends in a CR that no LF follows.
func endsInCR(in *bufio.Reader) bool {
	for n := 256; ; n *= 2 {
		start, err := in.Peek(min(n, maxLineBytes))
		at := bytes.IndexAny(start, "\r\n")
		rest := bytes.TrimLeft(start[max(at, 0):], "\r")
		switch {
		case at >= 0 && len(rest) > 0: // else what follows is not seen yet
			return start[at] == '\r' && rest[0] != '\n'
		case err != nil || n >= maxLineBytes:
			return false
		}
	}
}

// crReader makes LF of CR.
type crReader struct{ r io.Reader }

func (c crReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	for i, b := range p[:n] {
		if b == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}

// utf16Reader makes UTF-8 of UTF-16. The byte order mark is left out; what is
// no character becomes U+FFFD, also half of one at the end.
type utf16Reader struct {
	in    *bufio.Reader
	order binary.ByteOrder
	began bool
	rest  []byte // of a character, for the next Read
	room  [2 * utf8.UTFMax]byte
}

func (u *utf16Reader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(u.rest) == 0 {
			if n > 0 && u.in.Buffered() < 4 {
				return n, nil // what there is, before waiting for more
			}
			if err := u.next(); err != nil {
				return n, err
			}
		}
		copied := copy(p[n:], u.rest)
		n, u.rest = n+copied, u.rest[copied:]
	}
	return n, nil
}

// next decodes a character.
func (u *utf16Reader) next() error {
	unit, err := u.unit()
	if err != nil {
		return err
	}
	r := rune(unit)
	if utf16.IsSurrogate(r) {
		pair := rune(utf8.RuneError)
		if b, err := u.in.Peek(2); err == nil {
			pair = utf16.DecodeRune(r, rune(u.order.Uint16(b)))
		}
		if r = utf8.RuneError; pair != utf8.RuneError {
			r = pair
			u.in.Discard(2) //nolint:errcheck,gosec // they have been seen
		}
	}
	mark := r == 0xfeff && !u.began
	if u.began = true; mark {
		return nil
	}
	u.rest = utf8.AppendRune(u.room[:0], r)
	return nil
}

// unit reads two bytes; a single one at the end is half a character.
func (u *utf16Reader) unit() (uint16, error) {
	var b [2]byte
	if _, err := io.ReadFull(u.in, b[:]); errors.Is(err, io.ErrUnexpectedEOF) {
		return utf8.RuneError, nil
	} else if err != nil {
		return 0, err
	}
	return u.order.Uint16(b[:]), nil
}
