package collector

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	"path/filepath"
	"strings"
	"sync"

	"aftershock/schema"
)

// parts reads the parts of a multipart body (RFC 2046 5.1), one after the other.
// It is not mime/multipart because a part whose header makes no sense costs that
// part here and not the report, and because bytes are handed on where they lie.
type parts struct {
	src   *bufio.Reader
	delim []byte // "\r\n--boundary"
	// begun is false where a boundary may stand without the line break before it:
	// at the start of the body, and of a part.
	begun bool
	taken int  // bytes handed out that still lie in src
	ended bool // the boundary was read, and no header since
	last  bool // it is the closing one
	found bool // some boundary was read
}

const partsBuffer = 64 << 10

// partsBuffers are large beside most reports, and used again.
var partsBuffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, partsBuffer) }}

// newParts begins to read; free ends it.
func newParts(src io.Reader, boundary string) *parts {
	p := &parts{src: partsBuffers.Get().(*bufio.Reader), delim: []byte("\r\n--" + boundary)} //nolint:forcetypeassert // the pool holds nothing else
	p.src.Reset(src)
	return p
}

// free gives the buffer back: nothing that aliases it may be kept.
func (p *parts) free() {
	p.src.Reset(nil)
	partsBuffers.Put(p.src)
}

// part is one of them; it reads what stands before the next boundary.
type part struct {
	from *parts
	// Of its header. bad: it makes no sense, and the rest is empty.
	name, file, kind string
	charset          string // of a text, "" when it does not say
	transfer         string // how its bytes are written, "" for as they are
	isFile           bool   // a file was meant, if only one without a name
	bad              bool
}

// unnamedDump tells whether a file without a name is a minidump. Others of the kind are what
// a form sends when no file was chosen.
func (p *part) unnamedDump() bool {
	head, err := p.from.src.Peek(4)
	return p.isFile && err == nil && string(head) == schema.MinidumpSignature
}

// next skips the rest of the part before, and returns io.EOF behind the last.
func (p *parts) next() (*part, error) {
	if _, err := p.writeTo(io.Discard); err != nil { // or what stands before the first boundary
		return nil, err
	}
	if p.last {
		return nil, io.EOF
	}
	p.begun, p.ended = false, false
	return p.header()
}

// chunk returns the next bytes before the boundary, valid until the next call;
// io.EOF says that the boundary was read.
func (p *parts) chunk() ([]byte, error) {
	if p.ended {
		return nil, io.EOF
	}
	if _, err := p.src.Discard(p.taken); err != nil {
		return nil, err
	}
	p.taken = 0
	whole := len(p.delim) + maxBoundaryPadding + 2
	_, err := p.src.Peek(whole)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	buf, _ := p.src.Peek(p.src.Buffered())
	if len(buf) == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	delim := p.delim
	if !p.begun && bytes.HasPrefix(buf, delim[2:]) {
		delim = delim[2:]
	}
	p.begun = true
	at := bytes.Index(buf, delim)
	switch {
	case at > 0:
		p.taken = at
	case at < 0 && err != nil: // nothing comes any more
		p.taken = len(buf)
	case at < 0:
		p.taken = len(buf) - len(delim) + 1 // the rest may be the start of one
	default:
		n, last := boundary(buf[len(delim):])
		if n == 0 { // it only begins like the boundary
			p.taken = len(delim)
			break
		}
		p.ended, p.last, p.found = true, last, true
		_, err := p.src.Discard(len(delim) + n)
		return nil, errors.Join(err, io.EOF)
	}
	return buf[:p.taken], nil
}

// boundary tells how many bytes end a boundary line, and whether it closes the body.
func boundary(rest []byte) (n int, last bool) {
	if bytes.HasPrefix(rest, []byte("--")) {
		return 2, true
	}
	padding := len(rest) - len(bytes.TrimLeft(rest, " \t"))
	if padding <= maxBoundaryPadding && bytes.HasPrefix(rest[padding:], []byte("\r\n")) {
		return padding + 2, false
	}
	return 0, false
}

// writeTo copies what stands before the next boundary.
func (p *parts) writeTo(w io.Writer) (n int64, err error) {
	for {
		b, err := p.chunk()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if _, err := w.Write(b); err != nil {
			return n, err
		}
		n += int64(len(b))
	}
}

// header reads a part's header, to the empty line.
func (p *parts) header() (*part, error) {
	out := &part{from: p}
	var fields [][2]string
	for left, lines := maxPartHeader, 0; ; lines++ {
		line, err := p.src.ReadSlice('\n')
		left -= len(line)
		switch {
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		case errors.Is(err, bufio.ErrBufferFull), err == nil && (left < 0 || lines == maxPartHeaderLines):
			return nil, refuse(schema.RejectStructure, errors.New("a part's header is too long"))
		case err != nil:
			return nil, err
		case bytes.HasPrefix(line, p.delim[2:]):
			return nil, refuse(schema.RejectStructure, errors.New("a part's header does not end"))
		}
		text, crlf := bytes.CutSuffix(line, []byte("\r\n"))
		if crlf && len(text) == 0 {
			break
		}
		name, value, colon := strings.Cut(string(text), ":")
		switch {
		case !crlf || strings.ContainsFunc(string(text), func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }):
			out.bad = true
		case len(fields) > 0 && (text[0] == ' ' || text[0] == '\t'): // goes on
			fields[len(fields)-1][1] += " " + strings.TrimSpace(string(text))
		case !colon || name == "" || strings.ContainsAny(name, " \t"):
			out.bad = true
		default:
			fields = append(fields, [2]string{strings.ToLower(name), strings.TrimSpace(value)})
		}
	}
	if !out.bad {
		out.describe(fields)
	}
	return out, nil
}

// describe takes from the header what makes a part what it is: the first of each field.
func (p *part) describe(fields [][2]string) {
	for i := len(fields) - 1; i >= 0; i-- {
		value, params, err := mime.ParseMediaType(fields[i][1])
		switch fields[i][0] {
		case "content-disposition":
			if err != nil {
				params = nil
			}
			p.name, p.file = "", ""
			if value == "form-data" {
				p.name = params["name"]
			}
			f, isFile := params["filename"]
			if p.isFile = isFile; f != "" {
				p.file = filepath.Base(f)
			}
		case "content-type":
			if p.kind, p.charset = value, params["charset"]; err != nil {
				p.kind, p.charset = "", "" // so odd that it says nothing
			}
		case "content-transfer-encoding":
			p.transfer = strings.ToLower(fields[i][1])
		}
	}
}

// Transfer encodings that change bytes (RFC 2045 6). Nobody should use them over HTTP (RFC
// 7578 4.7), but mail libraries do.
const (
	transferQuoted = "quoted-printable"
	transferBase64 = "base64"
)

// WriteTo copies the part.
func (p *part) WriteTo(w io.Writer) (int64, error) {
	if p.transfer != transferQuoted && p.transfer != transferBase64 {
		return p.from.writeTo(w)
	}
	return io.Copy(w, p.reader())
}

// reader reads the part. Bytes that its transfer encoding has not are an error of class
// errTransfer.
func (p *part) reader() io.Reader {
	src := io.Reader(&partReader{from: p.from})
	switch p.transfer {
	case transferQuoted:
		return &decoded{src: quotedprintable.NewReader(src)}
	case transferBase64:
		return &decoded{src: base64.NewDecoder(base64.StdEncoding, src)}
	}
	return src
}

var errTransfer = errors.New("the part is not written as its Content-Transfer-Encoding says")

// decoded says of what kind an error is: the body's, or the encoding's.
type decoded struct{ src io.Reader }

func (d *decoded) Read(b []byte) (int, error) {
	n, err := d.src.Read(b)
	var no *refusal
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.As(err, &no) && !errors.Is(err, errFull) {
		err = refuse(schema.RejectStructure, errTransfer)
	}
	return n, err
}

// partReader reads what stands before the next boundary.
type partReader struct {
	from *parts
	rest []byte
	err  error
}

func (t *partReader) Read(b []byte) (int, error) {
	if len(t.rest) == 0 && t.err == nil {
		if t.rest, t.err = t.from.chunk(); errors.Is(t.err, io.EOF) {
			t.err = io.EOF // decoders compare
		}
	}
	n := copy(b, t.rest)
	if t.rest = t.rest[n:]; n > 0 {
		return n, nil
	}
	return 0, t.err
}
