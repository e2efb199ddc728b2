package minidump

import "aftershock/internal/cursor"

var x86Registers = []string{"eip", "esp", "ebp", "ebx", "esi", "edi", "eax", "ecx", "edx", "eflags"}

const x86ContextSize = 716

// readX86 decodes CONTEXT of winnt.h for x86 (on 64-bit Windows:
// WOW64_CONTEXT, the same).
func (ctx *Context) readX86(c *cursor.Cursor) bool {
	if c.Len() < x86ContextSize {
		return false
	}
	if c.U32()&contextCPUMask != contextX86 {
		return false
	}
	c.Skip(6*4 + 112 + 4*4) // debug registers, FloatSave, segments
	// Edi Esi Ebx Edx Ecx Eax Ebp Eip SegCs EFlags Esp
	for _, r := range [...]uint8{5, 4, 3, 8, 7, 6, 2, 0} {
		ctx.Registers[r] = uint64(c.U32())
	}
	c.Skip(4) // SegCs
	ctx.Registers[9] = uint64(c.U32())
	ctx.Registers[1] = uint64(c.U32())
	return c.Err() == nil
}
