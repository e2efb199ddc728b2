package minidump

import "aftershock/internal/cursor"

// Thread is MINIDUMP_THREAD with its name.
type Thread struct {
	ID uint32
	// Name is the thread's name if Named: a thread may have an empty one.
	Name  string
	Named bool
	TEB   uint64
	// StackBase is the lowest address of the stack memory the record describes.
	StackBase uint64
	// Stack is that memory; empty when the dump does not hold it.
	Stack Region
	// Context holds the registers; nil when unreadable or of a CPU that is not
	// decoded.
	Context *Context
}

const threadSize = 48

func (d *Dump) readThreads(c *cursor.Cursor) bool {
	n, ok := d.listCount(c, threadSize, maxThreads, FindingLimitThreads)
	if !ok {
		return false
	}
	d.hasThreadList = true
	d.Threads = make([]Thread, n)
	for i := range d.Threads {
		t := &d.Threads[i]
		t.ID = c.U32()
		c.Skip(12) // suspend count, priority class, priority
		t.TEB = c.U64()
		t.StackBase = c.U64()
		stack, context := readLocation(c), readLocation(c)
		t.Stack = Region{Base: t.StackBase}
		if stack.rva != 0 && stack.size != 0 {
			if t.Stack.Bytes = d.bytesOf(stack); t.Stack.Bytes == nil {
				d.find(FindingThreadStack, i)
			}
		}
		var ok bool
		if t.Context, ok = d.readContext(context); !ok {
			d.find(FindingThreadContext, i)
		}
	}
	return c.Err() == nil
}

// listCount reads the count of a list stream whose entries have size bytes.
// Some writers put four bytes of padding after the count; then exactly four
// bytes more than the entries need are left.
func (d *Dump) listCount(c *cursor.Cursor, size uint64, limit int, over FindingCode) (int, bool) {
	n := c.Count(size)
	if c.Err() != nil {
		return 0, false
	}
	if uint64(c.Len()) == uint64(n)*size+4 {
		c.Skip(4)
	}
	if n > limit {
		d.find(over, -1)
		n = limit
	}
	return n, true
}

// readThreadNames reads MINIDUMP_THREAD_NAME_LIST: thread id and the 64-bit
// RVA of a string.
func (d *Dump) readThreadNames(c *cursor.Cursor) bool {
	const size = 12
	n, ok := d.listCount(c, size, maxThreads, FindingLimitThreads)
	if !ok {
		return false
	}
	names := make(map[uint32]string, n)
	for i := range n {
		id, rva := c.U32(), c.U64()
		name, ok := d.textAt(rva)
		if !ok {
			d.find(FindingThreadName, i)
			continue
		}
		names[id] = name
	}
	for i := range d.Threads {
		t := &d.Threads[i]
		t.Name, t.Named = names[t.ID]
	}
	return true
}
