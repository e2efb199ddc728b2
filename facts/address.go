package facts

import (
	"fmt"
	"strconv"
	"strings"

	"aftershock/schema"
	"aftershock/stackwalk/analysis"
)

const (
	// maxNullOffset is the largest distance from a null pointer that is shown: one of a
	// member or an element, no address.
	maxNullOffset = 1 << 20
	maxAccesses   = 16
	// nullRegion is what lies at a null pointer: Windows never maps the first 64 KiB, and
	// Linux not below vm.mmap_min_addr, which is as much.
	nullRegion = 64 << 10
)

// address is what memory the crash was about.
func (d *derivation) address() {
	c := &d.Crash.Crash
	d.prot.Address = c.Address
	d.pub.BitFlipPercent = c.BitFlipPercent
	d.nullPointer()
	a := d.Dump.Analysis
	if a == nil {
		return
	}
	width := 16
	if c.Address != nil {
		width = len(strings.TrimPrefix(*c.Address, "0x"))
	}
	hex := func(address uint64) string { return fmt.Sprintf("0x%0*x", width, address) }
	if a.Adjusted != nil {
		d.pub.AddressKind, d.pub.NullOffset = new(string(a.Adjusted.Kind)), nil
		switch a.Adjusted.Kind {
		case analysis.NullPointer:
			d.prot.Address = new(hex(0))
			if a.Adjusted.Address <= maxNullOffset {
				d.pub.NullOffset = new(int64(a.Adjusted.Address))
			}
		case analysis.NonCanonical:
			d.prot.Address = new(hex(a.Adjusted.Address))
		}
	}
	d.prot.Instruction = text(a.Instruction)
	for i := range a.Accesses[:min(len(a.Accesses), maxAccesses)] {
		at := &a.Accesses[i]
		d.prot.MemoryAccesses = append(d.prot.MemoryAccesses, schema.MemoryAccess{Address: hex(at.Address), Size: int32(at.Size), Type: at.Type.String(), GuardPage: at.GuardPage})
		if at.GuardPage {
			d.prot.HasGuardPageAccess = new(true)
		}
	}
	if len(a.Accesses) > 0 {
		if d.prot.HasGuardPageAccess == nil {
			d.prot.HasGuardPageAccess = new(false)
		}
		d.pub.MemoryAccess = text(a.Accesses[0].Type.String())
	}
	for _, what := range a.Inconsistencies[:min(len(a.Inconsistencies), maxList)] {
		d.pub.CrashInconsistencies = append(d.pub.CrashInconsistencies, string(what))
	}
}

// badAccess are the reasons that tell of an access to memory. A general protection fault is
// none: its address is 0 whatever was accessed.
func badAccess(reason string) bool {
	for _, signal := range []string{"ACCESS_VIOLATION", "SIGSEGV", "SIGBUS", "EXC_BAD_ACCESS"} {
		if strings.Contains(reason, signal) {
			return !strings.Contains(reason, "SI_KERNEL") && !strings.Contains(reason, "GPFLT") && !strings.Contains(reason, "SI_USER") && !strings.Contains(reason, "SI_TKILL")
		}
	}
	return false
}

// nullPointer tells of an access that the system itself reports near null.
func (d *derivation) nullPointer() {
	c := &d.Crash.Crash
	if c.Address == nil || !badAccess(c.Reason) {
		return
	}
	if at, err := strconv.ParseUint(strings.TrimPrefix(*c.Address, "0x"), 16, 64); err == nil && at < nullRegion {
		d.pub.AddressKind, d.pub.NullOffset = new(string(analysis.NullPointer)), new(int64(at))
	}
}
