package analysis

import (
	"strings"
	"testing"
)

// TestText holds the syntax to what minidump-stackwalk 0.27.0 prints.
func TestText(t *testing.T) {
	for code, want := range map[string]string{
		"\x48\x8b\x44\x8b\x10":                         "mov rax, qword [rbx + rcx * 4 + 0x10]",
		"\xc7\x84\x24\x90\x03\x00\x00\x0d\x00\x00\xc0": "mov dword [rsp + 0x390], -0x3ffffff3",
		"\x4c\x89\xa5\x08\xfb\xff\xff":                 "mov qword [rbp - 0x4f8], r12",
		"\xc6\x04\x25\x42\x00\x00\x80\x01":             "mov byte [0x80000042], 0x1",
		"\xa2\x51\x51\xf3\x35\x5d\xa3\xfe\x5d":         "mov byte [0x5dfea35d35f35151], al",
		"\x64\x48\x8b\x04\x25\x28\x00\x00\x00":         "mov rax, qword fs:[0x28]",
		"\x48\x8d\x1d\xc8\xea\x1a\x00":                 "lea rbx, qword [rip + 0x1aeac8]",
		"\xb3\xd4":                                     "mov bl, 0xd4",
		"\x44\x00\xe0":                                 "add al, r12b",
		"\x40\x00\xf7":                                 "add dil, sil",
		"\x45\x01\xc1":                                 "add r9d, r8d",
		"\x83\xc8\xff":                                 "or eax, -0x1",
		"\xf0\x48\x83\x03\x01":                         "lock add qword [rbx], 0x1",
		"\xf3\x48\xa5":                                 "rep movs qword es:[rdi], qword ds:[rsi]",
		"\xf2\xa6":                                     "repnz cmps byte ds:[rdi], byte es:[rsi]",
		"\xae":                                         "scas byte es:[rdi], al",
		"\xac":                                         "lods al, byte [rsi]",
		"\x6c":                                         "ins byte [rdi], dl",
		"\x6f":                                         "outs dx, dword [rsi]",
		"\xd7":                                         "xlat",
		"\x91":                                         "xchg eax, ecx",
		"\x87\xc8":                                     "xchg eax, ecx",
		"\xe8\x19\x00\x00\x00":                         "call $+0x19",
		"\x74\x94":                                     "jz $-0x6c",
		"\xe2\x02":                                     "loop $+0x2",
		"\xc2\x08\x00":                                 "ret 0x8",
		"\xcd\x29":                                     "int 0x29",
		"\xf1":                                         "int 0x1",
		"\xf3\x90":                                     "nop",
		"\xc0\xe8\xd3":                                 "shr al, -0x2d",
		"\x66\x0f\x70\xd8\xe1":                         "pshufd xmm3, xmm0, -0x1f",
		"\x66\x0f\x6e\xc0":                             "movq xmm0, rax",
		"\xd8\x41\x5f":                                 "fadd st(0), dword [rcx + 0x5f]",
		"\xdb\x6c\x24\x18":                             "fld st(0), mword [rsp + 0x18]",
		"\xdd\x54\x24\xe8":                             "fst qword [rsp - 0x18], st(0)",
		"\xd9\x21":                                     "fldenv ptr [rcx]",
		"\x0f\x18\x0e":                                 "prefetcht0 zmmword [rsi]",
		"\xc5\xfe\x6f\x0e":                             "vmovdqu ymm1, ymmword [rsi]",
		"\xc5\xfd\x7f\x4f\x20":                         "vmovdqa ymmword [rdi + 0x20], ymm1",
		"\xc4\xe3\x6d\x02\xca\xf0":                     "vpblendd ymm1, ymm2, ymm2, 0xf0",
		"\x0f\x2c\xc8":                                 "cvttps2pi mm1, xmm0",
	} {
		in, ok := decode([]byte(code + strings.Repeat("\x90", 4)))
		if got := in.text(); !ok || got != want {
			t.Errorf("% x: got %q %v, want %q", code, got, ok, want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, code := range map[string]string{
		"nothing":                 "",
		"half an instruction":     "\x48\x8b",
		"no instruction":          "\x06",
		"AVX relative to rip":     "\xc5\xfe\x6f\x05\x10\x00\x00\x00",
		"fused AVX":               "\xc4\xe2\xf1\x99\xc2",
		"AVX-512":                 "\x62\xf1\xfe\x48\x6f\x06",
		"a lock on what has none": "\xf0\xc3",
		"a lock on a register":    "\xf0\xff\xc7",
	} {
		if in, ok := decode([]byte(code)); ok {
			t.Errorf("%s: %s", name, in.text())
		}
	}
}
