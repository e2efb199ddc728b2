package processor

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/stackwalk"
	"aftershock/symbolcache"
	"aftershock/symboldump"
)

// TestModulesOwnFilesAreAskedFor: where there are any, a walk of version 3 asks once for
// each module that it comes to without symbols that unwind it, and its outcomes are
// those of the symbols alone.
func TestModulesOwnFilesAreAskedFor(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := symboldump.Open(data)
	if err != nil {
		t.Skip(err)
	}
	var compiled bytes.Buffer
	if err := symbolcache.CompileModule(&compiled, data); err != nil {
		t.Fatal(err)
	}
	own, err := symbolcache.OpenBytes(compiled.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	const base = 0x400000
	code := base + file.Code()[0].RVA
	returns, before := code, code // two addresses behind calls, one of them not
	for !own.Returns(returns - base) {
		returns++
	}
	for own.Returns(before-base) || before%16 == 0 {
		before++
	}
	d, err := minidump.Parse(minidumptest.New(minidump.CPUAMD64, minidump.Linux).
		Module(minidumptest.Module{Base: base, Size: 1 << 26, CodeFile: "/bin/app", CodeView: minidumptest.BuildID(bytes.Repeat([]byte{1}, 20))}).
		Module(minidumptest.Module{Base: 0x10000000, Size: 0x1000, CodeFile: "other"}).
		Thread(1, minidumptest.Regs{"rip": 0x10000801, "rsp": 0x10000}, minidumptest.StackAt(0x10000).Words(1, before, 1, returns)).Bytes())
	if err != nil {
		t.Fatal(err)
	}
	symbols := func(text string) *symbolcache.File {
		var out bytes.Buffer
		if err := symbolcache.Compile(&out, strings.NewReader("MODULE Linux x86_64 1 app\n"+text)); err != nil {
			t.Fatal(err)
		}
		f, err := symbolcache.OpenBytes(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	for text, want := range map[string]int32{"FUNC 10 10 0 f\n": 2, "FUNC 10 10 0 f\nSTACK CFI INIT 10 10 .cfa: $rsp 8 + .ra: .cfa 8 - ^\n": 0} {
		var asked atomic.Int32
		Walk(t.Context(), d, Symbols{
			Find: func(context.Context, symbolcache.Key) symbolcache.Lookup {
				return symbolcache.Lookup{Outcome: symbolcache.Found, File: symbols(text)}
			},
			FindFile: func(context.Context, symbolcache.Key) symbolcache.Lookup {
				asked.Add(1)
				return symbolcache.Lookup{Outcome: symbolcache.Missing}
			},
		}, stackwalk.Options{})
		if asked := asked.Load(); asked != want {
			t.Errorf("%q: asked for %d files, want %d", text, asked, want)
		}
	}
	for _, known := range []bool{true, false} {
		for version, want := range map[int]struct {
			asked  int32
			resume uint64
		}{2: {0, before}, 3: {2, returns}, 0: {2, returns}} {
			var asked atomic.Int32
			s := Symbols{
				Find: func(context.Context, symbolcache.Key) symbolcache.Lookup {
					return symbolcache.Lookup{Outcome: symbolcache.Missing}
				},
				FindFile: func(_ context.Context, key symbolcache.Key) symbolcache.Lookup {
					asked.Add(1)
					if key.CodeFile != "/bin/app" {
						return symbolcache.Lookup{Outcome: symbolcache.Timeout}
					}
					return symbolcache.Lookup{Outcome: symbolcache.Found, File: own}
				},
			}
			if known {
				nothing := func(symbolcache.Key) (symbolcache.Lookup, bool) { return symbolcache.Lookup{}, false }
				s.Known, s.KnownFile = nothing, nothing
				s.Aside = func(_ context.Context, wait func()) { wait() }
			}
			walk, outcomes := Walk(t.Context(), d, s, stackwalk.Options{Version: version})
			frames := walk.Threads[0].Frames
			if asked := asked.Load(); asked != want.asked || len(frames) < 2 || frames[1].Resume != want.resume {
				t.Errorf("version %d, known %v: asked %d times, frames %+v", version, known, asked, frames)
			}
			if len(outcomes) != 2 || outcomes[0].Outcome != symbolcache.Missing {
				t.Errorf("version %d: %+v", version, outcomes)
			}
		}
	}
}
