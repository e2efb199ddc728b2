package stackwalk_test

import (
	"fmt"
	"testing"

	"aftershock/breakpad"
	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/stackwalk"
)

// walkCase is a thread of app at 0x120 and the stack that comes out.
type walkCase struct {
	os      minidump.OS
	symbols string
	regs    minidumptest.Regs // beside pc and sp
	stack   minidumptest.Stack
	want    string
}

func words(words ...uint64) minidumptest.Stack { return minidumptest.StackAt(stack).Words(words...) }

func runWalkCases(t *testing.T, cpu minidump.CPU, cases map[string]walkCase) {
	t.Helper()
	arch := map[minidump.CPU]string{minidump.CPUARM: "arm", minidump.CPUARM64: "arm64", minidump.CPUMIPS: "mips", minidump.CPURISCV64: "riscv64"}[cpu]
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			regs := minidumptest.Regs{"pc": app + 0x120, "sp": stack}
			for k, v := range c.regs {
				regs[k] = v
			}
			d := dump(t, cpu, c.os, func(b *minidumptest.Builder) { b.Thread(1, regs, c.stack) })
			r := stackwalk.Walk(d, symbols(t, arch, c.symbols), stackwalk.Options{Version: 1})
			if got := describe(&r.Threads[0]); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestARMWalk(t *testing.T) {
	const (
		f     = "FUNC 0 1000 0 f\n"
		push  = f + "STACK CFI INIT 100 100 .cfa: sp 8 + .ra: .cfa 4 - ^\n"
		leaf  = f + "STACK CFI INIT 100 100 .cfa: sp .ra: lr\n"
		leaf2 = leaf + "STACK CFI INIT 200 100 .cfa: sp .ra: r4\n"
	)
	runWalkCases(t, minidump.CPUARM, map[string]walkCase{
		"cfi":                             {minidump.Linux, push, nil, words(1, lib+0x10, 0), "context 400120, cfi 500010, no_caller"},
		"a leaf's caller keeps the stack": {minidump.Linux, leaf, minidumptest.Regs{"lr": lib + 0x10}, words(0), "context 400120, cfi 500010, no_caller"},
		"only the first frame is a leaf": {
			minidump.Linux, leaf2, minidumptest.Regs{"lr": app + 0x210, "r4": lib + 0x10}, words(0), "context 400120, cfi 400210, stack_pointer_back",
		},
		"frame pointers on iOS": {
			minidump.IOS, "",
			minidumptest.Regs{"fp": stack + 4},
			words(1, stack+12, lib+0x10, 0, 0, lib+0x20),
			"context 400120, frame_pointer 500010, bad_instruction",
		},
		"no frame pointers elsewhere": {
			minidump.Linux, "", minidumptest.Regs{"fp": stack + 4}, words(lib+0x30, stack+12, lib+0x10, 0), "context 400120, scan 500030, scan 500010, no_caller",
		},
		"a null frame pointer ends the walk on iOS": {minidump.IOS, "", nil, words(lib+0x10, 0), "context 400120, bad_instruction"},
		"frame pointer to what cannot be read":      {minidump.IOS, "", minidumptest.Regs{"fp": 0x900000}, words(lib+0x10, 0), "context 400120, scan 500010, no_caller"},
		// Parity: the first rules do not restore fp, so it is lost, and the next
		// frame is scanned for.
		"cfi after a frame pointer forgets fp": {
			minidump.IOS, push,
			minidumptest.Regs{"pc": lib + 0x10, "fp": stack},
			words(stack+0x18, app+0x120, 1, lib+0x20, lib+0x30, 0, 0, lib+0x40, 0), "context 500010, frame_pointer 400120, cfi 500020, scan 500030, scan 500040, no_caller",
		},
		"scan of 160 words":        {minidump.Linux, "", nil, minidumptest.StackAt(stack).Zeros(159).Words(lib+0x10, 0), "context 400120, scan 500010, no_caller"},
		"scan of no more":          {minidump.Linux, "", nil, minidumptest.StackAt(stack).Zeros(160).Words(lib+0x10, 0), "context 400120, no_caller"},
		"scan of 40 after another": {minidump.Linux, "", nil, words(lib+0x20).Zeros(40).Words(lib+0x10, 0).Zeros(40), "context 400120, scan 500020, no_caller"},
	})
}

func TestReturnAddressesAreMovedIntoTheCall(t *testing.T) {
	for cpu, want := range map[minidump.CPU]uint64{minidump.CPUARM: 2, minidump.CPUARM64: 4, minidump.CPUMIPS: 8} {
		d := dump(t, cpu, minidump.Linux, func(b *minidumptest.Builder) {
			b.Thread(1, minidumptest.Regs{"pc": app + 0x120, "sp": stack}, words(lib+0x11, 0))
		})
		frames := stackwalk.Walk(d, nil, stackwalk.Options{Version: 1}).Threads[0].Frames
		if len(frames) != 2 || frames[1].Resume != lib+0x11 || frames[1].Resume-frames[1].Instruction != want || frames[0].Instruction != app+0x120 {
			t.Errorf("%v: %+v", cpu, frames)
		}
	}
}

// What the procedure call standard lets a callee save stays in its caller.
func TestARMForwardsCalleeSavedRegisters(t *testing.T) {
	regs := minidumptest.Regs{"pc": app + 0x120, "sp": stack}
	for n := range 11 {
		regs[fmt.Sprint("r", n)] = uint64(0x100 + n)
	}
	d := dump(t, minidump.CPUARM, minidump.Linux, func(b *minidumptest.Builder) { b.Thread(1, regs, words(1, lib+0x10, 0)) })
	r := stackwalk.Walk(d, symbols(t, "arm", "FUNC 0 1000 0 f\nSTACK CFI INIT 100 100 .cfa: sp 8 + .ra: .cfa 4 - ^\n"), stackwalk.Options{Version: 1})
	caller := r.Threads[0].Frames[1].Registers
	for n := range 11 {
		v, ok := caller.Get(breakpad.Register(n))
		if want := n >= 4; ok != want || ok && v != uint64(0x100+n) {
			t.Errorf("r%d: %#x %v, want %v", n, v, ok, want)
		}
	}
}
