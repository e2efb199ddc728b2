package breakpad_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"aftershock/breakpad"
	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
)

// strictCases are lines below "MODULE" and "FUNC 1000 10 0 f", and whether
// minidump-stackwalk takes a text with them: TestStrictIsTheReferences asks it.
var strictCases = map[string]bool{
	"1000 8 5 0\n": true, "1000 8 5 0": false, "1000 8 5 0 \n": false, " 1000 8 5 0\n": false, "1000 8 5 0\r\r\n": true, "1000  8\t5 0\n": true,
	"nonsense\n": false, "\n\n": true, "\n1000 8 5 0\n": false, "INFO x\n1000 8 5 0\n": false, "INLINE_ORIGIN 0 in\n1000 8 5 0\n": true,
	"FILE 0 a.c\n1000 8 5 0\n": false, "FILE 0 a.c\n": true, "FILE 0 \n": true, "FILE 0\n": false, "FILE 4294967296 a\n": false, "FILE 4294967295 a\n": true,
	"FILE 0 \xff\n": false, "FILE 0 é\n": true, "FILE 0 a\rb\n": false, "FILE -1 a\n": false,
	"FUNC 2000 10 0 \n": true, "FUNC 2000 10 0\n": false, "FUNC m 2000 10 0 g\n": true, "FUNC m m 2000 10 0 g\n": false, "FUNC 2000 123456789 0 g\n": false,
	"FUNC 123456789 10 0 g\n": true, "FUNC 12345678901234567 10 0 g\n": false, "FUNC 2000 0 0 g\n1000 8 5 0\n": true,
	"PUBLIC 2000 0 p\n": true, "PUBLIC m 2000 0 p\n": true, "PUBLIC 2000 p\n": false, "PUBLIC 2000 0 p\n1000 8 5 0\n": false,
	"INLINE 0 9 0 0 1000 10\n": true, "INLINE 0 9 0 0 1000 10 1010 1\n": true, "INLINE 0 9 0 0 1000\n": false, "INLINE 0 9 0 1000 10\n": false,
	"INLINE 0 9 0 0 1000 10 \n": false, "INLINE 9999 9 0 0 1000 10\n": true, "PUBLIC 2000 0 p\nINLINE 0 9 0 0 1000 10\n": false,
	"INFO URL http://a\n": true, "INFO URL \xff\n": false, "INFO x \xff\n": true, "INFO\n": false, "INFO \n": true,
	"STACK CFI INIT 1000 10 .cfa: $rsp 8 +\n": true, "STACK CFI 1000 .cfa: $rsp 8 +\n": false, "STACK CFI INIT 1000 10 x\nSTACK CFI 1004 y\n": true,
	"STACK CFI INIT 1000 10 x\n\nSTACK CFI 1004 y\n": false, "STACK  CFI INIT 1000 10 x\n": false, "STACK CFI INIT 1000 10\n": false,
	"STACK WIN 4 1000 10 0 0 8 0 0 0 1 $eip 4 =\n": true, "STACK WIN 4 1000 10 0 0 8 0 0 0 0 1\n": true, "STACK WIN 9 1000 10 0 0 8 0 0 0 1 1\n": true,
	"STACK WIN 4 1000 10 0 0 8 0 0 0 1\n": false, "STACK WIN 40 1000 10 0 0 8 0 0 0 1 x\n": false, "STACK WIN 4 1000 10 0 0 8 0 0 0 10 x\n": false,
	"STACK WIN 4 1000 10 0 0 8 0 0 0 : x\n": false, "STACK WIN 4 1000 10 0 0 8 0 0 0 x 1\n": false, "STACK WIN 4 1000 10 0 0 8 0 0 0 9 x\n": true,
	"STACK\n": false, "MODULE Linux x86_64 1 app\n": false, "MODULE\n": false,
	"PUBLIC 2000 0 " + strings.Repeat("x", 400<<10) + "\n": true,
}

const strictStart = "MODULE Linux x86_64 313131313131313131313131313131310 app\nFUNC 1000 10 0 f\nFUNC 1100 10 0 g\n"

func TestStrict(t *testing.T) {
	for lines, want := range strictCases {
		if f := parse(t, strictStart+lines); f.Strict() != want {
			t.Errorf("%.60q: %v", lines, f.Strict())
		}
	}
	for start, want := range map[string]bool{
		"\n": false, "\ufeff": false, "note\n": false, "": true,
	} {
		if f := parse(t, start+strictStart); f.Strict() != want {
			t.Errorf("%q before MODULE: %v", start, f.Strict())
		}
	}
}

// TestStrictIsTheReferences asks the minidump-stackwalk that
// $AFTERSHOCK_MINIDUMP_STACKWALK names.
func TestStrictIsTheReferences(t *testing.T) {
	program := os.Getenv("AFTERSHOCK_MINIDUMP_STACKWALK")
	if program == "" {
		t.Skip("set AFTERSHOCK_MINIDUMP_STACKWALK to the program to compare with")
	}
	const id = "313131313131313131313131313131310"
	dir := t.TempDir()
	at := filepath.Join(dir, "app", id, "app.sym")
	dump := filepath.Join(dir, "dump")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o750); err != nil {
		t.Fatal(err)
	}
	regs := minidumptest.Regs{"rip": 0x401008, "rsp": 0x10000}
	write(dump, string(minidumptest.New(minidump.CPUAMD64, minidump.Linux).
		Module(minidumptest.Module{Base: 0x400000, Size: 0x4000, CodeFile: "app", CodeView: minidumptest.BuildID([]byte(strings.Repeat("1", 20)))}).
		Thread(1, regs, minidumptest.StackAt(0x10000).Words(1)).Bytes()))
	for lines, want := range strictCases {
		write(at, strictStart+lines)
		out, err := exec.CommandContext(t.Context(), program, "--json", "--symbols-path", dir, dump).Output() //nolint:gosec // the developer names it
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(out), `"corrupt_symbols":false`); got != want {
			t.Errorf("%.60q: the reference says %v", lines, got)
		}
	}
}

func TestMoreBadLinesThanRecordsOfCode(t *testing.T) {
	for body, damaged := range map[string]bool{
		"": false, "x\n": true, "INFO CODE_ID 1\nFILE 0 a.c\nINLINE_ORIGIN 0 in\nx\n": true, "FUNC 1000 10 0 f\nx\n": false, "FUNC 1000 10 0 f\nx\nx\n": true,
		"1000 40 12 0\n1040 40 13 0\n": true, "<html><body>404</body></html>\n": true, "STACK CFI INIT 1000 10 .cfa: $rsp 8 + .ra: .cfa 8 - ^\nx\n": false,
	} {
		_, err := breakpad.Parse(strings.NewReader(module+body), breakpad.ParseOptions{})
		if errors.Is(err, breakpad.ErrDamaged) != damaged {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestLinesBeforeModule(t *testing.T) {
	text := func(n int) string {
		return strings.Repeat("warning\n", n) + module + strings.Repeat("PUBLIC 1000 0 p\n", 100)
	}
	f := parse(t, text(64))
	if f.BadLines() != 64 || !f.HasFunction(0x1000) {
		t.Error(f.BadLines(), "bad lines")
	}
	if _, err := breakpad.Parse(strings.NewReader(text(65)), breakpad.ParseOptions{}); !errors.Is(err, breakpad.ErrNoModule) {
		t.Error(err)
	}
}

func TestTextsOfOtherEncodings(t *testing.T) {
	const text = module + "FILE 0 é\U0001f600.c\nFUNC 1000 10 0 f\n1000 10 5 0\n"
	wide := func(text string, low int) string {
		var out []byte
		for _, u := range utf16.Encode([]rune(text)) {
			pair := [2]byte{byte(u), byte(u >> 8)}
			out = append(out, pair[low], pair[1-low])
		}
		return string(out)
	}
	crlf := strings.ReplaceAll(text, "\n", "\r\n")
	for name, c := range map[string]struct {
		text string
		want breakpad.Encoding
	}{
		"plain": {text, ""}, "CR LF": {crlf, ""}, "marked": {"\ufeff" + crlf, breakpad.UTF8Marked},
		"little-endian": {wide("\ufeff"+crlf, 0), breakpad.UTF16LE}, "big-endian": {wide("\ufeff"+text, 1), breakpad.UTF16BE},
		"little-endian without mark": {wide(text, 0), breakpad.UTF16LE}, "big-endian without mark": {wide(text, 1), breakpad.UTF16BE},
		"half a character at the end": {wide(text, 0) + "x", breakpad.UTF16LE},
		"CR":                          {strings.ReplaceAll(text, "\n", "\r"), breakpad.CRLines},
		"CR, marked":                  {"\ufeff" + strings.ReplaceAll(text, "\n", "\r"), breakpad.CRLines},
	} {
		f := parse(t, c.text)
		if f.Encoding != c.want || f.Strict() != (c.want == "") {
			t.Errorf("%s: %q, strict %v", name, f.Encoding, f.Strict())
		}
		if got := locate(f, 0x1000); got != "f@1000 é\U0001f600.c:5" {
			t.Errorf("%s: %s, %d bad lines", name, got, f.BadLines())
		}
	}
	lone := parse(t, wide(module+"PUBLIC 1000 0 a", 0)+"\x00\xd8"+wide("b\nPUBLIC 2000 0 c\n", 0)) // half a pair
	if got := locate(lone, 0x1000) + " " + locate(lone, 0x2000); got != "a\ufffdb@1000 c@2000" {
		t.Error(got)
	}
}

// The end of the first line may be the last byte that was looked at.
func TestLinesThatEndInCRAreKnownAtAnyLength(t *testing.T) {
	for _, n := range []int{100, 254, 255, 256, 511, 1023, 100_000} {
		name := strings.Repeat("x", n-len("MODULE Linux x86_64 ABCD0 "))
		f := parse(t, "MODULE Linux x86_64 ABCD0 "+name+"\rFUNC 1000 10 0 f\r")
		if f.Encoding != breakpad.CRLines || locate(f, 0x1000) != "f@1000" {
			t.Errorf("a first line of %d bytes: %q, %d bad lines", n, f.Encoding, f.BadLines())
		}
	}
}

func TestPlacesOfInlinedCalls(t *testing.T) {
	f := parse(t, module+"FILE 0 a.rs\nFILE 2 \nINLINE_ORIGIN 0 outer\nINLINE_ORIGIN 1 inner\n"+
		"FUNC 1000 40 0 f\nINLINE 0 7 0 0 1000 30\nINLINE 1 0 9 1 1000 20\nINLINE 1 0 0 1 1020 10\n1000 10 0 0\n1010 10 3 9\n1020 10 0 2\n1030 10 0 2\n")
	for rva, want := range map[uint64]string{
		0x1000: "inner a.rs:-, outer -:0, f a.rs:7", // 0 of a line record is no line
		0x1010: "inner -:3, outer -:0, f a.rs:7",
		0x1020: "inner :-, outer a.rs:0, f a.rs:7",
		0x1030: "f :0",
	} {
		var got []string
		for _, l := range locations(f, rva) {
			file, line := "-", "-"
			if l.HasFile {
				file = string(l.File)
			}
			if l.HasLine {
				line = fmt.Sprint(l.Line)
			}
			got = append(got, fmt.Sprintf("%s %s:%s", l.Function, file, line))
		}
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("%#x: got %s, want %s", rva, got, want)
		}
	}
}
