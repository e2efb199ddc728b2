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

// A failing source is told as it is.
func TestPartsTellWhatFailed(t *testing.T) {
	broken := errors.New("broken")
	for _, body := range []string{"", "--b", "--b\r\nContent-", "--b\r\n\r\nabc"} {
		if _, err := all(io.MultiReader(strings.NewReader(body), iotest.ErrReader(broken)), "b"); !errors.Is(err, broken) {
			t.Errorf("%q: %v", body, err)
		}
	}
}
