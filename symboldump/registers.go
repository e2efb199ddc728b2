package symboldump

import "aftershock/breakpad"

// maxRegisters bounds the DWARF register numbers that rules are kept for.
const maxRegisters = 33

// registers names an architecture's registers by DWARF number, as STACK CFI
// records do.
type registers struct {
	names []string
	// inRegister tells that a call leaves the return address in a register, so
	// that without a rule it is still there.
	inRegister bool
}

var registersOf = map[breakpad.Arch]registers{
	// System V ABI, Intel386 supplement, table 2.14; rows 8 and 9 hold the
	// instruction pointer and the flags.
	breakpad.X86: {names: []string{"$eax", "$ecx", "$edx", "$ebx", "$esp", "$ebp", "$esi", "$edi", "$eip", "$eflags"}},
	// System V ABI, AMD64 supplement, figure 3.36.
	breakpad.AMD64: {names: []string{
		"$rax", "$rdx", "$rcx", "$rbx", "$rsi", "$rdi", "$rbp", "$rsp",
		"$r8", "$r9", "$r10", "$r11", "$r12", "$r13", "$r14", "$r15", "$rip",
	}},
	// DWARF for the Arm Architecture, 4.1.
	breakpad.ARM: {inRegister: true, names: []string{
		"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "sp", "lr", "pc",
	}},
	// DWARF for the Arm 64-bit Architecture, 4.1.
	breakpad.ARM64: {inRegister: true, names: []string{
		"x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
		"x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "x30", "sp",
	}},
	breakpad.MIPS:   {inRegister: true, names: mipsRegisters},
	breakpad.MIPS64: {inRegister: true, names: mipsRegisters},
	// RISC-V DWARF specification, table 1; 0 is no register that is ever saved.
	breakpad.RISCV64: {inRegister: true, names: []string{
		"", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7",
		"s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
	}},
}

var mipsRegisters = []string{
	"$zero", "$at", "$v0", "$v1", "$a0", "$a1", "$a2", "$a3", "$t0", "$t1", "$t2", "$t3", "$t4", "$t5", "$t6", "$t7",
	"$s0", "$s1", "$s2", "$s3", "$s4", "$s5", "$s6", "$s7", "$t8", "$t9", "$k0", "$k1", "$gp", "$sp", "$fp", "$ra",
}

// name is a register's name; empty for one that rules cannot name.
func (r registers) name(number uint64) string {
	if number < uint64(len(r.names)) {
		return r.names[number]
	}
	return ""
}
