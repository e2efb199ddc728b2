package minidump

// machReason names a Mach exception and its first code, whose meaning depends
// on the exception and partly on the CPU.
func machReason(e *Exception, cpu CPU) string {
	name, ok := machExceptions[e.Code]
	if !ok {
		return unknownReason(e)
	}
	switch e.Code {
	case excSimulated:
		return name
	case excResource, excGuard:
		if text, ok := machPacked(name, e); ok {
			return text
		}
	}
	var codes map[uint32]string
	switch cpu {
	case CPUX86, CPUAMD64:
		codes = machX86Codes[e.Code]
	case CPUARM, CPUARM64:
		codes = machARMCodes[e.Code]
	case CPUPPC, CPUPPC64:
		codes = machPPCCodes[e.Code]
	default:
	}
	if text, ok := codes[e.Flags]; ok {
		return name + " / " + text
	}
	return withDetail(name, e.Flags, machCodes[e.Code])
}

// Mach exceptions with codes of their own (osfmk/mach/exception_types.h).
const (
	excBadAccess      = 1
	excBadInstruction = 2
	excArithmetic     = 3
	excSoftware       = 5
	excBreakpoint     = 6

	excSimulated = 0x43507378 // Crashpad's kMachExceptionSimulated: 'CPsx'
)

var machExceptions = map[uint32]string{
	excBadAccess: "EXC_BAD_ACCESS", excBadInstruction: "EXC_BAD_INSTRUCTION", excArithmetic: "EXC_ARITHMETIC", 4: "EXC_EMULATION",
	excSoftware: "EXC_SOFTWARE", excBreakpoint: "EXC_BREAKPOINT", 7: "EXC_SYSCALL", 8: "EXC_MACH_SYSCALL", 9: "EXC_RPC_ALERT",
	10: "EXC_CRASH", excResource: "EXC_RESOURCE", excGuard: "EXC_GUARD",
	excSimulated: "Simulated Exception",
}

// machCodes are codes of every CPU: kern_return_t of a failed access, and the
// signals that EXC_SOFTWARE stands for.
var machCodes = map[uint32]map[uint32]string{
	excBadAccess: {
		1: "KERN_INVALID_ADDRESS", 2: "KERN_PROTECTION_FAILURE", 5: "KERN_FAILURE", 8: "KERN_NO_ACCESS", 9: "KERN_MEMORY_FAILURE",
		10: "KERN_MEMORY_ERROR", 50: "KERN_CODESIGN_ERROR",
	},
	excSoftware: {
		0x00000001: "EXC_PPC_TRAP", 0x00010100: "EXC_PPC_MIGRATE", // parity: on every CPU
		0x00010000: "SIGSYS", 0x00010001: "SIGPIPE", 0x00010002: "SIGABRT", 0x00010003: "SIGNAL",
		0xdeadc0de: "UNCAUGHT_NS_EXCEPTION",
	},
}

// machX86Codes are EXC_I386_* (osfmk/mach/i386/exception.h).
var machX86Codes = map[uint32]map[uint32]string{
	excBadAccess: {13: "EXC_I386_GPFLT"},
	excBadInstruction: {
		1: "EXC_I386_INVOP", 10: "EXC_I386_INVTSSFLT", 11: "EXC_I386_SEGNPFLT", 12: "EXC_I386_STKFLT", 13: "EXC_I386_GPFLT",
		17: "EXC_I386_ALIGNFLT",
	},
	excArithmetic: {
		1: "EXC_I386_DIV", 2: "EXC_I386_INTO", 3: "EXC_I386_NOEXT", 4: "EXC_I386_EXTOVR", 5: "EXC_I386_EXTERR",
		6: "EXC_I386_EMERR", 7: "EXC_I386_BOUND", 8: "EXC_I386_SSEEXTERR",
	},
	excBreakpoint: {1: "EXC_I386_SGL", 2: "EXC_I386_BPT"},
}

// machARMCodes are EXC_ARM_* (osfmk/mach/arm/exception.h).
var machARMCodes = map[uint32]map[uint32]string{
	excBadAccess: {
		0x101: "EXC_ARM_DA_ALIGN", 0x102: "EXC_ARM_DA_DEBUG", 0x103: "EXC_ARM_SP_ALIGN", 0x104: "EXC_ARM_SWP",
		0x105: "EXC_ARM_PAC_FAIL", // arm64e: a pointer whose signature is wrong
	},
	excBadInstruction: {1: "EXC_ARM_UNDEFINED"},
	excArithmetic: {
		1: "EXC_ARM_FP_IO", 2: "EXC_ARM_FP_DZ", 3: "EXC_ARM_FP_OF", 4: "EXC_ARM_FP_UF", 5: "EXC_ARM_FP_IX", 6: "EXC_ARM_FP_ID",
	},
	excBreakpoint: {1: "EXC_ARM_BREAKPOINT", 0x101: "EXC_ARM_DA_ALIGN", 0x102: "EXC_ARM_DA_DEBUG"},
}

// machPPCCodes are EXC_PPC_* (osfmk/mach/ppc/exception.h of XNU 1228).
var machPPCCodes = map[uint32]map[uint32]string{
	excBadAccess: {0x101: "EXC_PPC_VM_PROT_READ", 0x102: "EXC_PPC_BADSPACE", 0x103: "EXC_PPC_UNALIGNED"},
	excBadInstruction: {
		1: "EXC_PPC_INVALID_SYSCALL", 2: "EXC_PPC_UNIPL_INST", 3: "EXC_PPC_PRIVINST", 4: "EXC_PPC_PRIVREG", 5: "EXC_PPC_TRACE",
		6: "EXC_PPC_PERFMON",
	},
	excArithmetic: {
		1: "EXC_PPC_OVERFLOW", 2: "EXC_PPC_ZERO_DIVIDE", 3: "EXC_FLT_INEXACT", 4: "EXC_PPC_FLT_ZERO_DIVIDE", 5: "EXC_PPC_FLT_UNDERFLOW",
		6: "EXC_PPC_FLT_OVERFLOW", 7: "EXC_PPC_FLT_NOT_A_NUMBER", 8: "EXC_PPC_NOEMULATION", 9: "EXC_PPC_ALTIVECASSIST",
	},
	excBreakpoint: {1: "EXC_PPC_BREAKPOINT"},
}
