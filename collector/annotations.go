package collector

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"aftershock/schema"
)

// annotate keeps an annotation. Names are for humans and columns: no control
// characters, and short.
func (r *report) annotate(name, value string) error {
	if name == "" || len(name) > maxAnnotationName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		r.note(schema.NoteAnnotationName)
		return nil
	}
	if !utf8.ValidString(value) {
		value = strings.ToValidUTF8(value, "\uFFFD")
		r.note(schema.NoteAnnotationNotText)
	}
	before, twice := r.annotations[name]
	if twice {
		r.note(schema.NoteAnnotationTwice)
	} else if len(r.annotations) == maxAnnotations {
		r.note(schema.NoteAnnotationName)
		return nil
	}
	if r.annotationBytes += len(value) - len(before); r.annotationBytes > maxAnnotationsBytes {
		return refuse(schema.RejectTooLarge, nil)
	}
	r.annotations[name] = value
	return nil
}

var errPartTooLarge = errors.New("part too large")

// bounded keeps what is written to it, up to a size. It takes pieces: one
// that grows would leave several times its size behind.
type bounded struct {
	pieces    [][]byte
	size, max int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.size+len(p) > b.max {
		b.pieces = nil
		return 0, errPartTooLarge
	}
	b.size += len(p)
	n := len(p)
	if last := len(b.pieces) - 1; last >= 0 {
		fits := min(cap(b.pieces[last])-len(b.pieces[last]), len(p))
		b.pieces[last] = append(b.pieces[last], p[:fits]...)
		p = p[fits:]
	}
	if len(p) > 0 {
		size := len(p)
		if len(b.pieces) > 0 {
			size = max(size, partsBuffer)
		}
		b.pieces = append(b.pieces, append(make([]byte, 0, size), p...))
	}
	return n, nil
}

func (b *bounded) String() string {
	var s strings.Builder
	s.Grow(b.size)
	for _, p := range b.pieces {
		s.Write(p)
	}
	return s.String()
}

// addText is an annotation that is a part of its own. One that is too large is
// left out.
func (r *report) addText(p *part) error {
	left := maxAnnotationsBytes - r.annotationBytes
	value := bounded{max: min(maxTextBytes, left)}
	_, err := p.WriteTo(&value)
	switch {
	case errors.Is(err, errPartTooLarge) && left < maxTextBytes:
		return refuse(schema.RejectTooLarge, nil)
	case errors.Is(err, errPartTooLarge):
		r.note(schema.NoteAnnotationTooLarge)
		return nil
	case err != nil:
		return err
	}
	return r.annotate(p.name, value.String())
}

// addJSON is annotations that are the members of one JSON object. It is read
// member by member and no further than the limits: what it holds is never in memory
// as a whole.
func (r *report) addJSON(p *part) error {
	o := object{src: bufio.NewReader(p.from.text()), left: maxJSONBytes - r.jsonBytes}
	before := o.left
	err := o.read(func(name, value string) error {
		if r.jsonNames++; r.jsonNames > maxJSONNames {
			return refuse(schema.RejectTooLarge, nil)
		}
		return r.annotate(name, value)
	})
	r.json = true
	r.jsonBytes += before - o.left
	return err
}

// text reads what stands before the next boundary.
func (p *parts) text() io.Reader { return &partText{from: p} }

type partText struct {
	from *parts
	rest []byte
	err  error
}

func (t *partText) Read(b []byte) (int, error) {
	if len(t.rest) == 0 && t.err == nil {
		t.rest, t.err = t.from.chunk()
	}
	n := copy(b, t.rest)
	if t.rest = t.rest[n:]; n > 0 {
		return n, nil
	}
	return 0, t.err
}

// object reads one JSON object. Where a value ends is found here; what it means,
// and whether it is JSON at all, says encoding/json.
type object struct {
	src  *bufio.Reader
	left int // bytes that may still be read
	raw  []byte
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
		if value, err = o.member(); err != nil {
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
	if json.Unmarshal(raw, &name) != nil {
		return "", badJSON()
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

func (o *object) member() (text string, err error) {
	first, err := o.solid()
	if err != nil {
		return "", err
	}
	raw, err := o.value(first)
	if err != nil {
		return "", err
	}
	if first == '"' || string(raw) == "null" {
		if json.Unmarshal(raw, &text) != nil {
			return "", badJSON()
		}
		return text, nil
	}
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return "", badJSON()
	}
	return compact.String(), nil
}

// value reads a value that begins with a byte: a string, what brackets hold, or
// all before the next comma or bracket. The result is valid until the next call.
func (o *object) value(first byte) ([]byte, error) {
	o.raw = append(o.raw[:0], first)
	depth, inside := 0, first == '"'
	switch first {
	case '{', '[':
		depth = 1
	case '"':
	default:
		return o.word()
	}
	for depth > 0 || inside {
		c, err := o.next()
		if err != nil {
			return nil, err
		}
		o.raw = append(o.raw, c)
		switch {
		case inside && c == '\\':
			if c, err = o.next(); err != nil {
				return nil, err
			}
			o.raw = append(o.raw, c)
		case c == '"':
			inside = !inside
		case inside:
		case c == '{' || c == '[':
			if depth++; depth > maxJSONDepth {
				return nil, badJSON()
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return o.raw, nil
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
