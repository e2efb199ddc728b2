package analysis

import (
	"aftershock/minidump"
)

// AccessType is what an instruction does to memory.
type AccessType uint8

// The values of AccessType.
const (
	AccessUnknown AccessType = iota
	Read
	Write
	ReadWrite
	Execute // only of crashes, not of operands
)

var accessNames = [...]string{"", "read", "write", "readwrite", "execute"}

// String is the name that minidump-stackwalk uses, "" for AccessUnknown.
func (t AccessType) String() string { return accessNames[t] }

// Access is memory that an instruction touches.
type Access struct {
	Address uint64
	// Size is in bytes, 0 if the architecture does not say.
	Size int
	Type AccessType
	// GuardPage: the address lies in a small range that nobody may access next
	// to one that somebody may, as it is put at the end of stacks and buffers.
	GuardPage bool

	nullBase bool // the register that the address starts from is null
}

// Kind says how Adjusted corrects a crash address.
type Kind string

// The kinds of Adjusted; their texts are minidump-stackwalk's.
const (
	NonCanonical Kind = "non-canonical"
	NullPointer  Kind = "null-pointer"
)

// Adjusted is the address that a crash was about when the system tells another.
type Adjusted struct {
	Kind Kind
	// Address is a non-canonical address, or how far from a null pointer the
	// access was.
	Address uint64
}

// Inconsistency is something that the system reports of a crash and that the
// instruction cannot have done. Broken processors and memory do so.
type Inconsistency string

// Every Inconsistency; their texts are minidump-stackwalk's.
const (
	IntDivByZeroNotPossible          Inconsistency = "int_div_by_zero_not_possible"
	PrivInstructionWithoutOne        Inconsistency = "priv_instruction_crash_without_priv_instruction"
	NonCanonicalAddressFalseReported Inconsistency = "non_canonical_address_falsely_reported"
	AccessNotFound                   Inconsistency = "crashing_access_not_found_in_memory_accesses"
	ViolationWhenAllowed             Inconsistency = "access_violation_when_access_allowed"
)

// Analysis is what Analyze finds out.
type Analysis struct {
	// Instruction is the text of the instruction, "" when unknown: the dump does
	// not hold its bytes or they cannot be decoded.
	Instruction string
	// Accesses is the memory that it touches, nil when unknown.
	Accesses []Access
	// Target is where it goes to if HasTarget: for calls, jumps and returns whose
	// target stands in a register or in memory.
	Target    uint64
	HasTarget bool
	// Adjusted is nil when the crash address is to be believed.
	Adjusted *Adjusted
	BitFlips []BitFlip
	// Inconsistencies is empty for a crash that makes sense.
	Inconsistencies []Inconsistency
}

// Analyze examines the crash as a version of the walker does (see
// stackwalk.Options); nil if the process did not crash.
func Analyze(d *minidump.Dump, version int) *Analysis {
	addr, ok := d.CrashAddress()
	if !ok || d.System == nil {
		return nil
	}
	c := crash{Dump: d, addr: addr, reason: reasonOf(d, addr, version)}
	if version != 1 || len(d.MemoryInfo) > 0 || d.StrictLinuxMaps() {
		c.memory = d.Mappings()
	}
	out := &Analysis{}
	var in *instruction
	switch ctx := d.Exception.Context; {
	case ctx == nil || ctx.CPU != d.System.CPU:
	case ctx.CPU == minidump.CPUAMD64:
		in = c.instruction(out)
	case ctx.CPU == minidump.CPUARM64 && version != 1: // parity: the reference decodes amd64's only
		c.arm64Instruction(out)
	}
	out.Inconsistencies = c.inconsistencies(in, out)
	c.bitFlips(out)
	return out
}

// crash is what is known before the instruction is looked at.
type crash struct {
	*minidump.Dump
	addr   uint64
	reason reason
	memory minidump.Mappings

	used []string // registers that the instruction's addresses are made of
}

// instruction analyzes the instruction at the exception's program counter and
// answers it, nil if it is unknown.
func (c *crash) instruction(out *Analysis) *instruction {
	ctx := c.Exception.Context
	in, ok := decode(c.code(register(ctx, "rip")))
	if !ok {
		return nil
	}
	out.Instruction = in.text()
	c.used = in.addressRegisters()
	out.Accesses, _ = in.accesses(ctx)
	for i := range out.Accesses {
		a := &out.Accesses[i]
		a.GuardPage = guardPage(c.memory, a.Address)
	}
	out.Target, out.HasTarget = c.target(&in)
	out.Adjusted = c.adjust(out)
	return &in
}

// code is the bytes that the dump holds of the instruction at pc.
func (c *crash) code(pc uint64) []byte {
	region, ok := c.Memory.Find(pc)
	if !ok {
		return nil
	}
	from := region.Bytes[pc-region.Base:]
	return from[:min(len(from), maxInstruction)]
}

// target reads where the instruction goes to. Parity: operands are looked up in
// the memory list, return addresses in the stack of the thread's record.
func (c *crash) target(in *instruction) (uint64, bool) {
	at, inMemory, ok := in.target(c.Exception.Context)
	if !ok || inMemory == targetRegister {
		return at, ok
	}
	var b []byte
	if inMemory == targetStack {
		b = c.stackWord(at)
	} else {
		b = c.Memory.Read(at, pointerBytes)
	}
	if b == nil {
		return 0, false
	}
	return c.uint64(b), true
}

func (c *crash) stackWord(at uint64) []byte {
	for i := len(c.Threads) - 1; i >= 0; i-- {
		t := &c.Threads[i]
		if t.ID != c.Exception.ThreadID {
			continue
		}
		region := t.Stack
		if len(region.Bytes) == 0 {
			region, _ = c.Memory.Find(t.StackBase)
		}
		if !region.Contains(at, pointerBytes) {
			return nil
		}
		off := at - region.Base
		return region.Bytes[off : off+pointerBytes]
	}
	return nil
}

// uint64 reads a word of the process, which has the dump's byte order.
func (c *crash) uint64(b []byte) uint64 {
	v := uint64(0)
	for i := range pointerBytes {
		if c.Header.BigEndian {
			v = v<<8 | uint64(b[i])
		} else {
			v |= uint64(b[i]) << (8 * i)
		}
	}
	return v
}

// adjust finds the address that the crash was about. An access that starts from
// a null pointer explains itself. Of an address that is not canonical the
// processor says only that there was one.
func (c *crash) adjust(out *Analysis) *Adjusted {
	for _, a := range out.Accesses {
		if a.nullBase {
			return &Adjusted{NullPointer, a.Address}
		}
	}
	if out.HasTarget && out.Target == 0 {
		return &Adjusted{NullPointer, 0}
	}
	if !c.reason.protectionFault {
		return nil
	}
	for _, a := range out.Accesses {
		if !canonical(a.Address) {
			return &Adjusted{NonCanonical, a.Address}
		}
	}
	if out.HasTarget && !canonical(out.Target) {
		return &Adjusted{NonCanonical, out.Target}
	}
	return nil
}

// canonical tells whether bits 47 to 63 are equal, as every address has it with
// four-level page tables.
func canonical(addr uint64) bool {
	return addr <= 0x7fff_ffff_ffff || addr >= 0xffff_8000_0000_0000
}

// inconsistencies compares the system's report with the instruction, which is
// nil when unknown.
func (c *crash) inconsistencies(in *instruction, out *Analysis) []Inconsistency {
	var list []Inconsistency
	if in != nil && c.reason.divideByZero && !in.isDivision() {
		list = append(list, IntDivByZeroNotPossible)
	}
	if in != nil && c.reason.privileged && !in.mayBePrivileged() {
		list = append(list, PrivInstructionWithoutOne)
	}
	found := in == nil || out.Accesses == nil || c.accessFound(in, out.Accesses)
	switch {
	case c.reason.violation == AccessUnknown && !c.reason.stackOverflow:
		return list
	case c.reason.protectionFault && !found:
		// That nothing read there is how it is known to be such a fault.
		if in.faultsOnlyByAddress() && !out.nonCanonical() && !in.goesSomewhere(out) {
			list = append(list, NonCanonicalAddressFalseReported)
		}
		return list
	case !found:
		list = append(list, AccessNotFound)
	}
	if m, ok := c.memory.At(c.addr); ok && c.reason.violation != AccessUnknown && allows(m, c.reason.violation) {
		list = append(list, ViolationWhenAllowed)
	}
	return list
}

// nonCanonical tells whether any address that the instruction uses is not
// canonical. Adjusted may not say so: a null pointer explains the crash before.
func (a *Analysis) nonCanonical() bool {
	for i := range a.Accesses {
		if !canonical(a.Accesses[i].Address) {
			return true
		}
	}
	return a.HasTarget && !canonical(a.Target)
}

// accessFound tells whether the instruction may have done what the system says
// failed. Parity: none jumps anywhere, and of a stack overflow it is only asked
// that something was accessed.
func (c *crash) accessFound(in *instruction, list []Access) bool {
	if c.reason.stackOverflow {
		return !in.derivable() || len(list) > 0
	}
	if c.reason.violation == Execute {
		return c.addr == register(c.Exception.Context, "rip")
	}
	if !in.derivable() {
		return true
	}
	for _, a := range list {
		if (a.Type == c.reason.violation || a.Type == ReadWrite) && c.addr-a.Address < uint64(a.Size) {
			return true
		}
	}
	return false
}
