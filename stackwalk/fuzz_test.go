package stackwalk_test

import (
	"strings"
	"testing"

	"aftershock/breakpad"
	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/stackwalk"
)

// FuzzWalk walks arbitrary dumps with arbitrary symbols for every module:
// nothing panics, and frames, inlined calls and lookups stay in their limits.
func FuzzWalk(f *testing.F) {
	const cfi = "FUNC 0 1000 0 f\nINLINE_ORIGIN 0 in\nINLINE 0 1 0 0 0 1000\nSTACK CFI INIT 0 1000 .cfa: $rsp 16 + .ra: .cfa 8 - ^\n"
	names := map[minidump.CPU][2]string{minidump.CPUAMD64: {"rip", "rsp"}, minidump.CPUX86: {"eip", "esp"}, minidump.CPUPPC: {"srr0", "r1"}}
	for _, cpu := range []minidump.CPU{minidump.CPUAMD64, minidump.CPUX86, minidump.CPUARM, minidump.CPUARM64, minidump.CPUMIPS, minidump.CPURISCV64, minidump.CPUPPC} {
		pc, sp := "pc", "sp"
		if n, ok := names[cpu]; ok {
			pc, sp = n[0], n[1]
		}
		f.Add(minidumptest.New(cpu, minidump.Windows).
			Module(minidumptest.Module{Base: app, Size: mapped, CodeFile: "app"}).
			UnloadedModule(minidumptest.Module{Base: lib, Size: mapped, CodeFile: "lib"}).
			Thread(1, minidumptest.Regs{pc: app + 8, sp: stack}, minidumptest.StackAt(stack).Words(1, app+0x10, 2, app+0x20, lib+1)).
			Exception(1, 11, 1, 0).Bytes(), "MODULE Linux x86_64 1 a\n"+cfi)
	}
	// Rules that lead in a circle where the stack pointer may stay.
	f.Add(minidumptest.New(minidump.CPUARM64, minidump.Linux).Module(minidumptest.Module{Base: app, Size: mapped, CodeFile: "app"}).
		Thread(1, minidumptest.Regs{"pc": app + 8, "lr": app + 0x20, "sp": stack}, minidumptest.StackAt(stack).Words(1)).Bytes(),
		"MODULE Linux arm64 1 a\nSTACK CFI INIT 0 1000 .cfa: sp .ra: pc 64 + 4095 & x19: lr\n")
	f.Add([]byte("MDMP"), "MODULE windows x86 1 a\nSTACK WIN 4 0 1000 0 0 0 0 4 0 1 $eip .raSearch ^ = $esp .raSearch 4 + =\nSTACK WIN 0 0 1000 0 0 0 0 4 0 0 1\n")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		d, err := minidump.Parse(data)
		if err != nil {
			return
		}
		file, err := breakpad.Parse(strings.NewReader(text), breakpad.ParseOptions{})
		var source stackwalk.SymbolSource
		if err == nil {
			source = func(int) stackwalk.Symbols { return file }
		}
		for version := 1; version <= stackwalk.NewestVersion; version++ {
			checkWalk(t, d, source, stackwalk.Options{
				Version: version, MaxFramesPerThread: 100, MaxFrames: 500, MaxScanWords: 10000, MaxInlines: 1000,
			})
		}
	})
}

// checkWalk walks and looks at what holds of every walk.
func checkWalk(t *testing.T, d *minidump.Dump, source stackwalk.SymbolSource, o stackwalk.Options) {
	t.Helper()
	r := stackwalk.Walk(d, source, o)
	frames, inlines := 0, 0
	for _, th := range r.Threads {
		if len(th.Frames) > o.MaxFramesPerThread {
			t.Errorf("%d frames in a thread", len(th.Frames))
		}
		if th.End == "" {
			t.Error("no reason to end")
		}
		frames += len(th.Frames)
		for i, f := range th.Frames {
			inlines += len(f.Inlines)
			if i == 0 {
				continue
			}
			mayStay := r.Arch != breakpad.X86 && r.Arch != breakpad.AMD64
			sp, _ := f.Registers.Get(r.Arch.SP())
			if last, _ := th.Frames[i-1].Registers.Get(r.Arch.SP()); sp < last || sp == last && !mayStay {
				t.Error("the stack pointer goes back")
			}
		}
	}
	if frames > o.MaxFrames || inlines > o.MaxInlines {
		t.Errorf("%d frames, %d inlined calls", frames, inlines)
	}
}

// TestWalkAllocatesOnlyWhatItReturns: growing the slice of frames and the
// result are all; not one allocation a frame.
func TestWalkAllocatesOnlyWhatItReturns(t *testing.T) {
	const frames = 400
	words := make([]uint64, 0, 2*frames)
	for range frames {
		words = append(words, 1, app+0x110)
	}
	d := dump(t, minidump.CPUAMD64, minidump.Linux, func(b *minidumptest.Builder) {
		b.Thread(1, minidumptest.Regs{"rip": app + 0x110, "rsp": stack}, minidumptest.StackAt(stack).Words(words...))
	})
	source := symbols(t, "x86_64", "FILE 0 a.c\nFUNC 100 100 0 f\n100 100 1 0\nSTACK CFI INIT 100 100 .cfa: $rsp 16 + .ra: .cfa 8 - ^\n")
	n := testing.AllocsPerRun(20, func() {
		if got := len(stackwalk.Walk(d, source, stackwalk.Options{Version: 1}).Threads[0].Frames); got != frames+1 {
			t.Fatal(got)
		}
	})
	if n > 30 {
		t.Errorf("%v allocations for %d frames", n, frames)
	}
}
