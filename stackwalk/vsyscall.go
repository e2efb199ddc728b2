package stackwalk

import "aftershock/breakpad"

// vsyscall is the 32-bit kernel's entry for system calls, which waits in a module
// of its own behind pushes of ecx, edx and ebp
// (arch/x86/entry/vdso/vdso32/system_call.S).
const vsyscall = "linux-gate.so.1"

// bySystemCall finds the caller of a thread that waits for the kernel, or that a
// signal interrupted while it did.
func (w *walker) bySystemCall(callee *activation, caller *breakpad.Registers) bool {
	if !w.weighs || w.cpu != &x86 || callee.Trust != TrustContext && !callee.Interrupted || callee.Module < 0 ||
		w.dump.Modules[callee.Module].CodeName() != vsyscall {
		return false
	}
	sp, _ := callee.registers.Get(esp)
	saved, _ := w.mem.Uint32(sp)
	c, ok := w.wordAt(sp, 3)
	if !ok || w.weigh(c, callee.Module) == refused {
		return false
	}
	*caller = callee.registers
	caller.Valid &= w.cpu.calleeSaved
	caller.Set(ebp, uint64(saved))
	caller.Set(eip, c.word)
	caller.Set(esp, c.at+4)
	return true
}
