package collector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"strings"
	"testing"
	"testing/iotest"
)

// all reads every part: name, file name, type, and content.
func all(src io.Reader, boundary string) (out []string, err error) {
	parts := newParts(src, boundary)
	for {
		p, err := parts.next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		var content bytes.Buffer
		if _, err := p.WriteTo(&content); err != nil {
			return out, err
		}
		out = append(out, fmt.Sprintf("%q %q %q %q", p.name, p.file, p.kind, content.String()))
	}
}

// theirs does the same with the standard library.
func theirs(t *testing.T, src io.Reader, boundary string) (out []string) {
	t.Helper()
	parts := multipart.NewReader(src, boundary)
	for {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(p.Header.Get("Content-Type"), ";")
		out = append(out, fmt.Sprintf("%q %q %q %q", p.FormName(), p.FileName(), kind, content))
	}
}

// Contents are made of what looks like boundaries.
func TestPartsAreThoseOfTheStandardLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // repeatable
	for round := range 300 {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		if err := w.SetBoundary(strings.Repeat("b", r.IntN(70)) + "c"); err != nil {
			t.Fatal(err)
		}
		if r.IntN(3) == 0 {
			body.WriteString("what nobody reads\r\n")
		}
		atoms := []string{"\r\n--" + w.Boundary()[1:], "\r", "\n", "--", "-", "b", " ", "\t", "\x00", "\r\n", "\r\n-", strings.Repeat("z", 1000), "\r\n--" + w.Boundary() + "b"}
		for range 1 + r.IntN(4) {
			part, err := w.CreateFormFile(fmt.Sprint("p", r.IntN(9)), "dir/f")
			if err != nil {
				t.Fatal(err)
			}
			for range r.IntN(200) {
				io.WriteString(part, atoms[r.IntN(len(atoms))]) //nolint:errcheck,gosec // in memory
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		want := theirs(t, bytes.NewReader(body.Bytes()), w.Boundary())
		for how, src := range map[string]io.Reader{
			"at once": bytes.NewReader(body.Bytes()), "byte by byte": iotest.OneByteReader(bytes.NewReader(body.Bytes())),
			"in halves": iotest.HalfReader(bytes.NewReader(body.Bytes())), "with the end": iotest.DataErrReader(bytes.NewReader(body.Bytes())),
		} {
			got, err := all(src, w.Boundary())
			if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("round %d, %s: %v\ngot  %.300q\nwant %.300q", round, how, err, got, want)
			}
		}
	}
}

func TestCutBodyIsNeverWhole(t *testing.T) {
	const body = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b  \r\nContent-Disposition: form-data; name=\"c\"\r\n\r\n\r\n--b--"
	for n := range body {
		if got, err := all(strings.NewReader(body[:n]), "b"); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: %q, %v", n, got, err)
		}
	}
	if got, err := all(strings.NewReader(body), "b"); err != nil || len(got) != 2 {
		t.Errorf("%q, %v", got, err)
	}
}

func TestBoundaryPaddingIsBounded(t *testing.T) {
	for n, want := range map[int]int{64: 2, 65: 1} {
		body := "--b\r\n\r\n1\r\n--b" + strings.Repeat(" ", n) + "\r\n\r\n2\r\n--b--"
		if got, err := all(strings.NewReader(body), "b"); err != nil || len(got) != want {
			t.Errorf("%d blanks: %q, %v", n, got, err)
		}
	}
}

// A boundary begins a line, wherever in the buffer what looks like one lies.
func TestABoundaryBeginsALine(t *testing.T) {
	for n := 1; n < 200; n++ {
		want := strings.Repeat("x", n) + "--b\r\nx"
		body := "--b\r\n\r\n" + want + "\r\n--b--"
		for how, src := range map[string]io.Reader{"at once": strings.NewReader(body), "byte by byte": iotest.OneByteReader(strings.NewReader(body))} {
			if got, err := all(src, "b"); err != nil || len(got) != 1 || got[0] != fmt.Sprintf("%q %q %q %q", "", "", "", want) {
				t.Fatalf("%d bytes before it, %s: %.300q, %v", n, how, got, err)
			}
		}
	}
}

// A file without a name is a dump when it begins like one; a text is none whatever it holds.
func TestAnUnnamedFileIsADumpWhenItBeginsLikeOne(t *testing.T) {
	for name, tc := range map[string]struct {
		isFile bool
		text   string
		want   bool
	}{
		"a dump": {true, "MDMP and more", true}, "just its head": {true, "MDMP", true}, "cut within it": {true, "MDM", false}, "another file": {true, "GIF89", false},
		"no file was chosen": {true, "", false}, "a text like a dump": {false, "MDMP and more", false}, "a text": {false, "text", false},
	} {
		p := &part{from: newParts(strings.NewReader(tc.text), "b"), isFile: tc.isFile}
		if got := p.unnamedDump(); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
		if got, err := io.ReadAll(p.from.src); err != nil || string(got) != tc.text {
			t.Errorf("%s: %q is left, %v", name, got, err)
		}
	}
}

// What a part is, its header says: the first of each field, and what makes no sense says nothing.
func TestWhatAPartsHeaderSays(t *testing.T) {
	for header, want := range map[string]part{
		"Content-Disposition: form-data; name=a\r\n":                                                       {name: "a"},
		"content-DISPOSITION:form-data; name=a; filename=\"d/e.dmp\"\r\n":                                  {name: "a", file: "e.dmp", isFile: true},
		"Content-Disposition: form-data; name=a; filename=\"\"\r\n":                                        {name: "a", isFile: true},
		"Content-Disposition: attachment; name=a; filename=f\r\n":                                          {file: "f", isFile: true},
		"Content-Disposition: form-data; name=\r\n":                                                        {},
		"Content-Disposition: form-data; name=a; name=b\r\n":                                               {},
		"Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b; filename=f\r\n": {name: "a"},
		"Content-Type: Text/Plain; charset=utf-16\r\n":                                                     {kind: "text/plain", charset: "utf-16"},
		"Content-Type: text/plain; charset\r\n":                                                            {},
		"Content-Type: text/plain\r\nContent-Type: application/json\r\n":                                   {kind: "text/plain"},
		"Content-Transfer-Encoding: BASE64 \r\n":                                                           {transfer: "base64"},
		"Content-Disposition: form-data;\r\n name=a\r\n":                                                   {name: "a"},
		"Content-Disposition: form-data;\r\n\tname=a\r\n":                                                  {name: "a"},
		" name=a\r\n":                   {bad: true},
		"Content-Type: text/plain\n":    {bad: true},
		"Content-Type: text/\x7f\r\n":   {bad: true},
		"Content-Type: text/\x1f\r\n":   {bad: true},
		"Content-Type:\ttext/plain\r\n": {kind: "text/plain"},
		"no colon\r\n":                  {bad: true},
		": no name\r\n":                 {bad: true},
		"a name: a\r\n":                 {bad: true},
		"Other: x\r\n":                  {},
	} {
		p, err := newParts(strings.NewReader("--b\r\n"+header+"\r\nx\r\n--b--"), "b").next()
		if err != nil {
			t.Errorf("%q: %v", header, err)
			continue
		}
		if p.from = nil; *p != want {
			t.Errorf("%q: %+v, want %+v", header, *p, want)
		}
	}
}

// A failing source is told as it is.
func TestPartsTellWhatFailed(t *testing.T) {
	broken := errors.New("broken")
	for _, body := range []string{"", "--b", "--b\r\nContent-", "--b\r\n\r\nabc"} {
		if _, err := all(io.MultiReader(strings.NewReader(body), iotest.ErrReader(broken)), "b"); !errors.Is(err, broken) {
			t.Errorf("%q: %v", body, err)
		}
	}
}
