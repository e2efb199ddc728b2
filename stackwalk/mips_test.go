package stackwalk_test

import (
	"testing"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
)

func TestMIPSWalk(t *testing.T) {
	const (
		f    = "FUNC 0 1000 0 f\n"
		push = f + "STACK CFI INIT 100 100 .cfa: $sp 8 + .ra: .cfa 4 - ^\n"
		leaf = f + "STACK CFI INIT 100 100 .cfa: $sp .ra: $ra\nSTACK CFI INIT 200 100 .cfa: $sp .ra: $s0\n"
	)
	runWalkCases(t, minidump.CPUMIPS, map[string]walkCase{
		"cfi":                             {minidump.Linux, push, nil, words(1, lib+0x10, 0), "context 400120, cfi 500010, no_caller"},
		"a leaf's caller keeps the stack": {minidump.Linux, leaf, minidumptest.Regs{"ra": lib + 0x10}, words(0), "context 400120, cfi 500010, no_caller"},
		"only the first frame is a leaf":  {minidump.Linux, leaf, minidumptest.Regs{"ra": app + 0x210, "s0": lib + 0x10}, words(0), "context 400120, cfi 400210, stack_pointer_back"},
		// Parity: rules cannot name argument registers.
		"registers that calls do not preserve are unknown": {
			minidump.Linux, f + "STACK CFI INIT 100 100 .cfa: $sp 8 + .ra: $a0\n", minidumptest.Regs{"a0": lib + 0x20}, words(lib+0x10, 0), "context 400120, scan 500010, no_caller",
		},
		"no frame pointers":               {minidump.Linux, "", minidumptest.Regs{"fp": stack}, words(stack+8, 1, lib+0x10, 0), "context 400120, scan 500010, no_caller"},
		"scan of 256 words":               {minidump.Linux, "", nil, minidumptest.StackAt(stack).Zeros(255).Words(lib+0x10, 0), "context 400120, scan 500010, no_caller"},
		"scan of no more":                 {minidump.Linux, "", nil, minidumptest.StackAt(stack).Zeros(256).Words(lib+0x10, 0), "context 400120, no_caller"},
		"scan passes the argument words":  {minidump.Linux, "", nil, words(lib+0x20, lib+1, lib+2, lib+3, lib+4, lib+0x10, 0), "context 400120, scan 500020, scan 500010, no_caller"},
		"scan after another, last word":   {minidump.Linux, "", nil, words(lib+0x20).Zeros(255).Words(lib+0x10, 0), "context 400120, scan 500020, scan 500010, no_caller"},
		"scan after another, word behind": {minidump.Linux, "", nil, words(lib+0x20).Zeros(256).Words(lib+0x10, 0), "context 400120, scan 500020, no_caller"},
	})
}
