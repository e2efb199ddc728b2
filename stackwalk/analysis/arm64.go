package analysis

import (
	"encoding/binary"

	"golang.org/x/arch/arm64/arm64asm"

	"aftershock/minidump"
)

// arm64Word is an instruction of arm64. Its fields are those of the Arm
// Architecture Reference Manual, C4.1 "A64 instruction set encoding"; the decoder
// that prints it does not tell the numbers of its operands.
type arm64Word uint32

// arm64Instruction analyzes the instruction at the program counter. Which of its
// effects were to be expected nobody checks: bit flips and contradictions are
// amd64's.
func (c *crash) arm64Instruction(out *Analysis) {
	ctx := c.Exception.Context
	code := c.code(register(ctx, "pc"))
	if len(code) < 4 {
		return
	}
	inst, err := arm64asm.Decode(code)
	if err == nil && inst.Op != 0 {
		out.Instruction = arm64asm.GNUSyntax(inst)
	}
	in := arm64Word(binary.LittleEndian.Uint32(code))
	switch {
	case in.isLoadStore():
		if a, ok := in.access(ctx); ok {
			a.GuardPage = guardPage(c.memory, a.Address)
			out.Accesses = []Access{a}
		}
	case out.Instruction != "" || in.isRegisterBranch():
		out.Accesses = []Access{}
	}
	if in.isRegisterBranch() {
		out.Target, out.HasTarget = in.register(ctx, 5, false), true
	}
	for i := range out.Accesses {
		if out.Accesses[i].nullBase {
			out.Adjusted = &Adjusted{NullPointer, out.Accesses[i].Address}
		}
	}
	if out.HasTarget && out.Target == 0 {
		out.Adjusted = &Adjusted{NullPointer, 0}
	}
}

// bits are count bits from one on.
func (in arm64Word) bits(from, count int) uint32 { return uint32(in) >> from & (1<<count - 1) }

// signed is a number of count bits from one on, sign-extended.
func (in arm64Word) signed(from, count int) uint64 {
	return uint64(int64(in.bits(from, count)) << (64 - count) >> (64 - count))
}

// register is the value of the register whose number stands at a bit. Number 31
// is the stack pointer in addresses, else zero.
func (in arm64Word) register(ctx *minidump.Context, at int, stack bool) uint64 {
	if n := in.bits(at, 5); n < 31 || stack {
		return ctx.Registers[n]
	}
	return 0
}

// isLoadStore tells whether it is of the group "Loads and Stores".
func (in arm64Word) isLoadStore() bool { return in.bits(25, 4)&0b0101 == 0b0100 }

// isRegisterBranch: BR, BLR and RET, also those that check a signature.
func (in arm64Word) isRegisterBranch() bool {
	opc := in.bits(21, 4)
	return in.bits(25, 7) == 0b1101011 && (opc <= 2 || opc == 8 || opc == 9) && in.bits(16, 5) == 31
}

// access is the memory that a load or store touches; ok is false for prefetches,
// which touch none, and for what is not decoded.
func (in arm64Word) access(ctx *minidump.Context) (a Access, ok bool) {
	base := in.register(ctx, 5, true)
	a = Access{Address: base, nullBase: base == 0}
	switch {
	case in.bits(24, 6) == 0b001000: // exclusive, ordered, compare and swap
		return in.ordered(a)
	case in.bits(27, 3) == 0b011 && in.bits(24, 2) == 0: // literal
		a = Access{Address: register(ctx, "pc") + in.signed(5, 19)<<2, Type: Read}
		a.Size = [...]int{4, 8, 4, 0, 4, 8, 16, 0}[in.bits(26, 1)<<2|in.bits(30, 2)]
		return a, a.Size > 0
	case in.bits(27, 3) == 0b101: // pair
		return in.pair(a)
	case in.bits(27, 3) == 0b111: // register
		return in.single(ctx, a)
	case in.bits(24, 6)&^1 == 0b001100 && in.bits(31, 1) == 0: // structures of vectors
		a.Type = loadOrStore(in.bits(22, 1) == 1)
		if in.bits(24, 1) == 0 {
			a.Size = vectorsOf[in.bits(12, 4)] * (8 << in.bits(30, 1))
		}
		return a, true
	}
	return Access{}, false
}

// vectorsOf is how many registers LD1 to LD4 and ST1 to ST4 move, by opcode.
var vectorsOf = [16]int{0b0000: 4, 0b0010: 4, 0b0100: 3, 0b0110: 3, 0b0111: 1, 0b1000: 2, 0b1010: 2}

func loadOrStore(load bool) AccessType {
	if load {
		return Read
	}
	return Write
}

func (in arm64Word) ordered(a Access) (Access, bool) {
	a.Size, a.Type = 1<<in.bits(30, 2), loadOrStore(in.bits(22, 1) == 1)
	switch ordered, pair := in.bits(23, 1) == 1, in.bits(21, 1) == 1; {
	case !ordered && pair && in.bits(31, 1) == 1:
		a.Size *= 2
	case !ordered && pair: // CASP
		a.Size, a.Type = 8<<in.bits(30, 1), ReadWrite
	case ordered && pair: // CAS
		a.Type = ReadWrite
	}
	return a, true
}

func (in arm64Word) pair(a Access) (Access, bool) {
	load, vector, opc := in.bits(22, 1) == 1, in.bits(26, 1) == 1, in.bits(30, 2)
	scale := 2 + opc>>1
	if vector {
		scale = 2 + opc
	}
	size := 2 << scale
	switch {
	case opc == 3:
		return Access{}, false
	case !vector && opc == 1 && !load: // STGP: of 16 bytes, with a tag
		scale, size = 4, 16
	}
	if in.bits(23, 2) != 0b01 { // else the offset is added afterwards
		a.Address += in.signed(15, 7) << scale
	}
	a.Size, a.Type = size, loadOrStore(load)
	return a, true
}

// single is a load or store of one register. Offsets that are added afterwards do
// not count.
func (in arm64Word) single(ctx *minidump.Context, a Access) (Access, bool) {
	size, opc, vector := in.bits(30, 2), in.bits(22, 2), in.bits(26, 1) == 1
	if vector && opc >= 2 {
		if size != 0 {
			return Access{}, false
		}
		size = 4
	}
	a.Size, a.Type = 1<<size, loadOrStore(opc&1 == 1 || !vector && opc == 2)
	mode := in.bits(10, 2)
	registerForm := in.bits(24, 1) == 0 && in.bits(21, 1) == 1
	if !vector && opc == 2 && size == 3 && (!registerForm || mode == 0b10) {
		return Access{}, false // PRFM
	}
	switch {
	case in.bits(24, 1) == 1:
		a.Address += uint64(in.bits(10, 12)) << size
	case in.bits(21, 1) == 0:
		if mode != 0b01 {
			a.Address += in.signed(12, 9)
		}
	case mode == 0b00: // atomic operations; LDAPR only reads
		a.Type = ReadWrite
		if in.bits(12, 4) == 0b1100 {
			a.Type = Read
		}
	case mode == 0b10:
		shift := in.bits(12, 1) * size
		a.Address += in.extended(ctx) << shift
	default: // LDRAA and LDRAB, whose base is signed
		a.Type = Read
		a.Address += uint64(int64(uint64(in.bits(22, 1))<<63|uint64(in.bits(12, 9))<<54) >> 51)
	}
	return a, true
}

// extended is the offset register.
func (in arm64Word) extended(ctx *minidump.Context) uint64 {
	v := in.register(ctx, 16, false)
	switch in.bits(13, 3) {
	case 0b010:
		return uint64(uint32(v))
	case 0b110:
		return uint64(int64(int32(uint32(v))))
	}
	return v
}
