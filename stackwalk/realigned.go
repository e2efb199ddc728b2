package stackwalk

// A function that aligns its frame to more than the ABI does pushes its return
// address a second time, so that the chain of frame pointers goes on; the stack
// pointer that its caller had is above the first. GCC does so in main of 32-bit
// x86 (16 bytes), and where vectors lie on the stack (up to 64).
const maxRealignment = 64

// aboveCopy is the stack pointer above a return address that was found below sp:
// above the original, if what was found is its copy. The same address in the frame
// that the chain leads to next is that of a recursion.
func (w *walker) aboveCopy(address, sp, next uint64) uint64 {
	if !w.weighs {
		return sp
	}
	word := uint64(w.cpu.arch.WordBytes())
	for at := sp; at < sp+maxRealignment; at += word {
		if v, ok := w.mem.Word(at, int(word)); ok && v == address && at != next+word {
			return at + word
		}
	}
	return sp
}
