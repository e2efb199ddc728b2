// Package callsite tells where call instructions end: what does not follow one is
// no return address.
package callsite

import (
	"encoding/binary"

	"aftershock/breakpad"
)

// maxX86Bytes is the longest call instruction of x86 without prefixes: opcode,
// ModRM, SIB and a displacement of four bytes.
const maxX86Bytes = 7

// Bytes is how much code before an address After looks at, 0 for an architecture of
// which it knows nothing.
func Bytes(arch breakpad.Arch) int {
	switch arch {
	case breakpad.X86, breakpad.AMD64:
		return maxX86Bytes
	case breakpad.ARM64:
		return 4
	default:
		return 0
	}
}

// After tells whether a call ends where code ends. On x86 it may be wrong in saying
// yes: bytes of other instructions can look like a call.
func After(arch breakpad.Arch, code []byte) bool {
	switch arch {
	case breakpad.X86, breakpad.AMD64:
		return afterX86(code)
	case breakpad.ARM64:
		return len(code) >= 4 && afterARM64(binary.LittleEndian.Uint32(code[len(code)-4:]))
	default:
		return false
	}
}

func afterX86(code []byte) bool {
	n := len(code)
	if n >= 5 && code[n-5] == 0xe8 { // CALL rel32
		return true
	}
	for size := 2; size <= min(n, maxX86Bytes); size++ {
		// CALL r/m: FF /2, and FF /3 for far calls.
		if at := code[n-size:]; at[0] == 0xff && (at[1]>>3&7 == 2 || at[1]>>3&7 == 3) && operandBytes(at[1:]) == size-1 {
			return true
		}
	}
	return false
}

// operandBytes is the size of ModRM, SIB and displacement (Intel's manual,
// volume 2, tables 2-2 and 2-3).
func operandBytes(b []byte) int {
	mod, rm := b[0]>>6, b[0]&7
	n := 1
	if mod == 3 {
		return n
	}
	if rm == 4 {
		n++
		if mod == 0 && len(b) > 1 && b[1]&7 == 5 {
			return n + 4
		}
	}
	switch {
	case mod == 1:
		return n + 1
	case mod == 2 || mod == 0 && rm == 5:
		return n + 4
	}
	return n
}

// afterARM64 tells whether an instruction is BL, BLR, or BLR of a signed address
// (Arm ARM C6.2: BL, BLR, BLRAA).
func afterARM64(op uint32) bool {
	return op>>26 == 0b100101 || op&0xffff_fc1f == 0xd63f_0000 || op&0xfeff_f800 == 0xd63f_0800
}

// Each calls found for every address behind a call in a range of code that starts at
// rva, in order. A direct call of x86 whose target lies outside target, a range of
// addresses, is none: those bytes only look like one.
func Each(arch breakpad.Arch, code []byte, rva uint64, target func(rva uint64) bool, found func(rva uint64)) {
	step, size := 1, Bytes(arch)
	if arch == breakpad.ARM64 {
		step = 4
	}
	if size == 0 {
		return
	}
	for end := step; end <= len(code); end += step {
		before := code[max(0, end-size):end]
		if !After(arch, before) {
			continue
		}
		at := rva + uint64(end)
		if n := len(before); arch != breakpad.ARM64 && n >= 5 && before[n-5] == 0xe8 && !afterX86(before[n-4:]) {
			if !target(at + uint64(int64(int32(binary.LittleEndian.Uint32(before[n-4:]))))) {
				continue
			}
		}
		found(at)
	}
}
