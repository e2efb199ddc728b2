package breakpad_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/breakpad"
)

const module = "MODULE Linux x86_64 ABCD0 app\n"

func parse(t testing.TB, text string) *breakpad.File {
	t.Helper()
	f, err := breakpad.Parse(strings.NewReader(text), breakpad.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func locations(f *breakpad.File, rva uint64) []breakpad.Location {
	var at breakpad.Locations
	f.AppendLocations(&at, rva)
	return at.List
}

// locate prints what rva is: "function@base file:line" innermost first.
func locate(f *breakpad.File, rva uint64) string {
	var out []string
	for _, l := range locations(f, rva) {
		text := fmt.Sprintf("%s@%x", l.Function, l.FunctionRVA)
		if len(l.File) > 0 {
			text += fmt.Sprintf(" %s:%d", l.File, l.Line)
		}
		out = append(out, text)
	}
	return strings.Join(out, " < ")
}

func TestLookups(t *testing.T) {
	const inlined = module + "FILE 1 a.c\nFILE 2 b.c\nINLINE_ORIGIN 7 inner\nINLINE_ORIGIN 8 outer\n" +
		"FUNC 1000 100 0 main\nINLINE 0 10 1 8 1010 40\nINLINE 1 20 2 7 1020 10 1040 8\n1000 100 5 2\n"
	for name, c := range map[string]struct {
		text string
		rva  uint64
		want string
	}{
		"line":                             {module + "FILE 0 a.c\nFUNC 1000 10 0 f\n1000 8 5 0\n1008 8 6 0\n", 0x1008, "f@1000 a.c:6"},
		"behind the function":              {module + "FUNC 1000 10 0 f\n", 0x1010, ""},
		"last address":                     {module + "FUNC ffffffff 1 0 f\n", 0xffffffff, "f@ffffffff"},
		"beyond 4 GiB":                     {module + "FUNC ffffffff 1 0 f\n", 0x1_ffff_ffff, ""},
		"m marks a shared address":         {module + "FUNC m 1000 10 0 f\n", 0x1000, "f@1000"},
		"unknown file id":                  {module + "FUNC 1000 10 0 f\n1000 8 5 3\n", 0x1000, "f@1000"},
		"file defined after its use":       {module + "FUNC 1000 10 0 f\n1000 8 5 3\nFILE 3 z.c\n", 0x1000, "f@1000 z.c:5"},
		"of two files with an id the last": {module + "FILE 3 y.c\nFILE 3 z.c\nFUNC 1000 10 0 f\n1000 8 5 3\n", 0x1000, "f@1000 z.c:5"},
		"sparse file id":                   {module + "FILE 2147483648 z.c\nFUNC 1000 10 0 f\n1000 8 5 2147483648\n", 0x1000, "f@1000 z.c:5"},
		"line 0":                           {module + "FILE 0 a.c\nFUNC 1000 10 0 f\n1000 8 0 0\n", 0x1000, "f@1000 a.c:0"},
		"upper-case line is no FILE":       {module + "FILE 0 a.c\nFUNC FA00 1000 0 f\nFACE 1 2 0\n", 0xface, "f@fa00 a.c:2"},
		"line of size 0 is dropped":        {module + "FILE 0 a.c\nFUNC 1000 10 0 f\n1000 0 5 0\n1000 8 6 0\n", 0x1000, "f@1000 a.c:6"},
		"shorter of two functions":         {module + "FUNC 1000 20 0 long\nFUNC 1000 10 0 short\n", 0x1000, "short@1000"},
		"first of two equal functions":     {module + "FUNC 1000 10 0 first\nFUNC 1000 10 0 second\n", 0x1000, "first@1000"},
		"function inside another":          {module + "FUNC 1000 100 0 outer\nFUNC 1020 10 0 inner\n", 0x1028, "outer@1000"},
		"function of size 0":               {module + "FILE 0 a.c\nFUNC 1000 0 0 f\n1000 8 5 0\nPUBLIC 500 0 p\n", 0x1000, "p@500"},
		"public":                           {module + "PUBLIC 1000 0 p\n", 0x5000, "p@1000"},
		"public at 0":                      {module + "PUBLIC 0 0 p\n", 0x5, "p@0"},
		"public before a function":         {module + "PUBLIC 1000 0 p\nFUNC 2000 10 0 f\n", 0x3000, ""},
		"public inside a function":         {module + "PUBLIC 2004 0 p\nFUNC 2000 10 0 f\n", 0x3000, "p@2004"},
		"greatest name at one address":     {module + "PUBLIC 1000 0 b\nPUBLIC 1000 0 c\nPUBLIC 1000 0 a\n", 0x1000, "c@1000"},
		"NUL in a name":                    {module + "PUBLIC 1000 0 a\x00b\n", 0x1000, "a_b@1000"},
		"no inline":                        {inlined, 0x1000, "main@1000 b.c:5"},
		"one inline":                       {inlined, 0x1010, "outer@1010 b.c:5 < main@1000 a.c:10"},
		"two inlines":                      {inlined, 0x1020, "inner@1020 b.c:5 < outer@1010 b.c:20 < main@1000 a.c:10"},
		"second range of an inline":        {inlined, 0x1047, "inner@1040 b.c:5 < outer@1010 b.c:20 < main@1000 a.c:10"},
		"inline of unknown origin is skipped": {
			module + "FILE 0 a.c\nFUNC 1000 10 0 f\nINLINE 0 9 0 77 1000 10\n1000 10 3 0\n", 0x1000, "f@1000 a.c:9",
		},
		"a range without size hides the one around it": {
			module + "FILE 0 a.c\nINLINE_ORIGIN 0 in\nFUNC 1000 10 0 f\nINLINE 0 9 0 0 1000 10 1004 0\n1000 10 3 0\n", 0x1008, "f@1000 a.c:3",
		},
		"older inline form": {
			module + "FILE 0 a.c\nFILE 1 b.c\nINLINE_ORIGIN 0 1 in\nINLINE_ORIGIN 1 0 in2\nFUNC 1000 10 0 f\nINLINE 0 9 0 1000 10\nINLINE 1 8 1 1000 10\n1000 10 3 0\n", 0x1000,
			"in2@1000 a.c:3 < in@1000 b.c:8 < f@1000 a.c:9",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for form, text := range map[string]string{
				"LF": c.text, "CRLF": strings.ReplaceAll(c.text, "\n", "\r\n"), "no final newline": strings.TrimSuffix(c.text, "\n"),
			} {
				f := parse(t, text)
				if got := locate(f, c.rva); got != c.want {
					t.Errorf("%s: got %q, want %q", form, got, c.want)
				}
				if f.BadLines() != 0 {
					t.Errorf("%s: %d bad lines", form, f.BadLines())
				}
				if f.HasFunction(c.rva) != (c.want != "") {
					t.Errorf("%s: HasFunction differs from AppendLocations", form)
				}
			}
		})
	}
}

func TestBadLinesAreSkippedAndCounted(t *testing.T) {
	for _, bad := range []string{
		"nonsense", "FUNC", "FUNC m", "FUNC xyz 10 0 f", "FUNC 2000 123456789 0 f", "FUNC 123456789 10 0 f", "FILE x a.c", "FILE -1 a.c",
		"3000 10 1", "3000 10 1 0 extra", "3000 10 -1 0", "PUBLIC", "PUBLIC zz 0 p", "STACK", "STACK CFI 2000 .cfa: 1", "STACK CFI INIT 20 zz .cfa: 1",
		"STACK WIN 4 zz", "INLINE 0 1", "INLINE 0 1 0 0 zz 10", "INLINE 99999 1 0 0 10 10", "INLINE_ORIGIN x f", "FUNC 2000",
		"0 9 0 0 1000 10", "INLINE 1000 8 5 0", "STACK CFI INIT 2000 8 .cfa: 1\nSTACK CFI zz .cfa: 1", "STACK CFI INIT zz 8 .cfa: 1",
	} {
		f := parse(t, module+"FILE 0 a.c\nFUNC 1000 10 0 f\n1000 8 5 0\n"+bad+"\nFUNC 4000 10 0 g\n")
		if f.BadLines() != 1 {
			t.Errorf("%q: %d bad lines", bad, f.BadLines())
		}
		if got := locate(f, 0x1000) + ", " + locate(f, 0x4000); got != "f@1000 a.c:5, g@4000" {
			t.Errorf("%q costs other records: %s", bad, got)
		}
	}
}

// Deltas behind an INIT record that makes no sense are not those of the one before.
func TestDeltasNeedTheirINIT(t *testing.T) {
	const init, delta = "STACK CFI INIT 1000 10 .cfa: 1 .ra: 1\n", "STACK CFI 1004 .cfa: 2\n"
	for between, want := range map[string]int{"": 0, "STACK CFI INIT zz 10 .cfa: 1\n": 2, "FUNC 1000 10 0 f\n": 1, "FILE 0 a.c\n": 0, "STACK WIN 4 zz\n": 2, "nonsense\n": 1} {
		if f := parse(t, module+"PUBLIC 1 0 a\nPUBLIC 2 0 b\n"+init+between+delta); f.BadLines() != want {
			t.Errorf("%q between: %d bad lines, want %d", between, f.BadLines(), want)
		}
	}
}

func TestLineRecordsNeedAFunction(t *testing.T) {
	if f := parse(t, module+"1000 8 5 0\nPUBLIC 2000 0 p\n"); f.BadLines() != 1 {
		t.Error("before any")
	}
	if f := parse(t, module+"FUNC 1000 10 0 f\nPUBLIC 2000 0 p\n1000 8 5 0\n"); f.BadLines() != 1 {
		t.Error("after a PUBLIC")
	}
}

func TestLinesBeyondTheLimitAreSkipped(t *testing.T) {
	const limit = 160 << 10
	line := func(n int) string { // with its newline
		return "PUBLIC 1000 0 " + strings.Repeat("x", n-len("PUBLIC 1000 0 \n")) + "\n"
	}
	if f := parse(t, module+line(limit)+"PUBLIC 2000 0 p\n"); f.BadLines() != 0 || !f.HasFunction(0x1000) {
		t.Error("at the limit")
	}
	if f := parse(t, module+line(limit+1)+"PUBLIC 2000 0 p\n"); f.BadLines() != 1 || f.HasFunction(0x1000) || !f.HasFunction(0x2000) {
		t.Error("over the limit")
	}
}

func TestInlineDepthIsBounded(t *testing.T) {
	for depth, bad := range map[int]int{511: 0, 512: 1} {
		f := parse(t, module+fmt.Sprintf("FUNC 1000 10 0 f\nINLINE %d 9 0 0 1000 10\n", depth))
		if f.BadLines() != bad {
			t.Errorf("depth %d: %d bad lines", depth, f.BadLines())
		}
	}
}

func TestParseRefusesWhatIsNoSymbolFile(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "page": "<html>\n<body>\n", "utf-16": "M\x00O\x00D\x00", "no module": "FUNC 1000 10 0 f\n", "module without id": "MODULE Linux x86\n",
	} {
		if _, err := breakpad.Parse(strings.NewReader(text), breakpad.ParseOptions{}); !errors.Is(err, breakpad.ErrNoModule) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestModuleAndInfo(t *testing.T) {
	f := parse(t, "MODULE windows x86 5A9832E51 test app.pdb\nINFO CODE_ID 45D35F6C test.exe\nINFO URL http://a/\nINFO GENERATOR x\n")
	got := []string{f.OS, f.DebugID, f.Name, f.CodeID, f.CodeFile, f.URL, f.Arch().String()}
	if diff := cmp.Diff([]string{"windows", "5A9832E51", "test app.pdb", "45D35F6C", "test.exe", "http://a/", "x86"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestParameterSizePrefersStackWin(t *testing.T) {
	const text = "MODULE windows x86 1 a\nFUNC 1000 30 4 f\nSTACK WIN 4 1000 10 0 0 8 0 0 0 1 $eip 4 =\nSTACK WIN 0 1000 20 0 0 c 0 0 0 0 0\nPUBLIC 2000 10 p\n"
	f := parse(t, text)
	for rva, want := range map[uint64]uint32{0x1000: 8, 0x1018: 0xc, 0x1028: 4, 0x2000: 0x10} {
		if got := locations(f, rva)[0].ParameterSize; got != want {
			t.Errorf("%#x: %d, want %d", rva, got, want)
		}
	}
}

func TestOverlappingWinRecordsAreCutOrDropped(t *testing.T) {
	const rest = " 0 0 %d 0 0 0 0 0\n"
	f := parse(t, "MODULE windows x86 1 a\n"+
		"STACK WIN 0 1000 20"+fmt.Sprintf(rest, 1)+"STACK WIN 0 1010 20"+fmt.Sprintf(rest, 2)+ // the first is cut
		"STACK WIN 0 1000 18"+fmt.Sprintf(rest, 3)) // overlaps the second from below: dropped
	for rva, want := range map[uint64]uint32{0x1000: 1, 0x100f: 1, 0x1010: 2, 0x102f: 2} {
		if w, ok := f.Win(rva, breakpad.WinFPO); !ok || w.ParameterSize != want {
			t.Errorf("%#x: %v %v, want %d", rva, w.ParameterSize, ok, want)
		}
	}
	if _, ok := f.Win(0x1030, breakpad.WinFPO); ok {
		t.Error("found behind the last")
	}
	for kind, program := range map[breakpad.WinKind]string{breakpad.WinFPO: "0 0", breakpad.WinFrameData: "1 1"} {
		record := func(rva string, parameters int) string {
			return fmt.Sprintf("STACK WIN %d %s 0 0 %d 0 0 0 %s\n", kind, rva, parameters, program)
		}
		f := parse(t, "MODULE windows x86 1 a\n"+
			record("1010 10", 1)+record("1000 8", 2)+
			record("101f 10", 3)+ // overlaps the last byte of the first, which stands two before: dropped
			record("ffffffff 10", 4)) // ends with the last address
		for rva, want := range map[uint64]uint32{0x1007: 2, 0x101f: 1, 0x1020: 0, 0xffffffff: 4} {
			if w, ok := f.Win(rva, kind); ok != (want > 0) || w.ParameterSize != want {
				t.Errorf("%d, %#x: %v %v, want %d", kind, rva, w.ParameterSize, ok, want)
			}
		}
	}
}

func TestWinRecordsWhoseTypeContradictsTheirProgramAreDropped(t *testing.T) {
	f := parse(t, "MODULE windows x86 1 a\nSTACK WIN 4 1000 10 0 0 0 0 0 0 0 0\nSTACK WIN 0 1000 10 0 0 0 0 0 0 1 $eip\nSTACK WIN 2 1000 10 0 0 0 0 0 0 0 0\n")
	for _, kind := range []breakpad.WinKind{breakpad.WinFPO, breakpad.WinFrameData} {
		if _, ok := f.Win(0x1000, kind); ok {
			t.Error("kept", kind)
		}
	}
}

func TestLookupsDoNotAllocate(t *testing.T) {
	f := parse(t, module+"FILE 0 a.c\nINLINE_ORIGIN 0 in\nFUNC 1000 10 0 f\nINLINE 0 9 0 0 1000 10\n1000 10 3 0\nSTACK CFI INIT 1000 10 .cfa: $rsp 8 + .ra: .cfa 8 - ^\n")
	dst := breakpad.Locations{List: make([]breakpad.Location, 0, 8)}
	regs := breakpad.Registers{}
	regs.Set(breakpad.AMD64.SP(), 0x100)
	mem := breakpad.Memory{Base: 0x100, Bytes: make([]byte, 64)}
	if n := testing.AllocsPerRun(100, func() {
		dst.Reset()
		f.AppendLocations(&dst, 0x1004)
		f.HasFunction(0x1004)
		row, _ := f.CFI(0x1004)
		caller := breakpad.Registers{}
		if !row.Rules.Eval(breakpad.AMD64, &regs, &caller, &mem) {
			t.Error("no caller")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzParse checks that no text makes Parse or a lookup panic and that the two
// forms of asking for a function agree.
func FuzzParse(f *testing.F) {
	f.Add(module+"FILE 0 a.c\nINLINE_ORIGIN 0 in\nFUNC 1000 10 0 f\nINLINE 0 9 0 0 1000 10\n1000 10 3 0\nPUBLIC 2000 0 p\nSTACK CFI INIT 1000 10 .cfa: $rsp 8 + .ra: .cfa 8 - ^\nSTACK CFI 1004 $rbp: .cfa 16 - ^\n", uint64(0x1004))
	f.Add("MODULE windows x86 1 a\r\nFUNC m 1000 30 4 f\r\nSTACK WIN 4 1000 10 0 0 8 0 0 0 1 $T0 .raSearch = $eip $T0 ^ =$esp $T0 4 + = \r\nSTACK WIN 0 1008 20 0 0 c 0 0 0 0 1", uint64(0x1008))
	f.Fuzz(func(t *testing.T, text string, rva uint64) {
		file, err := breakpad.Parse(strings.NewReader(text), breakpad.ParseOptions{})
		if err != nil {
			return
		}
		locations := locations(file, rva)
		if n := len(locations); file.HasFunction(rva) != (n > 0 && len(locations[n-1].Function) > 0) {
			t.Error("HasFunction and AppendLocations disagree")
		}
		regs := breakpad.Registers{Valid: 1<<breakpad.MaxRegisters - 1}
		mem := breakpad.Memory{Bytes: make([]byte, 64)}
		if row, ok := file.CFI(rva); ok {
			caller := breakpad.Registers{}
			row.Rules.Eval(file.Arch(), &regs, &caller, &mem)
		}
		for _, kind := range []breakpad.WinKind{breakpad.WinFPO, breakpad.WinFrameData} {
			if w, ok := file.Win(rva, kind); ok {
				caller := breakpad.Registers{}
				w.Eval(&regs, &caller, &mem, 4, true)
			}
		}
	})
}
