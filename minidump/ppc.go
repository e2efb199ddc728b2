package minidump

import "aftershock/internal/cursor"

var ppcRegisters = []string{
	"srr0", "srr1", "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	"r16", "r17", "r18", "r19", "r20", "r21", "r22", "r23", "r24", "r25", "r26", "r27", "r28", "r29", "r30", "r31",
	"cr", "xer", "lr", "ctr", "mq", "vrsave",
}

// ppc64Registers lacks only mq, which 64-bit processors do not have.
var ppc64Registers = append(ppcRegisters[:38:38], "vrsave")

var sparcRegisters = []string{
	"g_r0", "g_r1", "g_r2", "g_r3", "g_r4", "g_r5", "g_r6", "g_r7", "g_r8", "g_r9", "g_r10", "g_r11", "g_r12", "g_r13", "g_r14", "g_r15",
	"g_r16", "g_r17", "g_r18", "g_r19", "g_r20", "g_r21", "g_r22", "g_r23", "g_r24", "g_r25", "g_r26", "g_r27", "g_r28", "g_r29", "g_r30",
	"g_r31", "ccr", "pc", "npc", "y", "asi", "fprs",
}

const (
	ppcContextSize   = 1004
	ppc64ContextSize = 1160
	sparcContextSize = 584
)

// readPPC decodes MDRawContextPPC (minidump_cpu_ppc.h).
func (ctx *Context) readPPC(c *cursor.Cursor) bool {
	if c.Len() < ppcContextSize || c.U32()&contextCPUMask != contextPPC {
		return false
	}
	ctx.words32(c, 0, len(ppcRegisters))
	return c.Err() == nil
}

// readPPC64 decodes MDRawContextPPC64 (minidump_cpu_ppc64.h).
func (ctx *Context) readPPC64(c *cursor.Cursor) bool {
	if c.Len() < ppc64ContextSize || c.U64()&contextCPUMask != contextPPC64 {
		return false
	}
	ctx.words64(c, 0, len(ppc64Registers))
	return c.Err() == nil
}

// readSPARC decodes MDRawContextSPARC (minidump_cpu_sparc.h).
func (ctx *Context) readSPARC(c *cursor.Cursor) bool {
	if c.Len() < sparcContextSize || c.U32()&contextCPUMask != contextSPARC {
		return false
	}
	c.Skip(4)
	ctx.words64(c, 0, len(sparcRegisters))
	return c.Err() == nil
}
