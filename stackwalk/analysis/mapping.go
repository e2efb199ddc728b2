package analysis

import "aftershock/minidump"

// allows tells whether an access may be made; an unknown one always.
func allows(m *minidump.Mapping, t AccessType) bool {
	switch t {
	case Read:
		return m.Read
	case Write:
		return m.Write
	case ReadWrite:
		return m.Read && m.Write
	case Execute:
		return m.Execute
	default:
		return true
	}
}

// behind answers how far addr lies behind the end of the mapping before it.
func behind(ms minidump.Mappings, addr uint64) (distance uint64, ok bool) {
	i := ms.Index(addr)
	if i == 0 {
		return 0, false
	}
	return addr - ms[i-1].Last, true
}

// maxGuardBytes is the largest range that counts as a guard page: some systems
// have pages of 16 KiB, and some guards two.
const maxGuardBytes = 2 << 14

// guardPage tells whether addr lies in a small range without any permission
// that touches one with some.
func guardPage(ms minidump.Mappings, addr uint64) bool {
	i := ms.Index(addr)
	if i == len(ms) || ms[i].First > addr || ms[i].Accessible() || ms[i].Last-ms[i].First >= maxGuardBytes {
		return false
	}
	before := i > 0 && ms[i-1].Last+1 == ms[i].First && ms[i-1].Accessible()
	after := i+1 < len(ms) && ms[i].Last+1 == ms[i+1].First && ms[i+1].Accessible()
	return before || after
}
