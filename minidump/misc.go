package minidump

import "aftershock/internal/cursor"

// MiscInfo is the part of MINIDUMP_MISC_INFO that all versions have.
type MiscInfo struct {
	ProcessID    uint32
	HasProcessID bool
	// CreateTime is when the process started, in seconds since 1970; user and
	// kernel time are seconds.
	CreateTime, UserTime, KernelTime uint32
	HasTimes                         bool
}

// Flags1 of MINIDUMP_MISC_INFO.
const (
	miscProcessID    = 1
	miscProcessTimes = 2
)

func (d *Dump) readMiscInfo(c *cursor.Cursor) bool {
	c.Skip(4) // size
	flags := c.U32()
	m := MiscInfo{
		ProcessID: c.U32(), CreateTime: c.U32(), UserTime: c.U32(), KernelTime: c.U32(),
		HasProcessID: flags&miscProcessID != 0, HasTimes: flags&miscProcessTimes != 0,
	}
	if c.Err() != nil {
		return false
	}
	d.Misc = &m
	return true
}

// ProcessID is the process's id, from the misc info or from Linux'
// /proc/PID/status.
func (d *Dump) ProcessID() (pid uint32, ok bool) {
	if d.Misc != nil && d.Misc.HasProcessID {
		return d.Misc.ProcessID, true
	}
	return parseUint32(keyValue(d.linuxText(StreamLinuxProcStatus), ':', "Pid"))
}

// CreateTime is when the process started, in seconds since 1970.
func (d *Dump) CreateTime() (seconds uint32, ok bool) {
	if d.Misc == nil || !d.Misc.HasTimes {
		return 0, false
	}
	return d.Misc.CreateTime, true
}

// Uptime is how many seconds the process ran before the dump was written. ok
// is false when it is unknown or the clock went back.
func (d *Dump) Uptime() (seconds uint32, ok bool) {
	created, ok := d.CreateTime()
	if !ok || created > d.Header.Time {
		return 0, false
	}
	return d.Header.Time - created, true
}

// Handle is MINIDUMP_HANDLE_DESCRIPTOR: one of the process's open handles on
// Windows.
type Handle struct {
	Handle               uint64
	TypeName, ObjectName string // "" when the dump has none
}

func (d *Dump) readHandles(c *cursor.Cursor) bool {
	const headerSize, entrySize = 16, 32
	header, entry, n := uint64(c.U32()), uint64(c.U32()), uint64(c.U32())
	if header < headerSize || entry < entrySize {
		return false
	}
	c.Skip(header - 12)
	if c.Err() != nil || n > uint64(c.Len())/entry {
		return false
	}
	if n > maxHandles {
		d.find(FindingLimitHandles, -1)
		n = maxHandles
	}
	d.Handles = make([]Handle, n)
	for i := range d.Handles {
		h := &d.Handles[i]
		h.Handle = c.U64()
		h.TypeName, _ = d.textAt(uint64(c.U32()))
		h.ObjectName, _ = d.textAt(uint64(c.U32()))
		c.Skip(entry - 16)
	}
	return c.Err() == nil
}
