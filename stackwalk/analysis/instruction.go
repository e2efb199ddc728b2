package analysis

import (
	"slices"
	"strings"

	"golang.org/x/arch/x86/x86asm"

	"aftershock/minidump"
)

// instruction is a decoded amd64 instruction with what it was decoded from.
type instruction struct {
	x86asm.Inst
	code []byte
}

// maxInstruction is the longest instruction of the architecture.
const maxInstruction = 15

// decode answers false for bytes that are no instruction or one that the
// decoder does not know, such as those of AVX-512.
func decode(code []byte) (in instruction, ok bool) {
	code = code[:min(len(code), maxInstruction)]
	inst, err := x86asm.Decode(code, 64)
	if err != nil || inst.Op == 0 || evexPrefixed(code) {
		return instruction{}, false
	}
	in = instruction{inst, code[:inst.Len]}
	if vexPrefixed(code) && !in.vexOK() {
		return instruction{}, false
	}
	return in, !in.locked() || in.lockable()
}

// vexOK tells whether the decoder is right about an instruction of AVX. It loses
// rip as the base of an operand, takes some fused operations for others, and
// knows no gathering loads.
func (in *instruction) vexOK() bool {
	name := in.Op.String()
	if !strings.HasPrefix(name, "V") || strings.HasPrefix(name, "VFM") || strings.HasPrefix(name, "VFN") || strings.Contains(name, "GATHER") {
		return false
	}
	for _, a := range in.Args {
		if m, ok := a.(x86asm.Mem); ok && m.Base == 0 {
			return false
		}
	}
	return true
}

func (in *instruction) locked() bool {
	for _, p := range in.Prefix {
		if p&0xff == 0xf0 {
			return true
		}
	}
	return false
}

// lockable tells whether the processor takes the instruction with a lock.
func (in *instruction) lockable() bool {
	switch in.Op {
	case x86asm.ADD, x86asm.ADC, x86asm.AND, x86asm.BTC, x86asm.BTR, x86asm.BTS, x86asm.CMPXCHG, x86asm.CMPXCHG8B, x86asm.CMPXCHG16B,
		x86asm.DEC, x86asm.INC, x86asm.NEG, x86asm.NOT, x86asm.OR, x86asm.SBB, x86asm.SUB, x86asm.XADD, x86asm.XCHG, x86asm.XOR:
		_, ok := in.Args[0].(x86asm.Mem)
		return ok
	default:
	}
	return false
}

// isLegacyPrefix tells whether a byte is one of the prefixes that any
// instruction may have, but for REX.
func isLegacyPrefix(b byte) bool {
	switch b {
	case 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3:
		return true
	}
	return false
}

// vexPrefixed and evexPrefixed tell whether an instruction has a prefix of AVX or
// AVX-512.
func vexPrefixed(code []byte) bool {
	b := firstByte(code)
	return b == 0xc4 || b == 0xc5
}

func evexPrefixed(code []byte) bool { return firstByte(code) == 0x62 }

// firstByte is the first that is no legacy prefix.
func firstByte(code []byte) byte {
	for _, b := range code {
		if !isLegacyPrefix(b) {
			return b
		}
	}
	return 0
}

const (
	rexMask, rex = 0xf0, 0x40
	rexWBit      = 0x08
)

// opcode is the first byte after the prefixes.
func (in *instruction) opcode() byte {
	for _, b := range in.code {
		if !isLegacyPrefix(b) && b&rexMask != rex {
			return b
		}
	}
	return 0
}

func (in *instruction) rexW() bool {
	for _, b := range in.code {
		if b&rexMask == rex {
			return b&rexWBit != 0
		}
		if !isLegacyPrefix(b) {
			break
		}
	}
	return false
}

// memoryBytes is how many bytes a memory operand has, 0 if that is not a number.
func (in *instruction) memoryBytes() int {
	if op, ok := stringOps[in.Op]; ok {
		return op.bytes
	}
	switch in.Op {
	case x86asm.LEA:
		return in.DataSize / 8
	case x86asm.LCALL, x86asm.LJMP:
		return farPointerBytes
	case x86asm.FBLD, x86asm.FBSTP:
		return 10
	case x86asm.FLD, x86asm.FSTP:
		if in.MemBytes == 0 {
			return 10
		}
	case x86asm.CLFLUSH, x86asm.PREFETCHNTA, x86asm.PREFETCHT0, x86asm.PREFETCHT1, x86asm.PREFETCHT2, x86asm.PREFETCHW:
		return 64
	case x86asm.MOVD:
		if in.isMOVQ() {
			return 8
		}
	case x86asm.INSB, x86asm.OUTSB:
		return 1
	case x86asm.INSW, x86asm.OUTSW:
		return 2
	case x86asm.INSD, x86asm.OUTSD:
		return 4
	default:
	}
	return in.MemBytes
}

// displacement is what a memory operand adds to its registers, sign-extended
// from 32 bits unless it is an absolute address.
func (in *instruction) displacement(m x86asm.Mem) uint64 {
	if in.longDisplacement() {
		return uint64(m.Disp)
	}
	return uint64(int64(int32(m.Disp)))
}

// longDisplacement tells whether the operand is an absolute address of 64 bits.
func (in *instruction) longDisplacement() bool {
	return in.Op == x86asm.MOV && in.opcode() >= 0xa0 && in.opcode() <= 0xa3 && in.AddrSize == 64
}

// Of what an instruction does to memory only that of these operations is told;
// of others that they touch it. Parity: they are those of the reference.
var (
	destinationWritten = map[x86asm.Op]bool{x86asm.MOV: true, x86asm.MOVAPS: true, x86asm.MOVUPS: true}
	destinationChanged = map[x86asm.Op]bool{x86asm.ADD: true, x86asm.SUB: true, x86asm.INC: true, x86asm.DEC: true}
	onlyRead           = map[x86asm.Op]bool{x86asm.CMP: true, x86asm.UCOMISS: true, x86asm.CALL: true, x86asm.JMP: true, x86asm.LJMP: true, x86asm.PUSH: true}
)

// operandAccess is what happens to the memory operand at an index.
func (in *instruction) operandAccess(i int) AccessType {
	switch {
	case onlyRead[in.Op]:
		return Read
	case in.Op == x86asm.POP:
		return Write
	case destinationWritten[in.Op] && i == 0:
		return Write
	case destinationChanged[in.Op] && i == 0:
		return ReadWrite
	case destinationWritten[in.Op], destinationChanged[in.Op]:
		return Read
	}
	return AccessUnknown
}

const (
	pointerBytes    = 8  // of a word that calls and returns move
	farPointerBytes = 10 // of one with a segment. Parity: the stack has them in 16.
)

// accesses lists the memory that the instruction touches; ok is false when the
// address cannot be told.
func (in *instruction) accesses(ctx *minidump.Context) (list []Access, ok bool) {
	list = []Access{}
	if in.Op != x86asm.LEA && in.Op != x86asm.XLATB {
		for i, a := range in.args() {
			m, isMem := a.(x86asm.Mem)
			if !isMem {
				continue
			}
			addr, ok := in.address(m, ctx)
			if !ok {
				return nil, false
			}
			base, isBase := value(m.Base, ctx)
			list = append(list, Access{
				Address: addr, Size: in.memoryBytes(), Type: in.operandAccess(i), nullBase: isBase && base == 0,
			})
		}
	}
	sp := register(ctx, "rsp")
	a := Access{Address: sp, Size: pointerBytes, Type: Read, nullBase: sp == 0}
	switch in.Op {
	case x86asm.PUSH, x86asm.CALL:
		a.Address, a.Type, a.nullBase = sp-pointerBytes, Write, false
	case x86asm.POP, x86asm.RET:
	case x86asm.LRET:
		a.Size = farPointerBytes
	default:
		return list, true
	}
	return append(list, a), true
}

// address computes where a memory operand lies. Parity: segments have no base,
// and rip is the instruction's own address, not the next one's.
func (in *instruction) address(m x86asm.Mem, ctx *minidump.Context) (uint64, bool) {
	addr := in.displacement(m)
	if m.Base != 0 {
		v, ok := value(m.Base, ctx)
		if !ok {
			return 0, false
		}
		addr += v
	}
	if m.Index != 0 && m.Scale != 0 {
		v, ok := value(m.Index, ctx)
		if !ok {
			return 0, false
		}
		addr += v * uint64(m.Scale)
	}
	return addr, true
}

// value is that of a 64-bit register.
func value(r x86asm.Reg, ctx *minidump.Context) (uint64, bool) {
	if r == x86asm.RIP {
		return register(ctx, "rip"), true
	}
	if r < x86asm.RAX || r > x86asm.R15 {
		return 0, false
	}
	return register(ctx, registerName(r)), true
}

// register is that with a name of the context, 0 for one that it does not have.
func register(ctx *minidump.Context, name string) uint64 {
	for i, n := range ctx.CPU.RegisterNames() {
		if n == name {
			return ctx.Registers[i]
		}
	}
	return 0
}

// Where target found the address.
type targetPlace uint8

const (
	targetRegister targetPlace = iota // it is the address
	targetMemory                      // it is where the address stands
	targetStack                       // the same, on the stack
)

// target is where the instruction goes to if it is a call, jump or return to an
// address in a register or in memory; ok is false for others.
func (in *instruction) target(ctx *minidump.Context) (at uint64, place targetPlace, ok bool) {
	switch in.Op {
	case x86asm.CALL, x86asm.JMP:
		switch a := in.Args[0].(type) {
		case x86asm.Reg:
			at, ok = value(a, ctx)
			return at, targetRegister, ok
		case x86asm.Mem:
			at, ok = in.address(a, ctx)
			return at, targetMemory, ok
		}
	case x86asm.RET, x86asm.LRET, x86asm.IRET, x86asm.IRETD, x86asm.IRETQ:
		return register(ctx, "rsp"), targetStack, true
	default:
	}
	return 0, 0, false
}

// addressRegisters are those that its memory operands are made of, each once, in
// alphabetical order.
func (in *instruction) addressRegisters() []string {
	var out []string
	for _, a := range in.Args {
		m, ok := a.(x86asm.Mem)
		if !ok {
			continue
		}
		for _, r := range [...]x86asm.Reg{m.Base, m.Index} {
			if r >= x86asm.RAX && r <= x86asm.R15 && !slices.Contains(out, registerName(r)) {
				out = append(out, registerName(r))
			}
		}
	}
	slices.Sort(out)
	return out
}

// derivable tells whether accesses are all that the instruction does.
func (in *instruction) derivable() bool {
	switch in.Op {
	case x86asm.ADD, x86asm.CALL, x86asm.CMP, x86asm.DEC, x86asm.INC, x86asm.JMP, x86asm.LJMP, x86asm.LEA, x86asm.LRET, x86asm.MOV,
		x86asm.MOVAPS, x86asm.MOVUPS, x86asm.POP, x86asm.PUSH, x86asm.RET, x86asm.SUB, x86asm.UCOMISS,
		x86asm.JA, x86asm.JAE, x86asm.JB, x86asm.JBE, x86asm.JE, x86asm.JG, x86asm.JGE, x86asm.JL, x86asm.JLE, x86asm.JNE, x86asm.JNO,
		x86asm.JNP, x86asm.JNS, x86asm.JO, x86asm.JP, x86asm.JS:
		return true
	default:
		return false
	}
}

// faultsOnlyByAddress tells whether a general protection fault of it can only be
// that of an address that is not canonical. MOVAPS also wants an aligned one.
func (in *instruction) faultsOnlyByAddress() bool {
	return in.derivable() && in.Op != x86asm.MOVAPS
}

// goesSomewhere tells whether it goes to an address that is not known.
func (in *instruction) goesSomewhere(out *Analysis) bool {
	if out.HasTarget {
		return false
	}
	switch in.Op {
	case x86asm.CALL, x86asm.LCALL, x86asm.JMP, x86asm.LJMP, x86asm.RET, x86asm.LRET, x86asm.IRET, x86asm.IRETD, x86asm.IRETQ:
		return true
	default:
		_, relative := in.Args[0].(x86asm.Rel)
		return relative
	}
}

func (in *instruction) isDivision() bool { return in.Op == x86asm.DIV || in.Op == x86asm.IDIV }

// mayBePrivileged tells whether some form of the operation needs privileges.
// Parity: the form does not count, so that every MOV may be one.
func (in *instruction) mayBePrivileged() bool {
	switch in.Op {
	case x86asm.CLI, x86asm.CLTS, x86asm.HLT, x86asm.ICEBP, x86asm.IN, x86asm.INSB, x86asm.INSD, x86asm.INSW, x86asm.INT,
		x86asm.INVD, x86asm.INVLPG, x86asm.INVPCID, x86asm.IRET, x86asm.IRETD, x86asm.IRETQ, x86asm.LGDT, x86asm.LIDT, x86asm.LLDT,
		x86asm.LMSW, x86asm.LRET, x86asm.LTR, x86asm.MONITOR, x86asm.MOV, x86asm.MWAIT, x86asm.OUT, x86asm.OUTSB, x86asm.OUTSD,
		x86asm.OUTSW, x86asm.RDMSR, x86asm.RDPMC, x86asm.RDTSC, x86asm.RDTSCP, x86asm.STI, x86asm.SWAPGS, x86asm.SYSEXIT,
		x86asm.SYSRET, x86asm.WBINVD, x86asm.WRMSR, x86asm.XSETBV:
		return true
	default:
		return false
	}
}
