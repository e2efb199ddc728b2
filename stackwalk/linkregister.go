package stackwalk

import (
	"bytes"

	"aftershock/breakpad"
)

// byLinkRegister finds the caller of a thread's first frame in the link register,
// where calls put the return address: that of a function without a frame of its
// own, or before it makes its frame, or of a call to where no code is.
//
// A function that has called another one has the address behind that call in
// the register, which is one of its own. So it is no caller's if it may be that.
func (w *walker) byLinkRegister(callee *activation, caller *breakpad.Registers) bool {
	if !w.improved || w.cpu.link == 0 || callee.Trust != TrustContext {
		return false
	}
	lr, ok := callee.registers.Get(w.cpu.link)
	if !ok {
		return false
	}
	lr &= w.addressMask
	if w.cpu == &arm {
		lr &^= 1 // of Thumb code
	}
	if w.returnAddress(lr) != looksRight || w.ownAddress(callee, lr-w.cpu.callBytes) {
		return false
	}
	*caller = callee.registers
	caller.Valid &= w.cpu.calleeSaved
	caller.Set(w.cpu.pc, lr)
	caller.Set(w.cpu.sp, callee.registers.Values[w.cpu.sp])
	return true
}

// ownAddress tells whether an address may lie in the callee's function. It surely
// does not when it lies in another module, or symbols name another function.
func (w *walker) ownAddress(callee *activation, addr uint64) bool {
	module, ok := w.moduleAt(addr)
	switch {
	case !ok || callee.Module < 0 || callee.Module != module:
		return !ok && callee.Module < 0
	case !callee.HasFunction:
		return true
	}
	start := len(w.locations.List)
	symbols := w.symbolsOf(module)
	symbols.AppendLocations(&w.locations, addr-w.dump.Modules[module].Base)
	found := w.locations.List[start:]
	w.locations.List = w.locations.List[:start]
	if len(found) == 0 {
		return true
	}
	other := &found[len(found)-1]
	// Compilers put parts of a function elsewhere: "f" and "f.cold".
	return w.dump.Modules[module].Base+other.FunctionRVA == callee.FunctionBase ||
		bytes.HasPrefix(other.Function, callee.Function) || bytes.HasPrefix(callee.Function, other.Function)
}
