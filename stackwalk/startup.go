package stackwalk

import (
	"encoding/binary"
	"slices"

	"aftershock/minidump"
)

// What the kernel leaves on top of the stack of a Linux program's first thread:
// the number of arguments, pointers to them, a null, pointers to the environment,
// a null, and the auxiliary vector (System V ABI of AMD64, 3.4.1). The frame of
// the entry point ends where the number lies, and no frame is above.

// AT_NULL, AT_PAGESZ and AT_ENTRY of the auxiliary vector (elf.h), and the largest
// type that is looked for.
const (
	auxvNull     = 0
	auxvPageSize = 6
	auxvLast     = 64
)

// Limits of looking for it: from the end of the stack down, and what may lie in it.
const (
	maxStartupWords = 256 << 10
	maxStartupList  = 64 << 10 // arguments, variables of the environment
	maxAuxv         = 64
)

// startup is where a program's first thread starts; the zero startup is nowhere.
type startup struct {
	top     uint64 // the address of the number of arguments
	entry   uint64 // of the program
	unknown bool   // nobody has looked
}

// mayBeFirst tells whether a thread may be the one that the program started in: on
// Linux it has the process's id.
func (w *walker) mayBeFirst(t *minidump.Thread) bool {
	pid, known := w.dump.ProcessID()
	return !known || t.ID == pid || !slices.ContainsFunc(w.dump.Threads, func(t minidump.Thread) bool { return t.ID == pid })
}

// isAbove tells whether a place lies above the frames of the program.
func (s *startup) isAbove(at uint64) bool { return s.top != 0 && at >= s.top }

// start looks for it in the stack, once.
func (w *walker) start() *startup {
	if !w.startup.unknown {
		return &w.startup
	}
	w.startup = startup{}
	if w.os != minidump.Linux && w.os != minidump.Android || w.dump.Header.BigEndian {
		return &w.startup
	}
	n := len(w.mem.Bytes) / w.cpu.arch.WordBytes()
	for i := n - 2; i >= 1 && i > n-maxStartupWords; i-- {
		if w.stackWord(i) == auxvPageSize && isPageSize(w.stackWord(i+1)) {
			if s, ok := w.startupAround(i); ok {
				w.startup = s
				break
			}
		}
	}
	return &w.startup
}

func isPageSize(v uint64) bool { return v == 4<<10 || v == 16<<10 || v == 64<<10 }

// stackWord is the word at an index of the stack's memory, 0 outside.
func (w *walker) stackWord(i int) uint64 {
	b := w.mem.Bytes
	if w.cpu.arch.WordBytes() == 4 {
		if i *= 4; uint(i) < uint(len(b)) && len(b)-i >= 4 {
			return uint64(binary.LittleEndian.Uint32(b[i:]))
		}
		return 0
	}
	if i *= 8; uint(i) < uint(len(b)) && len(b)-i >= 8 {
		return binary.LittleEndian.Uint64(b[i:])
	}
	return 0
}

// startupAround reads down from an entry of what may be the auxiliary vector, and
// then up for the program's entry point.
func (w *walker) startupAround(entry int) (s startup, ok bool) {
	first := entry
	for first >= 2 && entry-first < 2*maxAuxv && w.stackWord(first-2)-1 < auxvLast {
		first -= 2
	}
	i := first - 1 // the null behind the environment
	for range 2 {  // the environment, the arguments
		if i < 1 || w.stackWord(i) != 0 {
			return s, false
		}
		end := i
		for i--; i > 0 && end-i < maxStartupList && w.isStackPointer(w.stackWord(i)); i-- {
		}
		if w.stackWord(i) == uint64(end-i-1) { // also without any environment
			s.top = w.mem.Base + uint64(i*w.cpu.arch.WordBytes())
			break
		}
	}
	if s.top == 0 {
		return s, false
	}
	for i := first; i < first+2*maxAuxv; i += 2 {
		switch w.stackWord(i) {
		case auxvEntry:
			s.entry = w.stackWord(i + 1)
		case auxvNull:
			return s, true
		}
	}
	return s, true
}

func (w *walker) isStackPointer(v uint64) bool { return w.mem.Holds(v) }

// maxEntryBytes is how long an entry point is: it aligns the stack and calls one
// function.
const maxEntryBytes = 64

// atTop tells whether a frame is the one in which the program started: in its entry
// point, below what the kernel left.
func (w *walker) atTop(callee *activation) bool {
	if callee.Module > programModule || callee.Trust == TrustContext {
		return false
	}
	s := w.start()
	return s.entry != 0 && callee.Resume-s.entry-1 < maxEntryBytes && callee.registers.Values[w.cpu.sp] <= s.top
}
