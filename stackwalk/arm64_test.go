package stackwalk_test

import (
	"testing"

	"aftershock/breakpad"
	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/stackwalk"
)

// signed is a pointer with an authentication code above its address.
const signed = 0x5a1b << 48

func TestARM64Walk(t *testing.T) {
	const (
		f    = "FUNC 0 1000 0 f\n"
		push = f + "STACK CFI INIT 100 100 .cfa: sp 16 + .ra: .cfa 8 - ^\n"
		leaf = f + "STACK CFI INIT 100 100 .cfa: sp .ra: lr\n"
	)
	runWalkCases(t, minidump.CPUARM64, map[string]walkCase{
		"cfi":                  {minidump.Linux, push, nil, words(1, lib+0x10, 0), "context 400120, cfi 500010, no_caller"},
		"cfi with a signed lr": {minidump.IOS, leaf, minidumptest.Regs{"lr": signed | lib + 0x10}, words(0), "context 400120, cfi 500010, no_caller"},
		"cfi with the same caller": {
			minidump.Linux, leaf, minidumptest.Regs{"lr": app + 0x120}, words(0), "context 400120, stack_pointer_back",
		},
		"cfi of leaves, one after another": {
			minidump.Linux, leaf + "STACK CFI INIT 200 100 .cfa: sp .ra: x19\n",
			minidumptest.Regs{"lr": app + 0x210, "x19": lib + 0x10},
			words(0),
			"context 400120, cfi 400210, cfi 500010, no_caller",
		},
		"frame records": {
			minidump.Linux, "", minidumptest.Regs{"fp": stack + 8}, words(1, stack+0x18, lib+0x10, 0, 0), "context 400120, frame_pointer 500010, no_caller",
		},
		"signed frame records": {
			minidump.MacOS, "",
			minidumptest.Regs{"fp": stack + 8},
			words(1, signed|stack+0x18, signed|lib+0x10, stack+0x28, lib+0x20, 0, 0),
			"context 400120, frame_pointer 500010, frame_pointer 500020, no_caller",
		},
		// Parity: one would stop here.
		"scan behind the last frame record": {
			minidump.Linux, "", minidumptest.Regs{"fp": stack}, words(0, lib+0x10, 1, 2, lib+0x20, 0), "context 400120, frame_pointer 500010, scan 500020, no_caller",
		},
		"frame record to the first page": {
			minidump.Linux, "", minidumptest.Regs{"fp": stack}, words(stack+0x10, 0xfff, lib+0x10, 0), "context 400120, scan 500010, no_caller",
		},
		"frame record that cannot be read": {minidump.Linux, "", minidumptest.Regs{"fp": 0x900000}, words(lib+0x10, 0), "context 400120, scan 500010, no_caller"},
		"scan does not take signed words":  {minidump.MacOS, "", nil, words(signed|lib+0x10, lib+0x20, 0), "context 400120, scan 500020, no_caller"},
		"scan of 160 words":                {minidump.Linux, "", nil, minidumptest.StackAt(stack).Zeros(159).Words(lib+0x10, 0), "context 400120, scan 500010, no_caller"},
		"scan of no more":                  {minidump.Linux, "", nil, minidumptest.StackAt(stack).Zeros(160).Words(lib+0x10, 0), "context 400120, no_caller"},
		// The record's lr is that of the caller's caller, and rules that use it
		// would leave a frame out.
		"lr is unknown inside a function found by frame record": {
			minidump.Linux, leaf,
			minidumptest.Regs{"pc": lib + 0x10, "fp": stack},
			words(stack+0x20, app+0x124, lib+0x30, 0, 0, lib+0x20, 0), "context 500010, frame_pointer 400124, frame_pointer 500020, no_caller",
		},
		"lr is known on entry of a function found by frame record": {
			minidump.Linux, leaf,
			minidumptest.Regs{"pc": lib + 0x10, "fp": stack},
			words(stack+0x20, app+0x104, lib+0x30, 0, 0, lib+0x20, 0), "context 500010, frame_pointer 400104, cfi 500020, scan 500030, scan 500020, no_caller",
		},
		// Parity: the first rules do not restore fp, so it is lost.
		"cfi after a frame record forgets fp": {
			minidump.Linux, push,
			minidumptest.Regs{"pc": lib + 0x10, "fp": stack},
			words(stack+0x30, app+0x124, 1, lib+0x20, lib+0x30, 0, 0, lib+0x40, 0), "context 500010, frame_pointer 400124, cfi 500020, scan 500030, scan 500040, no_caller",
		},
	})
}

func TestPointerAuthenticationBitsAreThoseAboveTheHighestModule(t *testing.T) {
	const high = 1 << 50
	for name, c := range map[string]struct {
		base uint64
		want uint64
	}{
		"no module up there": {app, lib + 0x10},
		"a module":           {high, high | lib + 0x10},
	} {
		d := dump(t, minidump.CPUARM64, minidump.Linux, func(b *minidumptest.Builder) {
			b.Module(minidumptest.Module{Base: c.base, Size: mapped, CodeFile: "high"}).
				Thread(1, minidumptest.Regs{"pc": app, "sp": stack, "fp": stack}, words(0, high|lib+0x10))
		})
		frames := stackwalk.Walk(d, nil, stackwalk.Options{Version: 1}).Threads[0].Frames
		if len(frames) < 2 || frames[1].Resume != c.want {
			t.Errorf("%s: %+v", name, frames)
		}
	}
}

func TestOldARM64ContextsWalkLikeNewOnes(t *testing.T) {
	d := dump(t, minidump.CPUARM64, minidump.IOS, func(b *minidumptest.Builder) {
		b.OldARM64().Thread(1, minidumptest.Regs{"pc": app, "sp": stack, "fp": stack}, words(0, lib+0x10))
	})
	r := stackwalk.Walk(d, nil, stackwalk.Options{Version: 1})
	if got := describe(&r.Threads[0]); got != "context 400000, frame_pointer 500010, no_caller" || r.Arch != breakpad.ARM64 {
		t.Error(got)
	}
}
