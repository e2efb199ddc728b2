package stackwalk_test

import (
	"testing"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
)

func TestRISCV64Walk(t *testing.T) {
	const cfi = "FUNC 0 1000 0 f\nSTACK CFI INIT 100 100 .cfa: sp 16 + .ra: .cfa 8 - ^ s0: .cfa 16 - ^\n"
	runWalkCases(t, minidump.CPURISCV64, map[string]walkCase{
		"cfi":                    {minidump.Linux, cfi, nil, words(0, lib+0x10), "context 400120, cfi 500010, no_caller"},
		"cfi restores s0":        {minidump.Linux, cfi, nil, words(stack+0x30, lib+0x10, 1, 2, 0, lib+0x20), "context 400120, cfi 500010, frame_pointer 500020, no_caller"},
		"a leaf's caller in ra":  {minidump.Linux, "FUNC 0 1000 0 f\nSTACK CFI INIT 100 100 .cfa: sp .ra: ra\n", minidumptest.Regs{"ra": lib + 0x10}, words(1), "context 400120, cfi 500010, no_caller"},
		"frame pointer":          {minidump.Linux, "", minidumptest.Regs{"s0": stack + 0x18}, words(1, 0, lib+0x10), "context 400120, frame_pointer 500010, no_caller"},
		"frame pointer below sp": {minidump.Linux, "", minidumptest.Regs{"s0": stack}, words(1, lib+0x10), "context 400120, scan 500010, no_caller"},
		"scan":                   {minidump.Linux, "", nil, words(1, 2, lib+0x10), "context 400120, scan 500010, no_caller"},
	})
}
