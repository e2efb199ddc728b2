package symbolcache_test

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aftershock/symbolcache"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden pins every byte of a file. When it fails and the change is meant,
// symbolcache.Version has to change with it; then run with -update.
func TestGolden(t *testing.T) {
	b := compile(t, small)
	var out strings.Builder
	fmt.Fprintf(&out, "# A compiled file, version %d, of this text; see format.md.\n", symbolcache.Version)
	for line := range strings.Lines(small) {
		out.WriteString("#   " + line)
	}
	dump(&out, "front", 16, b[:front], 0)
	for _, s := range openBytes(t, b).Sections() {
		element := map[string]int{"symbols": 32, "origins": 20, "files": 16, "cfi runs": 12, "win framedata": 24, "win fpo": 24}[s.Name]
		dump(&out, s.Name, cmp.Or(element, 16), b[s.Offset:s.Offset+s.Size], s.Offset)
	}
	at := len(b) - footer
	dump(&out, "table of sections", 24, b[at:at+sections*24], uint64(at))
	at += sections * 24
	dump(&out, "end of the footer", 16, b[at:], uint64(at))
	path := filepath.Join("testdata", "golden.txt")
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != string(want) {
		t.Errorf("the format has changed:\n%s", got)
	}
}

// dump prints a number of bytes a line.
func dump(out *strings.Builder, name string, perLine int, b []byte, offset uint64) {
	fmt.Fprintf(out, "\n%s\n", name)
	for at := 0; at < len(b); at += perLine {
		row := b[at:min(at+perLine, len(b))]
		text := bytes.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return '.'
			}
			return r
		}, row)
		fmt.Fprintf(out, "%04x  %-95s  %s\n", int(offset)+at, fmt.Sprintf("% x", row), text)
	}
}

// TestRunsAreSplit looks at functions around the number of segments, and INIT
// records around the number of rows, that fit a run.
func TestRunsAreSplit(t *testing.T) {
	for n := 1; n < 100; n++ {
		var text strings.Builder
		fmt.Fprintf(&text, "MODULE Linux x86_64 0 app\nFILE 0 a.c\nINLINE_ORIGIN 0 in\nFUNC 1000 %x 0 f\nINLINE 0 1 0 0 1001 2 1010 10\n", 4*n)
		for i := range n {
			fmt.Fprintf(&text, "%x 4 %d 0\n", 0x1000+4*i, 1+i%7)
		}
		fmt.Fprintf(&text, "STACK CFI INIT 1000 %x .cfa: $rsp 8 + .ra: .cfa 8 - ^\n", 4*n)
		for i := range n {
			fmt.Fprintf(&text, "STACK CFI %x .cfa: $rsp %d +\n", 0x1001+4*i, 16+8*(i%5))
		}
		o := oracle{text: parse(t, text.String()), compiled: openBytes(t, compile(t, text.String()))}
		for rva := uint64(0xffe); rva < 0x1008+4*uint64(n); rva++ {
			o.agrees(t, rva)
		}
	}
}

func TestDeepestNestOfInlinedCalls(t *testing.T) {
	var text strings.Builder
	text.WriteString("MODULE Linux x86_64 0 app\nFILE 0 a.c\nINLINE_ORIGIN 0 in\nFUNC 1000 10 0 f\n")
	const deepest = 512 // of breakpad: one more is a bad line
	for depth := range deepest + 1 {
		fmt.Fprintf(&text, "INLINE %d 1 0 0 1000 10\n", depth)
	}
	o := oracle{text: parse(t, text.String()), compiled: openBytes(t, compile(t, text.String()))}
	if o.agrees(t, 0x1008); len(o.got.List) != deepest+1 {
		t.Errorf("%d locations", len(o.got.List))
	}
}

func TestOddAddresses(t *testing.T) {
	const module = "MODULE windows x86 0 app\nFILE 0 \nFILE 1 a.c\nINLINE_ORIGIN 0 in\n"
	for name, text := range map[string]string{
		"nothing":                           "",
		"a public at 0":                     "PUBLIC 0 0 p\n",
		"a function to the last address":    "FUNC fffffff0 10 0 f\nfffffff8 8 1 1\n",
		"one beyond it":                     "FUNC fffffff0 20 0 f\nfffffff8 18 1 1\nSTACK WIN 0 fffffff0 20 0 0 8 0 0 0 0 0\n",
		"a public behind a hole":            "PUBLIC 10 0 p\nFUNC 20 10 0 f\nPUBLIC 28 0 q\n",
		"a line that starts before":         "FUNC 20 10 0 f\n10 18 7 1\n",
		"a line that ends behind":           "FUNC 20 10 0 f\n28 18 7 1\n",
		"a file without name":               "FUNC 20 10 0 f\n20 8 7 0\n28 8 0 0\n",
		"a line in the middle of an inline": "FUNC 20 10 0 f\nINLINE 0 5 1 0 22 8\n20 4 7 1\n26 2 8 1\n2c 2 9 1\n",
		"an unknown origin":                 "FUNC 20 10 0 f\nINLINE 0 5 1 9 22 8\nINLINE 1 6 1 0 24 2\n20 10 7 1\n",
		"an unknown file of a call":         "FUNC 20 10 0 f\nINLINE 0 5 9 0 22 8\n20 10 7 1\n",
		"an inline without size":            "FUNC 20 10 0 f\nINLINE 0 5 1 0 20 10 24 0\n20 10 7 1\n",
		"parameters by STACK WIN":           "FUNC 20 10 4 f\nSTACK WIN 0 24 4 0 0 8 0 0 0 0 0\nSTACK WIN 4 26 4 0 0 c 0 0 0 1 $eip 4 =\n",
		"rows before, at and behind INIT":   "STACK CFI INIT 20 10 .cfa: $esp .ra: 1\nSTACK CFI 10 .cfa: 1\nSTACK CFI 20 .cfa: 2\nSTACK CFI 28 .cfa: 3\nSTACK CFI 40 .cfa: 4\n",
		"INIT without .ra":                  "STACK CFI INIT 20 10 .cfa: $esp\nSTACK CFI 28 .ra: 1\n",
		"INITs that touch":                  "STACK CFI INIT 20 10 .cfa: $esp .ra: 1\nSTACK CFI INIT 30 10 .cfa: $esp .ra: 1\n",
		"a blank before a record":           " 20 10 1 1\n FUNC 20 10 0 f\nFUNC 20 10 0 f\n\t20\t8 7 1\n",
	} {
		t.Run(name, func(t *testing.T) {
			o := oracle{text: parse(t, module+text), compiled: openBytes(t, compile(t, module+text))}
			for rva := range uint64(0x60) {
				o.agrees(t, rva)
				o.agrees(t, 1<<32-0x30+rva)
			}
		})
	}
}

// TestLongLines are skipped, in whatever pieces they come.
func TestLongLines(t *testing.T) {
	for _, size := range []int{160 << 10, 160<<10 + 1, 1 << 20, 3 << 20} {
		line := "PUBLIC 10 0 "
		text := "MODULE Linux x86_64 0 app\n" + line + strings.Repeat("x", size-len(line)-1) + "\nPUBLIC 20 0 p\n"
		o := oracle{text: parse(t, text), compiled: openBytes(t, compile(t, text))}
		for rva := range uint64(0x30) {
			o.agrees(t, rva)
		}
	}
}

type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

var errFull = errors.New("full")

func TestCompilePassesOnTheWritersError(t *testing.T) {
	for left := range len(compile(t, small)) {
		if err := symbolcache.Compile(&failing{left}, strings.NewReader(small)); !errors.Is(err, errFull) {
			t.Fatalf("room for %d bytes: %v", left, err)
		}
	}
}
