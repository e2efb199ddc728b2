package stackwalk

import (
	"slices"

	"aftershock/breakpad"
	"aftershock/minidump"
)

// A signal handler of Linux returns to a trampoline, which has no call frame
// information in symbol files. At its stack pointer lies what the kernel saved of
// the code that the signal interrupted: all its registers. That is recognized by
// its shape, so that neither names nor the trampoline's bytes are needed.

// maxSignalFrames bounds the signals that interrupted one another on a thread: each
// may lead down the stack or to another one.
const maxSignalFrames = 16

// signalFrame is where a CPU's kernel saves registers, counted from the stack
// pointer of the trampoline.
type signalFrame struct {
	// registers are where those of the interrupted code lie.
	registers []savedRegister
	// valid tells whether what lies there has the shape of one.
	valid func(w *walker, at uint64) bool
}

type savedRegister struct {
	register breakpad.Register
	offset   uint64
}

// amd64Signal: struct ucontext of arch/x86/include/uapi/asm: 40 bytes before
// struct sigcontext_64.
var amd64Signal = signalFrame{
	registers: []savedRegister{
		{8, 40},
		{9, 48},
		{10, 56},
		{11, 64},
		{r12, 72},
		{r13, 80},
		{r14, 88},
		{r15, 96},
		{5, 104},
		{4, 112},
		{rbp, 120},
		{rbx, 128},
		{1, 136},
		{0, 144},
		{2, 152},
		{rsp, 160},
		{rip, 168},
	},
	valid: func(w *walker, at uint64) bool {
		const userCode, userData = 0x33, 0x2b // selectors: __USER_CS, __USER_DS
		selectors, _ := w.mem.Uint64(at + 184)
		if selectors&0xffff != userCode || selectors>>48 != userData && selectors>>48 != 0 {
			return false
		}
		flags, _ := w.mem.Uint64(at)
		eflags, _ := w.mem.Uint64(at + 176)
		floats, ok := w.mem.Uint64(at + 224) // where the floating point registers were saved
		return ok && flags < 16 && floats%16 == 0 && eflags&2 != 0 && eflags < 1<<22
	},
}

// x86Registers are those of struct sigcontext_32, counted from where it lies.
func x86Registers(at uint64) []savedRegister {
	return []savedRegister{
		{breakpad.X86EDI, at + 16}, {breakpad.X86ESI, at + 20}, {ebp, at + 24}, {breakpad.X86EBX, at + 32}, {esp, at + 28}, {eip, at + 56},
	}
}

// x86ValidAt tells whether a struct sigcontext_32 lies at an address. Of its
// segments cs and ss are those of a 32-bit program, on a kernel of 64 or 32 bits.
func x86ValidAt(w *walker, at uint64) bool {
	data, _ := w.mem.Uint32(at + 12)
	code, _ := w.mem.Uint32(at + 60)
	eflags, _ := w.mem.Uint32(at + 64)
	stack, ok := w.mem.Uint32(at + 72)
	return ok && eflags&2 != 0 && eflags < 1<<22 && stack&0xffff == data&0xffff &&
		(code&0xffff == 0x23 && stack&0xffff == 0x2b || code&0xffff == 0x73 && stack&0xffff == 0x7b)
}

// x86Signals: of sigreturn the context follows the signal's number; of
// rt_sigreturn it lies in the struct ucontext behind number, two pointers and
// 128 bytes of siginfo_t.
const (
	x86PlainContext = 4
	x86Context      = 4 + 4 + 4 + 128 + 20
)

var x86Signals = []signalFrame{
	{x86Registers(x86PlainContext), func(w *walker, at uint64) bool { return x86ValidAt(w, at+x86PlainContext) }},
	{x86Registers(x86Context), func(w *walker, at uint64) bool { return x86ValidAt(w, at+x86Context) }},
}

// arm64Signal: struct rt_sigframe is 128 bytes of siginfo_t and a struct ucontext,
// whose struct sigcontext lies 176 bytes in.
var arm64Signal = signalFrame{
	registers: arm64Saved(),
	valid: func(w *walker, at uint64) bool {
		const context = 128 + 176
		flags, _ := w.mem.Uint64(at + 128)
		link, _ := w.mem.Uint64(at + 136)
		state, _ := w.mem.Uint64(at + context + 272) // pstate: that of user mode
		magic, ok := w.mem.Uint32(at + context + 288)
		const fpsimdMagic = 0x46508001 // FPSIMD_MAGIC starts the first extra record
		return ok && flags < 16 && link == 0 && state&0x1f == 0 && magic == fpsimdMagic
	},
}

func arm64Saved() []savedRegister {
	const first = 128 + 176 + 8 // behind fault_address
	var out []savedRegister
	for r := range 31 {
		out = append(out, savedRegister{breakpad.Register(r), first + 8*uint64(r)})
	}
	return append(out, savedRegister{arm64SP, first + 8*31}, savedRegister{arm64PC, first + 8*32})
}

// signalsOf are the shapes that a CPU's kernel leaves.
func (w *walker) signalsOf() []signalFrame {
	if w.os != minidump.Linux && w.os != minidump.Android {
		return nil
	}
	switch w.cpu.arch {
	case breakpad.AMD64:
		return []signalFrame{amd64Signal}
	case breakpad.X86:
		return x86Signals
	case breakpad.ARM64:
		return []signalFrame{arm64Signal}
	default:
		return nil
	}
}

// interrupted fills the registers of the code that a signal interrupted, if the
// callee is the trampoline that its handler returns to.
func (w *walker) interruptedBy(callee, caller *activation) bool {
	if callee.Trust == TrustContext || w.signals >= maxSignalFrames {
		return false
	}
	at, ok := callee.registers.Get(w.cpu.sp)
	if !ok {
		return false
	}
	for i := range w.signalFrames {
		f := &w.signalFrames[i]
		if !f.valid(w, at) {
			continue
		}
		caller.registers = breakpad.Registers{}
		for _, s := range f.registers {
			if v, ok := w.mem.Word(at+s.offset, w.cpu.arch.WordBytes()); ok {
				caller.registers.Set(s.register, v)
			}
		}
		pc, _ := caller.registers.Get(w.cpu.pc)
		sp, _ := caller.registers.Get(w.cpu.sp)
		switch {
		case w.mem.Holds(sp):
			if sp <= at {
				return false // what is there is older than the callee
			}
		case !w.switchStack(sp):
			w.mem.Bytes = nil // the walk ends behind this frame
		}
		w.signals++
		caller.Trust, caller.Resume, caller.Interrupted = TrustCFI, pc, true
		return true
	}
	return false
}

// endsHandler tells whether a word on the stack is the return address of a signal
// handler: what the kernel saved lies above it, and it may be code.
func (w *walker) endsHandler(c candidate) bool {
	if len(w.signalFrames) == 0 || !w.cpu.addressOK(c.word) {
		return false
	}
	above := c.at + uint64(w.cpu.arch.WordBytes())
	for i := range w.signalFrames {
		if w.signalFrames[i].valid(w, above) {
			return w.codeAt(c.word) != noCode
		}
	}
	return false
}

// switchStack goes on in the memory that another stack pointer lies in, unless the
// walk has been there.
func (w *walker) switchStack(sp uint64) bool {
	region, ok := w.dump.Memory.Find(sp)
	if !ok || slices.Contains(w.left, region.Base) {
		return false
	}
	before := w.mem.Base
	if !w.setMemory(region) {
		return false
	}
	w.left = append(w.left, before)
	w.startup = startup{unknown: true}
	return true
}
