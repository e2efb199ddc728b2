package spreadsheet

import (
	"bytes"
	"io"
	"unicode/utf8"
)

// maxHeld of a text's begin tell whether it is a formula; one of which so many do not tell is taken for
// one.
const maxHeld = 1024

// Writer passes CSV on whose texts are in quotation marks, as ClickHouse writes it, and keeps them from
// being formulas, as Row does. What has no quotation marks is not looked at: numbers, and \N for NULL.
type Writer struct {
	w    io.Writer
	at   place
	held []byte // in text: what has come of it
	out  []byte // of a call of Write
}

// place is where in a line a Writer is.
type place int

const (
	between place = iota // cells, or in one without quotation marks
	begin                // of a text, which is held
	quote                // behind a quotation mark of that
	rest                 // of a text, which is passed on
	end                  // behind a quotation mark of that: its end, unless there is another one
)

// NewWriter returns a Writer to w. Its last bytes come with Close, which does not close w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write passes on, or holds until it is known what it is.
func (w *Writer) Write(p []byte) (int, error) {
	for _, c := range p {
		w.next(c)
	}
	return len(p), w.flush()
}

// Close passes on what is held.
func (w *Writer) Close() error {
	if w.at == begin || w.at == quote {
		w.settle(w.at == quote, rest)
		w.at = between
	}
	return w.flush()
}

func (w *Writer) flush() error {
	_, err := w.w.Write(w.out)
	w.out = w.out[:0]
	return err
}

func (w *Writer) next(c byte) {
	switch w.at {
	case between:
		if w.out = append(w.out, c); c == '"' {
			w.at = begin
		}
	case begin:
		w.held = append(w.held, c)
		switch {
		case c == '"':
			w.at = quote
		case w.known():
			w.settle(false, rest)
		}
	case quote:
		if c == '"' { // two are one of the text
			w.held = append(w.held, c)
			w.settle(false, rest)
			return
		}
		w.settle(true, between)
		w.out = append(w.out, c)
	case rest:
		if w.out = append(w.out, c); c == '"' {
			w.at = end
		}
	case end:
		w.out = append(w.out, c)
		if w.at = between; c == '"' {
			w.at = rest
		}
	}
}

// known tells whether what is held of a text decides.
func (w *Writer) known() bool {
	return len(w.held) >= maxHeld || w.begun() && (!Formula(string(w.held)) || !mayBeNumber(string(w.held)))
}

// begun tells whether the first sign behind blanks is there, whole.
func (w *Writer) begun() bool { return utf8.FullRune(bytes.TrimLeft(w.held, " \n")) }

// settle passes on what is held: the whole text and the mark behind it, or its begin.
func (w *Writer) settle(whole bool, then place) {
	text := string(w.held)
	formula := Formula(text) || len(text) >= maxHeld && !w.begun()
	if whole {
		text = text[:len(text)-1]
		formula = Formula(text) && !isNumber(text)
	}
	if formula {
		w.out = append(w.out, '\'')
	}
	w.out = append(w.out, w.held...)
	w.held, w.at = w.held[:0], then
}
