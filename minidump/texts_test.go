package minidump

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"unicode/utf16"
)

// TestUTF16Text compares with the library, whose result is the same but slower:
// every length, and characters that are no ASCII at every place.
func TestUTF16Text(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same texts every time
	for length := range 300 {
		for range 20 {
			units := make([]uint16, length)
			for i := range units {
				units[i] = uint16(r.UintN(128))
			}
			for range r.IntN(3) {
				if length > 0 {
					units[r.IntN(length)] = []uint16{0x80, 0xff, 0x100, 0x7fff, 0xd83d, 0xdca5, 0xffff}[r.IntN(7)]
				}
			}
			want := string(utf16.Decode(units))
			for bigEndian, order := range map[bool]binary.AppendByteOrder{false: binary.LittleEndian, true: binary.BigEndian} {
				var b []byte
				for _, u := range units {
					b = order.AppendUint16(b, u)
				}
				if got := utf16Text(b, bigEndian); got != want {
					t.Fatalf("big-endian %v, %x: got %q, want %q", bigEndian, units, got, want)
				}
			}
		}
	}
	if got := utf16Text([]byte{'a', 0, 'b'}, false); got != "a" {
		t.Errorf("an odd byte: %q", got)
	}
}

func TestAppendHex(t *testing.T) {
	for _, v := range []uint64{0, 1, 0xf, 0x10, 0xabcdef, 1<<32 - 1, 1 << 32, 1<<64 - 1} {
		for digits := 1; digits <= 16; digits++ {
			if got, want := string(appendHex(nil, v, digits, lowerHex)), fmt.Sprintf("%0*x", digits, v); got != want {
				t.Errorf("%#x in %d digits: %s", v, digits, got)
			}
		}
	}
}
