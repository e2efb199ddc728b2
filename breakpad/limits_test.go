package breakpad_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"aftershock/breakpad"
)

// nothing keeps nothing.
type nothing struct{}

func (nothing) File(uint32, []byte)          {}
func (nothing) Origin(uint32, []byte)        {}
func (nothing) Function(breakpad.FuncRecord) {}
func (nothing) Line(breakpad.LineRecord)     {}
func (nothing) Inline(breakpad.InlineRecord) {}
func (nothing) Public(breakpad.PublicRecord) {}
func (nothing) Unwind(int)                   {}
func (nothing) Err() error                   { return nil }

// repeat is a reader of a text and then another one n times.
func repeat(first, text string, n int) io.Reader {
	return io.MultiReader(strings.NewReader(first), &repeated{text: text, n: n})
}

type repeated struct {
	text string
	at   int
	n    int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.n == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.text[r.at:])
	if r.at += n; r.at == len(r.text) {
		r.at = 0
		r.n--
	}
	return n, nil
}

func TestSymbolsAndNamesAreBounded(t *testing.T) {
	scan := func(in io.Reader) error {
		_, err := breakpad.Scan(in, breakpad.ParseOptions{}, nothing{})
		return err
	}
	const symbols = 1 << 23
	batch := strings.Repeat("PUBLIC 1000 0 p\nFUNC 1000 1 0 f\n", 1<<10)
	if err := scan(repeat(module, batch, symbols>>11)); err != nil {
		t.Error("at the limit of symbols:", err)
	}
	if err := scan(repeat(module+"PUBLIC 1 0 q\n", batch, symbols>>11)); !errors.Is(err, breakpad.ErrSymbolLimit) {
		t.Error("over the limit of symbols:", err)
	}
	if testing.Short() {
		return
	}
	const names, lineBytes = 1 << 30, 1 << 17
	long := "FILE 1 " + strings.Repeat("x", lineBytes) + "\n"
	if err := scan(repeat(module, long, names/lineBytes-1)); err != nil {
		t.Error("at the limit of names:", err)
	}
	if err := scan(repeat(module, long, names/lineBytes+1)); !errors.Is(err, breakpad.ErrNameLimit) {
		t.Error("over the limit of names:", err)
	}
}
