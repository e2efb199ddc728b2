package minidump_test

import (
	"testing"

	"aftershock/minidump"
)

// Of what a client gives as its reason only what systems say is shown.
func TestAReasonOfSomebodyElseIsShownAsFarAsItIsKnown(t *testing.T) {
	for text, want := range map[string]string{
		"SIGSEGV / SEGV_MAPERR":           "SIGSEGV / SEGV_MAPERR",
		"SIGSEGV":                         "SIGSEGV",
		"EXCEPTION_ACCESS_VIOLATION_READ": "EXCEPTION_ACCESS_VIOLATION_READ",
		"EXCEPTION_IN_PAGE_ERROR_EXEC / STATUS_DEVICE_DATA_ERROR":        "EXCEPTION_IN_PAGE_ERROR_EXEC / STATUS_DEVICE_DATA_ERROR",
		"EXCEPTION_STACK_BUFFER_OVERRUN / FAST_FAIL_FATAL_APP_EXIT":      "EXCEPTION_STACK_BUFFER_OVERRUN / FAST_FAIL_FATAL_APP_EXIT",
		"EXC_BAD_ACCESS / KERN_INVALID_ADDRESS":                          "EXC_BAD_ACCESS / KERN_INVALID_ADDRESS",
		"EXC_BAD_ACCESS / 0x0000000d":                                    "EXC_BAD_ACCESS / 0x0000000d",
		"unknown 0xe0434352":                                             "unknown 0xe0434352",
		"Simulated Exception":                                            "Simulated Exception",
		"EXC_GUARD / GUARD_TYPE_FD / GUARD_EXC_CLOSE file descriptor: 7": "EXC_GUARD / GUARD_TYPE_FD / GUARD_EXC_CLOSE",
		"SIGSEGV / jane@example.org":                                     "SIGSEGV",
		"SIGSEGV jane@example.org":                                       "SIGSEGV",
		"SIGSEGV / jane@example.org / SEGV_MAPERR":                       "SIGSEGV",
		"SIGSEGV / 0x41424344 / 0x41424344 / 0x41424344":                 "SIGSEGV / 0x41424344 / 0x41424344",
		"0x41424344":                      "",
		"unknown 0x00000001 / 0x00000002": "unknown 0x00000001 / 0x00000002",
		"SIGSEGV / unknown 0x00000001":    "SIGSEGV",
		"https://example.org/secret":      "",
		"0xdeadbeefdeadbeef00":            "",
		"unknown secret":                  "",
		"":                                "",
		" / ":                             "",
	} {
		if got := minidump.KnownReason(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
