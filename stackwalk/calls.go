package stackwalk

import (
	"aftershock/breakpad"
	"aftershock/internal/callsite"
)

// callBefore tells whether a call lies before a return address; mayBeCode if nobody
// knows the code there.
func (w *walker) callBefore(address uint64) verdict {
	n := uint64(callsite.Bytes(w.cpu.arch))
	if n == 0 {
		return mayBeCode
	}
	var found bool
	if code := w.dump.Memory.Read(address-n, n); code != nil {
		found = callsite.After(w.cpu.arch, code)
	} else {
		module, ok := w.moduleAt(address - 1)
		if !ok || w.codeOf(module) == nil {
			return mayBeCode
		}
		found = w.codeOf(module).Returns(address - w.dump.Modules[module].Base)
	}
	if found {
		return isCode
	}
	return noCode
}

// contradictsCall tells whether the dump holds the code before a return address
// and there is no call in it.
func (w *walker) contradictsCall(address uint64) bool {
	if w.cpu.arch != breakpad.X86 && w.cpu.arch != breakpad.AMD64 {
		return false
	}
	n := uint64(callsite.Bytes(w.cpu.arch))
	code := w.dump.Memory.Read(address-n, n)
	return code != nil && !callsite.After(w.cpu.arch, code)
}
