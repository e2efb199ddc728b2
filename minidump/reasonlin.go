package minidump

// linuxReason names a signal and its si_code. Codes that only some signals
// have are looked up first; SI_USER, which Breakpad also writes when it does
// not know the code, is left out.
func linuxReason(e *Exception) string {
	signal, ok := linuxSignals[e.Code]
	if !ok {
		return unknownReason(e)
	}
	if code, ok := linuxSignalCodes[e.Code][e.Flags]; ok {
		return signal + " / " + code
	}
	if e.Flags == 0 {
		return signal
	}
	return withDetail(signal, e.Flags, linuxCodes)
}

// Signal numbers of the Linux ABI shared by x86, arm and most others
// (include/uapi/asm-generic/signal.h).
const (
	sigILL  = 4
	sigTRAP = 5
	sigBUS  = 7
	sigFPE  = 8
	sigSEGV = 11
	sigSYS  = 31
)

var linuxSignals = map[uint32]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", sigILL: "SIGILL", sigTRAP: "SIGTRAP", 6: "SIGABRT", sigBUS: "SIGBUS", sigFPE: "SIGFPE",
	9: "SIGKILL", 10: "SIGUSR1", sigSEGV: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 16: "SIGSTKFLT",
	17: "SIGCHLD", 18: "SIGCONT", 19: "SIGSTOP", 20: "SIGTSTP", 21: "SIGTTIN", 22: "SIGTTOU", 23: "SIGURG", 24: "SIGXCPU",
	25: "SIGXFSZ", 26: "SIGVTALRM", 27: "SIGPROF", 28: "SIGWINCH", 29: "SIGIO", 30: "SIGPWR", sigSYS: "SIGSYS",
	0xffffffff: "DUMP_REQUESTED", // Breakpad's MD_EXCEPTION_CODE_LIN_DUMP_REQUESTED
}

// linuxCodes are the si_codes that any signal can have
// (include/uapi/asm-generic/siginfo.h), as 32-bit two's complement.
var linuxCodes = map[uint32]string{
	0x00000000: "SI_USER",
	0x00000080: "SI_KERNEL",
	0xffffffff: "SI_QUEUE",
	0xfffffffe: "SI_TIMER",
	0xfffffffd: "SI_MESGQ",
	0xfffffffc: "SI_ASYNCIO",
	0xfffffffb: "SI_SIGIO",
	0xfffffffa: "SI_TKILL",
	0xfffffff9: "SI_DETHREAD",
	0xffffffc4: "SI_ASYNCNL",
}

// linuxSignalCodes are the si_codes by signal (the same header).
var linuxSignalCodes = map[uint32]map[uint32]string{
	sigILL: {
		1: "ILL_ILLOPC", 2: "ILL_ILLOPN", 3: "ILL_ILLADR", 4: "ILL_ILLTRP", 5: "ILL_PRVOPC", 6: "ILL_PRVREG",
		7: "ILL_COPROC", 8: "ILL_BADSTK", 9: "ILL_BADIADDR",
	},
	sigTRAP: {1: "TRAP_BRKPT", 2: "TRAP_TRACE", 3: "TRAP_BRANCH", 4: "TRAP_HWBKPT", 5: "TRAP_UNK", 6: "TRAP_PERF"},
	sigFPE: {
		1: "FPE_INTDIV", 2: "FPE_INTOVF", 3: "FPE_FLTDIV", 4: "FPE_FLTOVF", 5: "FPE_FLTUND", 6: "FPE_FLTRES",
		7: "FPE_FLTINV", 8: "FPE_FLTSUB",
	},
	sigSEGV: {1: "SEGV_MAPERR", 2: "SEGV_ACCERR", 3: "SEGV_BNDERR", 4: "SEGV_PKUERR"},
	sigBUS:  {1: "BUS_ADRALN", 2: "BUS_ADRERR", 3: "BUS_OBJERR", 4: "BUS_MCEERR_AR", 5: "BUS_MCEERR_AO"},
	sigSYS:  {1: "SYS_SECCOMP", 2: "SYS_USER_DISPATCH"},
}
