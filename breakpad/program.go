package breakpad

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
)

// Operations of compiled programs. STACK CFI and STACK WIN share the postfix
// arithmetic; opRegister and opCFA occur only in the former, opVariable,
// opUndefined and opAssign only in the latter.
const (
	opFail      = iota // a token that makes the evaluation fail when reached
	opConstant         // and a zigzag varint
	opRegister         // and a register index
	opCFA              // the caller's CFA
	opVariable         // and a variable index
	opUndefined        // .undef
	opAssign           // =
	opAdd
	opSubtract
	opMultiply
	opDivide
	opModulo
	opAlign
	opDereference
)

// operator is the operation of a one-character token, opFail for another.
func operator(token []byte) byte {
	if len(token) != 1 {
		return opFail
	}
	switch token[0] {
	case '+':
		return opAdd
	case '-':
		return opSubtract
	case '*':
		return opMultiply
	case '/':
		return opDivide
	case '%':
		return opModulo
	case '@':
		return opAlign
	case '^':
		return opDereference
	}
	return opFail
}

// arithmetic is a binary operation on wrapping unsigned numbers. Division by
// zero, and alignment to what is no power of two, fail.
func arithmetic(op byte, l, r uint64) (uint64, bool) {
	switch op {
	case opAdd:
		return l + r, true
	case opSubtract:
		return l - r, true
	case opMultiply:
		return l * r, true
	case opDivide:
		if r == 0 {
			return 0, false
		}
		return l / r, true
	case opModulo:
		if r == 0 {
			return 0, false
		}
		return l % r, true
	case opAlign:
		if bits.OnesCount64(r) != 1 {
			return 0, false
		}
		return l &^ (r - 1), true
	}
	return 0, false
}

// programTable compiles the rules of a file. Equal programs are kept once:
// thousands of records share a handful.
type programTable struct {
	arch Arch
	code []byte            // see Rules.Code; offset 0 is nobody's
	at   map[string]uint32 // bytecode → offset
	buf  []byte
}

// rule compiles the expression of one STACK CFI rule.
func (t *programTable) rule(tokens [][]byte, isCFA bool) uint32 {
	t.buf = t.buf[:0]
	for i, token := range tokens {
		if !t.ruleToken(token, isCFA) || i == maxProgramTokens {
			t.buf = append(t.buf[:0], opFail)
			break
		}
	}
	if at, ok := t.at[string(t.buf)]; ok {
		return at
	}
	if t.at == nil {
		t.at = map[string]uint32{}
		t.code = []byte{0}
	}
	at := uint32(len(t.code))
	t.code = binary.LittleEndian.AppendUint16(t.code, uint16(len(t.buf)))
	t.code = append(t.code, t.buf...)
	t.at[string(t.buf)] = at
	return at
}

// ruleToken appends one token and answers whether evaluating it can succeed.
func (t *programTable) ruleToken(token []byte, isCFA bool) bool {
	if op := operator(token); op != opFail {
		t.buf = append(t.buf, op)
		return true
	}
	switch string(token) {
	case ".cfa":
		t.buf = append(t.buf, opCFA)
		return !isCFA
	case ".undef":
		return false
	}
	name := token
	if i := bytes.IndexByte(token, '$'); i >= 0 {
		name = token[i+1:]
	} else if v, err := strconv.ParseInt(string(token), 10, 64); err == nil {
		t.buf = append(t.buf, opConstant)
		t.buf = binary.AppendVarint(t.buf, v)
		return true
	}
	r, ok := t.arch.Register(string(name))
	t.buf = append(t.buf, opRegister, byte(r))
	return ok
}
