package breakpad

import (
	"encoding/binary"
	"math"
)

// CFIRow is the STACK CFI rules in force at an address: those of the INIT
// record that covers it with the delta rows up to the address applied.
type CFIRow struct {
	// AtInit: the address is where the INIT record starts.
	AtInit bool
	// Rules finds the caller's registers. It aliases the symbols.
	Rules Rules
}

// Rules is a compiled set of STACK CFI rules, one a register. The zero Rules
// stand for records that make no sense: they never evaluate.
type Rules struct {
	// Entries is one entry of 8 bytes a rule: the target (a Register, ruleCFA or
	// ruleRA), how its value is found, a base (a Register or ruleCFA), 0, and a
	// number of 32 bits, little-endian. The first entry is the CFA's, the second
	// the return address's, the others follow by register.
	Entries []byte
	// Code holds the programs of a whole file: 16 bits little-endian with the
	// size of the bytecode, and the bytecode.
	Code []byte
}

// How the value of a rule is found. Nearly all are a register or the CFA with a
// constant added, or the word at that address.
const (
	rulePlain   = iota // the base plus the signed number
	ruleLoad           // the word at that address
	ruleProgram        // by the program at that offset of Code
)

// Len is the number of rules.
func (r Rules) Len() int { return len(r.Entries) / ruleEntrySize }

// Targets of rules that are no registers.
const (
	ruleCFA = 0xff
	ruleRA  = 0xfe

	ruleEntrySize = 8
)

// Eval computes the registers of the caller. callee are the registers of the
// frame that rva was looked up for, mem its stack. caller holds, on entry, the
// registers that a call preserves with the callee's values; Eval sets the
// program counter to the return address, the stack pointer to the CFA, and
// registers that have a rule to what that computes, or clears them if it does
// not compute. It answers false, and leaves caller unspecified, if the CFA or
// the return address does not compute or does not fit the architecture's
// words. It does not allocate.
func (r Rules) Eval(arch Arch, callee, caller *Registers, mem *Memory) bool {
	if len(r.Entries) < 2*ruleEntrySize || r.Entries[0] != ruleCFA || r.Entries[ruleEntrySize] != ruleRA {
		return false
	}
	m := machine{registers: callee, mem: mem, code: r.Code, wordBytes: arch.WordBytes()}
	word := ^uint64(0) >> (64 - 8*m.wordBytes)
	cfa, ok := m.value(r.Entries)
	if !ok || cfa > word {
		return false
	}
	m.cfa = cfa
	ra, ok := m.value(r.Entries[ruleEntrySize:])
	if !ok || ra > word {
		return false
	}
	caller.Set(arch.SP(), cfa)
	caller.Set(arch.PC(), ra)
	for rest := r.Entries[2*ruleEntrySize:]; len(rest) >= ruleEntrySize; rest = rest[ruleEntrySize:] {
		target := Register(rest[0])
		v, ok := m.value(rest)
		switch {
		case !ok:
			caller.Clear(target)
		case v <= word: // parity: a value that is too large changes nothing
			caller.Set(target, v)
		}
	}
	return true
}

// appendRule appends the entry of a rule whose program stands at an offset of
// code.
func appendRule(b []byte, target byte, program uint32, code []byte) []byte {
	how, base, number := byte(ruleProgram), byte(0), program
	if p := programAt(code, program); len(p) > 0 {
		if h, r, n, ok := simpleRule(p); ok {
			how, base, number = h, r, uint32(n)
		}
	}
	return binary.LittleEndian.AppendUint32(append(b, target, how, base, 0), number)
}

// simpleRule tells what a program is that needs no stack.
func simpleRule(code []byte) (how, base byte, number int32, ok bool) {
	switch {
	case code[0] == opCFA:
		base, code = ruleCFA, code[1:]
	case code[0] == opRegister && len(code) > 1 && code[1] < MaxRegisters:
		base, code = code[1], code[2:]
	default:
		return 0, 0, 0, false
	}
	if len(code) > 0 && code[0] == opConstant {
		v, size := binary.Varint(code[1:])
		if size <= 0 || len(code) < size+2 || v != int64(int32(v)) || v == math.MinInt32 {
			return 0, 0, 0, false
		}
		switch code[1+size] {
		case opAdd:
			number = int32(v)
		case opSubtract:
			number = -int32(v)
		default:
			return 0, 0, 0, false
		}
		code = code[2+size:]
	}
	switch {
	case len(code) == 0:
		return rulePlain, base, number, true
	case len(code) == 1 && code[0] == opDereference:
		return ruleLoad, base, number, true
	}
	return 0, 0, 0, false
}

// programAt is the bytecode at this offset of code; nil, which fails, if there
// is none.
func programAt(code []byte, at uint32) []byte {
	off := uint64(at)
	if off+2 > uint64(len(code)) {
		return nil
	}
	size := uint64(binary.LittleEndian.Uint16(code[off:]))
	if size > uint64(len(code))-off-2 {
		return nil
	}
	return code[off+2 : off+2+size]
}

// machine evaluates rules.
type machine struct {
	registers *Registers
	mem       *Memory
	code      []byte
	cfa       uint64
	wordBytes int
}

// value computes the rule of an entry.
func (m *machine) value(entry []byte) (uint64, bool) {
	entry = entry[:ruleEntrySize]
	number := binary.LittleEndian.Uint32(entry[4:])
	if entry[1] > ruleLoad {
		return m.run(programAt(m.code, number))
	}
	v := m.cfa
	if entry[2] != ruleCFA {
		var ok bool
		if v, ok = m.registers.Get(Register(entry[2])); !ok {
			return 0, false
		}
	}
	v += uint64(int64(int32(number)))
	if entry[1] == rulePlain {
		return v, true
	}
	return m.mem.Word(v, m.wordBytes)
}

// run answers the value that the program leaves; it fails unless that is exactly
// one.
func (m *machine) run(code []byte) (uint64, bool) {
	var room [maxProgramStack]uint64
	stack := room[:0]
	for len(code) > 0 {
		op := code[0]
		code = code[1:]
		switch op {
		case opConstant, opRegister, opCFA:
			var v uint64
			size, ok := 0, true
			switch op {
			case opConstant:
				var signed int64
				signed, size = binary.Varint(code)
				v, ok = uint64(signed), size > 0
			case opRegister:
				if size = 1; len(code) == 0 {
					return 0, false
				}
				v, ok = m.registers.Get(Register(code[0]))
			default:
				v = m.cfa
			}
			if !ok || len(stack) == len(room) {
				return 0, false
			}
			code = code[size:]
			stack = append(stack, v)
		case opDereference:
			top := len(stack) - 1
			if top < 0 {
				return 0, false
			}
			v, ok := m.mem.Word(stack[top], m.wordBytes)
			if !ok {
				return 0, false
			}
			stack[top] = v
		default:
			top := len(stack) - 1
			if top < 1 {
				return 0, false
			}
			v, ok := arithmetic(op, stack[top-1], stack[top])
			if !ok {
				return 0, false
			}
			stack[top-1] = v
			stack = stack[:top]
		}
	}
	if len(stack) != 1 {
		return 0, false
	}
	return stack[0], true
}
