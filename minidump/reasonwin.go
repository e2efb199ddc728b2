package minidump

import (
	"cmp"
	"fmt"
	"slices"
)

//go:generate go run ./internal/reasontables

// codeNames names codes; it is sorted by them.
type codeNames []codeName

type codeName struct {
	code uint32
	name string
}

func (names codeNames) lookup(code uint32) (string, bool) {
	i, ok := slices.BinarySearchFunc(names, code, func(n codeName, code uint32) int { return cmp.Compare(n.code, code) })
	if !ok {
		return "", false
	}
	return names[i].name, true
}

// statusStackBufferOverrun is also the code of __fastfail, whose first
// parameter says why.
const statusStackBufferOverrun = 0xc0000409

// windowsReason names an exception code: an EXCEPTION_ code, else a Windows
// error, else an NTSTATUS.
func windowsReason(e *Exception) string {
	name, ok := windowsExceptions[e.Code]
	switch {
	case e.Code == exceptionAccessViolation && len(e.Parameters) >= 1:
		return name + windowsAccess[e.Parameters[0]]
	case e.Code == exceptionInPageError && len(e.Parameters) >= 3:
		access, ok := windowsAccess[e.Parameters[0]]
		if !ok {
			return name
		}
		status := uint32(e.Parameters[2])
		if text, ok := ntStatusNames.lookup(status); ok {
			return name + access + " / " + text
		}
		return withDetail(name+access, status, nil)
	case e.Code == statusStackBufferOverrun && len(e.Parameters) >= 1:
		return withDetail("EXCEPTION_STACK_BUFFER_OVERRUN", uint32(e.Parameters[0]), fastFails)
	case ok:
		return name
	}
	return WindowsErrorText(e.Code)
}

// windowsAccess names what was tried, from the first parameter of an access
// violation or in-page error (EXCEPTION_RECORD of winnt.h).
var windowsAccess = map[uint64]string{0: "_READ", 1: "_WRITE", 8: "_EXEC"}

// Parts of an HRESULT that wraps a Windows error (winerror.h).
const (
	severityMask       = 0xf0000000
	facilityMask       = 0x0fff0000
	facilityVisualCPP  = 0x006d0000
	facilityVisualText = "FACILITY_VISUALCPP"
)

// WindowsErrorText names a code that may be a Windows error (of GetLastError)
// or an NTSTATUS; in hex if it is neither. Small numbers are taken for errors.
func WindowsErrorText(code uint32) string {
	for _, names := range [...]codeNames{winErrorNames, ntStatusNames, winOtherNames} {
		if name, ok := names.lookup(code); ok {
			return name
		}
	}
	if code&severityMask != 0 && code&facilityMask == facilityVisualCPP {
		if name, ok := winErrorNames.lookup(code & 0xffff); ok {
			return facilityVisualText + " / " + name
		}
	}
	return fmt.Sprintf("unknown 0x%08x", code)
}

// windowsExceptions are codes of RaiseException and the CPU's (winnt.h,
// minwinbase.h), and those of compilers and Crashpad.
var windowsExceptions = map[uint32]string{
	0x80000001:               "EXCEPTION_GUARD_PAGE",
	0x80000002:               "EXCEPTION_DATATYPE_MISALIGNMENT",
	0x80000003:               "EXCEPTION_BREAKPOINT",
	0x80000004:               "EXCEPTION_SINGLE_STEP",
	exceptionAccessViolation: "EXCEPTION_ACCESS_VIOLATION",
	exceptionInPageError:     "EXCEPTION_IN_PAGE_ERROR",
	0xc0000008:               "EXCEPTION_INVALID_HANDLE",
	0xc000001d:               "EXCEPTION_ILLEGAL_INSTRUCTION",
	0xc0000025:               "EXCEPTION_NONCONTINUABLE_EXCEPTION",
	0xc0000026:               "EXCEPTION_INVALID_DISPOSITION",
	0xc000008c:               "EXCEPTION_BOUNDS_EXCEEDED",
	0xc000008d:               "EXCEPTION_FLT_DENORMAL_OPERAND",
	0xc000008e:               "EXCEPTION_FLT_DIVIDE_BY_ZERO",
	0xc000008f:               "EXCEPTION_FLT_INEXACT_RESULT",
	0xc0000090:               "EXCEPTION_FLT_INVALID_OPERATION",
	0xc0000091:               "EXCEPTION_FLT_OVERFLOW",
	0xc0000092:               "EXCEPTION_FLT_STACK_CHECK",
	0xc0000093:               "EXCEPTION_FLT_UNDERFLOW",
	0xc0000094:               "EXCEPTION_INT_DIVIDE_BY_ZERO",
	0xc0000095:               "EXCEPTION_INT_OVERFLOW",
	0xc0000096:               "EXCEPTION_PRIV_INSTRUCTION",
	0xc00000fd:               "EXCEPTION_STACK_OVERFLOW",
	0xc0000194:               "EXCEPTION_POSSIBLE_DEADLOCK",
	0xe0434352:               "MANAGED_EXCEPTION_CODE_V4", // of .NET, from version 4 on: 'CCR'
	0xe0000008:               "Out of Memory",             // Chromium's and Mozilla's allocators
	0xe06d7363:               "Unhandled C++ Exception",   // MSVC: 'msc'
	0x0517a7ed:               "Simulated Exception",       // Crashpad: CaptureContext without a crash
}
