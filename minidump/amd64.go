package minidump

import "aftershock/internal/cursor"

var amd64Registers = []string{
	"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip",
}

const amd64ContextSize = 1232

// readAMD64 decodes CONTEXT of winnt.h for x64. Extended state after the
// fixed part is ignored.
func (ctx *Context) readAMD64(c *cursor.Cursor) bool {
	if c.Len() < amd64ContextSize {
		return false
	}
	c.Skip(6 * 8) // P1Home to P6Home
	if c.U32()&contextCPUMask != contextAMD64 {
		return false
	}
	c.Skip(4 + 6*2 + 4 + 6*8) // MxCsr, segments, EFlags, debug registers
	// The structure's order against ours.
	for _, r := range [...]uint8{0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16} {
		ctx.Registers[r] = c.U64()
	}
	return c.Err() == nil
}
