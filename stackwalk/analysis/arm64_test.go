package analysis_test

import (
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/stackwalk/analysis"
)

// TestARM64Instructions has words that llvm-mc assembled, with x1 = 0x40000,
// x2 = 0x20, x3 = -2 and x4 = 0xffffffff00000004, sp = stack.
func TestARM64Instructions(t *testing.T) {
	const base = 0x40000
	at := func(address uint64, size int, kind analysis.AccessType) []analysis.Access {
		return []analysis.Access{{Address: address, Size: size, Type: kind}}
	}
	const read, write, both = analysis.Read, analysis.Write, analysis.ReadWrite
	for _, c := range []struct {
		word, text string
		accesses   []analysis.Access
	}{
		{"200040f9", "ldr x0, [x1]", at(base, 8, read)},
		{"200840b9", "ldr w0, [x1,#8]", at(base+8, 4, read)},
		{"200c41f8", "ldr x0, [x1,#16]!", at(base+16, 8, read)},
		{"200441f8", "ldr x0, [x1],#16", at(base, 8, read)},
		{"20686238", "ldrb w0, [x1,x2]", at(base+0x20, 1, read)},
		{"207862f8", "ldr x0, [x1,x2,lsl #3]", at(base+0x100, 8, read)},
		{"20d863b8", "ldr w0, [x1,w3,sxtw #2]", at(base-8, 4, read)},
		{"2058a4b8", "ldrsw x0, [x1,w4,uxtw #2]", at(base+16, 4, read)},
		{"e50f00f9", "str x5, [sp,#24]", at(stack+24, 8, write)},
		{"25e01f78", "sturh w5, [x1,#-2]", at(base-2, 2, write)},
		{"fd7bbea9", "stp x29, x30, [sp,#-32]!", at(stack-32, 16, write)},
		{"2004c128", "ldp w0, w1, [x1],#8", at(base, 8, read)},
		{"200441ad", "", at(base+32, 32, read)}, // ldp q0, q1, [x1, #32]
		{"2004c03d", "", at(base+16, 16, read)}, // ldr q0, [x1, #16]
		{"200400bd", "", at(base+4, 4, write)},  // str s0, [x1, #4]
		{"00020058", "ldr x0, .+0x40", at(app+64, 8, read)},
		{"207c5fc8", "ldxr x0, [x1]", at(base, 8, read)},
		{"20fc9f88", "stlr w0, [x1]", at(base, 4, write)},
		{"20887fc8", "ldaxp x0, x2, [x1]", at(base, 16, read)},
		{"227ca0c8", "", at(base, 8, both)},   // cas x0, x2, [x1]
		{"220020f8", "", at(base, 8, both)},   // ldadd x0, x2, [x1]
		{"20c0bff8", "", at(base, 8, read)},   // ldapr x0, [x1]
		{"201420f8", "", at(base+8, 8, read)}, // ldraa x0, [x1, #8]
		{"20f47ff8", "", at(base-8, 8, read)}, // ldraa x0, [x1, #-8]
		{"20a0404c", "ld1 {v0.16b, v1.16b}, [x1]", at(base, 32, read)},
		{"2004000d", "st1 {v0.b}[1], [x1]", at(base, 0, write)},
		{"200080f9", "prfm pldl1keep, [x1]", nil},
		{"2000028b", "add x0, x1, x2", []analysis.Access{}},
		{"20805ff8", "ldur x0, [x1,#-8]", at(base-8, 8, read)},
		{"208840f8", "ldtr x0, [x1,#8]", at(base+8, 8, read)},
		{"00000000", "", nil},
	} {
		a := arm64(t, c.word, regs{"x1": base, "x2": 0x20, "x3": 1<<64 - 2, "x4": 0xffffffff00000004}, 0)
		if diff := cmp.Diff(c.accesses, a.Accesses, cmpopts.IgnoreUnexported(analysis.Access{})); diff != "" || a.Adjusted != nil {
			t.Errorf("%s %s: %v (-want +got)\n%s", c.word, a.Instruction, a.Adjusted, diff)
		}
		if c.text != "" && a.Instruction != c.text {
			t.Errorf("%s: got %q, want %q", c.word, a.Instruction, c.text)
		}
	}
}

func arm64(t *testing.T, word string, r regs, version int) *analysis.Analysis {
	t.Helper()
	code, err := hex.DecodeString(word)
	if err != nil {
		t.Fatal(err)
	}
	all := regs{"pc": app, "sp": stack}
	for name, v := range r {
		all[name] = v
	}
	b := minidumptest.New(minidump.CPUARM64, minidump.Android).Memory(app, code).
		Thread(1, all, minidumptest.StackAt(stack).Words(1)).
		LinuxMaps("10000-11000 ---p 0 0:0 0 \n11000-12000 rw-p 0 0:0 0 \n")
	d, err := minidump.Parse(b.ExceptionWithContext(1, 11, 1, 0x18, all).Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return analysis.Analyze(d, version)
}

func TestARM64BranchesAndNullPointers(t *testing.T) {
	for name, c := range map[string]struct {
		word     string
		r        regs
		adjusted *analysis.Adjusted
		target   uint64
		branches bool
	}{
		"br x0":              {"00001fd6", regs{"x0": 0x1234}, nil, 0x1234, true},
		"blr x6":             {"c0003fd6", regs{}, &analysis.Adjusted{Kind: analysis.NullPointer}, 0, true},
		"ret":                {"c0035fd6", regs{"lr": 0x77}, nil, 0x77, true},
		"braa x6, x7":        {"c7081fd7", regs{"x6": 0x88}, nil, 0x88, true},
		"ldr w0, [x1, #8]":   {"200840b9", regs{}, &analysis.Adjusted{Kind: analysis.NullPointer, Address: 8}, 0, false},
		"str x5, [sp, #24]":  {"e50f00f9", regs{}, nil, 0, false},
		"ldr x0, #64":        {"00020058", regs{}, nil, 0, false},
		"add x0, x1, x2":     {"2000028b", regs{}, nil, 0, false},
		"ldr x0, [x1], null": {"200441f8", regs{}, &analysis.Adjusted{Kind: analysis.NullPointer}, 0, false},
	} {
		a := arm64(t, c.word, c.r, 0)
		if diff := cmp.Diff(c.adjusted, a.Adjusted); diff != "" || a.HasTarget != c.branches || a.Target != c.target {
			t.Errorf("%s: target %v %#x (-want +got)\n%s", name, a.HasTarget, a.Target, diff)
		}
		if v1 := arm64(t, c.word, c.r, 1); v1.Instruction != "" || v1.Accesses != nil || v1.HasTarget || v1.Adjusted != nil {
			t.Errorf("%s: version 1 decodes it: %+v", name, v1)
		}
	}
	if a := arm64(t, "200840b9", regs{"x1": 0x10000}, 0); len(a.Accesses) != 1 || !a.Accesses[0].GuardPage {
		t.Errorf("guard page: %+v", a.Accesses)
	}
}
