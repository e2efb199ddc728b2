package stackwalk

import (
	"aftershock/breakpad"
	"aftershock/minidump"
)

// Register indices, as breakpad.ARM numbers them.
const (
	armFP breakpad.Register = 11
	armSP breakpad.Register = 13
	armLR breakpad.Register = 14
	armPC breakpad.Register = 15
)

var arm = cpu{
	arch: breakpad.ARM, pc: armPC, sp: armSP, link: armLR, inContext: allRegisters,
	// Procedure call standard: r4 to r11.
	calleeSaved: 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<armFP,
	// Parity: the reference knows the register by another name there.
	notForwarded: 1 << armFP,
	callBytes:    2, // the shortest Thumb call; its bit is not cleared
	framePointer: armFramePointer,
	scan:         armScan,
	addressOK:    armAddressOK,
	spMayStay:    leafMayKeepSP,
}

// armFramePointer follows r11, which points at the caller's r11 with the return
// address above it. Only iOS keeps such a chain, and a null pointer ends it.
// Parity: Apple's chain is that of r7.
func armFramePointer(w *walker, callee *activation, caller *breakpad.Registers) bool {
	fp, fpOK := callee.registers.Get(armFP)
	sp, spOK := callee.registers.Get(armSP)
	if w.os != minidump.IOS || !fpOK || !spOK {
		return false
	}
	if fp == 0 {
		caller.Set(armPC, 0)
		caller.Set(armSP, sp)
		return true
	}
	callerFP, fpOK := w.mem.Uint32(fp)
	callerPC, pcOK := w.mem.Uint32(fp + 4)
	if !fpOK || !pcOK {
		return false
	}
	caller.Set(armPC, uint64(callerPC))
	caller.Set(armSP, fp+8)
	caller.Set(armFP, uint64(callerFP))
	return true
}

func armScan(w *walker, callee *activation, caller *breakpad.Registers) bool {
	sp, ok := callee.registers.Get(armSP)
	return ok && w.scanFor(callee, caller, sp, scanWords(callee))
}

func armAddressOK(addr uint64) bool { return addr != 0 }

// leafMayKeepSP: a leaf function need not touch the stack, and only the thread's
// first frame can be one.
func leafMayKeepSP(callee, _ *activation) bool { return callee.Trust == TrustContext }
