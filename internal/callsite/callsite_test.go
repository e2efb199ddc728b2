package callsite

import (
	"encoding/binary"
	"slices"
	"testing"

	"aftershock/breakpad"
)

// Calls as assemblers write them, and what only looks a little like one (Intel's manual,
// volume 2, tables 2-2 and 2-3).
func TestAfter(t *testing.T) {
	for name, tc := range map[string]struct {
		code string
		want bool
	}{
		"call rel32":                       {"\x90\x90\xe8\x01\x02\x03\x04", true},
		"jmp rel32":                        {"\x90\x90\xe9\x01\x02\x03\x04", false},
		"call rel32, cut":                  {"\x01\x02\x03\x04", false},
		"call rax":                         {"\x90\x90\x90\x90\x90\xff\xd0", true},
		"jmp rax":                          {"\x90\x90\x90\x90\x90\xff\xe0", false},
		"push rax":                         {"\x90\x90\x90\x90\x90\xff\xf0", false},
		"inc eax":                          {"\x90\x90\x90\x90\x90\xff\xc0", false},
		"call [rax]":                       {"\x90\x90\x90\x90\x90\xff\x10", true},
		"call far [rax]":                   {"\x90\x90\x90\x90\x90\xff\x18", true},
		"call [rax+8]":                     {"\x90\x90\x90\x90\xff\x50\x08", true},
		"call [rip+4 bytes]":               {"\x90\xff\x15\x01\x02\x03\x04", true},
		"call [rax+4 bytes]":               {"\x90\xff\x90\x01\x02\x03\x04", true},
		"call [rsp]":                       {"\x90\x90\x90\x90\xff\x14\x24", true},
		"call [rsp+8]":                     {"\x90\x90\x90\xff\x54\x24\x08", true},
		"call [4 bytes], by a SIB":         {"\xff\x14\x25\x01\x02\x03\x04", true},
		"call [rsp+4 bytes]":               {"\xff\x94\x24\x01\x02\x03\x04", true},
		"an operand that goes on":          {"\x90\x90\x90\x90\xff\x90\x08", false},
		"an operand that ended before":     {"\x90\x90\x90\x90\xff\xd0\x08", false},
		"a SIB without base that goes on":  {"\x90\x90\x90\x90\xff\x14\x25", false},
		"a jump with an operand of 4 byte": {"\x90\xff\x25\x01\x02\x03\x04", false},
		"nothing":                          {"", false},
	} {
		if got := After(breakpad.AMD64, []byte(tc.code)); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAfterOnARM64(t *testing.T) {
	for name, tc := range map[string]struct {
		op   uint32
		want bool
	}{
		"bl": {0x94000001, true}, "b": {0x14000001, false}, "blr x8": {0xd63f0100, true}, "br x8": {0xd61f0100, false},
		"blraa x8, sp": {0xd73f091f, true}, "blraaz x8": {0xd63f091f, true}, "ret": {0xd65f03c0, false}, "nop": {0xd503201f, false},
	} {
		if got := After(breakpad.ARM64, binary.LittleEndian.AppendUint32(nil, tc.op)); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if After(breakpad.ARM64, []byte{1, 2, 3}) || After(breakpad.MIPS, make([]byte, 8)) || Bytes(breakpad.MIPS) != 0 {
		t.Error("too little code, or an architecture that is not known")
	}
}

// TestEach finds the calls of a piece of code, but for bytes that look like one to
// nowhere.
func TestEach(t *testing.T) {
	code := []byte("\x90\xe8\x10\x00\x00\x00\xff\xd0\xe8\x00\x00\x00\x70\xe8\xf5\xff\xff\xff")
	var got []uint64
	Each(breakpad.AMD64, code, 0x1000, func(rva uint64) bool { return rva >= 0x1000 && rva < 0x1100 }, func(rva uint64) { got = append(got, rva) })
	if want := []uint64{0x1006, 0x1008, 0x1012}; !slices.Equal(got, want) {
		t.Errorf("%#x, want %#x", got, want)
	}
	got = nil
	Each(breakpad.ARM64, binary.LittleEndian.AppendUint32([]byte{0x1f, 0x20, 3, 0xd5}, 0x94000001), 0x20, nil, func(rva uint64) { got = append(got, rva) })
	if !slices.Equal(got, []uint64{0x28}) {
		t.Errorf("%#x", got)
	}
	Each(breakpad.MIPS, code, 0, nil, func(uint64) { t.Error("MIPS is not known") })
}
