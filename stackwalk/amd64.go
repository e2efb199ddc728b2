package stackwalk

import (
	"aftershock/breakpad"
	"aftershock/minidump"
)

// Register indices, as breakpad.AMD64 numbers them.
const (
	rbx breakpad.Register = 3
	rbp breakpad.Register = 6
	rsp breakpad.Register = 7
	r12 breakpad.Register = 12
	r13 breakpad.Register = 13
	r14 breakpad.Register = 14
	r15 breakpad.Register = 15
	rip breakpad.Register = 16
)

var amd64 = cpu{
	arch: breakpad.AMD64, pc: rip, sp: rsp, inContext: allRegisters,
	// System V ABI: rbx, rbp, r12 to r15. Parity: Windows preserves rdi and rsi
	// as well, the reference does not.
	calleeSaved:  1<<rbx | 1<<rbp | 1<<r12 | 1<<r13 | 1<<r14 | 1<<r15,
	callBytes:    1,
	framePointer: amd64FramePointer,
	scan:         amd64Scan,
	addressOK:    amd64AddressOK,
}

// amd64FramePointer follows rbp, which points at the caller's rbp with the
// return address above it.
//
// Windows code may set rbp up to 240 bytes below that place, in steps of 16
// (x64 unwind information, UNWIND_INFO.FrameOffset), so there sixteen places
// are tried.
func amd64FramePointer(w *walker, callee *activation, caller *breakpad.Registers) bool {
	bp, bpOK := callee.registers.Get(rbp)
	sp, spOK := callee.registers.Get(rsp)
	if !bpOK || !spOK || bp >= ^uint64(0)-16 {
		return false
	}
	places := uint64(1)
	if w.os == minidump.Windows {
		places = 16
	}
	for k := range places {
		at := bp + 16*k
		callerIP, ipOK := w.mem.Uint64(at + 8)
		callerBP, bpOK := w.mem.Uint64(at)
		if !ipOK || !bpOK {
			return false
		}
		if w.improved && k == 0 && callerBP == 0 && w.os.Apple() && w.keepsChain(callee, at) {
			return w.lastFramePointer(caller, rip, rsp, at+16)
		}
		callerSP := at + 16
		if callerSP <= bp || callerBP < callerSP {
			continue // the caller's frame lies above
		}
		if _, ok := w.mem.Uint64(callerBP); !ok {
			return false
		}
		if !amd64Canonical(callerIP) || callerSP <= sp {
			continue
		}
		if _, ok := w.mem.Uint64(callerSP); !ok {
			continue
		}
		caller.Set(rip, callerIP)
		caller.Set(rsp, w.aboveCopy(callerIP, callerSP, callerBP))
		caller.Set(rbp, callerBP)
		return true
	}
	return false
}

// amd64Scan takes the first word that looks like a return address. It also
// recovers rbp: either the callee pushed it right below the return address and
// rbp still points there, or rbp already points into the caller's frame.
func amd64Scan(w *walker, callee *activation, caller *breakpad.Registers) bool {
	sp, ok := callee.registers.Get(rsp)
	if !ok {
		return false
	}
	c, ok := w.scanFrom(callee, sp, scanWords(callee))
	if !ok {
		return false
	}
	callerSP := c.at + 8
	caller.Set(rip, c.word)
	caller.Set(rsp, callerSP)
	bp, ok := callee.registers.Get(rbp)
	if !ok || c.index == 0 {
		return true
	}
	saved, _ := w.mem.Uint64(c.at - 8)
	switch {
	case bp == c.at-8 && saved > c.at && saved-(c.at-8) <= maxFrameGap:
		if _, ok := w.mem.Uint64(saved); ok {
			caller.Set(rbp, saved)
		}
	case bp >= callerSP:
		caller.Set(rbp, bp)
	}
	return true
}

func amd64AddressOK(addr uint64) bool { return addr != 0 && amd64Canonical(addr) }

// amd64Canonical tells whether bits 47 to 63 are equal, as every address has it
// with four-level page tables.
func amd64Canonical(addr uint64) bool {
	return addr <= 0x7fff_ffff_ffff || addr >= 0xffff_8000_0000_0000
}
