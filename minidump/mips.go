package minidump

import "aftershock/internal/cursor"

var mipsRegisters = []string{
	"zero", "at", "v0", "v1", "a0", "a1", "a2", "a3", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7",
	"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "t8", "t9", "k0", "k1", "gp", "sp", "fp", "ra", "pc",
}

const mipsContextSize = 600

// readMIPS decodes MDRawContextMIPS (minidump_cpu_mips.h), which 32- and 64-bit
// processes share but for the flags.
func (ctx *Context) readMIPS(c *cursor.Cursor) bool {
	want := uint32(contextMIPS)
	if ctx.CPU == CPUMIPS64 {
		want = contextMIPS64
	}
	if c.Len() < mipsContextSize || c.U32()&contextCPUMask != want {
		return false
	}
	c.Skip(4)
	ctx.words64(c, 0, 32)
	c.Skip(2*8 + 6*4 + 2*4) // mdhi, mdlo, hi, lo, dsp_control
	ctx.words64(c, 32, 1)   // epc
	return c.Err() == nil
}
