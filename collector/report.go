package collector

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"
	"strconv"
	"strings"

	"aftershock/schema"
)

// report is what a client sent: annotations, and dumps as they will be stored.
type report struct {
	kind            string // of the schema
	pingID          string // a ping's own id, "" when it has none
	limits          Limits
	annotations     map[string]string
	annotationBytes int // of values that are kept
	jsonBytes       int // read of all objects
	jsonNames       int
	dumps           []packed
	notes           []string // each code once, in the order of the first
	json, text      bool     // how annotations came
}

func newReport(kind string, limits Limits) *report {
	return &report{kind: kind, limits: limits, annotations: map[string]string{}}
}

// form is how it travelled.
func (r *report) form() string {
	switch {
	case r.kind == schema.KindPing:
		return "ping"
	case r.json:
		return "json"
	}
	return "multipart"
}

func (r *report) note(code string) {
	if !slices.Contains(r.notes, code) {
		r.notes = append(r.notes, code)
	}
}

// readReport reads the parts of a multipart body. Errors are refusals, or say
// that the door is full.
//
// A part is annotations as one JSON object if its type is application/json, one
// annotation if it is text without a file name, and a dump otherwise
// (Socorro's specification of crash reports).
func readReport(b *body, boundary string, limits Limits) (*report, error) {
	rep := newReport(schema.KindReport, limits)
	all := newParts(b, boundary)
	defer all.free()
	for n := 0; ; n++ {
		p, err := all.next()
		if errors.Is(err, io.EOF) && n > 0 {
			break
		}
		if err == nil && n == limits.Parts {
			return nil, refuse(schema.RejectTooManyParts, nil)
		}
		if err == nil {
			err = rep.add(p)
		}
		if err != nil {
			if no := (*refusal)(nil); !all.found && !errors.As(err, &no) && errors.Is(err, io.ErrUnexpectedEOF) {
				return nil, refuse(schema.RejectStructure, errors.New("the boundary is nowhere"))
			}
			return nil, structure(err)
		}
	}
	if err := b.drain(); err != nil {
		return nil, err
	}
	if b.extra() {
		rep.note(schema.NoteBodyExtra)
	}
	if len(rep.annotations) == 0 && len(rep.dumps) == 0 {
		return nil, refuse(schema.RejectNothing, nil)
	}
	if rep.json && rep.text {
		rep.note(schema.NoteAnnotationsBothForms)
	}
	return rep, nil
}

func boundaryOf(contentType string) (string, error) {
	if contentType == "" {
		return "", refuse(schema.RejectNoContentType, nil)
	}
	kind, params, err := mime.ParseMediaType(contentType)
	if kind != "multipart/form-data" && kind != "multipart/mixed" {
		return "", refuse(schema.RejectWrongContentType, err)
	}
	if n := len(params["boundary"]); err != nil || n == 0 || n > maxBoundary {
		return "", refuse(schema.RejectNoBoundary, err)
	}
	return params["boundary"], nil
}

// structure blames the multipart structure when a body just ends.
func structure(err error) error {
	var no *refusal
	switch {
	case errors.As(err, &no):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return refuse(schema.RejectTruncated, err)
	}
	return err
}

func (r *report) add(p *part) error {
	switch {
	case p.bad:
		r.note(schema.NotePartHeader)
		return nil
	case strings.HasPrefix(p.kind, "application/json"): // such as json-seq, as with the reference
		return r.addJSON(p)
	case p.name == "":
		r.note(schema.NotePartUnnamed)
		return nil
	case p.file == "" && (p.kind == "" || strings.HasPrefix(p.kind, "text/")) && !p.unnamedDump():
		r.text = true
		return r.addText(p)
	}
	return r.addDump(p)
}

// unnamedDump is the name of a dump whose own has nothing that can be kept.
const unnamedDump = "unnamed"

func (r *report) addDump(p *part) error { return r.packDump(p.name, p) }

// packDump reads a dump, under the name that is kept of its own.
func (r *report) packDump(name string, src io.WriterTo) error {
	clean := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' {
			return c
		}
		return -1
	}, name)
	clean = clip(clean, schema.MaxDumpName)
	if clean != name {
		r.note(schema.NoteDumpRenamed)
	}
	if clean == "" {
		clean = unnamedDump
	}
	if schema.ReservedDumpName(clean) {
		return refuse(schema.RejectDumpName, nil)
	}
	if len(r.dumps) == maxDumps {
		return refuse(schema.RejectTooManyParts, fmt.Errorf("more than %d dumps", maxDumps))
	}
	for i, unique := 2, clean; ; i++ {
		if !r.hasDump(unique) {
			clean = unique
			break
		}
		r.note(schema.NoteDumpTwice)
		unique = clean + "_" + strconv.Itoa(i)
	}
	d, err := pack(clean, src)
	if err != nil {
		return err
	}
	r.dumps = append(r.dumps, d)
	return nil
}

func (r *report) hasDump(name string) bool {
	return slices.ContainsFunc(r.dumps, func(d packed) bool { return d.name == name })
}

// clip cuts a text to at most n bytes, between characters.
func clip(s string, n int) string {
	return strings.ToValidUTF8(schema.CutText(s, n), "\uFFFD")
}
