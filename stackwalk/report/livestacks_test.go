package report_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
)

// frameRegisters are the names that contexts and rules use.
type frameRegisters struct{ pc, sp, fp, rulePrefix, lr, saved string }

var frameRegistersOf = map[minidump.CPU]frameRegisters{
	minidump.CPUARM:   {"pc", "sp", "fp", "", "lr", "r4"},
	minidump.CPUARM64: {"pc", "sp", "fp", "", "lr", "x19"},
	minidump.CPUMIPS:  {"pc", "sp", "fp", "$", "ra", "s0"},
	minidump.CPUAMD64: {"rip", "rsp", "rbp", "$", "rbx", "r12"},
	minidump.CPUX86:   {"eip", "esp", "ebp", "$", "ebx", "edi"},
}

// randomStacks is a dump of some CPU with stacks of whatever a walk may meet: a
// module with CFI, one without symbols and one with only PUBLIC records.
func randomStacks(r *rand.Rand) (dump []byte, symbols map[int]string) {
	type process struct {
		cpu minidump.CPU
		os  minidump.OS
		old bool
	}
	p := pick(r, process{minidump.CPUARM, minidump.Linux, false}, process{minidump.CPUARM, minidump.IOS, false},
		process{minidump.CPUARM64, minidump.Linux, false}, process{minidump.CPUARM64, minidump.MacOS, false},
		process{minidump.CPUARM64, minidump.IOS, true}, process{minidump.CPUMIPS, minidump.Linux, false},
		process{minidump.CPUAMD64, minidump.Linux, false}, process{minidump.CPUAMD64, minidump.Windows, false},
		process{minidump.CPUX86, minidump.Linux, false})
	bases, stack := []uint64{0x400000, 0x500000, 0x600000}, uint64(0x10000)
	if p.cpu.WordBytes() == 8 && r.IntN(2) == 0 {
		bases, stack = []uint64{0x7f0000400000, 0x7f0000500000, 0x5500600000}, 0x7fff00010000
		if r.IntN(4) == 0 {
			bases[1] = 0xf00000500000
		}
	}
	b := minidumptest.New(p.cpu, p.os)
	if p.old {
		b.OldARM64()
	}
	symbols = map[int]string{0: randomCFI(r, p.cpu), 2: "PUBLIC 0 0 a\nPUBLIC 400 0 b\nPUBLIC 800 0 c\n"}
	if r.IntN(8) == 0 {
		b.BigEndian()
		symbols = nil // the builder's CodeView records are little-endian
	}
	for i, base := range bases {
		id, name := [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, byte(i)}, fmt.Sprintf("/lib/m%d", i)
		m := minidumptest.Module{Base: base, Size: 0x1000, CodeFile: name}
		if symbols != nil {
			m.CodeView = minidumptest.PDB70(id, 0, name)
		}
		b.Module(m)
	}
	for id := range uint32(3) {
		regs, memory := randomThread(r, p.cpu, bases, stack+uint64(id)*0x10000)
		b.Thread(id+1, regs, memory)
	}
	return b.Exception(1, 11, 1, 0x10).Bytes(), symbols
}

func randomThread(r *rand.Rand, cpu minidump.CPU, bases []uint64, stack uint64) (minidumptest.Regs, minidumptest.Stack) {
	words, bytes := 20+r.IntN(400), cpu.WordBytes()
	word := func(i int) uint64 {
		code := bases[r.IntN(3)] + uint64(r.IntN(0x1000))
		switch r.IntN(14) {
		case 0, 1, 2, 3, 4:
			return code
		case 5, 6, 7:
			return stack + uint64(bytes*(i+r.IntN(words-i+2)))
		case 8:
			return stack + uint64(r.IntN(words*bytes))
		case 9:
			if bytes == 8 {
				return code | uint64(r.IntN(256))<<56 | 1<<52
			}
			return code
		case 10:
			return uint64(r.IntN(0x2000))
		default:
			return 0
		}
	}
	regs := minidumptest.Regs{}
	for _, name := range cpu.RegisterNames() {
		regs[name] = word(0)
	}
	names := frameRegistersOf[cpu]
	regs[names.pc] = bases[r.IntN(3)] + uint64(r.IntN(0x1000))
	regs[names.sp] = stack + uint64(bytes*r.IntN(5))
	regs[names.fp] = regs[names.sp] + uint64(bytes*r.IntN(12))
	if r.IntN(10) == 0 {
		regs[names.fp] = 0
	}
	memory := minidumptest.StackAt(stack)
	sparse := r.IntN(3) == 0
	for i := range words {
		if v := word(i); !sparse || r.IntN(3) == 0 {
			memory = memory.Words(v)
		} else {
			memory = memory.Words(0)
		}
	}
	return regs, memory
}

// randomCFI is functions with rules of the usual forms.
func randomCFI(r *rand.Rand, cpu minidump.CPU) string {
	var b strings.Builder
	n, w := frameRegistersOf[cpu], cpu.WordBytes()
	sp, fp, lr, saved := n.rulePrefix+n.sp, n.rulePrefix+n.fp, n.rulePrefix+n.lr, n.rulePrefix+n.saved
	if cpu == minidump.CPUARM64 && r.IntN(2) == 0 {
		fp, lr = "x29", "x30"
	}
	for a := 0; a < 0x1000; a += 0x80 {
		if r.IntN(6) > 0 {
			fmt.Fprintf(&b, "FUNC %x 70 0 f%x\n", a, a)
		}
	}
	for a := 0; a < 0x1000; a += 0x80 {
		k := r.IntN(4)
		init := fmt.Sprintf("STACK CFI INIT %x 80 .cfa: ", a)
		switch r.IntN(8) {
		case 0:
			fmt.Fprintf(&b, "%s%s 0 + .ra: %s\n", init, sp, lr)
		case 1:
			fmt.Fprintf(&b, "%s%s .ra: %s\n", init, sp, lr)
			fmt.Fprintf(&b, "STACK CFI %x .cfa: %s %d + .ra: .cfa %d - ^ %s: .cfa %d - ^\n", a+0x10, sp, 2*w*(k+1), w, fp, 2*w)
		case 2:
			fmt.Fprintf(&b, "%s%s %d + .ra: .cfa %d - ^ %s: .cfa %d - ^\n", init, fp, 2*w, w, fp, 2*w)
		case 3:
			fmt.Fprintf(&b, "%s%s %d + .ra: .cfa %d - ^ %s: .cfa %d - ^ %s: %s\n", init, sp, w*(k+2), w, saved, 2*w, lr, lr)
		case 4:
			fmt.Fprintf(&b, "%s%s %d + .ra: .cfa %d - ^\n", init, sp, w*(k+1), w)
		}
	}
	return b.String()
}
