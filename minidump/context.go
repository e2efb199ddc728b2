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
	default:
		return nil
	}
}

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
	default:
	}
	if !ok {
		return nil, false
	}
	return ctx, true
}
