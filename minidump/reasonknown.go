package minidump

import (
	"maps"
	"regexp"
	"strings"
	"sync"
)

// KnownReason is as much of a reason that somebody else gives for a crash as CrashReason
// could have said: names of the systems' own and hexadecimal codes, joined by " / ". What
// a client says can hold anything, and reasons are public.
func KnownReason(text string) string {
	known, parts := 0, 0
	for part := range strings.SplitSeq(text, reasonSeparator) {
		if parts++; parts > maxReasonParts {
			break
		}
		name, _, _ := strings.Cut(part, " ")
		if reasonNames()[part] || parts == 1 && unknownCode.MatchString(part) || parts > 1 && reasonCode.MatchString(part) {
			known += len(part) + len(reasonSeparator)
			continue
		}
		if reasonNames()[name] { // measures follow, as those of EXC_RESOURCE
			known += len(name) + len(reasonSeparator)
		}
		break
	}
	return text[:max(0, known-len(reasonSeparator))]
}

const reasonSeparator = " / "

// maxReasonParts is how many names and codes a reason has at most.
const maxReasonParts = 3

var (
	reasonCode  = regexp.MustCompile(`^0x[0-9a-f]{8}$`)
	unknownCode = regexp.MustCompile(`^unknown 0x[0-9a-f]{8}$`)
)

// reasonNames are all names that CrashReason is made of.
var reasonNames = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{facilityVisualText: true, "EXCEPTION_STACK_BUFFER_OVERRUN": true}
	for _, table := range [...]codeNames{winErrorNames, ntStatusNames, winOtherNames} {
		for _, n := range table {
			names[n.name] = true
		}
	}
	add := func(table map[uint32]string) {
		for name := range maps.Values(table) {
			names[name] = true
		}
	}
	for _, table := range [...]map[uint32]string{windowsExceptions, fastFails, linuxSignals, linuxCodes, machExceptions, resourceTypes, guardTypes} {
		add(table)
	}
	for _, tables := range [...]map[uint32]map[uint32]string{linuxSignalCodes, machCodes, machX86Codes, machARMCodes, machPPCCodes, guardFlavors} {
		for table := range maps.Values(tables) {
			add(table)
		}
	}
	for access := range maps.Values(windowsAccess) {
		for _, code := range [...]uint32{exceptionAccessViolation, exceptionInPageError} {
			names[windowsExceptions[code]+access] = true
		}
	}
	return names
})
