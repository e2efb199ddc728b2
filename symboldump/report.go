package symboldump

import (
	"fmt"
	"slices"
	"strings"
)

// Reason says why something of a file could not be told. Codes are stable: tools
// may rely on them.
type Reason uint8

// The reasons.
const (
	SectionDamaged   Reason = iota // a section cannot be decompressed, or exceeds its limit
	SymbolLimit                    // symbols beyond the limit
	NameTooLong                    // a name beyond the limit, cut
	AddressRange                   // an address below the module's start or 4 GiB and more behind it
	FDEDamaged                     // a CIE or FDE that makes no sense
	FDEOutside                     // an FDE of no code of the module: the linker dropped its function
	CFAUnsaid                      // rows whose CFA has no form in postfix
	RAUnsaid                       // rows whose return address has none
	RegisterUnsaid                 // rules of other registers that have none
	UnitDamaged                    // a DWARF unit that makes no sense from some place on
	UnitUnknown                    // a DWARF unit of a version or kind that is not read
	SplitMissing                   // a unit whose split part (.dwo, .dwp) is not there
	AlternateMissing               // references to a dwz file that is not there
	LinesDamaged                   // a line table that makes no sense from some place on
	RangesDamaged                  // range lists that make no sense
	DepthLimit                     // entries or inlined calls nested beyond the limit
	UnwindDamaged                  // PE, ARM or Mach-O unwind entries that make no sense
	UnwindUnsaid                   // such that have no form in postfix
	MemoryLimit                    // debug information, or symbols, that would take more memory than they may
	WorkLimit                      // what so many places refer to that it was read often enough
	Minidebug                      // .gnu_debugdata, which is not read
	reasonCount
)

var reasonCodes = [reasonCount]string{
	SectionDamaged: "section_damaged", SymbolLimit: "symbol_limit", NameTooLong: "name_too_long", AddressRange: "address_range",
	FDEDamaged: "fde_damaged", FDEOutside: "fde_outside", CFAUnsaid: "cfa_unsaid", RAUnsaid: "ra_unsaid",
	RegisterUnsaid: "register_unsaid", UnitDamaged: "unit_damaged", UnitUnknown: "unit_unknown", SplitMissing: "split_missing",
	AlternateMissing: "alternate_missing", LinesDamaged: "lines_damaged", RangesDamaged: "ranges_damaged", DepthLimit: "depth_limit",
	UnwindDamaged: "unwind_damaged", UnwindUnsaid: "unwind_unsaid", MemoryLimit: "memory_limit",
	WorkLimit: "work_limit", Minidebug: "minidebug",
}

// String is the reason's code.
func (r Reason) String() string {
	if r >= reasonCount {
		return "unknown"
	}
	return reasonCodes[r]
}

// Report counts what was written, and what could not be told.
type Report struct {
	// Functions, Lines, Inlines, Publics and CFI are the records written of each
	// kind; CFI counts STACK CFI INIT records.
	Functions, Lines, Inlines, Publics, CFI int
	untold                                  [reasonCount]int
	room                                    *room // while symbols are written
}

// Untold is how often something could not be told for the reason.
func (r *Report) Untold(why Reason) int {
	if why >= reasonCount {
		return 0
	}
	return r.untold[why]
}

// Reasons are those with a count, in order.
func (r *Report) Reasons() []Reason {
	var out []Reason
	for why := range reasonCount {
		if r.untold[why] > 0 {
			out = append(out, why)
		}
	}
	return slices.Clip(out)
}

// String is one line with all counts.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d functions, %d lines, %d inlined calls, %d publics, %d unwind ranges", r.Functions, r.Lines, r.Inlines, r.Publics, r.CFI)
	for _, why := range r.Reasons() {
		fmt.Fprintf(&b, ", %s %d", why, r.untold[why])
	}
	return b.String()
}

func (r *Report) drop(why Reason) { r.untold[why]++ }
