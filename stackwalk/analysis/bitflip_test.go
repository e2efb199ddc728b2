package analysis_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/stackwalk/analysis"
)

const (
	mapped = "10000000-10001000 rw-p 0 0:0 0 /x\n"
	flip   = 1 << 40
)

func TestBitFlips(t *testing.T) {
	one := func(b analysis.BitFlip, registers ...string) []analysis.BitFlip {
		var out []analysis.BitFlip
		for _, name := range registers {
			b.Register = name
			out = append(out, b)
		}
		return out
	}
	plain := analysis.BitFlip{Address: 0x10000100, Confidence: 0.25}
	readOnly := minidump.MemoryInfo{Base: 0x10000000, Size: 0x1000, Protection: 2}
	noAccess := minidump.MemoryInfo{Base: 0x10000000, Size: 0x1000, Protection: 1}
	for name, c := range map[string]struct {
		got  *analysis.Analysis
		want []analysis.BitFlip
	}{
		"in the address and its register": {linux(t, load, regs{"rax": 0x10000100 ^ flip}, 11, 1, 0x10000100^flip, mapped), one(plain, "", "rax")},
		"in one of two registers":         {linux(t, index, regs{"rbx": 0x10000100 ^ flip, "rcx": 1 << 45}, 11, 1, 0x123456789, mapped), append(one(plain, "rbx"), analysis.BitFlip{Register: "rcx", IsNull: true, Confidence: 0.625})},
		"without an instruction":          {linux(t, avx, nil, 11, 1, 0x10000100^flip, mapped), one(plain, "")},
		"of what is mapped":               {linux(t, load, regs{"rax": 0x10000100}, 11, 2, 0x10000100, mapped), nil},
		"off by one":                      {linux(t, load, regs{"rax": 0x10001006}, 11, 1, 0x10001006, mapped), nil},
		"off by more": {
			linux(t, load, regs{"rax": 0x10001007}, 11, 1, 0x10001007, mapped),
			one(analysis.BitFlip{Address: 0x10000007, Confidence: 0.625, NearbyRegisters: 1}, "", "rax"),
		},
		"null pointers explain themselves": {linux(t, load, nil, 11, 1, 0x10000100^flip, mapped), nil},
		"to null":                          {linux(t, load, regs{"rax": 0x4000}, 11, 1, 0x4000, ""), one(analysis.BitFlip{IsNull: true, Confidence: 0.625}, "", "rax")},
		"to null from near it":             {linux(t, load, regs{"rax": 0x2000}, 11, 1, 0x2000, ""), one(analysis.BitFlip{IsNull: true, WasLow: true, Confidence: 0.4375}, "", "rax")},
		"bit 48 of a non-canonical address": {
			linux(t, load, regs{"rax": 0x10000100 ^ 1<<48}, 11, 0x80, 0, mapped),
			one(analysis.BitFlip{Address: 0x10000100, WasNonCanonical: true, Confidence: 0.925}, "", "rax"),
		},
		"bit 47 of one is none to look at": {linux(t, load, regs{"rax": 0x10000100 ^ 1<<47}, 11, 0x80, 0, mapped), nil},
		"bit 48 of a canonical one too":    {linux(t, load, regs{"rax": 0x10000100 ^ 1<<48}, 11, 1, 0x10000100^1<<48, mapped), nil},
		"registers nearby": {
			linux(t, avx, regs{"rcx": 0x10001100, "rdx": 0x10001101, "rsi": 0xffff100, "rdi": 0xffff0ff}, 11, 1, 0x10000100^flip, mapped),
			one(analysis.BitFlip{Address: 0x10000100, NearbyRegisters: 2, Confidence: 0.6625}, ""),
		},
		"many registers nearby": {
			linux(t, avx, regs{"rcx": 0x10000100, "rdx": 0x10000100, "rsi": 0x10000100, "rdi": 0x10000100, "r8": 0x10000100}, 11, 1, 0x10000100^flip, mapped),
			one(analysis.BitFlip{Address: 0x10000100, NearbyRegisters: 5, Confidence: 0.7375}, ""),
		},
		"freed memory": {
			linux(t, avx, regs{"rcx": 0xe5e5e5e5e5e5e5e5}, 11, 1, 0x10000100^flip, mapped),
			one(analysis.BitFlip{Address: 0x10000100, PoisonRegisters: true, Confidence: 0.125}, ""),
		},
		"half a pattern of freed memory": {linux(t, avx, regs{"rcx": 0xe5e5e5e5}, 11, 1, 0x10000100^flip, mapped), one(plain, "")},
		"read of what is readable":       {win(t, load, regs{"rax": 0x10000100 ^ flip}, 0, 0x10000100^flip, readOnly), one(plain, "", "rax")},
		"write to what is not writable":  {win(t, store, regs{"rbx": 0x10000100 ^ flip}, 1, 0x10000100^flip, readOnly), nil},
		"to what nobody may access":      {win(t, load, regs{"rax": 0x10000100 ^ flip}, 0, 0x10000100^flip, noAccess), nil},
	} {
		if diff := cmp.Diff(c.want, c.got.BitFlips, cmpopts.EquateApprox(0, 1e-6)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestBitFlipsByCPU(t *testing.T) {
	for cpu, want := range map[minidump.CPU]int{
		minidump.CPUPPC64: 1, minidump.CPUARM64: 0, minidump.CPUX86: 0, minidump.CPURISCV64: 1,
	} {
		a := analyze(t, minidumptest.New(cpu, minidump.Linux).Exception(1, 11, 1, 1<<30))
		if len(a.BitFlips) != want {
			t.Errorf("%v: %d", cpu, len(a.BitFlips))
		}
	}
	a := analyze(t, minidumptest.New(minidump.CPUPPC64, minidump.Linux).LinuxMaps(mapped).Exception(1, 11, 1, 0x10000100^1<<60))
	if len(a.BitFlips) != 1 || math.Abs(float64(a.BitFlips[0].Confidence)-0.25) > 1e-6 {
		t.Errorf("%+v", a.BitFlips)
	}
}
