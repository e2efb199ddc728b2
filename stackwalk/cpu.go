package stackwalk

import (
	"aftershock/breakpad"
	"aftershock/minidump"
)

// cpu is what the shared loop needs to know of an architecture. Each has a
// file of its own with its functions in the order of these fields.
type cpu struct {
	arch   breakpad.Arch // ArchUnknown if only the first frame can be told
	pc, sp breakpad.Register
	// link is where calls put the return address; 0 if that is the stack, or is
	// not looked at.
	link breakpad.Register
	// inContext is the set of registers that a context frame has.
	inContext uint64
	// calleeSaved is the set of registers that a call preserves.
	calleeSaved uint64
	// notForwarded are those of them that unwinding by CFI forgets after a frame
	// that was found by frame pointer.
	notForwarded uint64
	// callBytes is how far before a return address the call surely is.
	callBytes uint64
	// framePointer finds the caller by the frame pointer; it sets only
	// registers that it knows.
	framePointer func(w *walker, callee *activation, caller *breakpad.Registers) bool
	// scan finds the caller by looking for a return address on the stack.
	scan func(w *walker, callee *activation, caller *breakpad.Registers) bool
	// addressOK tells whether an address can be an instruction's, by its bits.
	addressOK func(addr uint64) bool
	// spMayStay tells whether a caller may have the callee's stack pointer, as
	// the caller of a leaf function can where calls push nothing; nil for never.
	spMayStay func(callee, caller *activation) bool
	// strip removes what is no part of addresses from registers that CFI found;
	// nil where there is no such thing.
	strip func(w *walker, caller *breakpad.Registers)
}

// cpuFor answers nil for a CPU that is not walked.
func cpuFor(c minidump.CPU) *cpu {
	switch c {
	case minidump.CPUX86:
		return &x86
	case minidump.CPUAMD64:
		return &amd64
	case minidump.CPUARM:
		return &arm
	case minidump.CPUARM64:
		return &arm64
	case minidump.CPUMIPS:
		return &mips
	case minidump.CPURISCV64:
		return &riscv64
	case minidump.CPUPPC, minidump.CPUPPC64:
		return &ppc
	case minidump.CPUSPARC:
		return &sparc
	default:
		return nil
	}
}

// Distances that the heuristics of all architectures share.
const (
	// A scan looks at scanWordsFar words when the callee is surely right, for
	// its frame may be large, else at scanWordsNear, for the more it looks at
	// the likelier it finds a stale address.
	scanWordsFar  = 160
	scanWordsNear = 40
	// lowestInstruction: nothing runs in the first page, which systems keep
	// unmapped to catch null pointers.
	lowestInstruction = 4096
	// maxFrameGap is the farthest that a saved frame pointer of the caller may
	// point above where it was saved.
	maxFrameGap = 128 << 10
)

// allRegisters is a set that has every register.
const allRegisters = 1<<breakpad.MaxRegisters - 1

// Of these CPUs only the first frame, the context's, can be told.
var (
	ppc   = cpu{pc: 0, sp: 3, inContext: allRegisters}   // srr0, r1
	sparc = cpu{pc: 33, sp: 14, inContext: allRegisters} // pc, g_r14
)

func scanWords(callee *activation) int {
	if callee.Trust == TrustContext || callee.Trust == TrustCFI {
		return scanWordsFar
	}
	return scanWordsNear
}
