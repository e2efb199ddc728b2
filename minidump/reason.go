package minidump

// CrashReason is the crash's kind in the words of its system, such as
// "SIGSEGV / SEGV_MAPERR", "EXCEPTION_ACCESS_VIOLATION_READ" or
// "EXC_BAD_ACCESS / KERN_INVALID_ADDRESS". It is "" without an exception.
func (d *Dump) CrashReason() string {
	return ""
}

// WindowsErrorText names a Windows error.
func WindowsErrorText(code uint32) string { return "" }
