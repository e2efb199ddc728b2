package stackwalk_test

import (
	"strings"
	"testing"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/stackwalk"
)

// saved is what Linux's kernel leaves of amd64 code that it interrupts: a ucontext
// of 29 words with the registers that matter.
func saved(rip, rsp, rbp uint64) []uint64 {
	out := make([]uint64, 29)
	out[0] = 7                                                // UC_FP_XSTATE and others
	out[3] = 0x7f8b_0000_0000                                 // ss_flags has 4 bytes: what lies behind is nothing
	out[15], out[20], out[21] = rbp, rsp, rip                 //
	out[22], out[23], out[28] = 0x202, 0x2b_0000_0000_0033, 0 // eflags; cs and ss
	return out
}

const (
	trampoline = libCode + 0x50 // aligned as functions are, and behind no call
	handler    = "FUNC 400 100 0 handler\nSTACK CFI INIT 400 100 .cfa: $rsp 16 + .ra: .cfa 8 - ^\n"
)

// signalled is a thread in a handler: its stack, and the frames from there on.
func signalled(save []uint64, above ...uint64) minidumptest.Stack {
	return on(1, trampoline).Words(save...).Words(above...)
}

func TestSignals(t *testing.T) {
	const above = stack + 8*31 // what lies behind the saved registers
	for name, c := range map[string]weighedCase{
		"the code that a signal interrupted": {
			minidump.CPUAMD64, handler, at(appCode+0x21, nil), signalled(saved(libCode+0x77, above+8, 0), 1, 1, 1, libCode+0x45), nil,
			"context 400421, cfi 500450, scan 500477, scan 500445, no_caller", "context 400421, cfi 500450, cfi 500477, scan 500445, no_caller",
		},
		"also found by a scan": {
			minidump.CPUAMD64, "", at(appCode+0x21, nil), signalled(saved(libCode+0x77, above+8, 0), 1, 1, 1, libCode+0x45), nil,
			"context 400421, scan 500450, scan 500477, scan 500445, no_caller", "context 400421, scan 500450, cfi 500477, scan 500445, no_caller",
		},
		"called a null pointer": {
			minidump.CPUAMD64, handler, at(appCode+0x21, nil), signalled(saved(0, above, 0), libCode+0x45, 1), nil,
			"context 400421, cfi 500450, scan 500445, no_caller", "context 400421, cfi 500450, cfi 0, frame_pointer 500445, no_caller",
		},
		"not when it lies below": {
			minidump.CPUAMD64, handler, at(appCode+0x21, nil), signalled(saved(libCode+0x77, stack, 0), 1, 1, 1, libCode+0x45), nil,
			"context 400421, cfi 500450, scan 500477, scan 500445, no_caller", "context 400421, cfi 500450, scan 500477, scan 500445, no_caller",
		},
		"on another stack": {
			minidump.CPUAMD64, handler, at(appCode+0x21, nil), signalled(saved(appCode+0x31, 0x80000, 0)), func(b *minidumptest.Builder) {
				b.Memory(0x80000, bytesOf(1, libCode+0x45, 1, 1))
			},
			"context 400421, cfi 500450, scan 400431, cfi 2b000000000033, no_caller", "context 400421, cfi 500450, cfi 400431, cfi 500445, no_caller",
		},
		"on one that the dump lacks": {
			minidump.CPUAMD64, handler, at(appCode+0x21, nil), signalled(saved(appCode+0x31, 0x80000, 0)), nil,
			"context 400421, cfi 500450, scan 400431, cfi 2b000000000033, no_caller", "context 400421, cfi 500450, cfi 400431, no_caller",
		},
		"no code segment, no signal": {
			minidump.CPUAMD64, handler, at(appCode+0x21, nil), signalled(with(saved(libCode+0x77, above+8, 0), 23, 0x2b_0000_0000_0034), 1, 1, 1, libCode+0x45), nil,
			"context 400421, cfi 500450, scan 500477, scan 500445, no_caller", "context 400421, cfi 500450, scan 500477, scan 500445, no_caller",
		},
		"no flags, no signal": {
			minidump.CPUAMD64, handler, at(appCode+0x21, nil), signalled(with(saved(libCode+0x77, above+8, 0), 22, 0x200), 1, 1, 1, libCode+0x45), nil,
			"context 400421, cfi 500450, scan 500477, scan 500445, no_caller", "context 400421, cfi 500450, scan 500477, scan 500445, no_caller",
		},
		"of 32 bits": {
			minidump.CPUX86, "STACK CFI INIT 400 100 .cfa: $esp 8 + .ra: .cfa 4 - ^\n", at32(appCode+0x21, nil),
			on(1, trampoline, 11, 0x63, 0, 0x2b, 0x2b, 2, 3, 4, stack+26*4, 5, 6, 7, 8, 0, 4, libCode+0x77, 0x23, 0x202, 0, 0x2b, 0, 0, 0, 0, 0, 0, 0, libCode+0x45), nil,
			"context 400421, cfi 500450, scan 500477, scan 500445, no_caller", "context 400421, cfi 500450, cfi 500477, scan 500445, no_caller",
		},
	} {
		t.Run(name, func(t *testing.T) { c.check(t) })
	}
}

// TestSignalsOnARM64: behind siginfo_t and what struct ucontext has before, struct
// sigcontext is 38 words up, and the first extra record behind it.
func TestSignalsOnARM64(t *testing.T) {
	const trampolineARM = lib + 0x450
	frame := make([]uint64, 38+37+1)
	context := frame[38:]
	context[1+29], context[1+30] = 0, libCode+0x88                        // x29, x30
	context[32], context[33] = stack+8*uint64(2+len(frame)), libCode+0x44 // sp, pc
	context[36] = 0x46508001                                              // FPSIMD_MAGIC
	for name, c := range map[string]struct {
		pstate uint64
		want   string
	}{
		"of user mode":      {0x6000_0000, "context 400420, frame_pointer 500450, cfi 500444, "},
		"no other can have": {0x6000_0005, "context 400420, frame_pointer 500450, stack_bottom"},
	} {
		context[34] = c.pstate
		s := on(0, trampolineARM).Words(frame...).Words(1, libCode+0x64, 1)
		d := dump(t, minidump.CPUARM64, minidump.Linux, func(b *minidumptest.Builder) {
			b.Thread(1, minidumptest.Regs{"pc": appCode + 0x20, "sp": stack, "fp": stack}, s)
		})
		if got := describe(&stackwalk.Walk(d, nil, stackwalk.Options{}).Threads[0]); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// with is values with another one.
func with(values []uint64, i int, v uint64) []uint64 {
	values[i] = v
	return values
}

func bytesOf(values ...uint64) []byte {
	var out []byte
	for _, v := range values {
		for i := range 8 {
			out = append(out, byte(v>>(8*i)))
		}
	}
	return out
}

// TestSignalsAreBounded lets as many signals interrupt one another as the walk
// follows, and one more.
func TestSignalsAreBounded(t *testing.T) {
	const limit = 16
	for n, want := range map[int]int{limit: limit, limit + 1: limit} {
		s := on(1)
		for i := range n {
			next := stack + 8*uint64(1+30*(i+1)-1)
			s = s.Words(trampoline).Words(saved(appCode+0x21, next, 0)...)
		}
		d := dump(t, minidump.CPUAMD64, minidump.Linux, func(b *minidumptest.Builder) { b.Thread(1, at(appCode+0x21, nil), s.Words(1, 1)) })
		r := stackwalk.Walk(d, symbols(t, "x86_64", handler), stackwalk.Options{})
		got := 0
		for i := range r.Threads[0].Frames {
			if r.Threads[0].Frames[i].Interrupted {
				got++
			}
		}
		if got != want {
			t.Errorf("%d signals: %d interrupted frames, want %d: %s", n, got, want, describe(&r.Threads[0]))
		}
	}
}

// TestTrampolinesAreNamed: the return address of a handler is where a function
// starts, not behind a call in the one before.
func TestTrampolinesAreNamed(t *testing.T) {
	const named = "FUNC 500 40 0 before\nPUBLIC 550 0 __restore_rt\n" + handler
	d := dump(t, minidump.CPUAMD64, minidump.Linux, func(b *minidumptest.Builder) {
		b.Thread(1, at(appCode+0x21, nil), on(1, app+0x550).Words(saved(appCode+0x31, stack+8*33, 0)...).Words(1, 1, 1, 1, 1))
	})
	f := &stackwalk.Walk(d, symbols(t, "x86_64", named), stackwalk.Options{}).Threads[0].Frames[1]
	if name := string(f.Function); name != "__restore_rt" || f.Instruction != app+0x54f || f.FunctionOffset() != 0 {
		t.Errorf("%q+%d at %x", name, f.FunctionOffset(), f.Instruction)
	}
}

// startupStack is the stack of a program's first thread from its entry point's frame
// on: what the kernel leaves.
func startupStack(entry uint64, arguments, variables int) []uint64 {
	out := []uint64{uint64(arguments)}
	for range arguments {
		out = append(out, stack)
	}
	out = append(out, 0)
	for range variables {
		out = append(out, stack)
	}
	return append(out, 0, 33, 0x700000, 6, 4096, 3, app+0x40, 9, entry, 0, 0, 1, libCode+0x85)
}

func TestStartup(t *testing.T) {
	const entry = appCode + 0x10
	for name, c := range map[string]struct {
		stack []uint64
		want  string
	}{
		"the entry point's frame is the last":    {append([]uint64{1, libCode + 0x45, 1, entry + 0x21, 1, 2}, startupStack(entry, 2, 3)...), "context 400421, scan 500445, scan 400431, stack_bottom"},
		"also of a program without arguments":    {append([]uint64{1, libCode + 0x45, 1, entry + 0x21, 1, 2}, startupStack(entry, 0, 1)...), "context 400421, scan 500445, scan 400431, stack_bottom"},
		"nothing is above":                       {append([]uint64{1, libCode + 0x45, 1, 2, 1, 2}, startupStack(entry, 2, 3)...), "context 400421, scan 500445, no_caller"},
		"the entry point itself returns nowhere": {append([]uint64{1, libCode + 0x45, 1, entry, 1, entry + 0x21}, startupStack(entry, 2, 3)...), "context 400421, scan 500445, scan 400431, stack_bottom"},
		"a wrong count is none":                  {append([]uint64{1, libCode + 0x45, 1, 2, 1, 2}, with(startupStack(entry, 2, 3), 0, 3)...), "context 400421, scan 500445, scan 500485, no_caller"},
	} {
		t.Run(name, func(t *testing.T) {
			d := dump(t, minidump.CPUAMD64, minidump.Linux, func(b *minidumptest.Builder) { b.Thread(1, at(appCode+0x21, nil), on(c.stack...)) })
			if got := describe(&stackwalk.Walk(d, nil, stackwalk.Options{}).Threads[0]); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestStartupOfFirstThreads: another thread than the one with the process's id has no
// such thing on its stack, whatever lies there.
func TestStartupOfFirstThreads(t *testing.T) {
	s := on(append([]uint64{1, libCode + 0x45, 1, 2, 1, 2}, startupStack(appCode+0x10, 2, 3)...)...)
	d := dump(t, minidump.CPUAMD64, minidump.Linux, func(b *minidumptest.Builder) {
		b.Process(1, 0).Thread(1, at(appCode+0x21, nil), on(1)).Thread(2, at(appCode+0x21, nil), s)
	})
	if got := describe(&stackwalk.Walk(d, nil, stackwalk.Options{}).Threads[1]); !strings.Contains(got, "500485") {
		t.Error(got)
	}
}
