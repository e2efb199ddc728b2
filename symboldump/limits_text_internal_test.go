package symboldump

import (
	"bytes"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"aftershock/breakpad"
)

func TestLEBLimit(t *testing.T) {
	for n, want := range map[int]bool{maxLEBBytes: true, maxLEBBytes + 1: false} {
		padded := append(bytes.Repeat([]byte{0x80}, n-1), 0)
		unsigned, signed := reader{data: padded}, reader{data: padded}
		if unsigned.uleb(); unsigned.bad == want {
			t.Errorf("an unsigned number of %d bytes: want %v", n, want)
		}
		if signed.sleb(); signed.bad == want {
			t.Errorf("a signed number of %d bytes: want %v", n, want)
		}
	}
}

func TestNamesAreDemangledUpToALimit(t *testing.T) {
	letters := func(n int) string { // a mangled name of n bytes, which is as long when it is not
		const head = "_Z4089"
		return head[:2] + strconv.Itoa(n-len(head)-1) + strings.Repeat("a", n-len(head)-1) + "v"
	}
	pointers := func(n int) string { return "_Z1f" + strings.Repeat("P", n-len("f(int)")) + "i" } // of n bytes when demangled
	for name, tt := range map[string]struct {
		at, beyond string
	}{
		"maxMangledBytes":   {letters(maxMangledBytes), letters(maxMangledBytes + 1)},
		"maxDemangledBytes": {pointers(maxDemangledBytes - 1), pointers(maxDemangledBytes)},
	} {
		var report Report
		if got := symbolName([]byte(tt.at), &report); isMangled(got) {
			t.Errorf("%s, at the limit: %.20s", name, got)
		}
		if got := symbolName([]byte(tt.beyond), &report); got != tt.beyond {
			t.Errorf("%s, beyond the limit: %.20s", name, got)
		}
	}
	for n, want := range map[int]bool{maxDemangledBytes: true, maxDemangledBytes + 1: false} {
		name := strings.Repeat("a", n-len("crate::"))
		if plain, ok := rustV0("_RNvC5crate" + strconv.Itoa(len(name)) + name); ok != want || ok && len(plain) != n {
			t.Errorf("a name of Rust of %d bytes: %v", n, ok)
		}
	}
	for n, want := range map[int]string{maxCloneParts: "f", maxCloneParts + 1: "f.cold"} {
		if got := withoutClones("f" + strings.Repeat(".cold", n)); got != want {
			t.Errorf("a name of %d parts became %s", n, got)
		}
	}
}

func TestExpressionTextLimit(t *testing.T) {
	// $rsp, doubled until it has 1,789 bytes, and then 37 times 1000.
	expression := append(bytesOfParts(uint8(opBreg0+7), uint8(0)), bytes.Repeat([]byte{opDup, opMul}, 8)...)
	for range 36 {
		expression = append(expression, bytesOfParts(uint8(opPlusUconst), uleb(1000))...)
	}
	for last, want := range map[uint64]bool{1000: true, 10_000: false} {
		text, ok := postfix(reader{data: bytesOfParts(expression, uint8(opPlusUconst), uleb(last))}, registersOf[breakpad.AMD64], 8, "")
		if ok != want || ok && len(text) != maxExpressionText {
			t.Errorf("%d bytes of text, %v", len(text), ok)
		}
	}
}

// cfiWriterOf writes records of frames to nowhere.
func cfiWriterOf(report *Report) *cfiWriter {
	f := made(breakpad.AMD64, nil)
	return &cfiWriter{
		out: newOutput(io.Discard, math.MaxInt64), section: &frameSection{file: f, data: make([]byte, 2*maxExpressions)},
		names: registersOf[breakpad.AMD64], report: report, ra: 16,
	}
}

func TestRecordTextLimit(t *testing.T) {
	for size, want := range map[int]int{maxRecordText: 0, maxRecordText + 1: 1} {
		var report Report
		w := cfiWriterOf(&report)
		state := unwindState{cfa: cfaRule(7, 8)}
		state.rules[16] = rule{kind: ruleOffset, value: -8}
		w.row(&state, 0x1000, 0x1001)
		w.deltas = make([]byte, size-len(w.init))
		state.cfa.value = 16
		if w.row(&state, 0x1001, 0x1002); report.CFI != want || !w.open {
			t.Errorf("%d records were written of %d bytes, want %d", report.CFI, size, want)
		}
	}
}

func TestExpressionsAreRememberedUpToALimit(t *testing.T) {
	w := cfiWriterOf(&Report{})
	for i := range int64(maxExpressions) {
		w.expression(rule{value: i, length: 1}, "")
	}
	if len(w.texts) != maxExpressions {
		t.Errorf("%d expressions are remembered, want %d", len(w.texts), maxExpressions)
	}
	if w.expression(rule{value: maxExpressions, length: 1}, ""); len(w.texts) != 1 {
		t.Errorf("%d expressions are remembered, want the last one", len(w.texts))
	}
}

// The generic model has the longest instructions: 3 bytes, and as many words as a byte
// can say.
func TestArmInstructionLimit(t *testing.T) {
	for _, behind := range []int{0, 4} {
		table := bytesOfParts(uint32(0), uint32(0xff)<<24, make([]byte, 255*4+behind))
		f := made(breakpad.ARM, map[string][]byte{".ARM.extab": table})
		index := &section{addr: 0x1000, data: bytesOfParts(uint32(0))}
		if code, ok := f.armInstructions(index, 0); !ok || len(code) != maxArmInstructions-4-4+3 {
			t.Errorf("%d bytes of instructions, %v", len(code), ok)
		}
	}
}

func TestNoteLimit(t *testing.T) {
	note := func(kind uint32) []byte {
		return bytesOfParts(uint32(4), uint32(4), kind, "GNU\x00", "\x01\x02\x03\x04")
	}
	for others, want := range map[int]bool{maxNotes - 1: true, maxNotes: false} {
		notes := append(bytes.Repeat(note(1), others), note(3)...)
		if got := (&File{}).buildID(notes); (got != nil) != want {
			t.Errorf("the id behind %d notes: %x", others, got)
		}
	}
}

func TestSymbolLimit(t *testing.T) {
	if got := (&File{}).maxSymbols(); got != maxSymbols {
		t.Errorf("%d symbols are looked at, want %d", got, maxSymbols)
	}
	const limit = 3
	for format, build := range map[string]func(n int) *File{
		"ELF": func(n int) *File { return symbolFile(n, "f") },
		"PE's exports": func(n int) *File {
			// The directory, a function, n names of it and their ordinals.
			const at = 0x100
			functions, names := uint32(at+40), uint32(at+40+4)
			data := bytesOfParts(make([]byte, 20), uint32(1), uint32(n), functions, names, names+4*uint32(n), uint32(0x2000),
				bytes.Repeat(bytesOfParts(uint32(at+10)), n), make([]byte, 2*n))
			f := made(breakpad.AMD64, map[string][]byte{".edata": data})
			f.format, f.image, f.sections[0].addr = formatPE, &peImage{}, at
			f.image.exports.VirtualAddress, f.image.exports.Size = at, 40
			return f
		},
		"PE's COFF": func(n int) *File {
			f := made(breakpad.AMD64, nil)
			f.format, f.sections = formatPE, []section{{addr: 0x1000, executable: true}}
			f.image = &peImage{symbols: bytes.Repeat(bytesOfParts("function", uint32(0x2000), uint16(1), uint16(0x20), uint16(0)), n)}
			return f
		},
		"Mach-O": func(n int) *File {
			f := made(breakpad.AMD64, map[string][]byte{"__text": nil})
			f.format = formatMachO
			f.machO = machOSymbols{bytes.Repeat(bytesOfParts(uint32(0), uint8(0x0e), uint8(1), uint16(0), uint64(0x2000)), n), []byte("_f\x00")}
			return f
		},
	} {
		for _, n := range []int{limit, limit + 1} {
			f, yielded := build(n), 0
			f.symbols = limit
			var report Report
			f.eachSymbol(&report, func(uint64, []byte, bool) { yielded++ })
			if yielded != limit || report.Untold(SymbolLimit) != n-limit {
				t.Errorf("%s: %d of %d symbols: %s", format, yielded, n, report.String())
			}
		}
	}
}
