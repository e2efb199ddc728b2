package minidumptest

import (
	"slices"

	"aftershock/minidump"
)

// layout is how a CPU's context lies in the file.
type layout struct {
	size, flagsAt int
	flags         uint32
	flagBytes     int
	word          int // bytes of a register
	// runs are consecutive registers in the order of the CPU's names; a CPU
	// whose layout has another order has its offsets instead.
	runs    []run
	offsets map[string]int
}

// run is registers that follow each other.
type run struct{ first, n, at int }

func (b *Builder) layout() (layout, bool) {
	switch b.cpu {
	case minidump.CPUAMD64:
		return layout{size: 1232, flagsAt: 48, flags: 0x10000f, flagBytes: 4, word: 8, offsets: amd64Offsets}, true
	case minidump.CPUX86:
		return layout{size: 716, flags: 0x1003f, flagBytes: 4, word: 4, offsets: x86Offsets}, true
	case minidump.CPUARM:
		return layout{size: 368, flags: 0x40000006, flagBytes: 4, word: 4, runs: []run{{0, 16, 4}}}, true
	case minidump.CPUARM64:
		if b.old {
			return layout{size: 796, flags: 0x80000006, flagBytes: 8, word: 8, runs: []run{{0, 33, 8}}}, true
		}
		return layout{size: 912, flags: 0x400007, flagBytes: 4, word: 8, runs: []run{{0, 33, 8}}}, true
	case minidump.CPUMIPS:
		return layout{size: 600, flags: 0x40007, flagBytes: 4, word: 8, runs: []run{{0, 32, 8}, {32, 1, 312}}}, true
	case minidump.CPUMIPS64:
		return layout{size: 600, flags: 0x80007, flagBytes: 4, word: 8, runs: []run{{0, 32, 8}, {32, 1, 312}}}, true
	case minidump.CPUPPC:
		return layout{size: 1004, flags: 0x20000001, flagBytes: 4, word: 4, runs: []run{{0, 40, 4}}}, true
	case minidump.CPUPPC64:
		return layout{size: 1160, flags: 0x1000001, flagBytes: 8, word: 8, runs: []run{{0, 39, 8}}}, true
	case minidump.CPURISCV64:
		return layout{size: 528, flags: 0x8000003, flagBytes: 4, word: 8, runs: []run{{0, 32, 8}}}, true
	case minidump.CPUSPARC:
		return layout{size: 584, flags: 0x10000001, flagBytes: 4, word: 8, runs: []run{{0, 38, 8}}}, true
	default:
		return layout{}, false
	}
}

// at is where the register with this name lies.
func (l *layout) at(cpu minidump.CPU, name string) int {
	if at, ok := l.offsets[name]; ok {
		return at
	}
	i := slices.Index(cpu.RegisterNames(), name)
	for _, r := range l.runs {
		if i >= r.first && i < r.first+r.n {
			return r.at + (i-r.first)*l.word
		}
	}
	panic(unknownRegister(cpu, name))
}

// context encodes registers; nil for a CPU without contexts and for no
// registers at all.
func (b *Builder) context(regs Regs) []byte {
	l, ok := b.layout()
	if regs == nil || !ok {
		return nil
	}
	out := make([]byte, l.size)
	if l.flagBytes == 8 {
		b.order.PutUint64(out[l.flagsAt:], uint64(l.flags))
	} else {
		b.order.PutUint32(out[l.flagsAt:], l.flags)
	}
	for name, v := range regs {
		at := l.at(b.cpu, name)
		if l.word == 8 {
			b.order.PutUint64(out[at:], v)
		} else {
			b.order.PutUint32(out[at:], uint32(v))
		}
	}
	return out
}

// Offsets in CONTEXT of winnt.h.
var (
	amd64Offsets = map[string]int{
		"rax": 120, "rcx": 128, "rdx": 136, "rbx": 144, "rsp": 152, "rbp": 160, "rsi": 168, "rdi": 176, "r8": 184, "r9": 192,
		"r10": 200, "r11": 208, "r12": 216, "r13": 224, "r14": 232, "r15": 240, "rip": 248,
	}
	x86Offsets = map[string]int{
		"edi": 156, "esi": 160, "ebx": 164, "edx": 168, "ecx": 172, "eax": 176, "ebp": 180, "eip": 184, "eflags": 192, "esp": 196,
	}
)
