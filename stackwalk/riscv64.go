package stackwalk

import "aftershock/breakpad"

// Register indices, as breakpad.RISCV64 numbers them.
const (
	riscv64PC breakpad.Register = 0
	riscv64SP breakpad.Register = 2
	riscv64FP breakpad.Register = 8 // s0
)

// The reference does not walk this CPU.
var riscv64 = cpu{
	arch: breakpad.RISCV64, pc: riscv64PC, sp: riscv64SP, inContext: allRegisters,
	// s0, s1, s2 to s11.
	calleeSaved:  0b11<<riscv64FP | 0x3ff<<18,
	callBytes:    2, // c.jalr
	framePointer: riscv64FramePointer,
	scan:         riscv64Scan,
	addressOK:    riscv64AddressOK,
	spMayStay:    leafMayKeepSP,
}

// riscv64FramePointer follows s0, which points behind the return address and,
// below it, the caller's s0 (RISC-V ELF psABI, "Frame Pointer Convention").
func riscv64FramePointer(w *walker, callee *activation, caller *breakpad.Registers) bool {
	fp, fpOK := callee.registers.Get(riscv64FP)
	sp, spOK := callee.registers.Get(riscv64SP)
	if !fpOK || !spOK || fp <= sp {
		return false
	}
	callerPC, pcOK := w.mem.Uint64(fp - 8)
	callerFP, fpOK := w.mem.Uint64(fp - 16)
	if !pcOK || !fpOK {
		return false
	}
	caller.Set(riscv64PC, callerPC)
	caller.Set(riscv64SP, fp)
	caller.Set(riscv64FP, callerFP)
	return true
}

func riscv64Scan(w *walker, callee *activation, caller *breakpad.Registers) bool {
	sp, ok := callee.registers.Get(riscv64SP)
	return ok && w.scanFor(callee, caller, sp, scanWords(callee))
}

func riscv64AddressOK(addr uint64) bool { return addr >= lowestInstruction }
