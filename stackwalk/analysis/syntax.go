package analysis

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

// text prints an instruction in Intel's order of operands, as
// minidump-stackwalk does: sizes as words before memory operands, numbers
// signed and in hex, jumps relative to "$".
func (in *instruction) text() string {
	var b strings.Builder
	b.WriteString(in.prefix())
	b.WriteString(in.mnemonic())
	for i, a := range in.operands() {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte(' ')
		b.WriteString(a)
	}
	return b.String()
}

// prefix is the repetition and locking prefixes that belong to the operation.
func (in *instruction) prefix() string {
	out := ""
	for _, p := range in.Prefix {
		if p == 0 {
			break
		}
		if p&x86asm.PrefixImplicit != 0 || p&x86asm.PrefixIgnored != 0 {
			continue
		}
		switch byte(p) {
		case 0xf0:
			out = "lock " + out
		case 0xf2:
			if isString(in.Op) {
				out += "repnz "
			}
		case 0xf3:
			if isString(in.Op) {
				out += "rep "
			}
		}
	}
	return out
}

func isString(op x86asm.Op) bool {
	_, ok := stringOps[op]
	return ok
}

// stringOp is an operation on what rsi and rdi point at.
type stringOp struct {
	name  string
	bytes int
}

var stringOps = map[x86asm.Op]stringOp{
	x86asm.CMPSB: {"cmps", 1}, x86asm.CMPSW: {"cmps", 2}, x86asm.CMPSD: {"cmps", 4}, x86asm.CMPSQ: {"cmps", 8},
	x86asm.MOVSB: {"movs", 1}, x86asm.MOVSW: {"movs", 2}, x86asm.MOVSD: {"movs", 4}, x86asm.MOVSQ: {"movs", 8},
	x86asm.LODSB: {"lods", 1}, x86asm.LODSW: {"lods", 2}, x86asm.LODSD: {"lods", 4}, x86asm.LODSQ: {"lods", 8},
	x86asm.STOSB: {"stos", 1}, x86asm.STOSW: {"stos", 2}, x86asm.STOSD: {"stos", 4}, x86asm.STOSQ: {"stos", 8},
	x86asm.SCASB: {"scas", 1}, x86asm.SCASW: {"scas", 2}, x86asm.SCASD: {"scas", 4}, x86asm.SCASQ: {"scas", 8},
}

// mnemonics are those that differ from the name in x86asm.
var mnemonics = map[x86asm.Op]string{
	x86asm.JE: "jz", x86asm.JNE: "jnz", x86asm.JAE: "jnb", x86asm.JBE: "jna",
	x86asm.CMOVE: "cmovz", x86asm.CMOVNE: "cmovnz", x86asm.CMOVAE: "cmovnb", x86asm.CMOVBE: "cmovna",
	x86asm.SETE: "setz", x86asm.SETNE: "setnz", x86asm.LOOPE: "loopz", x86asm.LOOPNE: "loopnz",
	x86asm.LRET: "retf", x86asm.LCALL: "callf", x86asm.LJMP: "jmpf", x86asm.FWAIT: "wait",
	x86asm.CMPSD_XMM: "cmpsd", x86asm.MOVSD_XMM: "movsd", x86asm.XLATB: "xlat",
	x86asm.PUSHFQ: "pushf", x86asm.POPFQ: "popf", x86asm.ICEBP: "int", x86asm.PAUSE: "nop",
	x86asm.INSB: "ins", x86asm.INSW: "ins", x86asm.INSD: "ins", x86asm.OUTSB: "outs", x86asm.OUTSW: "outs", x86asm.OUTSD: "outs",
}

func (in *instruction) mnemonic() string {
	if op, ok := stringOps[in.Op]; ok {
		return op.name
	}
	if name, ok := mnemonics[in.Op]; ok {
		return name
	}
	if in.isMOVQ() {
		return "movq"
	}
	return strings.ToLower(in.Op.String())
}

// isMOVQ tells whether a MOVD is taken to move 64 bits. Parity: every one into an
// xmm register is.
func (in *instruction) isMOVQ() bool {
	to, ok := in.Args[0].(x86asm.Reg)
	return in.Op == x86asm.MOVD && (in.rexW() || ok && to >= x86asm.X0 && to <= x86asm.X15)
}

// operands prints them as they are written, with those of the x87 stack that
// the encoding implies.
func (in *instruction) operands() []string {
	var out []string
	for i, a := range in.args() {
		out = append(out, in.operand(i, a))
	}
	const top = "st(0)"
	switch in.Op {
	case x86asm.FADD, x86asm.FMUL, x86asm.FCOM, x86asm.FCOMP, x86asm.FSUB, x86asm.FSUBR, x86asm.FDIV, x86asm.FDIVR,
		x86asm.FIADD, x86asm.FIMUL, x86asm.FICOM, x86asm.FICOMP, x86asm.FISUB, x86asm.FISUBR, x86asm.FIDIV, x86asm.FIDIVR,
		x86asm.FLD, x86asm.FILD, x86asm.FBLD, x86asm.FXCH, x86asm.FUCOM, x86asm.FUCOMP:
		if len(out) == 1 {
			out = []string{top, out[0]}
		}
	case x86asm.FST, x86asm.FSTP, x86asm.FIST, x86asm.FISTP, x86asm.FISTTP, x86asm.FBSTP:
		if len(out) == 1 {
			out = append(out, top)
		}
	case x86asm.INSB:
		out = []string{"byte [rdi]", "dl"} // parity, as all of these
	case x86asm.INSW:
		out = []string{"word [rdi]", "dx"}
	case x86asm.INSD:
		out = []string{"dword [rdi]", "dx"}
	case x86asm.OUTSB:
		out = []string{"dl", "byte [rsi]"}
	case x86asm.OUTSW:
		out = []string{"dx", "word [rsi]"}
	case x86asm.OUTSD:
		out = []string{"dx", "dword [rsi]"}
	case x86asm.XLATB:
		out = nil
	case x86asm.ICEBP:
		out = []string{"0x1"}
	default:
	}
	return out
}

// args are the operands in the order in which they are written.
func (in *instruction) args() []x86asm.Arg {
	n := 0
	for n < len(in.Args) && in.Args[n] != nil {
		n++
	}
	args := slices.Clone(in.Args[:n])
	if len(args) != 2 {
		return args
	}
	swap := false
	switch in.Op {
	case x86asm.XCHG: // of the form that has the accumulator in the opcode
		a, ok := args[1].(x86asm.Reg)
		swap = ok && (a == x86asm.AX || a == x86asm.EAX || a == x86asm.RAX) && in.opcode()&0xf8 == 0x90
	case x86asm.SCASB, x86asm.SCASW, x86asm.SCASD, x86asm.SCASQ:
		swap = true
	case x86asm.CMPSB, x86asm.CMPSW, x86asm.CMPSD, x86asm.CMPSQ:
		// Parity: the reference swaps the registers but not the segments.
		a, aOK := args[0].(x86asm.Mem)
		b, bOK := args[1].(x86asm.Mem)
		if aOK && bOK {
			a.Base, b.Base = b.Base, a.Base
			args[0], args[1] = a, b
		}
	default:
	}
	if swap {
		slices.Reverse(args)
	}
	return args
}

func (in *instruction) operand(i int, a x86asm.Arg) string {
	switch a := a.(type) {
	case x86asm.Reg:
		if in.isMOVQ() && registerBytes(a) == 4 {
			a += x86asm.RAX - x86asm.EAX
		}
		return registerName(a)
	case x86asm.Imm:
		return signedHex(in.immediate(i, int64(a)))
	case x86asm.Rel:
		if a < 0 {
			return "$" + signedHex(int64(a))
		}
		return "$+" + signedHex(int64(a))
	case x86asm.Mem:
		return in.memoryText(a)
	}
	return ""
}

// immediate gives a number the sign of its place: those that stand beside an
// operand of n bytes are numbers of n bytes, but for those that are only a byte
// themselves.
func (in *instruction) immediate(i int, v int64) int64 {
	bytes := 1
	if vexPrefixed(in.code) {
		return int64(uint8(v)) // parity: unlike those of SSE
	}
	switch in.Op {
	case x86asm.ENTER, x86asm.INT, x86asm.IN, x86asm.OUT, x86asm.RET, x86asm.LRET:
		return v
	case x86asm.MOV, x86asm.ADD, x86asm.OR, x86asm.ADC, x86asm.SBB, x86asm.AND, x86asm.SUB, x86asm.XOR, x86asm.CMP, x86asm.TEST,
		x86asm.IMUL, x86asm.PUSH:
		if in.Op == x86asm.MOV && in.opcode() >= 0xb0 && in.opcode() <= 0xb7 {
			return v // parity: a byte for a register has no sign
		}
		bytes = in.MemBytes
		if r, ok := in.Args[0].(x86asm.Reg); ok && i > 0 {
			bytes = registerBytes(r)
		}
	default:
	}
	switch bytes {
	case 1:
		return int64(int8(v))
	case 2:
		return int64(int16(v))
	case 4:
		return int64(int32(v))
	}
	return v
}

func signedHex(v int64) string {
	if v < 0 {
		return "-0x" + strconv.FormatUint(-uint64(v), 16)
	}
	return "0x" + strconv.FormatUint(uint64(v), 16)
}

var sizeWords = map[int]string{
	1: "byte", 2: "word", 4: "dword", 6: "fword", 8: "qword", 10: "mword", 16: "xmmword", 32: "ymmword", 64: "zmmword",
}

func (in *instruction) memoryText(m x86asm.Mem) string {
	var b strings.Builder
	size := in.memoryBytes()
	if word, ok := sizeWords[size]; ok {
		b.WriteString(word)
	} else {
		b.WriteString("ptr")
	}
	b.WriteByte(' ')
	_, isStringOp := stringOps[in.Op]
	if m.Segment != 0 && (m.Segment != x86asm.DS || isStringOp && in.Args[1] != nil && in.stringPair()) {
		b.WriteString(registerName(m.Segment))
		b.WriteByte(':')
	}
	b.WriteByte('[')
	empty := true
	if m.Base != 0 {
		b.WriteString(registerName(m.Base))
		empty = false
	}
	if m.Index != 0 && m.Scale != 0 {
		if !empty {
			b.WriteString(" + ")
		}
		b.WriteString(registerName(m.Index))
		b.WriteString(" * ")
		b.WriteString(strconv.Itoa(int(m.Scale)))
		empty = false
	}
	disp := in.displacement(m)
	switch {
	case empty && !in.longDisplacement():
		b.WriteString("0x" + strconv.FormatUint(uint64(uint32(disp)), 16))
	case empty:
		b.WriteString("0x" + strconv.FormatUint(disp, 16))
	case int64(disp) < 0:
		b.WriteString(" - 0x" + strconv.FormatUint(-disp, 16))
	case disp != 0:
		b.WriteString(" + 0x" + strconv.FormatUint(disp, 16))
	}
	b.WriteByte(']')
	return b.String()
}

// stringPair tells whether both operands of a string operation are memory.
func (in *instruction) stringPair() bool {
	_, a := in.Args[0].(x86asm.Mem)
	_, b := in.Args[1].(x86asm.Mem)
	return a && b
}

// registerName is the usual name in lower case.
func registerName(r x86asm.Reg) string {
	switch {
	case r >= x86asm.F0 && r <= x86asm.F7:
		return "st(" + strconv.Itoa(int(r-x86asm.F0)) + ")"
	case r >= x86asm.X0 && r <= x86asm.X15:
		return "xmm" + strconv.Itoa(int(r-x86asm.X0))
	case r >= x86asm.Y0 && r <= x86asm.Y15:
		return "ymm" + strconv.Itoa(int(r-x86asm.Y0))
	case r >= x86asm.M0 && r <= x86asm.M7:
		return "mm" + strconv.Itoa(int(r-x86asm.M0))
	case r >= x86asm.SPB && r <= x86asm.DIB:
		return [...]string{"spl", "bpl", "sil", "dil"}[r-x86asm.SPB]
	case r >= x86asm.R8L && r <= x86asm.R15L:
		return "r" + strconv.Itoa(int(r-x86asm.R8L)+8) + "d"
	}
	return strings.ToLower(r.String())
}

// registerBytes is the size of a general register, 0 for others.
func registerBytes(r x86asm.Reg) int {
	switch {
	case r >= x86asm.AL && r <= x86asm.R15B:
		return 1
	case r >= x86asm.AX && r <= x86asm.R15W:
		return 2
	case r >= x86asm.EAX && r <= x86asm.R15L:
		return 4
	case r >= x86asm.RAX && r <= x86asm.R15:
		return 8
	}
	return 0
}
