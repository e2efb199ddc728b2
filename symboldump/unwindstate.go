package symboldump

import "math"

// ruleKind is how a register of the caller is found (DWARF 5 section 6.4.1).
type ruleKind uint8

const (
	ruleUnset         ruleKind = iota // nothing was said: as the ABI has it
	ruleUndefined                     // it cannot be found
	ruleSame                          // it has not changed
	ruleOffset                        // the word at CFA + value
	ruleValOffset                     // CFA + value
	ruleRegister                      // that register's value
	ruleExpression                    // the word at what an expression computes
	ruleValExpression                 // what it computes
)

// rule is comparable. An expression is the length bytes at the offset value of
// the section.
type rule struct {
	kind     ruleKind
	register uint16
	length   uint32
	value    int64
}

// unwindState is the rules in force at some place. The CFA's is ruleRegister
// with an offset in value, or ruleExpression.
type unwindState struct {
	cfa   rule
	rules [maxRegisters]rule
}

// unwindMachine runs the instructions of an FDE or CIE.
type unwindMachine struct {
	section    *frameSection
	fde        *fde
	state      unwindState
	loc        uint64
	remembered []unwindState
}

// DW_CFA_* (DWARF 5 table 7.29, and the vendors' that are in use).
const (
	cfaNop                  = 0x00
	cfaSetLoc               = 0x01
	cfaAdvanceLoc1          = 0x02
	cfaAdvanceLoc2          = 0x03
	cfaAdvanceLoc4          = 0x04
	cfaOffsetExtended       = 0x05
	cfaRestoreExtended      = 0x06
	cfaUndefined            = 0x07
	cfaSameValue            = 0x08
	cfaRegister             = 0x09
	cfaRememberState        = 0x0a
	cfaRestoreState         = 0x0b
	cfaDefCFA               = 0x0c
	cfaDefCFARegister       = 0x0d
	cfaDefCFAOffset         = 0x0e
	cfaDefCFAExpression     = 0x0f
	cfaExpression           = 0x10
	cfaOffsetExtendedSf     = 0x11
	cfaDefCFASf             = 0x12
	cfaDefCFAOffsetSf       = 0x13
	cfaValOffset            = 0x14
	cfaValOffsetSf          = 0x15
	cfaValExpression        = 0x16
	cfaGNUWindowSave        = 0x2d // on arm64 AARCH64_negate_ra_state
	cfaGNUArgsSize          = 0x2e
	cfaGNUNegativeOffsetExt = 0x2f
	cfaAdvanceLoc           = 0x40
	cfaOffset               = 0x80
	cfaRestore              = 0xc0
)

// run executes the instructions. row, which a CIE has none of, is called with the
// state from m.loc up to the next place that has another. It answers false when
// the instructions make no sense; what row has got until then holds.
func (m *unwindMachine) run(row func(state *unwindState, from, to uint64)) bool {
	r, c := &m.fde.instructions, m.fde.cie
	m.loc = m.fde.start
	advance := func(to uint64) bool {
		switch {
		case row == nil || to < m.loc:
			return false
		case to >= m.fde.end: // what follows is of no code
			return true
		case to > m.loc:
			row(&m.state, m.loc, to)
			m.loc = to
		}
		return true
	}
	for r.left() > 0 {
		op := r.u8()
		low := uint64(op & 0x3f)
		ok := true
		switch op & 0xc0 {
		case cfaAdvanceLoc:
			ok = advance(m.loc + low*c.codeAlign)
		case cfaOffset:
			m.set(low, rule{kind: ruleOffset, value: m.factored(int64(r.uleb()))})
		case cfaRestore:
			m.restore(low)
		default:
			switch op {
			case cfaSetLoc:
				var to uint64
				to, ok = m.section.pointer(r, c.pointers, m.fde.base, c.addressBytes)
				ok = ok && advance(to)
			case cfaAdvanceLoc1:
				ok = advance(m.loc + uint64(r.u8())*c.codeAlign)
			case cfaAdvanceLoc2:
				ok = advance(m.loc + uint64(r.u16())*c.codeAlign)
			case cfaAdvanceLoc4:
				ok = advance(m.loc + uint64(r.u32())*c.codeAlign)
			default:
				ok = m.define(op, r)
			}
		}
		if !ok || r.bad {
			return false
		}
	}
	if row != nil && m.loc < m.fde.end {
		row(&m.state, m.loc, m.fde.end)
	}
	return true
}

// define executes an instruction that changes rules.
func (m *unwindMachine) define(op uint8, r *reader) bool {
	switch op {
	case cfaNop, cfaGNUWindowSave:
	case cfaGNUArgsSize:
		r.uleb()
	case cfaRememberState:
		if len(m.remembered) == maxRememberedStates {
			return false
		}
		m.remembered = append(m.remembered, m.state)
	case cfaRestoreState:
		if len(m.remembered) == 0 {
			return false
		}
		m.state = m.remembered[len(m.remembered)-1]
		m.remembered = m.remembered[:len(m.remembered)-1]
	case cfaDefCFA:
		m.state.cfa = cfaRule(r.uleb(), int64(r.uleb()))
	case cfaDefCFASf:
		m.state.cfa = cfaRule(r.uleb(), m.factored(r.sleb()))
	case cfaDefCFARegister:
		m.state.cfa = cfaRule(r.uleb(), m.state.cfa.value)
	case cfaDefCFAOffset:
		m.state.cfa.value = int64(r.uleb())
		return m.state.cfa.kind == ruleRegister
	case cfaDefCFAOffsetSf:
		m.state.cfa.value = m.factored(r.sleb())
		return m.state.cfa.kind == ruleRegister
	case cfaDefCFAExpression:
		m.state.cfa = m.expression(ruleExpression, r)
	default:
		return m.defineRegister(op, r.uleb(), r)
	}
	return true
}

// defineRegister executes an instruction whose first operand is a register.
func (m *unwindMachine) defineRegister(op uint8, register uint64, r *reader) bool {
	var to rule
	switch op {
	case cfaRestoreExtended:
		m.restore(register)
		return true
	case cfaUndefined:
		to.kind = ruleUndefined
	case cfaSameValue:
		to.kind = ruleSame
	case cfaRegister:
		to = rule{kind: ruleRegister, register: uint16(min(r.uleb(), math.MaxUint16))}
	case cfaOffsetExtended:
		to = rule{kind: ruleOffset, value: m.factored(int64(r.uleb()))}
	case cfaOffsetExtendedSf:
		to = rule{kind: ruleOffset, value: m.factored(r.sleb())}
	case cfaGNUNegativeOffsetExt:
		to = rule{kind: ruleOffset, value: -m.factored(int64(r.uleb()))}
	case cfaValOffset:
		to = rule{kind: ruleValOffset, value: m.factored(int64(r.uleb()))}
	case cfaValOffsetSf:
		to = rule{kind: ruleValOffset, value: m.factored(r.sleb())}
	case cfaExpression:
		to = m.expression(ruleExpression, r)
	case cfaValExpression:
		to = m.expression(ruleValExpression, r)
	default:
		return false
	}
	m.set(register, to)
	return true
}

func (m *unwindMachine) factored(v int64) int64 { return v * m.fde.cie.dataAlign }

func cfaRule(register uint64, offset int64) rule {
	return rule{kind: ruleRegister, register: uint16(min(register, math.MaxUint16)), value: offset}
}

func (m *unwindMachine) expression(kind ruleKind, r *reader) rule {
	size := r.uleb()
	at := m.fde.base + uint64(r.off)
	r.skip(size)
	return rule{kind: kind, length: uint32(min(size, math.MaxUint32)), value: int64(at)}
}

func (m *unwindMachine) set(register uint64, to rule) {
	if register < maxRegisters { // others are never asked for
		m.state.rules[register] = to
	}
}

func (m *unwindMachine) restore(register uint64) {
	if register < maxRegisters {
		m.state.rules[register] = m.fde.cie.start.rules[register]
	}
}
