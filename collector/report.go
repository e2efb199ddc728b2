package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"aftershock/schema"
)

// report is what a client sent, in memory.
type report struct {
	annotations map[string]string
	dumps       []part
	notes       []string // each code once, in the order of the first
	json, parts bool     // how annotations came
}

type part struct {
	name string
	data []byte
}

func (r *report) kind() string {
	if r.json {
		return "json"
	}
	return "multipart"
}

func (r *report) note(code string) {
	for _, c := range r.notes {
		if c == code {
			return
		}
	}
	r.notes = append(r.notes, code)
}

// readReport reads the parts of a multipart body. Errors are refusals, or say
// that the client went away.
//
// A part is annotations as one JSON object if its type is application/json, one
// annotation if it is text without a file name, and a dump otherwise
// (Socorro's specification of crash reports).
func readReport(b *body, contentType string, limits Limits) (*report, error) {
	boundary, err := boundaryOf(contentType)
	if err != nil {
		return nil, err
	}
	rep := &report{annotations: map[string]string{}}
	parts := multipart.NewReader(b, boundary)
	for n := 0; ; n++ {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) && n > 0 {
			break
		}
		if err != nil && b.read == 0 && errors.Is(err, io.EOF) {
			return nil, refuse(schema.RejectEmptyBody, nil)
		}
		if err != nil {
			return nil, structure(err)
		}
		if n == limits.Parts {
			return nil, refuse(schema.RejectTooManyParts, nil)
		}
		data, err := io.ReadAll(p)
		if err != nil {
			return nil, structure(err)
		}
		if err := rep.add(p, data); err != nil {
			return nil, err
		}
	}
	if err := b.drain(); err != nil {
		return nil, err
	}
	if len(rep.annotations) == 0 && len(rep.dumps) == 0 {
		return nil, refuse(schema.RejectNothing, nil)
	}
	if rep.json && rep.parts {
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
	// RFC 2046 5.1.1: 1 to 70 characters.
	if n := len(params["boundary"]); err != nil || n == 0 || n > 70 {
		return "", refuse(schema.RejectNoBoundary, err)
	}
	return params["boundary"], nil
}

// structure blames the multipart structure unless the body below it already failed.
func structure(err error) error {
	var no *refusal
	if errors.As(err, &no) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return refuse(schema.RejectTruncated, err)
	}
	return refuse(schema.RejectStructure, err)
}

func (r *report) add(p *multipart.Part, data []byte) error {
	name, file := p.FormName(), p.FileName()
	kind, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
	if err != nil {
		kind = "" // absent, or so odd that it says nothing
	}
	switch {
	case kind == "application/json":
		return r.addJSON(data)
	case name == "":
		r.note(schema.NotePartUnnamed)
		return nil
	case file == "" && (kind == "" || strings.HasPrefix(kind, "text/")):
		r.parts = true
		r.annotate(name, string(data))
		return nil
	}
	return r.addDump(name, data)
}

func (r *report) addJSON(data []byte) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		var typeErr *json.UnmarshalTypeError
		if errors.As(err, &typeErr) {
			return refuse(schema.RejectJSONValue, nil)
		}
		return refuse(schema.RejectJSON, nil) // the error quotes the text
	}
	if object == nil { // null
		return refuse(schema.RejectJSONValue, nil)
	}
	r.json = true
	for name, value := range object {
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			var compact bytes.Buffer // a number, a list, …: its JSON text
			if err := json.Compact(&compact, value); err != nil {
				return refuse(schema.RejectJSON, nil)
			}
			text = compact.String()
		}
		r.annotate(name, text)
	}
	return nil
}

// annotate keeps an annotation. Names are for humans and columns: no control
// characters, and short.
func (r *report) annotate(name, value string) {
	if name == "" || len(name) > maxAnnotationName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		r.note(schema.NoteAnnotationName)
		return
	}
	if !utf8.ValidString(value) {
		value = strings.ToValidUTF8(value, "\uFFFD")
		r.note(schema.NoteAnnotationNotText)
	}
	if _, twice := r.annotations[name]; twice {
		r.note(schema.NoteAnnotationTwice)
	} else if len(r.annotations) == maxAnnotations {
		r.note(schema.NoteAnnotationName)
		return
	}
	r.annotations[name] = value
}

// Names that Socorro's storage uses itself.
var reservedDumpNames = map[string]bool{"dump_names": true, "processed_crash": true, "raw_crash": true}

func (r *report) addDump(name string, data []byte) error {
	clean := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' {
			return c
		}
		return -1
	}, name)
	clean = clip(clean, maxDumpName)
	if clean != name {
		r.note(schema.NoteDumpRenamed)
	}
	if clean == "" || reservedDumpNames[clean] {
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
	r.dumps = append(r.dumps, part{clean, data})
	return nil
}

func (r *report) hasDump(name string) bool {
	for _, d := range r.dumps {
		if d.name == name {
			return true
		}
	}
	return false
}

// clip cuts a text to at most n bytes, between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.ToValidUTF8(s[:n], "\uFFFD")
}
