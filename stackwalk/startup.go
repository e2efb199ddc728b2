package stackwalk

import (
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

// startup is where a program's first thread starts; the zero startup is unknown.
type startup struct {
	top   uint64 // the address of the number of arguments
	entry uint64 // of the program; of a dynamic one the loader's is unknown
}

// mayBeFirst tells whether a thread may be the one that the program started in: on
// Linux it has the process's id.
func (w *walker) mayBeFirst(t *minidump.Thread) bool {
	pid, known := w.dump.ProcessID()
	return !known || t.ID == pid || !slices.ContainsFunc(w.dump.Threads, func(t minidump.Thread) bool { return t.ID == pid })
}

// isAbove tells whether a place lies above the frames of the program.
func (s *startup) isAbove(at uint64) bool { return s.top != 0 && at >= s.top }

// findStartup looks for it in the stack.
func (w *walker) findStartup() (s startup) {
	if w.os != minidump.Linux && w.os != minidump.Android || w.dump.Header.BigEndian || !w.isFirstThread {
		return s
	}
	n := len(w.mem.Bytes) / w.cpu.arch.WordBytes()
	for i := n - 2; i >= 1 && i > n-maxStartupWords; i-- {
		if w.stackWord(i) == auxvPageSize && isPageSize(w.stackWord(i+1)) {
			if s, ok := w.startupAround(i); ok {
				return s
			}
		}
	}
	return s
}

func isPageSize(v uint64) bool { return v == 4<<10 || v == 16<<10 || v == 64<<10 }

// stackWord is the word at an index of the stack's memory.
func (w *walker) stackWord(i int) uint64 {
	bytes := w.cpu.arch.WordBytes()
	v, _ := w.mem.Word(w.mem.Base+uint64(i*bytes), bytes)
	return v
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

// inEntry tells whether a return address lies in the program's entry point.
func (w *walker) inEntry(address uint64) bool {
	return w.startup.entry != 0 && address-w.startup.entry-1 < maxEntryBytes
}

// atTop tells whether a caller is the frame in which the program started: nothing
// but its stack pointer lies between it and what the kernel left.
func (w *walker) atTop(caller *activation) bool {
	sp := caller.registers.Values[w.cpu.sp]
	return w.startup.top != 0 && sp <= w.startup.top && w.inEntry(caller.Resume)
}
