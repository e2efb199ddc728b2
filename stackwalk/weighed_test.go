package stackwalk_test

import (
	"encoding/binary"
	"testing"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/stackwalk"
)

// Code of the modules that tests of version 3 use, behind their headers.
const (
	appCode = app + 0x400
	libCode = lib + 0x400
)

// weighedCase is a stack that versions 2 and 3 walk differently, or alike.
type weighedCase struct {
	cpu     minidump.CPU
	symbols string
	regs    minidumptest.Regs
	stack   minidumptest.Stack
	extra   func(*minidumptest.Builder)
	v2, v3  string
}

func on(values ...uint64) minidumptest.Stack { return minidumptest.StackAt(stack).Words(values...) }

func at(rip uint64, more minidumptest.Regs) minidumptest.Regs {
	out := minidumptest.Regs{"rip": rip, "rsp": stack}
	for k, v := range more {
		out[k] = v
	}
	return out
}

func at32(eip uint64, more minidumptest.Regs) minidumptest.Regs {
	out := minidumptest.Regs{"eip": eip, "esp": stack}
	for k, v := range more {
		out[k] = v
	}
	return out
}

// TestVersion3 has a case for each thing that version 3 does better, with what
// version 2 makes of it. On amd64 a return address lies at an odd index of these
// stacks, where the ABI has it.
func TestVersion3(t *testing.T) {
	const (
		function = "FUNC 400 100 0 f\n"
		cfi      = "STACK CFI INIT 400 100 .cfa: $rsp 16 + .ra: .cfa 8 - ^\n"
		maps     = "400000-401000 r-xp 0 0:0 0 /bin/app\n500000-501000 r-xp 0 0:0 0 /lib/lib.so\n10000-11000 rw-p 0 0:0 0 [stack]\n"
	)
	for name, c := range map[string]weighedCase{
		"a return address lies where the ABI has it": {
			minidump.CPUAMD64, "", at(appCode+0x21, nil), on(1, 2, libCode+0x31, libCode+0x45, 1), nil,
			"context 400421, scan 500431, scan 500445, no_caller", "context 400421, scan 500445, no_caller",
		},
		"but for calls of a function beside": {
			minidump.CPUAMD64, "", at(appCode+0x21, nil), on(appCode+0x31, libCode+0x45), nil,
			"context 400421, scan 400431, scan 500445, no_caller", "context 400421, scan 400431, scan 500445, no_caller",
		},
		"what is aligned as functions are is no return address": {
			minidump.CPUAMD64, "", at(appCode+0x21, nil), on(1, libCode+0x40, 1, libCode+0x45), nil,
			"context 400421, scan 500440, scan 500445, no_caller", "context 400421, scan 500445, no_caller",
		},
		"unless nothing else is there": {
			minidump.CPUAMD64, "", at(appCode+0x21, nil), on(1, libCode+0x40, 1, 1), nil,
			"context 400421, scan 500440, no_caller", "context 400421, scan 500440, no_caller",
		},
		"or it returns again and again": {
			minidump.CPUAMD64, "", at(appCode+0x21, nil), on(1, libCode+0x40, 1, libCode+0x40, 1, libCode+0x40), nil,
			"context 400421, scan 500440, scan 500440, scan 500440, no_caller", "context 400421, scan 500440, scan 500440, scan 500440, no_caller",
		},
		"or the dump tells that it is no data, and it lies nowhere else": {
			minidump.CPUAMD64, "", at(appCode+0x21, nil), on(1, libCode+0x40, 1, libCode+0x45), linuxMaps(maps),
			"context 400421, scan 500440, scan 500445, no_caller", "context 400421, scan 500440, scan 500445, no_caller",
		},
		"as a pointer does": {
			minidump.CPUAMD64, "", at(appCode+0x21, nil), on(1, libCode+0x40, libCode+0x40, libCode+0x45), linuxMaps(maps),
			"context 400421, scan 500440, scan 500440, scan 500445, no_caller", "context 400421, scan 500445, no_caller",
		},
		"symbols tell that it is inside a function": {
			minidump.CPUAMD64, function, at(libCode+0x21, nil), on(1, appCode+0x40, 1, libCode+0x45), nil,
			"context 500421, scan 400440, scan 500445, no_caller", "context 500421, scan 400440, scan 500445, no_caller",
		},
		"or that one starts there": {
			minidump.CPUAMD64, "FUNC 3f8 8 0 e\n" + function, at(libCode+0x21, nil), on(1, appCode, 1, libCode+0x45), nil,
			"context 500421, scan 400400, scan 500445, no_caller", "context 500421, scan 500445, no_caller",
		},
		"right behind the last call of another, which does not return": {
			minidump.CPUAMD64, "FUNC 400 25 0 e\nFUNC 425 10 0 f\n", at(libCode+0x21, nil), on(1, appCode+0x25, 1, libCode+0x45), nil,
			"context 500421, scan 400425, scan 500445, no_caller", "context 500421, scan 400425, scan 500445, no_caller",
		},
		"no code lies far behind the last symbol without a size": {
			minidump.CPUAMD64, "PUBLIC 400 0 _fini\n", at(libCode+0x21, nil), on(1, appCode+0x201, 1, appCode+0x1ff), nil,
			"context 500421, scan 400601, scan 4005ff, no_caller", "context 500421, scan 4005ff, no_caller",
		},
		"nor between functions that symbols name": {
			minidump.CPUAMD64, "FUNC 400 10 0 e\nFUNC 480 10 0 f\n", at(libCode+0x21, nil), on(1, appCode+0x45, 1, appCode+0x85), nil,
			"context 500421, scan 400485, no_caller", "context 500421, scan 400485, no_caller",
		},
		"symbols of elsewhere say nothing of code before them": {
			minidump.CPUAMD64, "PUBLIC 401000 0 <.init ELF section in app>\n", at(libCode+0x21, nil), on(1, appCode+0x45), nil,
			"context 500421, no_caller", "context 500421, scan 400445, no_caller",
		},
		"what a scan finds must lead to code, where symbols tell whereto": {
			minidump.CPUAMD64, cfi + function, at(libCode+0x21, nil), on(1, appCode+0x21, 1, 1, 1, appCode+0x25, 1, libCode+0x45), nil,
			"context 500421, scan 400421, scan 400425, cfi 500445, no_caller", "context 500421, scan 400425, cfi 500445, no_caller",
		},
		"the loader's return addresses are left over": {
			minidump.CPUAMD64, "", at(appCode+0x21, nil), on(1, 0x700425, 1, libCode+0x45), module(0x700000, "/lib/ld-linux-x86-64.so.2"),
			"context 400421, scan 700425, scan 500445, no_caller", "context 400421, scan 500445, no_caller",
		},
		"but below others of its own": {
			minidump.CPUAMD64, "", at(0x700421, nil), on(1, 0x700425, 1, libCode+0x45), module(0x700000, "/lib/ld-linux-x86-64.so.2"),
			"context 700421, scan 700425, scan 500445, no_caller", "context 700421, scan 700425, scan 500445, no_caller",
		},
		"a scan ends after so many words": {
			minidump.CPUAMD64, "", at(appCode+0x21, nil), on(1).Zeros(254).Words(libCode + 0x45), nil,
			"context 400421, no_caller", "context 400421, scan 500445, no_caller",
		},
		"and looks at no more": {
			minidump.CPUAMD64, "", at(appCode+0x21, nil), on(1).Zeros(256).Words(libCode + 0x45), nil,
			"context 400421, no_caller", "context 400421, no_caller",
		},
		"a call to nowhere left its return address on top": {
			minidump.CPUAMD64, "",
			minidumptest.Regs{"rip": 0, "rsp": stack + 8, "rbp": stack + 0x30},
			on(1, libCode+0x45, 1, 1, 1, 1, stack+0x40, appCode+0x31, 1), nil,
			"context 0, frame_pointer 400431, no_caller", "context 0, frame_pointer 500445, frame_pointer 400431, no_caller",
		},
		"frame pointers lead to code": {
			minidump.CPUAMD64, "", at(appCode+0x21, minidumptest.Regs{"rbp": stack + 0x10}), on(1, libCode+0x45, stack+0x28, stack+0x21, 1, 1, 1), nil,
			"context 400421, frame_pointer 10021, no_caller", "context 400421, scan 500445, not_executable",
		},
		"not over a return address to elsewhere": {
			minidump.CPUAMD64, "", at(libCode+0x21, minidumptest.Regs{"rbp": stack + 0x20}),
			on(1, appCode+0x45, 1, 1, stack+0x40, appCode+0x65, 1, 1, stack+0x50, 1, 1), nil,
			"context 500421, frame_pointer 400465, bad_instruction", "context 500421, scan 400445, frame_pointer 400465, bad_instruction",
		},
		"a return address that was pushed again for an aligned frame": {
			minidump.CPUX86, "STACK CFI INIT 500 100 .cfa: $esp 8 + .ra: .cfa 4 - ^\n", at32(appCode+0x21, minidumptest.Regs{"ebp": stack}),
			on(stack+0x28, appCode+0x121, 1, 1, 1, appCode+0x121, 1, libCode+0x45, 1, 1, 1), nil,
			"context 400421, frame_pointer 400521, scan 400521, cfi 500445, no_caller", "context 400421, frame_pointer 400521, cfi 500445, no_caller",
		},
		"a recursion is none": {
			minidump.CPUAMD64, "", at(appCode+0x21, minidumptest.Regs{"rbp": stack}),
			on(stack+0x10, appCode+0x45, stack+0x20, appCode+0x45, stack+0x30, libCode+0x45, 1, 1), nil,
			"context 400421, frame_pointer 400445, frame_pointer 400445, frame_pointer 500445, no_caller", "context 400421, frame_pointer 400445, frame_pointer 400445, frame_pointer 500445, no_caller",
		},
		"generated code that call frame information leads to": {
			minidump.CPUAMD64, cfi + function, at(appCode+0x21, minidumptest.Regs{"rbp": stack + 0x10}), on(1, 0x900021, stack+0x30, libCode+0x45, 1, 1, 1, 1), nil,
			"context 400421, cfi 900021, frame_pointer 500445, no_caller", "context 400421, cfi 900021, frame_pointer 500445, no_caller",
		},
		"if anything goes on from there": {
			minidump.CPUAMD64, cfi + function, at(appCode+0x21, nil), on(1, 0x900021, 1, libCode+0x45), nil,
			"context 400421, cfi 900021, scan 500445, no_caller", "context 400421, scan 500445, no_caller",
		},
		"a library that was closed": {
			minidump.CPUAMD64, cfi + function, at(appCode+0x21, nil), on(1, 0x900021, 1, 0x900055, 1, libCode+0x45), linuxMaps(maps),
			"context 400421, scan 500445, no_caller", "context 400421, cfi 900021, scan 900055, scan 500445, no_caller",
		},
		"a thread that waits for the kernel": {
			minidump.CPUX86, "", at32(0x700435, nil), on(stack+0x40, 1, 2, libCode+0x45, 1, 1), module(0x700000, "linux-gate.so.1"),
			"context 700435, scan 500445, no_caller", "context 700435, frame_pointer 500445, no_caller",
		},
		"makecontext's stacks end in a function that was not called": {
			minidump.CPUAMD64, "FUNC 400 20 0 __start_context\nFUNC 500 10 0 entry\nSTACK CFI INIT 500 10 .cfa: $rsp 16 + .ra: .cfa 8 - ^\n",
			at(appCode+0x105, nil), on(1, appCode, 1, libCode+0x45), nil,
			"context 400505, cfi 400400, scan 500445, no_caller", "context 400505, cfi 400400, stack_bottom",
		},
		"on arm64 a call lies before a return address, if the dump has the code": {
			minidump.CPUARM64, "",
			minidumptest.Regs{"pc": appCode, "sp": stack, "fp": 8},
			on(1, libCode+0x44, libCode+0x48), arm64Code(libCode+0x40, 0xd503201f, 0x94000001),
			"context 400400, scan 500444, scan 500448, no_caller", "context 400400, scan 500448, no_caller",
		},
	} {
		t.Run(name, func(t *testing.T) { c.check(t) })
	}
}

func (c *weighedCase) check(t *testing.T) {
	t.Helper()
	d := dump(t, c.cpu, minidump.Linux, func(b *minidumptest.Builder) {
		b.Thread(1, c.regs, c.stack)
		if c.extra != nil {
			c.extra(b)
		}
	})
	cpu := map[minidump.CPU]string{minidump.CPUX86: "x86", minidump.CPUAMD64: "x86_64", minidump.CPUARM64: "arm64"}[c.cpu]
	for version, want := range map[int]string{2: c.v2, 3: c.v3} {
		r := stackwalk.Walk(d, symbols(t, cpu, c.symbols), stackwalk.Options{Version: version})
		if got := describe(&r.Threads[0]); got != want {
			t.Errorf("version %d:\ngot  %s\nwant %s", version, got, want)
		}
	}
}

func module(base uint64, file string) func(*minidumptest.Builder) {
	return func(b *minidumptest.Builder) {
		b.Module(minidumptest.Module{Base: base, Size: mapped, CodeFile: file})
	}
}

func arm64Code(at uint64, instructions ...uint32) func(*minidumptest.Builder) {
	return func(b *minidumptest.Builder) {
		var code []byte
		for _, op := range instructions {
			code = binary.LittleEndian.AppendUint32(code, op)
		}
		b.Memory(at, code)
	}
}
