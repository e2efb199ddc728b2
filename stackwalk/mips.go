package stackwalk

import "aftershock/breakpad"

// Register indices, as breakpad.MIPS numbers them.
const (
	mipsS0 breakpad.Register = 16
	mipsGP breakpad.Register = 28
	mipsSP breakpad.Register = 29
	mipsFP breakpad.Register = 30
	mipsRA breakpad.Register = 31
	mipsPC breakpad.Register = 32
)

// mipsSaved is s0 to s7, gp, sp and fp.
const mipsSaved = 0xff<<mipsS0 | 1<<mipsGP | 1<<mipsSP | 1<<mipsFP

var mips = cpu{
	arch: breakpad.MIPS, pc: mipsPC, sp: mipsSP,
	// Parity: the reference does not know the others' names.
	inContext:    mipsSaved | 1<<mipsRA | 1<<mipsPC,
	calleeSaved:  mipsSaved,
	callBytes:    8, // the call and the instruction in its delay slot
	framePointer: mipsFramePointer,
	scan:         mipsScan,
	addressOK:    mipsAddressOK,
	spMayStay:    leafMayKeepSP,
}

// mipsFramePointer never finds anything: there is no chain of frame pointers.
func mipsFramePointer(*walker, *activation, *breakpad.Registers) bool { return false }

// Words that a scan looks at. The o32 ABI gives each callee room for its four
// argument registers at the bottom of the caller's frame, where no return
// address can be.
const (
	mipsScanWords     = 256
	mipsArgumentWords = 4
)

func mipsScan(w *walker, callee *activation, caller *breakpad.Registers) bool {
	sp, ok := callee.registers.Get(mipsSP)
	if !ok {
		return false
	}
	if callee.Trust == TrustContext {
		return w.scanFor(callee, caller, sp, mipsScanWords)
	}
	return w.scanFor(callee, caller, sp+4*mipsArgumentWords, mipsScanWords-mipsArgumentWords)
}

func mipsAddressOK(addr uint64) bool { return addr >= lowestInstruction }
