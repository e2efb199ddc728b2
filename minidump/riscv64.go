package minidump

import "aftershock/internal/cursor"

var riscv64Registers = []string{
	"pc", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1",
	"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7",
	"s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
}

// contextRISCV64 is no part of contextCPUMask: Windows uses its bit for
// CONTEXT_EXCEPTION_ACTIVE.
const contextRISCV64 = 0x08000000

const riscv64ContextSize = 528

// readRISCV64 decodes MDRawContextRISCV64 (minidump_cpu_riscv.h), which Crashpad
// writes as well. Floating point registers behind are ignored.
func (ctx *Context) readRISCV64(c *cursor.Cursor) bool {
	if c.Len() < riscv64ContextSize || c.U32()&(contextCPUMask|contextRISCV64) != contextRISCV64 {
		return false
	}
	c.Skip(4) // version
	ctx.words64(c, 0, 32)
	return c.Err() == nil
}
