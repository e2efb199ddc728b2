package analysis

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"aftershock/minidump"
)

// mapping is a range of the process's addresses and what may be done there.
type mapping struct {
	first, last          uint64
	read, write, execute bool
}

// allows tells whether an access may be made; an unknown one always.
func (m *mapping) allows(t AccessType) bool {
	switch t {
	case Read:
		return m.read
	case Write:
		return m.write
	case ReadWrite:
		return m.read && m.write
	case Execute:
		return m.execute
	default:
		return true
	}
}

func (m *mapping) accessible() bool { return m.read || m.write || m.execute }

// mappings is sorted and without overlaps.
type mappings []mapping

// Protections of winnt.h: PAGE_READONLY, _READWRITE, _WRITECOPY and the same
// with _EXECUTE. Parity: PAGE_GUARD changes nothing.
const (
	pagesReadable   = 0x02 | 0x04 | 0x20 | 0x40
	pagesWritable   = 0x04 | 0x08 | 0x40 | 0x80
	pagesExecutable = 0x10 | 0x20 | 0x40 | 0x80
)

// mappingsOf takes Windows' list, or else Linux'.
func mappingsOf(d *minidump.Dump) mappings {
	var out mappings
	for _, r := range d.MemoryInfo {
		out = append(out, mapping{
			r.Base, r.Base + r.Size - 1,
			r.Protection&pagesReadable != 0, r.Protection&pagesWritable != 0, r.Protection&pagesExecutable != 0,
		})
	}
	if len(d.MemoryInfo) == 0 {
		for _, r := range d.LinuxMaps {
			out = append(out, mapping{
				r.Start, r.End - 1,
				strings.Contains(r.Perms, "r"), strings.Contains(r.Perms, "w"), strings.Contains(r.Perms, "x"),
			})
		}
	}
	out = slices.DeleteFunc(out, func(m mapping) bool { return m.last < m.first })
	slices.SortStableFunc(out, func(a, b mapping) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last))
	})
	kept := out[:0]
	for _, m := range out {
		if n := len(kept); n == 0 || m.first > kept[n-1].last {
			kept = append(kept, m)
		}
	}
	return kept
}

// index is that of the first mapping that ends at addr or later.
func (ms mappings) index(addr uint64) int {
	return sort.Search(len(ms), func(i int) bool { return ms[i].last >= addr })
}

func (ms mappings) at(addr uint64) (*mapping, bool) {
	i := ms.index(addr)
	if i == len(ms) || ms[i].first > addr {
		return nil, false
	}
	return &ms[i], true
}

// behind answers how far addr lies behind the end of the mapping before it.
func (ms mappings) behind(addr uint64) (distance uint64, ok bool) {
	i := ms.index(addr)
	if i == 0 {
		return 0, false
	}
	return addr - ms[i-1].last, true
}

// maxGuardBytes is the largest range that counts as a guard page: some systems
// have pages of 16 KiB, and some guards two.
const maxGuardBytes = 2 << 14

// guardPage tells whether addr lies in a small range without any permission
// that touches one with some.
func (ms mappings) guardPage(addr uint64) bool {
	i := ms.index(addr)
	if i == len(ms) || ms[i].first > addr || ms[i].accessible() || ms[i].last-ms[i].first >= maxGuardBytes {
		return false
	}
	before := i > 0 && ms[i-1].last+1 == ms[i].first && ms[i-1].accessible()
	after := i+1 < len(ms) && ms[i].last+1 == ms[i+1].first && ms[i+1].accessible()
	return before || after
}
