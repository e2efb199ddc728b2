package minidump

import "aftershock/internal/cursor"

// Exception is MINIDUMP_EXCEPTION_STREAM. What Code and Flags mean depends on
// the system: exception code on Windows; signal and si_code on Linux; Mach
// exception and its first code on macOS.
type Exception struct {
	ThreadID    uint32
	Code, Flags uint32
	Address     uint64
	// Parameters is ExceptionInformation, at most 15.
	Parameters []uint64
	// Context holds the registers at the crash; nil when unreadable or of a
	// CPU that is not decoded.
	Context *Context
}

func (d *Dump) readException(c *cursor.Cursor) bool {
	var e Exception
	e.ThreadID = c.U32()
	c.Skip(4)
	e.Code, e.Flags = c.U32(), c.U32()
	c.Skip(8) // nested exception record
	e.Address = c.U64()
	n := min(c.U32(), maxExceptionParams)
	c.Skip(4)
	var params [maxExceptionParams]uint64
	for i := range params {
		params[i] = c.U64()
	}
	context := readLocation(c)
	if c.Err() != nil {
		return false
	}
	e.Parameters = append(e.Parameters, params[:n]...)
	var ok bool
	if e.Context, ok = d.readContext(context); !ok {
		d.find(FindingExceptionContext, -1)
	}
	d.Exception = &e
	return true
}

// Exception codes of Windows whose second parameter is the address that could
// not be accessed.
const (
	exceptionAccessViolation = 0xc0000005
	exceptionInPageError     = 0xc0000006
)

// CrashAddress is the address that the crash was about: the one that could not
// be accessed if the system tells it, else that of the instruction. ok is
// false without an exception.
func (d *Dump) CrashAddress() (addr uint64, ok bool) {
	e := d.Exception
	if e == nil {
		return 0, false
	}
	addr = e.Address
	if d.System != nil && d.System.OS == Windows && len(e.Parameters) >= 2 &&
		(e.Code == exceptionAccessViolation || e.Code == exceptionInPageError) {
		addr = e.Parameters[1]
	}
	if d.cpuOrUnknown().WordBytes() == 4 {
		// Some writers extend the sign of 32-bit addresses.
		addr &= 0xffffffff
	}
	return addr, true
}

// BreakpadInfo is MINIDUMP_BREAKPAD_INFO.
type BreakpadInfo struct {
	// DumpThreadID is the thread that wrote the dump, RequestingThreadID the
	// one that asked for it; each is meaningful only if its Has is set.
	DumpThreadID, RequestingThreadID       uint32
	HasDumpThreadID, HasRequestingThreadID bool
}

func (d *Dump) readBreakpadInfo(c *cursor.Cursor) bool {
	validity := c.U32()
	b := BreakpadInfo{
		DumpThreadID: c.U32(), RequestingThreadID: c.U32(),
		HasDumpThreadID: validity&1 != 0, HasRequestingThreadID: validity&2 != 0,
	}
	if c.Err() != nil {
		return false
	}
	d.Breakpad = &b
	return true
}

// WroteDump tells whether the thread with this index wrote the dump itself.
// Its stack shows nothing but that.
func (d *Dump) WroteDump(thread int) bool {
	return d.Breakpad != nil && d.Breakpad.HasDumpThreadID && d.Threads[thread].ID == d.Breakpad.DumpThreadID
}

// CrashingThread is the index of the thread that crashed, or else of the one
// that asked for the dump; -1 when the dump does not say, does not list that
// thread, or that thread wrote the dump. Of several threads with that id it is
// the last.
func (d *Dump) CrashingThread() int {
	var id uint32
	switch {
	case d.Exception != nil:
		id = d.Exception.ThreadID
	case d.Breakpad != nil && d.Breakpad.HasRequestingThreadID:
		id = d.Breakpad.RequestingThreadID
	default:
		return -1
	}
	for i := len(d.Threads) - 1; i >= 0; i-- {
		if d.Threads[i].ID == id && !d.WroteDump(i) {
			return i
		}
	}
	return -1
}

// LastError is the thread's last error of Windows' GetLastError: a 32-bit word
// of the thread environment block, if the dump holds it.
func (d *Dump) LastError(thread int) (code uint32, ok bool) {
	const slot = 13 // pointers before TEB.LastErrorValue
	teb := d.Threads[thread].TEB
	addr := teb + slot*uint64(d.cpuOrUnknown().WordBytes())
	if addr < teb {
		return 0, false
	}
	b := d.Memory.Read(addr, 4)
	if b == nil {
		return 0, false
	}
	return d.order.Uint32(b), true
}
