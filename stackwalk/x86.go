package stackwalk

import "aftershock/breakpad"

const (
	eip = breakpad.X86EIP
	esp = breakpad.X86ESP
	ebp = breakpad.X86EBP
)

var x86 = cpu{
	arch: breakpad.X86, pc: eip, sp: esp, inContext: allRegisters,
	calleeSaved:  1<<ebp | 1<<breakpad.X86EBX | 1<<breakpad.X86EDI | 1<<breakpad.X86ESI,
	callBytes:    1,
	framePointer: x86FramePointer,
	scan:         x86Scan,
	addressOK:    x86AddressOK,
}

// x86FramePointer follows ebp, which points at the caller's ebp with the
// return address above it.
func x86FramePointer(w *walker, callee *activation, caller *breakpad.Registers) bool {
	bp, ok := callee.registers.Get(ebp)
	if !ok || bp >= 1<<32-1-8 {
		return false
	}
	callerIP, ipOK := w.mem.Uint32(bp + 4)
	callerBP, bpOK := w.mem.Uint32(bp)
	if !ipOK || !bpOK {
		return false
	}
	caller.Set(eip, uint64(callerIP))
	caller.Set(esp, w.aboveCopy(uint64(callerIP), bp+8, uint64(callerBP)))
	caller.Set(ebp, uint64(callerBP))
	return true
}

// x86Scan takes the first word that looks like a return address. It also
// recovers ebp: the word below may be the caller's, saved; else the callee's
// may already point into the caller's frame.
func x86Scan(w *walker, callee *activation, caller *breakpad.Registers) bool {
	sp, ok := callee.registers.Get(esp)
	if !ok {
		return false
	}
	c, ok := w.scanFrom(callee, sp, scanWords(callee))
	if !ok {
		return false
	}
	callerSP := c.at + 4
	caller.Set(eip, c.word)
	caller.Set(esp, callerSP)
	if c.index == 0 {
		return true
	}
	word, _ := w.mem.Uint32(c.at - 4)
	saved := uint64(word)
	bp, bpOK := callee.registers.Get(ebp)
	if saved > c.at && saved-(c.at-4) <= maxFrameGap {
		if _, ok := w.mem.Uint32(saved); ok {
			caller.Set(ebp, saved)
		}
	} else if bpOK && bp >= callerSP {
		if _, ok := w.mem.Uint32(bp); ok {
			caller.Set(ebp, bp)
		}
	}
	return true
}

func x86AddressOK(addr uint64) bool { return addr != 0 }
