package report_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/breakpad"
	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/stackwalk"
	"aftershock/stackwalk/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// crash is a dump that has one of everything a report shows.
func crash(t *testing.T) report.Input {
	t.Helper()
	const app, lib, stack = 0x400000, 0x7f0000500000, 0x7ffc00010000
	d, err := minidump.Parse(minidumptest.New(minidump.CPUAMD64, minidump.Linux).
		Time(4000).Process(4242, 100).
		Module(minidumptest.Module{Base: lib, Size: 0x1000, CodeFile: "/usr/lib/libplugin.so", CodeView: minidumptest.BuildID([]byte{1, 2, 3})}).
		Module(minidumptest.Module{Base: app, Size: 0x1000, CodeFile: "/opt/app\x1b[31m/app", CodeView: minidumptest.BuildID([]byte{4, 5, 6}), Version: []uint16{0, 1, 0, 2}}).
		Module(minidumptest.Module{Base: 0x900000, Size: 0x1000, CodeFile: "/usr/lib/unused.so"}).
		UnloadedModule(minidumptest.Module{Base: 0xa00000, Size: 0x1000, CodeFile: "gone.so"}).
		UnloadedModule(minidumptest.Module{Base: 0xa00010, Size: 0x1000, CodeFile: "gone.so"}).
		Thread(10, minidumptest.Regs{"rip": lib + 0x20, "rsp": stack + 0x1000}, minidumptest.StackAt(stack+0x1000).Words(0)).
		Thread(11, minidumptest.Regs{"rip": app + 0x110, "rsp": stack}, minidumptest.StackAt(stack).
			Words(app+0x211, lib+0x30, 0xa00021, 0)).
		ThreadWithoutStack(12, nil).
		ThreadName(10, "main").ThreadName(11, "worker\n#2").
		Exception(11, 11, 1, 0x10).Bytes())
	if err != nil {
		t.Fatal(err)
	}
	f, err := breakpad.Parse(strings.NewReader(`MODULE Linux x86_64 1 app
FILE 0 src/draw.cc
FILE 1 src/mesh.h
INLINE_ORIGIN 0 mesh::at(unsigned long)
FUNC 100 80 0 render::draw(Scene&)
INLINE 0 44 0 0 110 10
100 80 12 1
FUNC 200 80 0 submit()
STACK CFI INIT 100 80 .cfa: $rsp 8 + .ra: .cfa 8 - ^
STACK CFI INIT 200 80 .cfa: $rsp 16 + .ra: .cfa 8 - ^
`), breakpad.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	status := make([]report.Symbols, 2) // shorter than the modules: the last is unused
	r := stackwalk.Walk(d, func(module int) stackwalk.Symbols {
		if module != 1 {
			status[module].Status = report.SymbolsMissing
			return nil
		}
		status[module].Status = report.SymbolsLoaded
		return f
	}, stackwalk.Options{Version: 2})
	return report.Input{Dump: d, Walk: r, Symbols: status}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestHuman(t *testing.T) {
	var out strings.Builder
	if err := report.Human(&out, crash(t)); err != nil {
		t.Fatal(err)
	}
	golden(t, "human.txt", out.String())
}

func TestJSON(t *testing.T) {
	var out strings.Builder
	if err := report.JSON(&out, crash(t), true); err != nil {
		t.Fatal(err)
	}
	golden(t, "walk.json", out.String())
}

// TestDoubtIsSaid: a frame that may be false and a name that may be wrong say so, on a
// terminal in grey; nothing does before version 3.
func TestDoubtIsSaid(t *testing.T) {
	f := stackwalk.Frame{
		Instruction: 0x400120, Trust: stackwalk.TrustScan, Module: 0, HasFunction: true, FunctionBase: 0x400020, Function: []byte("near"),
		Doubt: stackwalk.DoubtPublic, Probability: 0.7,
	}
	in := crash(t)
	in.Walk = &stackwalk.Result{Version: 3, CrashingThread: -1, Threads: []stackwalk.Thread{{ID: 1, Frames: []stackwalk.Frame{f}}}}
	for grey, want := range map[bool]string{false: "  #0  libplugin.so!~near + 0x100 [scan, 70 % true]\n", true: "  \x1b[90m#0  libplugin.so!~near + 0x100 [scan, 70 % true]\x1b[0m\n"} {
		var out strings.Builder
		in.Grey = grey
		if err := report.Human(&out, in); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%v\n%s", err, out.String())
		}
	}
	var out strings.Builder
	if err := report.JSON(&out, in, false); err != nil || !strings.Contains(out.String(), `"doubt":["public"],"file":null`) || !strings.Contains(out.String(), `"probability":0.7,"trust":"scan"`) {
		t.Errorf("%v\n%s", err, out.String())
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestWriteErrorsAreReported(t *testing.T) {
	in := crash(t)
	if report.Human(brokenWriter{}, in) == nil || report.JSON(brokenWriter{}, in, true) == nil {
		t.Error("nil")
	}
}

func TestAnalysisIsPrintedUnlessNotWanted(t *testing.T) {
	regs := minidumptest.Regs{"rip": 0x400100, "rax": 0x10000100 ^ 1<<40}
	d, err := minidump.Parse(minidumptest.New(minidump.CPUAMD64, minidump.Windows).
		Memory(0x400100, []byte("\x48\x8b\x00")).
		MemoryInfo(minidump.MemoryInfo{Base: 0x10000000, Size: 0x1000, Protection: 4}).
		Thread(1, regs, minidumptest.StackAt(0x1000)).
		ExceptionWithContext(1, 0xc0000005, 0, 0x400100, regs, 1, 0x10000100^1<<40).Bytes())
	if err != nil {
		t.Fatal(err)
	}
	in := report.Input{Dump: d, Walk: stackwalk.Walk(d, nil, stackwalk.Options{})}
	var human, document strings.Builder
	if err := report.Human(&human, in); err != nil {
		t.Fatal(err)
	}
	const want = `Address  0x0000010010000100
Code     mov rax, qword [rax]
Access   read of 8 bytes at 0x0000010010000100
Bit flip 0x0000000010000100, 25 %
Bit flip 0x0000000010000100 in rax, 25 %
Odd      crashing access not found in memory accesses
`
	if !strings.Contains(human.String(), want) {
		t.Error(human.String())
	}
	in.NoAnalysis = true
	if err := report.JSON(&document, in, true); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(document.String(), `"instruction": null`) || !strings.Contains(document.String(), `"possible_bit_flips": null`) {
		t.Error(document.String())
	}
}

// TestJSONOfHostileTexts: what a dump calls its parts cannot break the document,
// in one line or indented.
func TestJSONOfHostileTexts(t *testing.T) {
	for _, name := range []string{"a\"b\\c", "\x00\x1f\b\f\n\r\t\x7f", "\xff\xfe\xc3", "\u2028\U0001f4a5\ufffd", "</script>"} {
		in := crash(t)
		in.Dump.SoftErrors = []byte(`{"a": [1, {"b": "\u2028"}, []]}`)
		in.Walk.Threads[0].Name, in.Walk.Threads[0].Named = name, true
		for _, indented := range []bool{false, true} {
			var out strings.Builder
			if err := report.JSON(&out, in, indented); err != nil {
				t.Fatal(err)
			}
			var got struct {
				Threads []struct {
					Name string `json:"thread_name"`
				} `json:"threads"`
				SoftErrors json.RawMessage `json:"soft_errors"`
			}
			if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
				t.Fatalf("%q: %v in %s", name, err, out.String())
			}
			if want := string([]rune(name)); got.Threads[0].Name != want { // a replacement for every bad byte
				t.Errorf("%q became %q, want %q", name, got.Threads[0].Name, want)
			}
			if lines := strings.Count(out.String(), "\n"); !indented && lines != 1 {
				t.Errorf("%q: %d lines", name, lines)
			}
			if len(got.SoftErrors) < 20 {
				t.Errorf("soft errors became %s", got.SoftErrors)
			}
		}
	}
}
