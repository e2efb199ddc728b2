package minidump

import "aftershock/internal/cursor"

// MaxRegisters bounds the registers of a Context.
const MaxRegisters = 40

// Context is a CPU context: the registers of a thread, by index in the order
// of CPU.RegisterNames.
type Context struct {
	CPU       CPU
	Registers [MaxRegisters]uint64
}

// RegisterNames are the registers that a Context of this CPU holds, in index
// order; nil when contexts of the CPU are not decoded. The slice is shared: do
// not change it.
func (c CPU) RegisterNames() []string {
	switch c {
	case CPUX86:
		return x86Registers
	case CPUAMD64:
		return amd64Registers
	case CPUARM:
		return armRegisters
	case CPUARM64:
		return arm64Registers
	case CPUMIPS, CPUMIPS64:
		return mipsRegisters
	case CPUPPC:
		return ppcRegisters
	case CPUPPC64:
		return ppc64Registers
	case CPUSPARC:
		return sparcRegisters
	case CPURISCV64:
		return riscv64Registers
	default:
		return nil
	}
}

// RegisterBytes is how wide the registers of a Context are. Those of mips and
// sparc are stored in 64 bits also where pointers have 32.
func (c CPU) RegisterBytes() int {
	switch c {
	case CPUMIPS, CPUSPARC:
		return 8
	default:
		return c.WordBytes()
	}
}

// The CPU parts of ContextFlags: CONTEXT_* of winnt.h, and those that Breakpad
// gave to CPUs without Windows (minidump_cpu_*.h).
const (
	contextX86      = 0x00010000
	contextMIPS     = 0x00040000
	contextMIPS64   = 0x00080000
	contextAMD64    = 0x00100000
	contextARM64    = 0x00400000
	contextPPC64    = 0x01000000
	contextSPARC    = 0x10000000
	contextPPC      = 0x20000000
	contextARM      = 0x40000000
	contextARM64Old = 0x80000000

	// contextCPUMask has the bits of every CPU, also of those that are not
	// decoded. Windows sets others for its own use, such as
	// CONTEXT_EXCEPTION_ACTIVE.
	contextCPUMask = 0xf15f0000
)

// contextSupported tells whether readContext knows the CPU.
func (d *Dump) contextSupported(c CPU) bool { return c.RegisterNames() != nil }

// readContext decodes the CPU context at loc. ok is false when it should be
// readable and is not: an empty location and a CPU that is not decoded are fine.
func (d *Dump) readContext(loc location) (ctx *Context, ok bool) {
	cpu := d.cpuOrUnknown()
	if loc.size == 0 || !d.contextSupported(cpu) {
		return nil, true
	}
	data := d.bytesOf(loc)
	if data == nil {
		return nil, false
	}
	c := cursor.New(data, d.order)
	ctx = &Context{CPU: cpu}
	switch cpu {
	case CPUX86:
		ok = ctx.readX86(&c)
	case CPUAMD64:
		ok = ctx.readAMD64(&c)
	case CPUARM:
		ok = ctx.readARM(&c)
	case CPUARM64:
		if d.System.Architecture == architectureARM64Old {
			ok = ctx.readARM64Old(&c)
		} else {
			ok = ctx.readARM64(&c)
		}
	case CPUMIPS, CPUMIPS64:
		ok = ctx.readMIPS(&c)
	case CPUPPC:
		ok = ctx.readPPC(&c)
	case CPUPPC64:
		ok = ctx.readPPC64(&c)
	case CPUSPARC:
		ok = ctx.readSPARC(&c)
	case CPURISCV64:
		ok = ctx.readRISCV64(&c)
	default:
	}
	if !ok {
		return nil, false
	}
	return ctx, true
}

// words32 and words64 read consecutive registers.
func (ctx *Context) words32(c *cursor.Cursor, first, n int) {
	for r := first; r < first+n; r++ {
		ctx.Registers[r] = uint64(c.U32())
	}
}

func (ctx *Context) words64(c *cursor.Cursor, first, n int) {
	for r := first; r < first+n; r++ {
		ctx.Registers[r] = c.U64()
	}
}
