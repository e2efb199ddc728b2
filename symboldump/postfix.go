package symboldump

import (
	"math"
	"math/bits"
	"strconv"
)

// DW_OP_* (DWARF 5 table 7.9) that compilers and C libraries use in rules.
const (
	opDeref      = 0x06
	opConst1u    = 0x08
	opConst1s    = 0x09
	opConst2u    = 0x0a
	opConst2s    = 0x0b
	opConst4u    = 0x0c
	opConst4s    = 0x0d
	opConst8u    = 0x0e
	opConst8s    = 0x0f
	opConstu     = 0x10
	opConsts     = 0x11
	opDup        = 0x12
	opDrop       = 0x13
	opOver       = 0x14
	opSwap       = 0x16
	opAnd        = 0x1a
	opMinus      = 0x1c
	opMul        = 0x1e
	opNeg        = 0x1f
	opPlus       = 0x22
	opPlusUconst = 0x23
	opShl        = 0x24
	opShr        = 0x25
	opGe         = 0x2a
	opLt         = 0x2d
	opLit0       = 0x30
	opReg0       = 0x50
	opBreg0      = 0x70
	opBregx      = 0x92
	opDerefSize  = 0x94
	opNop        = 0x96
)

// operand is a value of a DWARF expression, as postfix text. What is known of it
// decides whether operations that postfix lacks can be said by others.
type operand struct {
	text string
	// constant: the value is exactly value. Else, below 2^63, it is at most most.
	constant bool
	value    int64
	most     uint64
}

func constantOf(v int64) operand {
	o := operand{text: strconv.FormatInt(v, 10), constant: true, value: v, most: math.MaxUint64}
	if v >= 0 {
		o.most = uint64(v)
	}
	return o
}

func anything(text string) operand { return operand{text: text, most: math.MaxUint64} }

// postfix says a DWARF expression in the postfix language of STACK CFI records,
// whose operators are + - * / % @ (align down) and ^ (the word at), on unsigned
// words. initial is what lies on the stack at first, empty for nothing. It
// answers false for what cannot be said.
func postfix(expression reader, names registers, wordBytes int, initial string) (string, bool) {
	var stack []operand
	if initial != "" {
		stack = append(stack, anything(initial))
	}
	r := &expression
	if len(r.data) > maxExpressionBytes {
		return "", false
	}
	for r.left() > 0 {
		op := r.u8()
		if v, ok := constantOp(op, r); ok {
			stack = append(stack, constantOf(v))
			continue
		}
		switch {
		case op >= opBreg0 && op < opBreg0+32 || op == opBregx:
			number := uint64(op - opBreg0)
			if op == opBregx {
				number = r.uleb()
			}
			name := names.name(number)
			if name == "" {
				return "", false
			}
			stack = append(stack, plus(anything(name), constantOf(r.sleb())))
		default:
			var ok bool
			if stack, ok = apply(op, r, stack, wordBytes); !ok {
				return "", false
			}
		}
		if r.bad || len(stack) > 0 && len(stack[len(stack)-1].text) > maxExpressionText {
			return "", false
		}
	}
	if r.bad || len(stack) == 0 {
		return "", false
	}
	return stack[len(stack)-1].text, true
}

func constantOp(op uint8, r *reader) (int64, bool) {
	switch op {
	case opConst1u:
		return int64(r.u8()), true
	case opConst1s:
		return int64(int8(r.u8())), true
	case opConst2u:
		return int64(r.u16()), true
	case opConst2s:
		return int64(int16(r.u16())), true
	case opConst4u:
		return int64(r.u32()), true
	case opConst4s:
		return int64(int32(r.u32())), true
	case opConst8u, opConst8s:
		return int64(r.u64()), true
	case opConstu:
		return int64(r.uleb()), true
	case opConsts:
		return r.sleb(), true
	}
	return int64(op - opLit0), op >= opLit0 && op < opLit0+32
}

// apply executes an operation on the operands at the top.
func apply(op uint8, r *reader, stack []operand, wordBytes int) ([]operand, bool) {
	n := len(stack)
	switch op {
	case opNop:
		return stack, true
	case opDeref, opDerefSize, opPlusUconst, opNeg, opDup, opDrop:
		if n < 1 {
			return nil, false
		}
		top := stack[n-1]
		switch op {
		case opDup:
			return append(stack, top), true
		case opDrop:
			return stack[:n-1], true
		case opPlusUconst:
			top = plus(top, constantOf(int64(r.uleb())))
		case opNeg:
			top = anything("0 " + top.text + " -")
		default:
			if op == opDerefSize && int(r.u8()) != wordBytes {
				return nil, false
			}
			top = anything(top.text + " ^")
		}
		stack[n-1] = top
		return stack, true
	}
	if n < 2 {
		return nil, false
	}
	a, b := stack[n-2], stack[n-1]
	switch op {
	case opOver:
		return append(stack, a), true
	case opSwap:
		stack[n-2], stack[n-1] = b, a
		return stack, true
	}
	c, ok := binary2(op, a, b)
	stack[n-2] = c
	return stack[:n-1], ok
}

// binary2 combines two operands.
func binary2(op uint8, a, b operand) (operand, bool) {
	switch op {
	case opPlus:
		return plus(a, b), true
	case opMinus:
		return anything(a.text + " " + b.text + " -"), true
	case opMul:
		return anything(a.text + " " + b.text + " *"), true
	case opAnd:
		return and(a, b)
	case opShl, opShr:
		if !b.constant || b.value < 0 || b.value > 62 {
			return a, false
		}
		by := " " + strconv.FormatInt(1<<b.value, 10)
		if op == opShl {
			c := anything(a.text + by + " *")
			if bits.Len64(a.most)+int(b.value) < 64 {
				c.most = a.most << b.value
			}
			return c, true
		}
		return operand{text: a.text + by + " /", most: a.most >> b.value}, true
	case opGe, opLt:
		return compare(op, a, b)
	}
	return a, false
}

func plus(a, b operand) operand {
	if b.constant && b.value == 0 {
		return a
	}
	c := anything(a.text + " " + b.text + " +")
	if sum := a.most + b.most; sum >= a.most && sum < 1<<63 {
		c.most = sum
	}
	return c
}

// and says a mask of low bits as a remainder, and one of high bits as an
// alignment.
func and(a, b operand) (operand, bool) {
	if a.constant {
		a, b = b, a
	}
	mask := uint64(b.value)
	switch {
	case !b.constant || mask == 0:
		return a, false
	case mask&(mask+1) == 0 && mask < 1<<62:
		return operand{text: a.text + " " + strconv.FormatUint(mask+1, 10) + " %", most: mask}, true
	case ^mask&(^mask+1) == 0 && ^mask < 1<<62:
		return operand{text: a.text + " " + strconv.FormatUint(^mask+1, 10) + " @", most: a.most}, true
	}
	return a, false
}

// compare says whether a >= b, or a < b, as 1 or 0. Quotients do: of a by b it is
// 0 exactly if a < b. DWARF's comparison is signed, so both must be known to be
// below 2^63.
func compare(op uint8, a, b operand) (operand, bool) {
	if !b.constant || b.value <= 0 || a.most >= 1<<63 {
		return a, false
	}
	quotient := a.text + " " + b.text + " /"
	switch {
	case op == opLt:
		return operand{text: "1 " + quotient + " 1 + /", most: 1}, true
	case a.most < 2*uint64(b.value):
		return operand{text: quotient, most: 1}, true
	}
	return operand{text: "1 1 " + quotient + " 1 + / -", most: 1}, true
}
