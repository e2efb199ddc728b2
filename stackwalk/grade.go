package stackwalk

import (
	"aftershock/breakpad"
	"aftershock/minidump"
)

// grade tells how much a word on the stack looks like a return address.
type grade uint8

const (
	refused  grade = iota
	doubtful       // as much a pointer to a function, or left over
	credible
	placed // inside a function whose end is known
	proven // behind a call
)

// functionAlignment is what compilers align functions to. A word on the stack that is
// a multiple of it is rather a pointer to a function than a return address, of which
// one in sixteen is.
const functionAlignment = 16

// weigh grades a word on the stack. module is that of the code that may have been
// called from there, -1 for none.
func (w *walker) weigh(c candidate, calleeModule int) grade {
	w.scanWordsLeft--
	if w.scanWordsLeft < 0 || !w.cpu.addressOK(c.word) || c.word <= lowestCode {
		return refused
	}
	call := c.word - 1
	if w.codeAt(call) == noCode {
		return refused
	}
	module, inModule := w.moduleAt(call)
	called := w.callBefore(c.word)
	switch {
	case called == noCode || called != isCode && !inModule && !w.nearOutside(call) && !w.generated(call):
		return refused
	case w.misaligned(c.at):
		return doubtful
	case inModule && module != calleeModule && keptModules[w.dump.Modules[module].CodeName()]:
		return doubtful
	case called == isCode:
		return proven
	case inModule:
		switch w.placeOf(module, c.word) {
		case startOfFunction:
			return doubtful
		case insideFunction:
			return placed
		default:
		}
	}
	switch {
	case c.word == w.start().entry:
		return refused
	case w.pushesReturns() && c.word%functionAlignment == 0 && !w.returnsAgain(c, len(w.mappings) == 0):
		return doubtful
	}
	return credible
}

// keptModules are modules that other code seldom calls into: the loader, whose return
// addresses are left on every stack as each function that is bound at its first call
// leaves them, and the kernel's.
var keptModules = map[string]bool{
	"ld-linux-x86-64.so.2": true, "ld-linux.so.2": true, "ld-linux-aarch64.so.1": true, "ld-linux-armhf.so.3": true,
	"linux-vdso.so.1": true, "linux-gate.so.1": true,
}

// pushesReturns tells whether calls push return addresses, as x86's do.
func (w *walker) pushesReturns() bool {
	return w.cpu.arch == breakpad.AMD64 || w.cpu.arch == breakpad.X86
}

// misaligned tells whether no function that keeps the ABI is called with its
// return address there: the stack pointer is a multiple of 16 before a call
// (System V ABI 3.2.2 of AMD64, 2.2.2 of i386; Windows' x64 calling convention).
func (w *walker) misaligned(at uint64) bool {
	switch {
	case w.cpu.arch == breakpad.AMD64:
		return at%16 != 8
	case w.cpu.arch == breakpad.X86 && w.os != minidump.Windows:
		return at%16 != 12
	}
	return false
}

// place is where symbols say that an address is.
type place uint8

const (
	anywhere place = iota
	insideFunction
	startOfFunction
)

// placeOf asks FUNC records and call frame information, which know where functions
// end, and PUBLIC records, which know where some start. Where a function starts right
// behind another, unaligned, the address may be that behind the other's last call,
// which does not return.
func (w *walker) placeOf(module int, addr uint64) place {
	symbols := w.symbolsOf(module)
	if symbols == nil {
		return anywhere
	}
	rva := addr - w.dump.Modules[module].Base
	start, inside := extentAt(symbols, rva)
	if !start {
		if inside {
			return insideFunction
		}
		return anywhere
	}
	if _, before := extentAt(symbols, rva-1); before && addr%functionAlignment != 0 {
		return insideFunction
	}
	return startOfFunction
}

// extentAt tells whether a function starts at an address, and whether one whose end
// is known covers it.
func extentAt(symbols Symbols, rva uint64) (start, inside bool) {
	e, ok := symbols.Extent(rva)
	if row, known := symbols.CFI(rva); known {
		return ok && e.Start == rva || row.AtInit, true
	}
	return ok && e.Start == rva, ok && !e.Public
}

// severalReturns is how often a word lies where return addresses do, if it is one of
// a recursion and no pointer to data.
const severalReturns = 3

// pointerWords is how far around a word on the stack others are compared with it.
const pointerWords = 512

// returnsAgain tells of a word that may as well be a pointer whether it is a return
// address: it lies around there only where such do, and several times if data may be
// meant as well as code.
func (w *walker) returnsAgain(c candidate, data bool) bool {
	bytes := w.cpu.arch.WordBytes()
	first := max(c.at-min(c.at, uint64(pointerWords*bytes)), w.mem.Base)
	wanted := 1
	if data {
		wanted = severalReturns
	}
	w.scanWordsLeft -= pointerWords / 64 // these words are looked at faster
	for i := range 2 * pointerWords {
		at := first + uint64(i*bytes)
		word, ok := w.mem.Word(at, bytes)
		switch {
		case !ok:
			return wanted <= 0
		case word != c.word:
		case w.misaligned(at):
			return false
		default:
			wanted--
		}
	}
	return wanted <= 0
}
