package minidump

import "aftershock/internal/cursor"

// Region is memory of the process that the dump holds.
type Region struct {
	Base  uint64
	Bytes []byte
}

// Contains tells whether the n bytes at addr all lie in the region.
func (r *Region) Contains(addr, n uint64) bool {
	off := addr - r.Base
	return addr >= r.Base && off <= uint64(len(r.Bytes)) && n <= uint64(len(r.Bytes))-off
}

// MemoryMap is the memory list of a dump.
type MemoryMap struct {
	// Regions is in the order of the stream. Regions may overlap.
	Regions []Region
	spans   []span
}

// Find answers the region that holds addr.
func (m *MemoryMap) Find(addr uint64) (Region, bool) {
	i, ok := lookup(m.spans, addr)
	if !ok {
		return Region{}, false
	}
	return m.Regions[i], true
}

// Read answers the n bytes at addr if one region holds them all, else nil.
func (m *MemoryMap) Read(addr, n uint64) []byte {
	r, ok := m.Find(addr)
	if !ok || !r.Contains(addr, n) {
		return nil
	}
	off := addr - r.Base
	return r.Bytes[off : off+n : off+n]
}

// readMemoryLists reads the Memory64List or else the MemoryList.
func (d *Dump) readMemoryLists() {
	if _, ok := d.stream(StreamMemory64List); ok {
		d.read(StreamMemory64List, FindingMemoryList, d.readMemory64List)
	}
	if d.Memory.Regions == nil {
		d.read(StreamMemoryList, FindingMemoryList, d.readMemoryList)
	}
	spans := make([]span, 0, len(d.Memory.Regions))
	for i, r := range d.Memory.Regions {
		last := r.Base + uint64(len(r.Bytes)) - 1
		if len(r.Bytes) > 0 && last >= r.Base {
			spans = append(spans, span{r.Base, last, i})
		}
	}
	d.Memory.spans = disjoint(spans)
}

func (d *Dump) readMemoryList(c *cursor.Cursor) bool {
	const size = 16
	n, ok := d.listCount(c, size, maxMemoryRegions, FindingLimitMemoryRegions)
	if !ok {
		return false
	}
	d.Memory.Regions = make([]Region, n)
	for i := range d.Memory.Regions {
		r := &d.Memory.Regions[i]
		r.Base = c.U64()
		loc := readLocation(c)
		if r.Bytes = d.bytesOf(loc); r.Bytes == nil {
			d.find(FindingMemoryRegion, i)
		}
	}
	return c.Err() == nil
}

// readMemory64List reads MINIDUMP_MEMORY64_LIST: the regions' bytes follow each
// other from one RVA on.
func (d *Dump) readMemory64List(c *cursor.Cursor) bool {
	const size = 16
	n, rva := c.U64(), c.U64()
	if c.Err() != nil || n > uint64(c.Len())/size {
		return false
	}
	if n > maxMemoryRegions {
		d.find(FindingLimitMemoryRegions, -1)
		n = maxMemoryRegions
	}
	d.Memory.Regions = make([]Region, n)
	for i := range d.Memory.Regions {
		r := &d.Memory.Regions[i]
		r.Base = c.U64()
		bytes := c.U64()
		if r.Bytes = d.at(rva, bytes); r.Bytes == nil {
			d.find(FindingMemoryRegion, i)
			rva = ^uint64(0) // where the next one starts is unknown
			continue
		}
		rva += bytes
	}
	return c.Err() == nil
}

// MemoryInfo is MINIDUMP_MEMORY_INFO: what Windows' VirtualQuery says of a range.
type MemoryInfo struct {
	Base, AllocationBase, Size uint64
	AllocationProtection       uint32
	State, Protection, Type    uint32
}

func (d *Dump) readMemoryInfo(c *cursor.Cursor) bool {
	const headerSize, entrySize = 16, 48
	header, entry, n := uint64(c.U32()), uint64(c.U32()), c.U64()
	if header < headerSize || entry < entrySize {
		return false
	}
	c.Skip(header - headerSize)
	if c.Err() != nil || n > uint64(c.Len())/entry {
		return false
	}
	if n > maxMemoryInfo {
		d.find(FindingLimitMemoryInfo, -1)
		n = maxMemoryInfo
	}
	d.MemoryInfo = make([]MemoryInfo, n)
	for i := range d.MemoryInfo {
		m := &d.MemoryInfo[i]
		m.Base, m.AllocationBase = c.U64(), c.U64()
		m.AllocationProtection = c.U32()
		c.U32() // alignment
		m.Size = c.U64()
		m.State, m.Protection, m.Type = c.U32(), c.U32(), c.U32()
		c.Skip(entry - 44)
	}
	return c.Err() == nil
}
