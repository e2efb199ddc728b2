package stackwalk_test

import (
	"testing"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/stackwalk"
)

// TestVersion2 has a case for each thing that version 2 does better, with what
// version 1 makes of it.
func TestVersion2(t *testing.T) {
	const (
		maps = "400000-401000 r-xp 0 0:0 0 /bin/app\n500000-501000 r--p 0 0:0 0 /lib/lib.so\n600000-601000 r-xp 0 0:0 0\n" +
			"10000-11000 rw-p 0 0:0 0 [stack]\n"
		symbol = "FUNC 0 100 0 f\n"
		jit    = 0x600010
		signed = 0x0012_0000_0000_0000
	)
	at := func(words ...uint64) minidumptest.Stack { return minidumptest.StackAt(stack).Words(words...) }
	amd64 := func(rip uint64, more minidumptest.Regs) minidumptest.Regs {
		out := minidumptest.Regs{"rip": rip, "rsp": stack}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	for name, c := range map[string]struct {
		cpu     minidump.CPU
		os      minidump.OS
		symbols string
		regs    minidumptest.Regs
		stack   minidumptest.Stack
		extra   func(*minidumptest.Builder)
		v1, v2  string
	}{
		"another technique when CFI leads to the null page": {
			minidump.CPUAMD64, minidump.Linux, symbol + "STACK CFI INIT 0 100 .cfa: $rsp 16 + .ra: .cfa 8 - ^\n",
			amd64(app+0x20, nil), at(1, 0xfff, lib+0x10), nil,
			"context 400020, bad_instruction", "context 400020, scan 500010, no_caller",
		},
		"another technique when CFI moves the stack pointer down": {
			minidump.CPUAMD64, minidump.Linux, symbol + "STACK CFI INIT 0 100 .cfa: $rsp 16 - .ra: .cfa 16 + ^\n",
			amd64(app+0x20, nil), at(lib+0x20, lib+0x10), nil,
			"context 400020, stack_pointer_back", "context 400020, scan 500020, scan 500010, no_caller",
		},
		"another technique when CFI leaves the stack": {
			minidump.CPUAMD64, minidump.Linux, symbol + "STACK CFI INIT 0 100 .cfa: $rsp 65536 + .ra: $rsp 8 + ^\n",
			amd64(app+0x20, nil), at(1, lib+0x10), nil,
			"context 400020, cfi 500010, no_caller", "context 400020, scan 500010, no_caller",
		},
		"another technique when CFI leads to no code": {
			minidump.CPUAMD64, minidump.Linux, symbol + "STACK CFI INIT 0 100 .cfa: $rsp 16 + .ra: .cfa 8 - ^\n",
			amd64(app+0x20, nil), at(1, 0x10008, app+0x40, app+0x60), linuxMaps(maps),
			"context 400020, cfi 10008, scan 400040, scan 400060, no_caller", "context 400020, scan 400040, scan 400060, no_caller",
		},
		"also when the dump has one mapping alone": {
			minidump.CPUAMD64, minidump.Linux, symbol + "STACK CFI INIT 0 100 .cfa: $rsp 16 + .ra: .cfa 8 - ^\n",
			amd64(app+0x20, nil), at(1, 0x900008, app+0x40), linuxMaps("400000-401000 r-xp 0 0:0 0 /bin/app\n"),
			"context 400020, cfi 900008, scan 400040, no_caller", "context 400020, scan 400040, no_caller",
		},
		"a call may be a mapping's first byte": {
			minidump.CPUAMD64, minidump.Linux, "FUNC 0 100 0 f\nSTACK CFI INIT 20 100 .cfa: $rsp 16 + .ra: .cfa 8 - ^\n",
			amd64(app+0x20, nil), at(1, app+1, lib+0x10), linuxMaps(maps),
			"context 400020, cfi 400001, scan 500010, no_caller", "context 400020, cfi 400001, no_caller",
		},
		"a return to null is the end, not a failure": {
			minidump.CPUAMD64, minidump.Linux, symbol + "STACK CFI INIT 0 100 .cfa: $rsp 16 + .ra: .cfa 8 - ^\n",
			amd64(app+0x20, nil), at(1, 0, app+0x40), nil,
			"context 400020, bad_instruction", "context 400020, stack_bottom",
		},
		"scans look for code, not for data of modules": {
			minidump.CPUAMD64, minidump.Linux, "", amd64(app+0x20, nil), at(lib+0x10, app+0x40), linuxMaps(maps),
			"context 400020, scan 500010, scan 400040, no_caller", "context 400020, scan 400040, no_caller",
		},
		"scans find generated code": {
			minidump.CPUAMD64, minidump.Linux, "", amd64(app+0x20, nil), at(jit, app+0x40), linuxMaps(maps),
			"context 400020, scan 400040, no_caller", "context 400020, scan 600010, scan 400040, no_caller",
		},
		"scans want a call before a return address": {
			minidump.CPUAMD64, minidump.Linux, "", amd64(app+0x20, nil), at(app+0x30, app+0x40), code(app+0x30, 0x40, 0xe8, 0, 0, 0, 0),
			"context 400020, scan 400030, scan 400040, no_caller", "context 400020, scan 400040, no_caller",
		},
		"symbols that know no function say nothing of code": {
			minidump.CPUAMD64, minidump.Linux, "STACK CFI INIT 0 100 .cfa: $rsp 8 + .ra: .cfa 65536 + ^\n",
			amd64(app+0x20, nil), at(1, app+0x40), nil,
			"context 400020, no_caller", "context 400020, scan 400040, no_caller",
		},
		"scans take no objects in memory that can be written": {
			minidump.CPUAMD64, minidump.Linux, "", amd64(app+0x20, nil), at(0x610010, jit, app+0x40),
			linuxMaps(maps + "610000-620000 rwxp 0 0:0 0 \n"),
			"context 400020, scan 400040, no_caller", "context 400020, scan 600010, scan 400040, no_caller",
		},
		"nor the start of a page": {
			minidump.CPUAMD64, minidump.Linux, "", amd64(app+0x20, nil), at(0x600000, 0x601000, app+0x40),
			linuxMaps(maps + "601000-602000 r-xp 0 0:0 0 \n"),
			"context 400020, scan 400040, no_caller", "context 400020, scan 400040, no_caller",
		},
		"scans reach as far as the words that they refuse would lead": {
			minidump.CPUAMD64, minidump.Linux, "", amd64(app+0x20, nil),
			at(append(append(append([]uint64{app + 0x40}, make([]uint64, 39)...), lib+0x10), append(make([]uint64, 39), app+0x60)...)...), linuxMaps(maps),
			"context 400020, scan 400040, scan 500010, scan 400060, no_caller", "context 400020, scan 400040, scan 400060, no_caller",
		},
		"and no farther": {
			minidump.CPUAMD64, minidump.Linux, "", amd64(app+0x20, nil),
			at(append(append(append([]uint64{app + 0x40}, make([]uint64, 39)...), lib+0x10), append(make([]uint64, 40), app+0x60, 0)...)...), linuxMaps(maps),
			"context 400020, scan 400040, scan 500010, no_caller", "context 400020, scan 400040, no_caller",
		},
		"a module that overlaps another keeps its rest": {
			minidump.CPUAMD64, minidump.Linux, "", amd64(app+0x20, nil), at(lib+0x1010, app+0x40),
			func(b *minidumptest.Builder) {
				b.Module(minidumptest.Module{Base: lib + 0x800, Size: 0x1000, CodeFile: "/lib/second.so"})
			},
			"context 400020, scan 400040, no_caller", "context 400020, scan 501010, scan 400040, no_caller",
		},
		"a thread ends where it started": {
			minidump.CPUAMD64, minidump.Linux, symbol + "FUNC 200 40 0 __clone3\n",
			amd64(app+0x20, nil), at(app+0x210, app+0x20), nil,
			"context 400020, scan 400210, scan 400020, no_caller", "context 400020, scan 400210, stack_bottom",
		},
		"also when it is there": {
			minidump.CPUAMD64, minidump.Linux, "FUNC 200 40 0 _start\n",
			amd64(app+0x210, nil), at(app + 0x220), nil,
			"context 400210, scan 400220, no_caller", "context 400210, stack_bottom",
		},
		"a name far away is not believed": {
			minidump.CPUAMD64, minidump.Linux, symbol + "PUBLIC 200 0 clone\n",
			amd64(app+0x20, nil), at(app+0x301, app+0x20), nil,
			"context 400020, scan 400301, scan 400020, no_caller", "context 400020, scan 400301, scan 400020, no_caller",
		},
		"what calls __libc_start_main is the entry point": {
			minidump.CPUAMD64, minidump.Linux, symbol + "FUNC 200 40 0 __libc_start_main\n",
			amd64(app+0x20, nil), at(app+0x210, lib+0x10, lib+0x20), nil,
			"context 400020, scan 400210, scan 500010, scan 500020, no_caller", "context 400020, scan 400210, scan 500010, stack_bottom",
		},
		"a name a little away is not believed either": {
			minidump.CPUAMD64, minidump.Linux, symbol + "PUBLIC 200 0 _start\n",
			amd64(app+0x281, nil), at(app + 0x20), nil,
			"context 400281, scan 400020, no_caller", "context 400281, scan 400020, no_caller",
		},
		"the entry point is the last of the program's code": {
			minidump.CPUAMD64, minidump.Linux, "FUNC 0 100 0 main\nFUNC 180 40 0 entry\nFUNC 200 40 0 __libc_start_main\n",
			amd64(app+0x20, nil), at(app+0x210, app, app+0x20, lib+0x20, app+0x190, 1, 0, 3, app+0x40, 9, app+0x181), nil,
			"context 400020, scan 400210, scan 400020, scan 500020, scan 400190, scan 400040, scan 400181, no_caller",
			"context 400020, scan 400210, scan 400190, stack_bottom",
		},
		"on 32-bit x86 main lies above the return to it": {
			minidump.CPUX86, minidump.Linux, "FUNC 0 100 0 main\nFUNC 180 40 0 entry\nFUNC 200 40 0 __libc_start_main\n",
			minidumptest.Regs{"eip": app + 0x20, "esp": stack},
			at(app+0x210, lib+0x20, app+0x190, app+0x20, 1), nil,
			"context 400020, scan 400210, scan 500020, scan 400190, scan 400020, no_caller", "context 400020, scan 400210, scan 400190, stack_bottom",
		},
		"not when something lies between": {
			minidump.CPUX86, minidump.Linux, "FUNC 0 100 0 main\nFUNC 180 40 0 entry\nFUNC 200 40 0 __libc_start_main\n",
			minidumptest.Regs{"eip": app + 0x20, "esp": stack},
			at(app+0x210, app+0x190, 5, app+0x20, 1), nil,
			"context 400020, scan 400210, scan 400190, scan 400020, no_caller", "context 400020, scan 400210, scan 400020, stack_bottom",
		},
		"the entry point lies in forty words": {
			minidump.CPUAMD64, minidump.Linux, symbol + "FUNC 180 40 0 entry\nFUNC 200 40 0 __libc_start_main\n",
			amd64(app+0x20, nil), at(append(append([]uint64{app + 0x210, lib + 0x20}, make([]uint64, 38)...), app+0x190, app+0x1a0)...), nil,
			"context 400020, scan 400210, scan 500020, scan 400190, scan 4001a0, no_caller", "context 400020, scan 400210, scan 400190, stack_bottom",
		},
		"or there is none of the program's": {
			minidump.CPUAMD64, minidump.Linux, symbol + "FUNC 200 40 0 __libc_start_main\n",
			amd64(app+0x20, nil), at(app+0x210, lib+0x30, lib+0x20), nil,
			"context 400020, scan 400210, scan 500030, scan 500020, no_caller", "context 400020, scan 400210, scan 500030, stack_bottom",
		},
		"the end of the chain is not the callee's when a return address lies before": {
			minidump.CPUAMD64, minidump.MacOS, "", amd64(app+0x20, minidumptest.Regs{"rbp": stack + 0x18}), at(1, lib+0x10, 2, 0, 0, app+0x40), nil,
			"context 400020, scan 500010, scan 400040, no_caller", "context 400020, scan 500010, stack_bottom",
		},
		"addresses of iOS have 39 bits": {
			minidump.CPUARM64, minidump.IOS, "",
			minidumptest.Regs{"pc": app, "sp": stack, "fp": stack},
			at(stack+0x10, 0x6300_0000_0000|lib+0x10, 0, lib+0x20), nil,
			"context 400000, frame_pointer 630000500010, frame_pointer 500020, no_caller", "context 400000, frame_pointer 500010, frame_pointer 500020, stack_bottom",
		},
		"those of macOS 47": {
			minidump.CPUARM64, minidump.MacOS, "",
			minidumptest.Regs{"pc": app, "sp": stack, "fp": stack},
			at(stack+0x10, 0x0012_6300_0000_0000|lib+0x10, 0, lib+0x20), nil,
			"context 400000, frame_pointer 630000500010, frame_pointer 500020, no_caller", "context 400000, frame_pointer 630000500010, frame_pointer 500020, stack_bottom",
		},
		"those of Android as many as its stacks need": {
			minidump.CPUARM64, minidump.Android, "",
			minidumptest.Regs{"pc": app, "sp": stack, "fp": stack},
			at(stack+0x10, 0x6300_0000_0000|lib+0x10, 0, lib+0x20), nil,
			"context 400000, frame_pointer 630000500010, frame_pointer 500020, no_caller", "context 400000, frame_pointer 500010, frame_pointer 500020, stack_bottom",
		},
		"and 48 when one lies there": {
			minidump.CPUARM64, minidump.Android, "",
			minidumptest.Regs{"pc": app, "sp": stack, "fp": stack},
			at(stack+0x10, 0x0012_6300_0000_0000|lib+0x10, 0, lib+0x20),
			func(b *minidumptest.Builder) {
				b.Thread(2, minidumptest.Regs{"pc": app}, minidumptest.StackAt(0xffff_0000_0000).Words(1))
			},
			"context 400000, frame_pointer 630000500010, frame_pointer 500020, no_caller", "context 400000, frame_pointer 630000500010, frame_pointer 500020, stack_bottom",
		},
		"the chain of frame pointers ends at null on macOS": {
			minidump.CPUAMD64, minidump.MacOS, "", amd64(app+0x20, minidumptest.Regs{"rbp": stack}), at(0, 0, lib+0x10), nil,
			"context 400020, scan 500010, no_caller", "context 400020, stack_bottom",
		},
		"and on arm64": {
			minidump.CPUARM64, minidump.Linux, "",
			minidumptest.Regs{"pc": app, "sp": stack, "fp": stack},
			at(0, lib+0x10, lib+0x20), nil,
			"context 400000, frame_pointer 500010, scan 500020, no_caller", "context 400000, frame_pointer 500010, stack_bottom",
		},
		"a leaf's caller is in the link register": {
			minidump.CPUARM64, minidump.Linux, symbol + "FUNC 200 40 0 g\n",
			minidumptest.Regs{"pc": app + 0x20, "sp": stack, "fp": stack, "lr": signed | app + 0x210},
			at(0, lib+0x20), nil,
			"context 400020, frame_pointer 500020, no_caller", "context 400020, frame_pointer 400210, frame_pointer 500020, stack_bottom",
		},
		"not when the function may have called another": {
			minidump.CPUARM64, minidump.Linux, symbol + "FUNC 200 40 0 f.cold\n",
			minidumptest.Regs{"pc": app + 0x20, "sp": stack, "fp": stack, "lr": app + 0x210},
			at(0, lib+0x20), nil,
			"context 400020, frame_pointer 500020, no_caller", "context 400020, frame_pointer 500020, stack_bottom",
		},
		"nor without symbols that tell": {
			minidump.CPUARM64, minidump.Linux, "",
			minidumptest.Regs{"pc": app + 0x20, "sp": stack, "fp": stack, "lr": app + 0x210},
			at(0, lib+0x20), nil,
			"context 400020, frame_pointer 500020, no_caller", "context 400020, frame_pointer 500020, stack_bottom",
		},
		"but when it lies in another module": {
			minidump.CPUARM64, minidump.Linux, "",
			minidumptest.Regs{"pc": app + 0x20, "sp": stack, "fp": stack, "lr": lib + 0x10},
			at(0, lib+0x20), nil,
			"context 400020, frame_pointer 500020, no_caller", "context 400020, frame_pointer 500010, frame_pointer 500020, stack_bottom",
		},
		"and when the call went nowhere": {
			minidump.CPUARM64, minidump.Linux, "",
			minidumptest.Regs{"pc": 0x10, "sp": stack, "fp": stack, "lr": app + 0x10},
			at(0, lib+0x20), nil,
			"context 10, frame_pointer 500020, no_caller", "context 10, frame_pointer 400010, frame_pointer 500020, stack_bottom",
		},
		"also of Thumb code": {
			minidump.CPUARM, minidump.Linux, symbol + "FUNC 200 40 0 g\n",
			minidumptest.Regs{"pc": app + 0x20, "sp": stack, "lr": app + 0x211},
			at(1, lib+0x20), nil,
			"context 400020, scan 500020, no_caller", "context 400020, frame_pointer 400210, scan 500020, no_caller",
		},
		"scans on arm64 know signed return addresses": {
			minidump.CPUARM64, minidump.MacOS, "",
			minidumptest.Regs{"pc": app, "sp": stack, "fp": 8},
			at(1, signed|lib+0x10), nil,
			"context 400000, no_caller", "context 400000, scan 500010, no_caller",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := dump(t, c.cpu, c.os, func(b *minidumptest.Builder) {
				b.Thread(1, c.regs, c.stack)
				if c.extra != nil {
					c.extra(b)
				}
			})
			for version, want := range map[int]string{1: c.v1, 2: c.v2} {
				r := stackwalk.Walk(d, symbols(t, "x86_64", c.symbols), stackwalk.Options{Version: version})
				if got := describe(&r.Threads[0]); got != want {
					t.Errorf("version %d:\ngot  %s\nwant %s", version, got, want)
				}
			}
		})
	}
}

func linuxMaps(text string) func(*minidumptest.Builder) {
	return func(b *minidumptest.Builder) { b.LinuxMaps(text) }
}

// code puts size bytes of code before an address and behind it, NOPs but for
// the ones that end at its end.
func code(at uint64, size int, end ...byte) func(*minidumptest.Builder) {
	return func(b *minidumptest.Builder) {
		bytes := make([]byte, size)
		for i := range bytes {
			bytes[i] = 0x90
		}
		copy(bytes[0x30-len(end):], end)
		b.Memory(at-0x20, bytes)
	}
}
