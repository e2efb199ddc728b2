package breakpad

import "encoding/binary"

// CFIRow is the STACK CFI rules in force at an address: those of the INIT
// record that covers it with the delta rows up to the address applied.
type CFIRow struct {
	// InitRVA is where the INIT record starts.
	InitRVA uint64
	// Rules finds the caller's registers. It aliases the symbols.
	Rules Rules
}

// Rules is a compiled set of STACK CFI rules, one program a register. The zero
// Rules stand for records that make no sense: they never evaluate.
type Rules struct {
	// Entries is one entry of 5 bytes a rule: the target (a Register, ruleCFA
	// or ruleRA) and the program's offset in Code, 32 bits little-endian. The
	// first entry is the CFA's, the second the return address's, the others
	// follow by register.
	Entries []byte
	// Code holds the programs of a whole file: 16 bits little-endian with the
	// size of the bytecode, and the bytecode.
	Code []byte
}

// Targets of rules that are no registers.
const (
	ruleCFA = 0xff
	ruleRA  = 0xfe

	ruleEntrySize = 5
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
	m := machine{registers: callee, mem: mem, wordBytes: arch.WordBytes()}
	word := ^uint64(0) >> (64 - 8*m.wordBytes)
	cfa, ok := m.run(r.program(0))
	if !ok || cfa > word {
		return false
	}
	m.cfa = cfa
	ra, ok := m.run(r.program(ruleEntrySize))
	if !ok || ra > word {
		return false
	}
	caller.Set(arch.SP(), cfa)
	caller.Set(arch.PC(), ra)
	for at := 2 * ruleEntrySize; at+ruleEntrySize <= len(r.Entries); at += ruleEntrySize {
		target := Register(r.Entries[at])
		v, ok := m.run(r.program(at))
		switch {
		case !ok:
			caller.Clear(target)
		case v <= word: // parity: a value that is too large changes nothing
			caller.Set(target, v)
		}
	}
	return true
}

// program is the bytecode of the entry that starts at this offset of Entries;
// nil, which fails, if the entry points outside Code.
func (r Rules) program(at int) []byte {
	off := uint64(binary.LittleEndian.Uint32(r.Entries[at+1:]))
	if off+2 > uint64(len(r.Code)) {
		return nil
	}
	size := uint64(binary.LittleEndian.Uint16(r.Code[off:]))
	if size > uint64(len(r.Code))-off-2 {
		return nil
	}
	return r.Code[off+2 : off+2+size]
}

// machine evaluates programs of rules.
type machine struct {
	registers *Registers
	mem       *Memory
	cfa       uint64
	wordBytes int
}

// run answers the value that the program leaves; it fails unless that is
// exactly one. Nearly all programs are a register or the CFA with a constant
// added, and perhaps a dereference: they need no stack.
func (m *machine) run(code []byte) (uint64, bool) {
	var v uint64
	var rest []byte
	switch {
	case len(code) >= 2 && code[0] == opRegister:
		var ok bool
		if v, ok = m.registers.Get(Register(code[1])); !ok {
			return 0, false
		}
		rest = code[2:]
	case len(code) >= 1 && code[0] == opCFA:
		v, rest = m.cfa, code[1:]
	default:
		return m.runStack(code)
	}
	for len(rest) > 0 {
		if rest[0] == opDereference {
			var ok bool
			if v, ok = m.mem.Word(v, m.wordBytes); !ok {
				return 0, false
			}
			rest = rest[1:]
			continue
		}
		if len(rest) < 3 || rest[0] != opConstant {
			return m.runStack(code)
		}
		constant, size := int64(rest[1]>>1)^-int64(rest[1]&1), 1 // as binary.Varint
		if rest[1] >= 0x80 {
			constant, size = binary.Varint(rest[1:])
		}
		if size <= 0 || size+1 >= len(rest) {
			return m.runStack(code)
		}
		switch rest[1+size] {
		case opAdd:
			v += uint64(constant)
		case opSubtract:
			v -= uint64(constant)
		default:
			return m.runStack(code)
		}
		rest = rest[2+size:]
	}
	return v, true
}

// runStack is run for any program.
func (m *machine) runStack(code []byte) (uint64, bool) {
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
