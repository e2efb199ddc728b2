package minidump

import "fmt"

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
		return withDetail(name+access, uint32(e.Parameters[2]), ntStatus)
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
// or an NTSTATUS; in hex if it is neither.
func WindowsErrorText(code uint32) string {
	if name, ok := windowsErrors[code]; ok {
		return name
	}
	if name, ok := ntStatus[code]; ok {
		return name
	}
	if code&severityMask != 0 && code&facilityMask == facilityVisualCPP {
		if name, ok := windowsErrors[code&0xffff]; ok {
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
	0xc000008c:               "EXCEPTION_ARRAY_BOUNDS_EXCEEDED",
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
	0xe0000008:               "Out of Memory",           // Chromium's and Mozilla's allocators
	0xe06d7363:               "Unhandled C++ Exception", // MSVC: 'msc'
	0x0517a7ed:               "Simulated Exception",     // Crashpad: CaptureContext without a crash
}

// windowsErrors are the Windows errors that crashing processes often had last
// (winerror.h).
var windowsErrors = map[uint32]string{
	0: "ERROR_SUCCESS", 1: "ERROR_INVALID_FUNCTION", 2: "ERROR_FILE_NOT_FOUND", 3: "ERROR_PATH_NOT_FOUND",
	4: "ERROR_TOO_MANY_OPEN_FILES", 5: "ERROR_ACCESS_DENIED", 6: "ERROR_INVALID_HANDLE", 8: "ERROR_NOT_ENOUGH_MEMORY",
	13: "ERROR_INVALID_DATA", 14: "ERROR_OUTOFMEMORY", 18: "ERROR_NO_MORE_FILES", 31: "ERROR_GEN_FAILURE",
	32: "ERROR_SHARING_VIOLATION", 33: "ERROR_LOCK_VIOLATION", 38: "ERROR_HANDLE_EOF", 50: "ERROR_NOT_SUPPORTED",
	80: "ERROR_FILE_EXISTS", 87: "ERROR_INVALID_PARAMETER", 109: "ERROR_BROKEN_PIPE", 112: "ERROR_DISK_FULL",
	120: "ERROR_CALL_NOT_IMPLEMENTED", 122: "ERROR_INSUFFICIENT_BUFFER", 123: "ERROR_INVALID_NAME", 126: "ERROR_MOD_NOT_FOUND",
	127: "ERROR_PROC_NOT_FOUND", 145: "ERROR_DIR_NOT_EMPTY", 170: "ERROR_BUSY", 183: "ERROR_ALREADY_EXISTS",
	203: "ERROR_ENVVAR_NOT_FOUND", 230: "ERROR_BAD_PIPE", 231: "ERROR_PIPE_BUSY", 232: "ERROR_NO_DATA",
	233: "ERROR_PIPE_NOT_CONNECTED", 234: "ERROR_MORE_DATA", 258: "WAIT_TIMEOUT", 259: "ERROR_NO_MORE_ITEMS",
	288: "ERROR_NOT_OWNER", 487: "ERROR_INVALID_ADDRESS", 534: "ERROR_ARITHMETIC_OVERFLOW", 995: "ERROR_OPERATION_ABORTED",
	996: "ERROR_IO_INCOMPLETE", 997: "ERROR_IO_PENDING", 998: "ERROR_NOACCESS", 1001: "ERROR_STACK_OVERFLOW",
	1008: "ERROR_NO_TOKEN", 1114: "ERROR_DLL_INIT_FAILED", 1168: "ERROR_NOT_FOUND", 1223: "ERROR_CANCELLED",
	1400: "ERROR_INVALID_WINDOW_HANDLE", 1411: "ERROR_CLASS_DOES_NOT_EXIST", 1444: "ERROR_INVALID_THREAD_ID",
	1450: "ERROR_NO_SYSTEM_RESOURCES", 1453: "ERROR_WORKING_SET_QUOTA", 1455: "ERROR_COMMITMENT_LIMIT", 1460: "ERROR_TIMEOUT",
	1816: "ERROR_NOT_ENOUGH_QUOTA",
}

// ntStatus are the NTSTATUS values that processes are ended with, or that a
// page could not be read for (ntstatus.h).
var ntStatus = map[uint32]string{
	0x00000102: "STATUS_TIMEOUT", 0x00000103: "STATUS_PENDING",
	0x40000015: "STATUS_FATAL_APP_EXIT", 0x4000001f: "STATUS_WX86_BREAKPOINT",
	0x80000001: "STATUS_GUARD_PAGE_VIOLATION", 0x80000003: "STATUS_BREAKPOINT", 0x80000004: "STATUS_SINGLE_STEP",
	0xc0000001: "STATUS_UNSUCCESSFUL", 0xc0000005: "STATUS_ACCESS_VIOLATION", 0xc0000006: "STATUS_IN_PAGE_ERROR",
	0xc0000008: "STATUS_INVALID_HANDLE", 0xc000000d: "STATUS_INVALID_PARAMETER", 0xc000000e: "STATUS_NO_SUCH_DEVICE",
	0xc0000013: "STATUS_NO_MEDIA_IN_DEVICE", 0xc0000017: "STATUS_NO_MEMORY", 0xc000001d: "STATUS_ILLEGAL_INSTRUCTION",
	0xc0000022: "STATUS_ACCESS_DENIED", 0xc000003e: "STATUS_DATA_ERROR", 0xc000003f: "STATUS_CRC_ERROR",
	0xc0000043: "STATUS_SHARING_VIOLATION", 0xc000009a: "STATUS_INSUFFICIENT_RESOURCES", 0xc000009c: "STATUS_DEVICE_DATA_ERROR",
	0xc000009d: "STATUS_DEVICE_NOT_CONNECTED", 0xc00000a3: "STATUS_DEVICE_NOT_READY", 0xc00000b5: "STATUS_IO_TIMEOUT",
	0xc00000be: "STATUS_BAD_NETWORK_PATH", 0xc00000c4: "STATUS_UNEXPECTED_NETWORK_ERROR", 0xc00000c9: "STATUS_NETWORK_NAME_DELETED",
	0xc0000102: "STATUS_FILE_CORRUPT_ERROR", 0xc000012d: "STATUS_COMMITMENT_LIMIT", 0xc0000135: "STATUS_DLL_NOT_FOUND",
	0xc0000138: "STATUS_ORDINAL_NOT_FOUND", 0xc0000139: "STATUS_ENTRYPOINT_NOT_FOUND", 0xc000013a: "STATUS_CONTROL_C_EXIT",
	0xc0000142: "STATUS_DLL_INIT_FAILED", 0xc000014c: "STATUS_REGISTRY_CORRUPT", 0xc0000185: "STATUS_IO_DEVICE_ERROR",
	0xc000020c: "STATUS_CONNECTION_DISCONNECTED", 0xc000026e: "STATUS_VOLUME_DISMOUNTED", 0xc0000374: "STATUS_HEAP_CORRUPTION",
	statusStackBufferOverrun: "STATUS_STACK_BUFFER_OVERRUN", 0xc0000417: "STATUS_INVALID_CRUNTIME_PARAMETER",
	0xc0000420: "STATUS_ASSERTION_FAILURE", 0xc0000428: "STATUS_INVALID_IMAGE_HASH", 0xc000041d: "STATUS_FATAL_USER_CALLBACK_EXCEPTION",
	0xc0000602: "STATUS_FAIL_FAST_EXCEPTION",
}
