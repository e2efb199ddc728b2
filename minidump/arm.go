package minidump

import "aftershock/internal/cursor"

var armRegisters = []string{
	"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "fp", "r12", "sp", "lr", "pc",
}

var arm64Registers = []string{
	"x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
	"x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "fp", "lr", "sp", "pc",
}

const (
	armContextSize      = 368
	arm64ContextSize    = 912
	arm64OldContextSize = 796
)

// readARM decodes Breakpad's MDRawContextARM (minidump_cpu_arm.h).
func (ctx *Context) readARM(c *cursor.Cursor) bool {
	if c.Len() < armContextSize || c.U32()&contextCPUMask != contextARM {
		return false
	}
	ctx.words32(c, 0, len(armRegisters))
	return c.Err() == nil
}

// readARM64 decodes ARM64_NT_CONTEXT of winnt.h.
func (ctx *Context) readARM64(c *cursor.Cursor) bool {
	if c.Len() < arm64ContextSize || c.U32()&contextCPUMask != contextARM64 {
		return false
	}
	c.Skip(4) // Cpsr
	ctx.words64(c, 0, len(arm64Registers))
	return c.Err() == nil
}

// readARM64Old decodes MDRawContextARM64_Old (minidump_cpu_arm64.h), which
// Breakpad wrote before Microsoft had a layout.
func (ctx *Context) readARM64Old(c *cursor.Cursor) bool {
	if c.Len() < arm64OldContextSize || c.U64()&contextCPUMask != contextARM64Old {
		return false
	}
	ctx.words64(c, 0, len(arm64Registers))
	return c.Err() == nil
}
