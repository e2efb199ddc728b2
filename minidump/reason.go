package minidump

import "fmt"

// CrashReason is the crash's kind in the words of its system, such as
// "SIGSEGV / SEGV_MAPERR", "EXCEPTION_ACCESS_VIOLATION_READ" or
// "EXC_BAD_ACCESS / KERN_INVALID_ADDRESS". A code without a name is printed in
// hex. It is "" without an exception.
func (d *Dump) CrashReason() string {
	e := d.Exception
	if e == nil {
		return ""
	}
	os, cpu := OSUnknown, CPUUnknown
	if d.System != nil {
		os, cpu = d.System.OS, d.System.CPU
	}
	switch os {
	case Windows:
		return windowsReason(e)
	case MacOS, IOS:
		return machReason(e, cpu)
	case Linux, Android:
		return linuxReason(e)
	default:
		return unknownReason(e)
	}
}

func unknownReason(e *Exception) string {
	return fmt.Sprintf("unknown 0x%08x / 0x%08x", e.Code, e.Flags)
}

// withDetail is "name / detail", the detail in hex if it has no name.
func withDetail(name string, detail uint32, names map[uint32]string) string {
	if text, ok := names[detail]; ok {
		return name + " / " + text
	}
	return fmt.Sprintf("%s / 0x%08x", name, detail)
}
