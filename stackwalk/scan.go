package stackwalk

import "aftershock/breakpad"

// candidate is a word on the stack that looks like a return address: the word,
// where it lies, and how many words were looked at before.
type candidate struct {
	word, at uint64
	index    int
}

// scanFor finds a return address in the n words from an address on. It knows
// nothing of other registers.
func (w *walker) scanFor(callee *activation, caller *breakpad.Registers, from uint64, n int) bool {
	c, ok := w.scanFrom(callee, from, n)
	if ok {
		caller.Set(w.cpu.pc, c.word)
		caller.Set(w.cpu.sp, c.at+uint64(w.cpu.arch.WordBytes()))
	}
	return ok
}

// scanFrom takes the first of n words from an address on that looks like a
// return address. Later versions look further where they refuse a word that
// version 1 takes, from which it would look on.
func (w *walker) scanFrom(callee *activation, from uint64, n int) (candidate, bool) {
	if w.improved && isStart(&callee.Frame) {
		if c, ok := w.scanForEntry(from); ok {
			return c, true
		}
	}
	if w.weighs {
		return w.weighedScan(callee, from)
	}
	for i := 0; i < n; i++ {
		c, readable := w.wordAt(from, i)
		if !readable {
			break
		}
		switch w.returnAddress(c.word) {
		case refusedNow:
			n = max(n, i+1+scanWordsNear)
		case looksRight:
			return c, true
		default:
		}
	}
	return candidate{}, false
}

// scanForEntry finds the entry point of a program above a function that only it
// calls: the last return address in the program itself. Before it lie the
// address of main and others that such functions keep, behind it arguments and
// the auxiliary vector, in which the program's entry and headers are named.
func (w *walker) scanForEntry(from uint64) (found candidate, ok bool) {
	var before candidate
	for i := range scanWordsNear {
		c, readable := w.wordAt(from, i)
		if !readable {
			break
		}
		if w.returnAddress(c.word) == looksRight {
			if module, known := w.moduleAt(c.word - 1); known && module == programModule {
				if below, _ := w.wordAt(from, i-1); below.word == auxvHeaders || below.word == auxvEntry {
					break
				}
				before, found, ok = found, c, true
			}
		}
	}
	// On 32-bit x86 main is the entry point's first argument.
	if w.cpu.arch == breakpad.X86 && before.word != 0 && before.index == found.index-1 {
		return before, true
	}
	return found, ok
}

// wordAt reads the word at an index from an address on.
func (w *walker) wordAt(from uint64, i int) (candidate, bool) {
	bytes := w.cpu.arch.WordBytes()
	at := from + uint64(i*bytes)
	word, ok := w.mem.Word(at, bytes)
	if w.improved && w.cpu.arch == breakpad.ARM64 {
		word &= w.addressMask
	}
	return candidate{word, at, i}, ok
}

// AT_PHDR and AT_ENTRY of the auxiliary vector (elf.h), before their values.
const (
	auxvHeaders = 3
	auxvEntry   = 9
)

// programModule is the first one in every list of modules.
const programModule = 0

// looks is what returnAddress says of a word.
type looks uint8

const (
	looksWrong looks = iota
	refusedNow       // version 1 takes it
	looksRight
)

// returnAddress tells whether a word on the stack looks like one: the call
// before it lies in a module and, if that has symbols, in a function they name.
// Later versions also take code outside modules, as just-in-time compilers make
// it, and want to see a call where the dump holds the code.
func (w *walker) returnAddress(word uint64) looks {
	w.scanWordsLeft--
	if w.scanWordsLeft < 0 || !w.cpu.addressOK(word) {
		return looksWrong
	}
	call := word - 1 // of every CPU: the call may be the function's last instruction
	if call == 0 {
		return looksWrong
	}
	module, ok := w.moduleAt(call)
	if !ok {
		if w.improved && w.generated(call) {
			return looksRight
		}
		return looksWrong
	}
	if m, ok := w.mappings.At(call); ok && !m.Execute || w.improved && w.contradictsCall(word) {
		if w.asked[module] && !w.mayHoldCode(module, call) {
			return looksWrong
		}
		return refusedNow
	}
	if !w.mayHoldCode(module, call) {
		return looksWrong
	}
	return looksRight
}

// mayHoldCode tells whether a module's symbols, if there are any, name a function
// there.
func (w *walker) mayHoldCode(module int, addr uint64) bool {
	symbols := w.symbolsOf(module)
	if symbols == nil || w.improved && !symbols.HasFunctions() {
		return true
	}
	return symbols.HasFunction(addr - w.dump.Modules[module].Base)
}

// generated tells whether addr lies in code that no module brought. Where such
// memory can be written there are also objects in it, to which the stack has
// more pointers than return addresses; so where a page begins.
func (w *walker) generated(addr uint64) bool {
	const page = 4096
	m, ok := w.mappings.At(addr)
	return ok && m.Execute && !m.Write && (addr+1)%page != 0 && !w.contradictsCall(addr+1)
}

// keepsChain tells whether the record at the end of a chain of frame pointers may
// be the callee's own. It is not when a return address lies below: the callee
// keeps no chain, and the record is that of some caller further up.
func (w *walker) keepsChain(callee *activation, record uint64) bool {
	sp := callee.registers.Values[w.cpu.sp]
	bytes := uint64(w.cpu.arch.WordBytes())
	if record <= sp {
		return true
	}
	c, ok := w.scanFrom(callee, sp, int(min((record-sp)/bytes, uint64(scanWords(callee)))))
	return !ok || c.at >= record
}

// lastFramePointer answers a caller at address 0: the chain of frame pointers
// has ended, and with it the stack.
func (w *walker) lastFramePointer(caller *breakpad.Registers, pc, sp breakpad.Register, callerSP uint64) bool {
	caller.Set(pc, 0)
	caller.Set(sp, callerSP)
	return true
}
