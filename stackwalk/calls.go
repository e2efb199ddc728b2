package stackwalk

import (
	"encoding/binary"

	"aftershock/breakpad"
)

// maxCallBytes is the longest call instruction of x86 without prefixes: opcode,
// ModRM, SIB and a displacement of four bytes.
const maxCallBytes = 7

// followsCall tells whether a call instruction of x86 ends where code ends. What
// does not follow one is no return address. It may be wrong in saying yes: bytes
// of other instructions can look like a call.
func followsCall(code []byte) bool {
	n := len(code)
	if n >= 5 && code[n-5] == 0xe8 { // CALL rel32
		return true
	}
	for size := 2; size <= min(n, maxCallBytes); size++ {
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

// followsArm64Call tells whether an instruction of arm64 is a call: BL, BLR, or BLR of
// a signed address (Arm ARM C6.2: BL, BLR, BLRAA).
func followsArm64Call(code []byte) bool {
	op := binary.LittleEndian.Uint32(code)
	return op>>26 == 0b100101 || op&0xffff_fc1f == 0xd63f_0000 || op&0xfeff_f800 == 0xd63f_0800
}

// callBefore tells whether a call lies before a return address; mayBeCode if the dump
// does not hold the code there.
func (w *walker) callBefore(address uint64) verdict {
	var found bool
	switch w.cpu.arch {
	case breakpad.X86, breakpad.AMD64:
		code := w.dump.Memory.Read(address-maxCallBytes, maxCallBytes)
		if code == nil {
			return mayBeCode
		}
		found = followsCall(code)
	case breakpad.ARM64:
		code := w.dump.Memory.Read(address-4, 4)
		if code == nil {
			return mayBeCode
		}
		found = followsArm64Call(code)
	default:
		return mayBeCode
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
	code := w.dump.Memory.Read(address-maxCallBytes, maxCallBytes)
	return code != nil && !followsCall(code)
}
