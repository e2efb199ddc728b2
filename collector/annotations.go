package collector

import (
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"aftershock/schema"
)

// annotate keeps an annotation.
func (r *report) annotate(name, value string) error {
	if !schema.ValidAnnotationName(name) {
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
	} else if len(r.annotations) >= r.limits.Annotations {
		r.note(schema.NoteAnnotationName)
		return nil
	}
	if r.annotationBytes += len(value) - len(before); r.annotationBytes > r.limits.AnnotationBytes {
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
	left := r.limits.AnnotationBytes - r.annotationBytes
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
	text, known := decodeText(value.String(), p.charset)
	if !known {
		r.note(schema.NoteAnnotationCharset)
	}
	return r.annotate(p.name, text)
}

// addJSON is annotations that are the members of one JSON object.
func (r *report) addJSON(p *part) error { return r.addObject(p.reader(), nil, nil) }

// addObject reads one JSON object, member by member and no further than the limits: what
// it holds is never in memory as a whole. take, if not nil, tells of a member whether it
// is an annotation; asIs is that of object.
func (r *report) addObject(text io.Reader, take func(name, value string) bool, asIs func(name string) bool) error {
	src, err := asUTF8(text)
	if err != nil {
		return err
	}
	o := object{src: src, left: maxJSONBytes - r.jsonBytes, asIs: asIs}
	before := o.left
	err = o.read(func(name, value string) error {
		if r.jsonNames++; r.jsonNames > maxJSONNames {
			return refuse(schema.RejectTooLarge, nil)
		}
		if take != nil && !take(name, value) {
			return nil
		}
		return r.annotate(name, value)
	})
	if o.notText {
		r.note(schema.NoteAnnotationNotText)
	}
	r.json = true
	r.jsonBytes += before - o.left
	return err
}
