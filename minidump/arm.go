package minidump

import (
	"fmt"
	"strconv"
	"strings"

	"aftershock/internal/cursor"
)

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

// armVendors and armParts are of the CPUID register (MIDR of the ARM
// Architecture Reference Manual): the implementer, and with it the part.
var (
	armVendors = map[uint32]string{0x41: "ARM", 0x51: "Qualcomm", 0x56: "Marvell"}
	armParts   = map[uint32]string{
		0x4100c050: "Cortex-A5", 0x4100c080: "Cortex-A8", 0x4100c090: "Cortex-A9", 0x4100c0f0: "Cortex-A15",
		0x4100c140: "Cortex-R4", 0x4100c150: "Cortex-R5",
		0x4100b360: "ARM1136", 0x4100b560: "ARM1156", 0x4100b760: "ARM1176", 0x4100b020: "ARM11-MPCore",
		0x41009260: "ARM926", 0x41009460: "ARM946", 0x41009660: "ARM966",
		0x510006f0: "Krait", 0x510000f0: "Scorpion",
	}
	// armFeatures are HWCAP_* of Linux by bit (arch/arm/include/uapi/asm/hwcap.h).
	armFeatures = [...]string{
		"swp", "half", "thumb", "26bit", "fastmult", "fpa", "vfpv2", "edsp", "java", "iwmmxt", "crunch", "thumbee",
		"neon", "vfpv3", "vfpv3d16", "tls", "vfpv4", "idiva", "idivt",
	}
)

const (
	armVendorShift = 24
	armPartMask    = 0xff00fff0
)

// armInfo describes an arm processor.
func armInfo(level uint16, id, capabilities uint32) string {
	text := "ARMv" + strconv.Itoa(int(level))
	if id != 0 {
		vendor, ok := armVendors[id>>armVendorShift]
		if !ok {
			vendor = fmt.Sprintf("vendor(%#x)", id>>armVendorShift)
		}
		part, ok := armParts[id&armPartMask]
		if !ok {
			part = fmt.Sprintf("part(%#x)", id&armPartMask)
		}
		text += " " + vendor + " " + part
	}
	var features []string
	for bit, name := range armFeatures {
		if capabilities>>bit&1 != 0 {
			features = append(features, name)
		}
	}
	if len(features) > 0 {
		text += " features: " + strings.Join(features, ",")
	}
	return text
}
