package stackwalk_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/breakpad"
	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/stackwalk"
)

// Addresses of the modules that tests use.
const (
	app    = 0x400000
	lib    = 0x500000
	stack  = 0x10000
	mapped = 0x1000 // size of each module
)

func dump(t testing.TB, cpu minidump.CPU, os minidump.OS, b func(*minidumptest.Builder)) *minidump.Dump {
	t.Helper()
	builder := minidumptest.New(cpu, os).
		Module(minidumptest.Module{Base: app, Size: mapped, CodeFile: "/bin/app"}).
		Module(minidumptest.Module{Base: lib, Size: mapped, CodeFile: "/lib/lib.so"})
	b(builder)
	d, err := minidump.Parse(builder.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// symbols answers the text of module 0 (app) and no symbols for others.
func symbols(t testing.TB, cpu string, text string) stackwalk.SymbolSource {
	t.Helper()
	if text == "" {
		return nil
	}
	f, err := breakpad.Parse(strings.NewReader("MODULE Linux "+cpu+" 1 app\n"+text), breakpad.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return func(module int) stackwalk.Symbols {
		if module != 0 {
			return nil
		}
		return f
	}
}

// describe prints a stack as "trust resume-address" a frame, and its end.
func describe(th *stackwalk.Thread) string {
	var out []string
	for _, f := range th.Frames {
		out = append(out, fmt.Sprintf("%v %x", f.Trust, f.Resume))
	}
	return strings.Join(append(out, string(th.End)), ", ")
}

func TestAMD64Walk(t *testing.T) {
	const cfi = "FUNC 0 1000 0 f\nSTACK CFI INIT 100 100 .cfa: $rsp 16 + .ra: .cfa 8 - ^\n"
	at := func(words ...uint64) minidumptest.Stack { return minidumptest.StackAt(stack).Words(words...) }
	regs := func(more minidumptest.Regs) minidumptest.Regs {
		out := minidumptest.Regs{"rip": app + 0x120, "rsp": stack}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	framed := minidumptest.StackAt(stack).Words(1).
		Mark("bp").PointerTo("bp2").Words(lib+0x10).Words(2).
		Mark("bp2").Words(0, 0)
	bp := framed.Address(minidump.CPUAMD64, "bp")
	for name, c := range map[string]struct {
		os      minidump.OS
		symbols string
		regs    minidumptest.Regs
		stack   minidumptest.Stack
		want    string
	}{
		"cfi":                                    {minidump.Linux, cfi, regs(nil), at(1, lib+0x10, 0), "context 400120, cfi 500010, no_caller"},
		"cfi to the null page ends the walk":     {minidump.Linux, cfi, regs(nil), at(1, 0xfff, lib+0x10), "context 400120, bad_instruction"},
		"cfi to just above it does not":          {minidump.Linux, cfi, regs(nil), at(1, 0x1000, lib+0x10), "context 400120, cfi 1000, scan 500010, no_caller"},
		"cfi is not replaced by another finding": {minidump.Linux, cfi, regs(minidumptest.Regs{"rbp": bp}), at(1, 0, lib+0x10, 0, 0), "context 400120, bad_instruction"},
		"cfi that does not move the stack pointer": {
			minidump.Linux, "FUNC 0 1000 0 f\nSTACK CFI INIT 100 100 .cfa: $rsp .ra: .cfa ^\n", regs(nil), at(lib + 0x10), "context 400120, stack_pointer_back",
		},
		"cfi that fails falls through": {
			minidump.Linux, "FUNC 0 1000 0 f\nSTACK CFI INIT 100 100 .cfa: $xmm .ra: 1\n", regs(nil), at(1, 2, lib+0x10, 0), "context 400120, scan 500010, no_caller",
		},
		"frame pointer":                              {minidump.Linux, "", regs(minidumptest.Regs{"rbp": bp}), framed, "context 400120, frame_pointer 500010, no_caller"},
		"frame pointer needs a caller's above":       {minidump.Linux, "", regs(minidumptest.Regs{"rbp": stack}), at(stack+8, lib+0x10, 0, 0), "context 400120, scan 500010, no_caller"},
		"frame pointer needs a readable caller's":    {minidump.Linux, "", regs(minidumptest.Regs{"rbp": stack}), at(0x900000, lib+0x10, 0, 0), "context 400120, scan 500010, no_caller"},
		"frame pointer refuses non-canonical":        {minidump.Linux, "", regs(minidumptest.Regs{"rbp": stack}), at(stack+0x18, 0x8000_0000_0000, lib+0x10, 0), "context 400120, scan 500010, no_caller"},
		"frame pointer must lie above the stack top": {minidump.Linux, "", regs(minidumptest.Regs{"rsp": stack + 0x28, "rbp": stack}), at(stack+0x18, lib+0x10, 0, 0, 0, lib+0x20, 0), "context 400120, scan 500020, no_caller"},
		"frame pointer offset on windows": {
			minidump.Windows, "", regs(minidumptest.Regs{"rbp": stack}), minidumptest.StackAt(stack).Zeros(30).PointerTo("x").Words(lib+0x10).Mark("x").Words(0, 0),
			"context 400120, frame_pointer 500010, no_caller",
		},
		"frame pointer offset beyond 240 on windows": {
			minidump.Windows, "", regs(minidumptest.Regs{"rbp": stack}), minidumptest.StackAt(stack).Zeros(32).PointerTo("x").Words(lib+0x10).Mark("x").Words(0, 0),
			"context 400120, scan 500010, no_caller",
		},
		"no frame pointer offset elsewhere": {
			minidump.Linux, "", regs(minidumptest.Regs{"rbp": stack}), minidumptest.StackAt(stack).Zeros(30).PointerTo("x").Words(lib+0x10).Mark("x").Words(0, 0),
			"context 400120, scan 500010, no_caller",
		},
		"scan after a context: 160 words, last":   {minidump.Linux, "", regs(nil), minidumptest.StackAt(stack).Zeros(159).Words(lib+0x10, 0), "context 400120, scan 500010, no_caller"},
		"scan after a context: 160 words, behind": {minidump.Linux, "", regs(nil), minidumptest.StackAt(stack).Zeros(160).Words(lib+0x10, 0), "context 400120, no_caller"},
		"scan after a scan: 40 words, last":       {minidump.Linux, "", regs(nil), at(lib+0x20).Zeros(39).Words(lib+0x10, 0), "context 400120, scan 500020, scan 500010, no_caller"},
		"scan after a scan: 40 words, behind":     {minidump.Linux, "", regs(nil), at(lib + 0x20).Zeros(40).Words(lib + 0x10).Zeros(40), "context 400120, scan 500020, no_caller"},
		"scan after cfi: 160 words":               {minidump.Linux, cfi, regs(nil), at(1, lib+0x20).Zeros(159).Words(lib+0x10, 0), "context 400120, cfi 500020, scan 500010, no_caller"},
		"scan takes the end of a module":          {minidump.Linux, "", regs(nil), at(lib+mapped, 0), "context 400120, scan 501000, no_caller"},
		"scan does not take its start":            {minidump.Linux, "", regs(nil), at(lib, 0), "context 400120, no_caller"},
		"scan needs a module":                     {minidump.Linux, "", regs(nil), at(0x900000, 0), "context 400120, no_caller"},
		"scan needs a function where symbols are": {minidump.Linux, "FUNC 200 10 0 f\n", regs(nil), at(app+0x300, app+0x208, 0), "context 400120, scan 400208, no_caller"},
		"scan takes the end of a function":        {minidump.Linux, "FUNC 200 10 0 f\n", regs(nil), at(app+0x211, app+0x210, 0), "context 400120, scan 400210, no_caller"},
		"scan does not take a nameless function":  {minidump.Linux, "FUNC 200 10 0 \n", regs(nil), at(app+0x208, 0), "context 400120, no_caller"},
	} {
		t.Run(name, func(t *testing.T) {
			d := dump(t, minidump.CPUAMD64, c.os, func(b *minidumptest.Builder) { b.Thread(1, c.regs, c.stack) })
			r := stackwalk.Walk(d, symbols(t, "x86_64", c.symbols), stackwalk.Options{Version: 1})
			if got := describe(&r.Threads[0]); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestAMD64ScanRecoversTheFramePointer(t *testing.T) {
	pushed := minidumptest.StackAt(stack).Words(1).Mark("bp").PointerTo("bp2").Words(lib + 0x10).Words(3).Mark("bp2").Words(0)
	for name, c := range map[string]struct {
		bp    uint64
		stack minidumptest.Stack
		want  uint64 // 0: not valid
	}{
		// The frame pointer technique must not apply: the caller's does not point to readable memory below.
		"points into the caller's frame": {stack + 0x20, minidumptest.StackAt(stack).Words(1, lib+0x10, 0, 0, 0, 0), stack + 0x20},
		"points below the caller's":      {stack + 8, minidumptest.StackAt(stack).Words(1, 2, lib+0x10, 0), 0},
		"saved far away":                 {stack + 8, minidumptest.StackAt(stack).Words(1, stack+0x40000, lib+0x10, 0), 0},
		"return address on top":          {stack + 0x18, minidumptest.StackAt(stack).Words(lib+0x10, 0, 0, 0, 0), 0},
		"pushed":                         {pushed.Address(minidump.CPUAMD64, "bp"), pushed, pushed.Address(minidump.CPUAMD64, "bp2")},
	} {
		d := dump(t, minidump.CPUAMD64, minidump.Linux, func(b *minidumptest.Builder) {
			b.Thread(1, minidumptest.Regs{"rip": app, "rsp": stack, "rbp": c.bp}, c.stack)
		})
		frames := stackwalk.Walk(d, nil, stackwalk.Options{Version: 1}).Threads[0].Frames
		if len(frames) != 2 {
			t.Errorf("%s: %d frames", name, len(frames))
			continue
		}
		rbp, _ := breakpad.AMD64.Register("rbp")
		if got, ok := frames[1].Registers.Get(rbp); got != c.want || ok != (c.want != 0) {
			t.Errorf("%s: rbp %#x %v, want %#x", name, got, ok, c.want)
		}
	}
}

func TestX86Walk(t *testing.T) {
	at := func(words ...uint64) minidumptest.Stack { return minidumptest.StackAt(stack).Words(words...) }
	regs := func(bp uint64) minidumptest.Regs {
		return minidumptest.Regs{"eip": app + 0x120, "esp": stack, "ebp": bp}
	}
	const fpo, framedata = "STACK WIN 0 100 100 0 0 0 0 4 0 0 0\n", "STACK WIN 4 100 100 0 0 0 0 4 0 1 $eip .raSearch ^ = $esp .raSearch 4 + =\n"
	for name, c := range map[string]struct {
		symbols string
		bp      uint64
		stack   minidumptest.Stack
		want    string
	}{
		"frame pointer": {"", stack + 4, at(1, stack+0x10, lib+0x10, 0, 0), "context 400120, frame_pointer 500010, no_caller"},
		"frame pointer is not checked against code": {"", stack, at(0, 0x900000, lib+0x10, 0, 0), "context 400120, frame_pointer 900000, scan 500010, no_caller"},
		"frame pointer to null ends the walk":       {"", stack, at(0, 0, lib+0x10, 0, 0), "context 400120, bad_instruction"},
		"scan":                                      {"", 0, at(1, lib+0x10, 0, 0), "context 400120, scan 500010, no_caller"},
		"fpo":                                       {"FUNC 0 1000 0 f\n" + fpo, 0, at(1, lib+0x10, 0), "context 400120, cfi 500010, no_caller"},
		"framedata before fpo":                      {"FUNC 0 1000 0 f\n" + fpo + strings.Replace(framedata, " 4 0 1 ", " 8 0 1 ", 1), 0, at(1, lib+0x10, lib+0x20, 0), "context 400120, cfi 500020, no_caller"},
		"failing framedata does not try fpo":        {"FUNC 0 1000 0 f\n" + fpo + strings.Replace(framedata, ".raSearch ^", "$T0", 1), 0, at(1, 2, lib+0x30, 0), "context 400120, scan 500030, no_caller"},
		"failing STACK WIN tries STACK CFI": {
			"FUNC 0 1000 0 f\n" + strings.Replace(framedata, ".raSearch ^", "$T0", 1) + "STACK CFI INIT 100 100 .cfa: $esp 12 + .ra: .cfa 4 - ^\n",
			0, at(1, 2, lib+0x30, 0), "context 400120, cfi 500030, no_caller",
		},
		"parameters of the callee's callee count": {
			"FUNC 0 1000 8 f\nSTACK WIN 0 100 100 0 0 8 0 4 0 0 0\nSTACK WIN 0 200 100 0 0 0 0 0 0 0 0\n",
			0, at(1, app+0x210, 2, 3, app+0x410, 0), "context 400120, cfi 400210, cfi 400410, no_caller",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := dump(t, minidump.CPUX86, minidump.Windows, func(b *minidumptest.Builder) { b.Thread(1, regs(c.bp), c.stack) })
			r := stackwalk.Walk(d, symbols(t, "x86", c.symbols), stackwalk.Options{Version: 1})
			if got := describe(&r.Threads[0]); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestStackWinForwardsPreservedRegisters(t *testing.T) {
	// Parity: the reference means to drop them and does not.
	d := dump(t, minidump.CPUX86, minidump.Windows, func(b *minidumptest.Builder) {
		b.Thread(1, minidumptest.Regs{"eip": app + 0x120, "esp": stack, "ebx": 0xb, "esi": 0x51, "eax": 7}, minidumptest.StackAt(stack).Words(1, lib+0x10, 0))
	})
	r := stackwalk.Walk(d, symbols(t, "x86", "FUNC 0 1000 0 f\nSTACK WIN 0 100 100 0 0 0 0 4 0 0 0\n"), stackwalk.Options{Version: 1})
	caller := r.Threads[0].Frames[1].Registers
	got := map[string]uint64{}
	for i, name := range breakpad.X86.RegisterNames() {
		if v, ok := caller.Get(breakpad.Register(i)); ok {
			got[name] = v
		}
	}
	want := map[string]uint64{"eip": lib + 0x10, "esp": stack + 8, "ebp": 0, "ebx": 0xb, "esi": 0x51, "edi": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWalkStartsFromTheRightRegistersAndMemory(t *testing.T) {
	regs := minidumptest.Regs{"rip": app, "rsp": stack}
	words := minidumptest.StackAt(stack).Words(lib+0x10, 0)
	bytes := []byte{0x10, 0, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	for name, c := range map[string]struct {
		build func(b *minidumptest.Builder)
		want  string
	}{
		"no registers":               {func(b *minidumptest.Builder) { b.Thread(1, nil, words) }, "no_context"},
		"no stack":                   {func(b *minidumptest.Builder) { b.ThreadWithoutStack(1, regs) }, "context 400000, no_stack_memory"},
		"stack from the memory list": {func(b *minidumptest.Builder) { b.ThreadWithoutStack(1, regs).Memory(stack, bytes) }, "context 400000, scan 500010, no_caller"},
		"stack pointer in another region": {func(b *minidumptest.Builder) {
			b.Thread(1, regs, minidumptest.StackAt(0x90000).Words(1)).Memory(stack, bytes)
		}, "context 400000, scan 500010, no_caller"},
		"stack pointer nowhere":          {func(b *minidumptest.Builder) { b.Thread(1, regs, minidumptest.StackAt(0x90000).Words(1)) }, "context 400000, no_caller"},
		"the thread that wrote the dump": {func(b *minidumptest.Builder) { b.Thread(1, regs, words).BreakpadInfo(1, 1) }, "dump_thread"},
		"exception context of this thread": {func(b *minidumptest.Builder) {
			b.Thread(1, regs, words).ExceptionWithContext(1, 11, 1, 0, minidumptest.Regs{"rip": app + 7, "rsp": stack})
		}, "context 400007, scan 500010, no_caller"},
		"exception context of another thread": {func(b *minidumptest.Builder) {
			b.Thread(1, regs, words).ExceptionWithContext(2, 11, 1, 0, minidumptest.Regs{"rip": app + 7})
		}, "context 400000, scan 500010, no_caller"},
		"big endian": {func(b *minidumptest.Builder) { b.BigEndian().Thread(1, regs, words) }, "context 400000, scan 500010, no_caller"},
	} {
		r := stackwalk.Walk(dump(t, minidump.CPUAMD64, minidump.Linux, c.build), nil, stackwalk.Options{Version: 1})
		if got := describe(&r.Threads[0]); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestUnsupportedCPUIsNotWalked(t *testing.T) {
	for cpu, want := range map[minidump.CPU]string{
		minidump.CPURISCV:  "unsupported_cpu",
		minidump.CPUMIPS64: "unsupported_cpu",
		minidump.CPUPPC:    "context 400010, unsupported_cpu",
		minidump.CPUPPC64:  "context 400010, unsupported_cpu",
		minidump.CPUSPARC:  "context 400010, unsupported_cpu",
	} {
		pc := map[minidump.CPU]string{minidump.CPURISCV: "", minidump.CPUSPARC: "pc", minidump.CPUMIPS64: "pc"}
		regs := minidumptest.Regs{}
		if name, ok := pc[cpu]; !ok {
			regs["srr0"] = app + 0x10
		} else if name != "" {
			regs[name] = app + 0x10
		}
		d := dump(t, cpu, minidump.Linux, func(b *minidumptest.Builder) { b.Thread(1, regs, minidumptest.StackAt(0).Words(app+1)) })
		if got := describe(&stackwalk.Walk(d, nil, stackwalk.Options{Version: 1}).Threads[0]); got != want {
			t.Errorf("%v: got %s, want %s", cpu, got, want)
		}
	}
}

func TestFrameSaysWhereItIs(t *testing.T) {
	const text = "FILE 0 a.c\nINLINE_ORIGIN 0 in\nFUNC 100 100 8 f\nINLINE 0 9 0 0 110 20\n110 20 3 0\nSTACK CFI INIT 100 100 .cfa: $rsp 8 + .ra: .cfa 8 - ^\n"
	d := dump(t, minidump.CPUAMD64, minidump.Linux, func(b *minidumptest.Builder) {
		b.Thread(1, minidumptest.Regs{"rip": app + 0x200, "rsp": stack}, minidumptest.StackAt(stack).Words(app+0x120, 0x900008)).
			UnloadedModule(minidumptest.Module{Base: 0x900000, Size: 0x100, CodeFile: "a"}).
			UnloadedModule(minidumptest.Module{Base: 0x900004, Size: 0x100, CodeFile: "b"}).
			UnloadedModule(minidumptest.Module{Base: 0x900008, Size: 0x100, CodeFile: "starts behind"})
	})
	frames := stackwalk.Walk(d, symbols(t, "x86_64", text), stackwalk.Options{Version: 1}).Threads[0].Frames
	if len(frames) != 3 {
		t.Fatalf("%d frames", len(frames))
	}
	if f := frames[0]; f.HasFunction || f.Module != 0 || f.Instruction != f.Resume || f.ModuleOffset(d) != 0x200 {
		t.Errorf("frame 0: %+v", f)
	}
	f := frames[1]
	if f.Instruction != app+0x11f || f.Resume != app+0x120 || string(f.Function) != "f" || f.FunctionOffset() != 0x1f ||
		string(f.File) != "a.c" || f.Line != 9 || f.LineBase != app+0x110 || f.ParameterSize != 8 {
		t.Errorf("frame 1: %+v", f)
	}
	if len(f.Inlines) != 1 || string(f.Inlines[0].Function) != "in" || f.Inlines[0].Line != 3 || !f.Inlines[0].Inline {
		t.Errorf("inlines: %+v", f.Inlines)
	}
	want := []stackwalk.UnloadedHit{{Module: 0, Offset: 7}, {Module: 1, Offset: 3}}
	if f := frames[2]; f.Module != -1 || !cmp.Equal(want, f.Unloaded) {
		t.Errorf("frame 2: %+v", f)
	}
}

func TestSymbolsAreAskedForOnceAndOnlyWhereNeeded(t *testing.T) {
	d := dump(t, minidump.CPUAMD64, minidump.Linux, func(b *minidumptest.Builder) {
		b.Module(minidumptest.Module{Base: 0x600000, Size: mapped, CodeFile: "never run"})
		for id := range uint32(3) {
			b.Thread(id, minidumptest.Regs{"rip": app, "rsp": stack}, minidumptest.StackAt(stack).Words(lib+0x10, lib+0x20, 0))
		}
	})
	asked := map[int]int{}
	stackwalk.Walk(d, func(module int) stackwalk.Symbols { asked[module]++; return nil }, stackwalk.Options{Version: 1})
	if diff := cmp.Diff(map[int]int{0: 1, 1: 1}, asked); diff != "" {
		t.Error(diff)
	}
}

func TestCrashingThreadIsWalkedFirst(t *testing.T) {
	d := dump(t, minidump.CPUAMD64, minidump.Linux, func(b *minidumptest.Builder) {
		for id := range uint32(2) {
			b.Thread(id, minidumptest.Regs{"rip": app, "rsp": stack}, minidumptest.StackAt(stack).Words(lib+0x10, lib+0x20, 0))
		}
		b.Exception(1, 11, 1, 0)
	})
	r := stackwalk.Walk(d, nil, stackwalk.Options{Version: 1, MaxFrames: 3})
	if a, b := describe(&r.Threads[0]), describe(&r.Threads[1]); a != "total_frame_limit" || b != "context 400000, scan 500010, scan 500020, total_frame_limit" {
		t.Error(a, "|", b)
	}
}

func TestLimits(t *testing.T) {
	words := minidumptest.StackAt(stack).Words(lib+0x10, lib+0x20, lib+0x30, 0)
	d := dump(t, minidump.CPUAMD64, minidump.Linux, func(b *minidumptest.Builder) {
		b.Thread(1, minidumptest.Regs{"rip": app, "rsp": stack}, words)
	})
	inlined := dump(t, minidump.CPUAMD64, minidump.Linux, func(b *minidumptest.Builder) {
		b.Thread(1, minidumptest.Regs{"rip": app, "rsp": stack}, minidumptest.StackAt(stack).Words(app+0x10, 0))
	})
	const text = "INLINE_ORIGIN 0 in\nFUNC 0 100 0 f\nINLINE 0 1 0 0 0 100\n"
	const whole = "context 400000, scan 500010, scan 500020, scan 500030, "
	for name, c := range map[string]struct {
		d    *minidump.Dump
		o    stackwalk.Options
		want string
	}{
		"frames of a thread, at":   {d, stackwalk.Options{Version: 1, MaxFramesPerThread: 5}, whole + "no_caller"},
		"frames of a thread, over": {d, stackwalk.Options{Version: 1, MaxFramesPerThread: 4}, whole + "thread_frame_limit"},
		"frames, at":               {d, stackwalk.Options{Version: 1, MaxFrames: 5}, whole + "no_caller"},
		"frames, over":             {d, stackwalk.Options{Version: 1, MaxFrames: 4}, whole + "total_frame_limit"},
		"scanned words, at":        {d, stackwalk.Options{Version: 1, MaxScanWords: 5}, whole + "no_caller"},
		"scanned words, all":       {d, stackwalk.Options{Version: 1, MaxScanWords: 4}, whole + "scan_limit"},
		"scanned words, over":      {d, stackwalk.Options{Version: 1, MaxScanWords: 2}, "context 400000, scan 500010, scan 500020, scan_limit"},
		"inlined calls, at":        {inlined, stackwalk.Options{Version: 1, MaxInlines: 2}, "context 400000, scan 400010, no_caller"},
		"inlined calls, over":      {inlined, stackwalk.Options{Version: 1, MaxInlines: 1}, "context 400000, inline_limit"},
	} {
		if got := describe(&stackwalk.Walk(c.d, symbols(t, "x86_64", text), c.o).Threads[0]); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestInterruptedWalksEnd(t *testing.T) {
	const frames = 200
	long := make([]uint64, frames-1)
	for i := range long {
		long[i] = app + 0x10
	}
	d := dump(t, minidump.CPUAMD64, minidump.Linux, func(b *minidumptest.Builder) {
		for id := range uint32(3) {
			b.Thread(id, minidumptest.Regs{"rip": app, "rsp": stack}, words(long...))
		}
	})
	for answers, want := range map[int][3]int{ // it is asked at the start of a thread and every 64 frames
		1: {0, 0, 0}, 2: {64, 0, 0}, 5: {frames, 0, 0}, 6: {frames, 64, 0}, 99: {frames, frames, frames},
	} {
		asked := 0
		r := stackwalk.Walk(d, nil, stackwalk.Options{Version: 1, Interrupted: func() bool { asked++; return asked >= answers }})
		for i := range r.Threads {
			end := stackwalk.EndInterrupted
			if want[i] == frames {
				end = stackwalk.EndNoCaller
			}
			if th := &r.Threads[i]; len(th.Frames) != want[i] || th.End != end {
				t.Errorf("%d answers: thread %d has %d frames, %s; want %d", answers, i, len(th.Frames), th.End, want[i])
			}
		}
	}
}

func TestCrashingOnlyLeavesTheOthers(t *testing.T) {
	build := func(crashed uint32) *minidump.Dump {
		return dump(t, minidump.CPUAMD64, minidump.Linux, func(b *minidumptest.Builder) {
			for id := range uint32(3) {
				b.Thread(id, minidumptest.Regs{"rip": app, "rsp": stack}, words(app+0x10)).ThreadName(id, fmt.Sprint("t", id))
			}
			if crashed < 3 {
				b.Exception(crashed, 11, 1, 0)
			}
		})
	}
	for crashed, want := range map[uint32]string{
		0: "context 400000, scan 400010, no_caller|not_asked|not_asked", 1: "not_asked|context 400000, scan 400010, no_caller|not_asked",
		3: strings.Repeat("context 400000, scan 400010, no_caller|", 3), // the dump does not say which
	} {
		r := stackwalk.Walk(build(crashed), nil, stackwalk.Options{Version: 1, CrashingOnly: true})
		var got []string
		for i := range r.Threads {
			got = append(got, describe(&r.Threads[i]))
			if r.Threads[i].ID != uint32(i) || r.Threads[i].Name != fmt.Sprint("t", i) || r.Threads[i].Index != i || !r.Threads[i].Named {
				t.Errorf("%+v", r.Threads[i])
			}
		}
		if text := strings.Join(got, "|"); text != strings.TrimSuffix(want, "|") {
			t.Errorf("crashed %d: %s", crashed, text)
		}
	}
}

func TestOptionsCheckRefusesUnknownVersions(t *testing.T) {
	for version, ok := range map[int]bool{-1: false, 0: true, 1: true, stackwalk.NewestVersion + 1: false} {
		if err := (stackwalk.Options{Version: version}).Check(); (err == nil) != ok || (err != nil && !errors.Is(err, stackwalk.ErrVersion)) {
			t.Errorf("%d: %v", version, err)
		}
	}
}

// TestRegistersAreNumberedAlike holds the tables of the two packages together:
// a context's registers are copied by index.
func TestRegistersAreNumberedAlike(t *testing.T) {
	for cpu, arch := range map[minidump.CPU]breakpad.Arch{
		minidump.CPUX86: breakpad.X86, minidump.CPUAMD64: breakpad.AMD64, minidump.CPUARM: breakpad.ARM, minidump.CPUARM64: breakpad.ARM64,
		minidump.CPUMIPS: breakpad.MIPS, minidump.CPUMIPS64: breakpad.MIPS64, minidump.CPURISCV64: breakpad.RISCV64,
	} {
		if diff := cmp.Diff(cpu.RegisterNames(), arch.RegisterNames()); diff != "" {
			t.Errorf("%v: %s", cpu, diff)
		}
		if arch.PC() == breakpad.NoRegister || arch.SP() == breakpad.NoRegister {
			t.Errorf("%v has no program counter or stack pointer", arch)
		}
	}
}

func TestUnloadedModulesOfAFrameAreBounded(t *testing.T) {
	for _, n := range []int{64, 65} {
		d := dump(t, minidump.CPUAMD64, minidump.Linux, func(b *minidumptest.Builder) {
			b.Thread(1, minidumptest.Regs{"rip": 0x900000}, minidumptest.StackAt(stack))
			for range n {
				b.UnloadedModule(minidumptest.Module{Base: 0x900000, Size: 1, CodeFile: "gone"})
			}
		})
		if got := len(stackwalk.Walk(d, nil, stackwalk.Options{Version: 1}).Threads[0].Frames[0].Unloaded); got != 64 {
			t.Errorf("%d modules: %d hits", n, got)
		}
	}
}

func TestX86ScanRecoversTheFramePointer(t *testing.T) {
	for name, c := range map[string]struct {
		bp    uint64
		stack []uint64
		want  uint64 // 0: not valid
	}{
		"pushed":                   {0, []uint64{1, stack + 0x10, lib + 0x10, 0, 0, 0}, stack + 0x10},
		"pushed, and not readable": {0, []uint64{1, stack + 0x1000, lib + 0x10, 0, 0, 0}, 0},
		"saved far away":           {0, []uint64{1, stack + 0x40000, lib + 0x10, 0}, 0},
		// The last word: the frame pointer technique must not apply.
		"points into the caller's frame": {stack + 0x14, []uint64{1, 0, lib + 0x10, 0, 0, 0}, stack + 0x14},
		"points there, and not readable": {stack + 0x1000, []uint64{1, 0, lib + 0x10, 0, 0, 0}, 0},
		"return address on top":          {stack + 0x14, []uint64{lib + 0x10, 0, 0, 0, 0, 0}, 0},
	} {
		d := dump(t, minidump.CPUX86, minidump.Windows, func(b *minidumptest.Builder) {
			b.Thread(1, minidumptest.Regs{"eip": app, "esp": stack, "ebp": c.bp}, minidumptest.StackAt(stack).Words(c.stack...))
		})
		frames := stackwalk.Walk(d, nil, stackwalk.Options{Version: 1}).Threads[0].Frames
		if len(frames) < 2 || frames[1].Trust != stackwalk.TrustScan {
			t.Errorf("%s: %+v", name, frames)
			continue
		}
		ebp, _ := breakpad.X86.Register("ebp")
		if got, ok := frames[1].Registers.Get(ebp); got != c.want || ok != (c.want != 0) {
			t.Errorf("%s: ebp %#x %v, want %#x", name, got, ok, c.want)
		}
	}
}
