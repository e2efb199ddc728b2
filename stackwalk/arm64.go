package stackwalk

import (
	"math/bits"

	"aftershock/breakpad"
	"aftershock/minidump"
)

// Register indices, as breakpad.ARM64 numbers them.
const (
	arm64X19 breakpad.Register = 19
	arm64FP  breakpad.Register = 29
	arm64LR  breakpad.Register = 30
	arm64SP  breakpad.Register = 31
	arm64PC  breakpad.Register = 32
)

var arm64 = cpu{
	arch: breakpad.ARM64, pc: arm64PC, sp: arm64SP, link: arm64LR, inContext: allRegisters,
	// Procedure call standard: x19 to x28 and the frame pointer.
	calleeSaved: (1<<11 - 1) << arm64X19,
	// Parity: the reference knows the register by another name there.
	notForwarded: 1 << arm64FP,
	callBytes:    4,
	framePointer: arm64FramePointer,
	scan:         arm64Scan,
	addressOK:    arm64AddressOK,
	spMayStay:    arm64SPMayStay,
	strip:        arm64Strip,
}

// arm64FramePointer follows x29, which points at a frame record: the caller's
// x29 and the return address. What is in the next record is the lr that the
// caller had on entry.
//
// The last record's x29 is null (AAPCS64 6.2.3). Parity: the reference then goes
// on to scan.
func arm64FramePointer(w *walker, callee *activation, caller *breakpad.Registers) bool {
	fp, fpOK := callee.registers.Get(arm64FP)
	sp, spOK := callee.registers.Get(arm64SP)
	if !fpOK || !spOK || fp >= ^uint64(0)-16 {
		return false
	}
	if fp == 0 {
		return w.improved && callee.Trust != TrustContext && w.lastFramePointer(caller, arm64PC, arm64SP, sp)
	}
	callerFP, fpOK := w.mem.Uint64(fp)
	callerPC, pcOK := w.mem.Uint64(fp + 8)
	if !fpOK || !pcOK {
		return false
	}
	callerFP &= w.addressMask
	callerPC &= w.addressMask
	if !arm64AddressOK(callerPC) {
		return false
	}
	caller.Set(arm64PC, callerPC)
	caller.Set(arm64SP, fp+16)
	caller.Set(arm64FP, callerFP)
	if callerFP != 0 && callerFP < ^uint64(0)-8 {
		if lr, ok := w.mem.Uint64(callerFP + 8); ok {
			caller.Set(arm64LR, lr&w.addressMask)
		}
	}
	return true
}

// arm64Scan takes the first word that looks like a return address. Parity: to
// version 1 a signed one does not.
func arm64Scan(w *walker, callee *activation, caller *breakpad.Registers) bool {
	sp, ok := callee.registers.Get(arm64SP)
	return ok && w.scanFor(callee, caller, sp, scanWords(callee))
}

// arm64AddressOK: addresses have at most 52 bits, and nothing runs in the first
// page.
func arm64AddressOK(addr uint64) bool { return addr >= lowestInstruction && addr < 1<<52 }

// arm64SPMayStay: functions without a frame of their own keep the stack pointer.
// CFI tells when that is so; without it only the first frame may be one.
func arm64SPMayStay(callee, caller *activation) bool {
	return caller.registers.Values[arm64PC] != callee.registers.Values[arm64PC] &&
		(callee.Trust == TrustContext || caller.Trust == TrustCFI)
}

// arm64Strip removes pointer authentication codes, which stand in the bits of a
// pointer that its address does not need.
func arm64Strip(w *walker, caller *breakpad.Registers) {
	for _, r := range [...]breakpad.Register{arm64PC, arm64LR, arm64FP} {
		if v, ok := caller.Get(r); ok {
			caller.Set(r, v&w.addressMask)
		}
	}
}

// arm64AddressMask is the bits that addresses of the process need: what the
// system's addresses have, or as many as its highest module needs.
func arm64AddressMask(d *minidump.Dump, improved bool) uint64 {
	highest := uint64(1<<macAddressBits - 1)
	if improved {
		highest = arm64HighestAddress(d)
	}
	if i, ok := d.HighestModule(); ok {
		highest = max(highest, d.Modules[i].End())
	}
	// The next power of two from highest on, less one; all bits if there is none.
	return ^uint64(0) >> bits.LeadingZeros64(highest-1)
}

// Address bits of arm64's systems; above them stand authentication codes. Linux
// is built for 39, 48 or 52, and Android mostly for 39. Parity: the reference takes
// macOS's for all.
const (
	macAddressBits = 47
	iosAddressBits = 39
)

var linuxAddressBits = [...]int{39, 48, 52}

// arm64HighestAddress is the highest that a pointer can have. On Linux the stacks
// lie at the top: they tell how the kernel was built.
func arm64HighestAddress(d *minidump.Dump) uint64 {
	switch {
	case d.System != nil && d.System.OS == minidump.IOS:
		return 1<<iosAddressBits - 1
	case d.System == nil || d.System.OS != minidump.Linux && d.System.OS != minidump.Android:
		return 1<<macAddressBits - 1
	}
	highest := uint64(0)
	if i, ok := d.HighestModule(); ok {
		highest = d.Modules[i].End() - 1
	}
	for i := range d.Threads {
		highest = max(highest, d.Threads[i].StackBase)
	}
	for _, n := range linuxAddressBits {
		if highest>>n == 0 {
			return 1<<n - 1
		}
	}
	return 1<<macAddressBits - 1 // no process has such an address
}
