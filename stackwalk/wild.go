package stackwalk

import "aftershock/breakpad"

// onTop finds the caller of a thread whose instruction is where no code is: a call
// through a bad pointer, or to code that is gone. Nothing ran there, so that the
// return address is on top of the stack, and all registers are the caller's.
func (w *walker) onTop(callee *activation, caller *breakpad.Registers) bool {
	sp, _ := callee.registers.Get(w.cpu.sp)
	c, ok := w.wordAt(sp, 0)
	if !ok || w.misaligned(sp) || w.weigh(c, -1) == refused {
		return false
	}
	w.scanned = scanned{grade: credible}
	*caller = callee.registers
	caller.Valid &= w.cpu.calleeSaved
	caller.Set(w.cpu.pc, c.word)
	caller.Set(w.cpu.sp, sp+uint64(w.cpu.arch.WordBytes()))
	return true
}

// isWild tells whether a thread's instruction is where no code is.
func (w *walker) isWild(callee *activation) bool {
	return w.weighs && w.pushesReturns() && (callee.Trust == TrustContext || callee.Interrupted) && w.codeAt(callee.Resume) == noCode
}
