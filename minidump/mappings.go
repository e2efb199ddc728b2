package minidump

import (
	"bytes"
	"cmp"
	"slices"
)

// Mapping is a range of the process's addresses and what may be done there.
type Mapping struct {
	First, Last          uint64 // Last is the last address of the range
	Read, Write, Execute bool
}

// Accessible tells whether anything may be done there.
func (m *Mapping) Accessible() bool { return m.Read || m.Write || m.Execute }

// Mappings is sorted and without overlaps.
type Mappings []Mapping

// Protections of winnt.h: PAGE_READONLY, _READWRITE, _WRITECOPY and the same
// with _EXECUTE. Parity: PAGE_GUARD changes nothing.
const (
	pagesReadable   = 0x02 | 0x04 | 0x20 | 0x40
	pagesWritable   = 0x04 | 0x08 | 0x40 | 0x80
	pagesExecutable = 0x10 | 0x20 | 0x40 | 0x80
)

// Mappings takes Windows' list, or else Linux'. It is empty for a dump that
// has neither. The slice is shared: do not change it.
func (d *Dump) Mappings() Mappings {
	d.mappingsOnce.Do(func() { d.mappings = d.mapped() })
	return d.mappings
}

func (d *Dump) mapped() Mappings {
	out := make(Mappings, 0, max(len(d.MemoryInfo), len(d.LinuxMaps)))
	add := func(m Mapping) {
		if m.Last >= m.First {
			out = append(out, m)
		}
	}
	for i := range d.MemoryInfo {
		r := &d.MemoryInfo[i]
		add(Mapping{
			r.Base, r.Base + r.Size - 1,
			r.Protection&pagesReadable != 0, r.Protection&pagesWritable != 0, r.Protection&pagesExecutable != 0,
		})
	}
	if len(d.MemoryInfo) == 0 {
		for i := range d.LinuxMaps {
			r := &d.LinuxMaps[i]
			add(Mapping{
				r.Start, r.End - 1,
				bytes.IndexByte(r.Perms, 'r') >= 0, bytes.IndexByte(r.Perms, 'w') >= 0, bytes.IndexByte(r.Perms, 'x') >= 0,
			})
		}
	}
	order := func(a, b Mapping) int {
		if a.First != b.First {
			return cmp.Compare(a.First, b.First)
		}
		return cmp.Compare(a.Last, b.Last)
	}
	if !slices.IsSortedFunc(out, order) {
		slices.SortStableFunc(out, order)
	}
	kept := out[:0]
	for _, m := range out {
		if n := len(kept); n == 0 || m.First > kept[n-1].Last {
			kept = append(kept, m)
		}
	}
	return kept
}

// Index is that of the first mapping that ends at addr or later.
func (ms Mappings) Index(addr uint64) int {
	lo, hi := 0, len(ms)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); ms[mid].Last < addr {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// At is the mapping that covers addr.
func (ms Mappings) At(addr uint64) (*Mapping, bool) {
	i := ms.Index(addr)
	if i == len(ms) || ms[i].First > addr {
		return nil, false
	}
	return &ms[i], true
}
