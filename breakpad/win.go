package breakpad

import "encoding/binary"

// WinKind tells the two kinds of STACK WIN records apart.
type WinKind uint8

// Kinds of STACK WIN records, numbered as in the symbol file.
const (
	WinFPO       WinKind = 0 // frame pointer omitted: sizes only
	WinFrameData WinKind = 4 // with a program
)

// WinRecord is one STACK WIN record of a 32-bit x86 module. Sizes are bytes.
type WinRecord struct {
	Kind              WinKind
	RVA, Size         uint64
	ParameterSize     uint32
	SavedRegisterSize uint32
	LocalSize         uint32
	// AllocatesBasePointer is the last field of an FPO record: the function
	// uses ebp as a general register and saves the caller's.
	AllocatesBasePointer bool
	// Program is set on framedata records. It aliases the symbols.
	Program WinProgram
}

// WinProgram is a compiled STACK WIN program: a flag byte, then bytecode.
type WinProgram []byte

// winAligns is the flag of a program that contains '@': its function aligned
// the stack, so that only ebp tells where the frame is.
const winAligns = 1

// Variables that every program has. The first six are the registers, numbered
// as in Registers; programs may add temporaries like $T0 after the last.
const (
	winParams = iota + 6
	winCalleeParams
	winSavedRegs
	winLocals
	winRASearch
	winRASearchStart
	winFirstTemporary
)

// Eval computes the registers of the caller of an x86 frame. calleeParams is
// the parameter size of the function that this frame called, 0 for the first
// frame; first tells whether it is that one. caller holds, on entry, the
// registers that a call preserves with the callee's values. Eval answers
// false, and leaves caller unspecified, when the record does not work out. It
// does not allocate.
func (w *WinRecord) Eval(callee, caller *Registers, mem *Memory, calleeParams uint32, first bool) bool {
	if w.Kind == WinFPO {
		return w.evalFPO(callee, caller, mem, calleeParams, first)
	}
	return w.evalProgram(callee, caller, mem, calleeParams)
}

func (w *WinRecord) frameSize(calleeParams uint32) uint64 {
	return uint64(w.LocalSize) + uint64(w.SavedRegisterSize) + uint64(calleeParams)
}

// evalFPO finds the return address above locals, saved registers and the
// callee's parameters.
func (w *WinRecord) evalFPO(callee, caller *Registers, mem *Memory, calleeParams uint32, first bool) bool {
	esp, ok := callee.Get(X86ESP)
	if !ok {
		return false
	}
	raAddr := esp + w.frameSize(calleeParams)
	eip, ok := mem.Uint32(raAddr)
	if !ok {
		return false
	}
	if own, _ := callee.Get(X86EIP); first && uint64(eip) == own {
		// A system call stub leaves its own address on top of the stack.
		raAddr += 4
		if eip, ok = mem.Uint32(raAddr); !ok {
			return false
		}
	}
	ebp, ok := callee.Get(X86EBP)
	if w.AllocatesBasePointer {
		var saved uint32
		saved, ok = mem.Uint32(esp + uint64(calleeParams) + uint64(w.SavedRegisterSize) - 8)
		ebp = uint64(saved)
	}
	if !ok {
		return false
	}
	caller.Set(X86EIP, uint64(eip))
	caller.Set(X86ESP, raAddr+4)
	caller.Set(X86EBP, ebp)
	return true
}

// winMachine evaluates a STACK WIN program: variables, assignments and 32-bit
// arithmetic.
type winMachine struct {
	mem       *Memory
	variables [maxProgramVariables]uint32
	defined   uint64 // bit a variable
	stack     [maxProgramStack]winOperand
	n         int
}

// winOperand is a number, a variable (by index) or .undef.
type winOperand struct {
	op    byte // opConstant, opVariable or opUndefined
	value uint32
}

func (m *winMachine) set(variable int, v uint32) {
	m.variables[variable] = v
	m.defined |= 1 << variable
}

func (w *WinRecord) evalProgram(callee, caller *Registers, mem *Memory, calleeParams uint32) bool {
	esp, espOK := callee.Get(X86ESP)
	ebp, ebpOK := callee.Get(X86EBP)
	if !espOK || !ebpOK || len(w.Program) == 0 {
		return false
	}
	m := winMachine{mem: mem}
	m.set(int(X86ESP), uint32(esp))
	m.set(int(X86EBP), uint32(ebp))
	if ebx, ok := callee.Get(X86EBX); ok {
		m.set(int(X86EBX), uint32(ebx))
	}
	search := esp + w.frameSize(calleeParams)
	if w.Program[0]&winAligns != 0 {
		search = ebp + 4
	}
	if search > 1<<32-1 {
		return false
	}
	m.set(winParams, w.ParameterSize)
	m.set(winCalleeParams, calleeParams)
	m.set(winSavedRegs, w.SavedRegisterSize)
	m.set(winLocals, w.LocalSize)
	m.set(winRASearch, uint32(search))
	m.set(winRASearchStart, uint32(search))
	if !m.run(w.Program[1:]) {
		return false
	}
	// Parity: a program that does not assign $eip or $esp keeps the callee's.
	eip, _ := callee.Get(X86EIP)
	caller.Set(X86EIP, eip)
	caller.Set(X86ESP, esp)
	for r := X86EIP; r <= X86EDI; r++ {
		if m.defined>>r&1 != 0 {
			caller.Set(r, uint64(m.variables[r]))
		}
	}
	return true
}

// run executes the program; operands left over do not matter.
func (m *winMachine) run(code []byte) bool {
	for len(code) > 0 {
		op := code[0]
		code = code[1:]
		switch op {
		case opConstant:
			v, size := binary.Varint(code)
			if size <= 0 || !m.push(winOperand{op, uint32(v)}) {
				return false
			}
			code = code[size:]
		case opVariable:
			if len(code) == 0 || code[0] >= maxProgramVariables || !m.push(winOperand{op, uint32(code[0])}) {
				return false
			}
			code = code[1:]
		case opUndefined:
			if !m.push(winOperand{op: op}) {
				return false
			}
		case opAssign:
			if !m.assign() {
				return false
			}
		case opDereference:
			addr, ok := m.popNumber()
			if !ok {
				return false
			}
			v, ok := m.mem.Uint32(uint64(addr))
			if !ok || !m.push(winOperand{opConstant, v}) {
				return false
			}
		default:
			r, rOK := m.popNumber()
			l, lOK := m.popNumber()
			if !rOK || !lOK {
				return false
			}
			v, ok := arithmetic(op, uint64(l), uint64(r))
			if !ok || !m.push(winOperand{opConstant, uint32(v)}) {
				return false
			}
		}
	}
	return true
}

func (m *winMachine) push(o winOperand) bool {
	if m.n == len(m.stack) {
		return false
	}
	m.stack[m.n] = o
	m.n++
	return true
}

func (m *winMachine) pop() (winOperand, bool) {
	if m.n == 0 {
		return winOperand{}, false
	}
	m.n--
	return m.stack[m.n], true
}

// popNumber takes the top operand's value; a variable must have one.
func (m *winMachine) popNumber() (uint32, bool) {
	o, ok := m.pop()
	switch {
	case !ok || o.op == opUndefined:
		return 0, false
	case o.op == opVariable:
		return m.variables[o.value], m.defined>>o.value&1 != 0
	}
	return o.value, true
}

// assign gives the variable below the top operand its value; .undef takes it
// away.
func (m *winMachine) assign() bool {
	if m.n > 0 && m.stack[m.n-1].op == opUndefined {
		m.n--
		target, ok := m.pop()
		if !ok || target.op != opVariable {
			return false
		}
		m.defined &^= 1 << target.value
		return true
	}
	v, ok := m.popNumber()
	if !ok {
		return false
	}
	target, ok := m.pop()
	if !ok || target.op != opVariable {
		return false
	}
	m.set(int(target.value), v)
	return true
}
