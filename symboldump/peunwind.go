package symboldump

import (
	"strconv"

	"aftershock/breakpad"
)

// UWOP_* (Microsoft's x64 exception handling, unwind operation code).
const (
	uwopPushNonvol     = 0
	uwopAllocLarge     = 1
	uwopAllocSmall     = 2
	uwopSetFPReg       = 3
	uwopSaveNonvol     = 4
	uwopSaveNonvolFar  = 5
	uwopEpilog         = 6 // in version 2
	uwopSpare          = 7
	uwopSaveXMM128     = 8
	uwopSaveXMM128Far  = 9
	uwopPushMachFrame  = 10
	unwindFlagChained  = 4 // UNW_FLAG_CHAININFO
	runtimeFunctionLen = 12
	unwindInfoBytes    = 4
)

// x64Registers are the registers by their number in unwind codes.
var x64Registers = [16]string{
	"$rax", "$rcx", "$rdx", "$rbx", "$rsp", "$rbp", "$rsi", "$rdi", "$r8", "$r9", "$r10", "$r11", "$r12", "$r13", "$r14", "$r15",
}

// unwindCode is an operation of a prolog, with its operand.
type unwindCode struct {
	offset  uint8 // of the end of its instruction from the function's start
	op      uint8
	info    uint8
	operand uint32
}

// unwindInfo is an UNWIND_INFO.
type unwindInfo struct {
	frameRegister uint8
	frameOffset   int64
	codes         []unwindCode // the last one of the prolog first
	chained       uint32       // rva of the UNWIND_INFO that goes on, 0 for none
}

// writePEUnwind writes records of .pdata and .xdata of x64. Within a prolog they
// follow its instructions.
func (f *File) writePEUnwind(out *output, report *Report) {
	if f.module.Arch != breakpad.AMD64 {
		if f.module.Arch == breakpad.ARM64 || f.module.Arch == breakpad.ARM {
			report.drop(UnwindUnsaid)
		}
		return
	}
	d := f.image.exceptions
	r := f.reader(f.atRVA(uint64(d.VirtualAddress), uint64(d.Size)))
	for r.left() >= runtimeFunctionLen && out.err == nil {
		begin, end, info := r.u32(), r.u32(), r.u32()
		switch {
		case begin == 0 && end == 0:
		case end <= begin || !f.inCode(uint64(begin)):
			report.drop(UnwindDamaged)
		default:
			p := prolog{size: 8}
			if report.spent() {
				return
			}
			if !f.readProlog(&p, info, report) {
				report.drop(UnwindDamaged)
				continue
			}
			p.write(out, begin, end)
			report.CFI++
		}
	}
}

// prolog is what the instructions of a prolog have done to the stack so far.
type prolog struct {
	size      int64  // bytes between the stack pointer and the CFA
	frame     string // the CFA by the frame register, once there is one
	frameSize int64  // size when that was set
	machine   bool   // the return address is in a frame that the processor pushed
	rules     []byte // of saved registers
	rows      []prologRow
}

// prologRow says that from an offset on the CFA is another, and that the rules up
// to an index hold.
type prologRow struct {
	offset uint8
	cfa    string
	rules  int
}

// readProlog executes the codes of an UNWIND_INFO and of those that it goes on
// with: their prologs ran before.
func (f *File) readProlog(p *prolog, rva uint32, report *Report) bool {
	var chain []unwindInfo
	for rva != 0 {
		var u unwindInfo
		if len(chain) == maxUnwindChain || !f.readUnwindInfo(&u, rva) || !report.step(unwindInfoBytes+2*len(u.codes)) {
			return false
		}
		chain = append(chain, u)
		rva = u.chained
	}
	for i := len(chain) - 1; i >= 0; i-- {
		u := &chain[i]
		if i == 0 {
			p.rows = append(p.rows, prologRow{0, p.cfa(), len(p.rules)})
		}
		for j := len(u.codes) - 1; j >= 0; j-- {
			c := &u.codes[j]
			p.apply(u, c)
			if i > 0 {
				continue
			}
			row := prologRow{c.offset, p.cfa(), len(p.rules)}
			if last := &p.rows[len(p.rows)-1]; row.offset <= last.offset { // codes of one instruction
				last.cfa, last.rules = row.cfa, row.rules
			} else {
				p.rows = append(p.rows, row)
			}
		}
	}
	return true
}

// write writes the records of a function.
func (p *prolog) write(out *output, begin, end uint32) {
	said := 0
	for i, row := range p.rows {
		at := uint64(begin) + uint64(row.offset)
		switch {
		case i == 0:
			out.text("STACK CFI INIT ")
			out.hex(at)
			out.text(" ")
			out.hex(uint64(end - begin))
		case at >= uint64(end):
			return
		default:
			out.text("STACK CFI ")
			out.hex(at)
		}
		out.text(" .cfa: " + row.cfa)
		if i == 0 {
			out.text(" .ra: .cfa -8 + ^")
		}
		out.write(p.rules[said:row.rules])
		said = row.rules
		out.text("\n")
	}
}

// readUnwindInfo reads one UNWIND_INFO (version 1 and 2).
func (f *File) readUnwindInfo(u *unwindInfo, rva uint32) bool {
	r := f.reader(f.atRVA(uint64(rva), unwindInfoBytes+2*256+runtimeFunctionLen))
	first := r.u8()
	version, flags := first&7, first>>3
	r.skip(1) // size of the prolog
	count := uint64(r.u8())
	frame := r.u8()
	u.frameRegister, u.frameOffset = frame&15, int64(frame>>4)*16
	codes := r.part(2 * count)
	if r.bad || version != 1 && version != 2 {
		return false
	}
	for codes.left() > 0 {
		c := unwindCode{offset: codes.u8()}
		packed := codes.u8()
		c.op, c.info = packed&15, packed>>4
		switch c.op {
		case uwopAllocLarge:
			if c.info == 0 {
				c.operand = 8 * uint32(codes.u16())
			} else {
				c.operand = codes.u32()
			}
		case uwopAllocSmall:
			c.operand = 8*uint32(c.info) + 8
		case uwopSaveNonvol:
			c.operand = 8 * uint32(codes.u16())
		case uwopSaveXMM128:
			codes.skip(2)
		case uwopSaveNonvolFar:
			c.operand = codes.u32()
		case uwopSaveXMM128Far:
			codes.skip(4)
		case uwopSpare:
			codes.skip(4)
		case uwopPushNonvol, uwopSetFPReg, uwopEpilog, uwopPushMachFrame:
		default:
			return false
		}
		if codes.bad {
			return false
		}
		u.codes = append(u.codes, c)
	}
	if flags&unwindFlagChained != 0 {
		r.skip(2 * (count & 1)) // codes are an even number
		r.skip(8)
		u.chained = r.u32()
		return !r.bad && u.chained != 0
	}
	return true
}

// apply executes a code.
func (p *prolog) apply(u *unwindInfo, c *unwindCode) {
	switch c.op {
	case uwopPushNonvol:
		p.size += 8
		p.save(x64Registers[c.info], p.size)
	case uwopAllocLarge, uwopAllocSmall:
		p.size += int64(c.operand)
	case uwopSetFPReg:
		p.frame, p.frameSize = x64Registers[u.frameRegister]+" "+strconv.FormatInt(p.size-u.frameOffset, 10)+" +", p.size
	case uwopSaveNonvol, uwopSaveNonvolFar: // above the fixed allocation's end, which the frame register knows
		size := p.size
		if p.frame != "" {
			size = p.frameSize
		}
		p.save(x64Registers[c.info], size-int64(c.operand))
	case uwopPushMachFrame: // SS, RSP, EFLAGS, CS, RIP, and an error code if info is 1
		p.save("$rsp", p.size+16)
		p.save(".ra", p.size+40)
		p.machine = true
		if p.size += 40; c.info == 1 {
			p.size += 8
		}
	}
}

// save appends the rule of a register that lies below bytes under the CFA.
func (p *prolog) save(register string, below int64) {
	p.rules = append(append(append(p.rules, ' '), register...), ": .cfa "...)
	p.rules = strconv.AppendInt(p.rules, -below, 10)
	p.rules = append(p.rules, " + ^"...)
}

func (p *prolog) cfa() string {
	if p.frame != "" {
		return p.frame
	}
	return "$rsp " + strconv.FormatInt(p.size, 10) + " +"
}
