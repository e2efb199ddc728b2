package symboldump

import (
	"cmp"
	"slices"
)

// public is a symbol of the module's tables.
type public struct {
	rva      uint32
	name     string
	multiple bool // others have the same place
}

// function is a function of the debug information.
type function struct {
	rva, size uint32
	name      string
	multiple  bool
	lines     []line
	inlines   []inline
}

// line is a range of code that one place of the source became.
type line struct {
	rva, size    uint32
	number, file uint32 // file is an index of symbols.files
}

// inline is a range of code that an inlined call became.
type inline struct {
	rva, size          uint32
	depth              uint32
	callLine, callFile uint32
	origin             uint32 // an index of symbols.origins
}

// symbols is what is written of names and places.
type symbols struct {
	functions []function // by address, one an address
	publics   []public   // by address, one an address
	files     nameTable
	origins   nameTable
}

// nameTable gives names their numbers, in the order of their first use.
type nameTable struct {
	names []string
	at    map[string]uint32
}

func (t *nameTable) number(name string) uint32 {
	if n, ok := t.at[name]; ok {
		return n
	}
	if t.at == nil {
		t.at = map[string]uint32{}
	}
	n := uint32(len(t.names))
	t.names = append(t.names, name)
	t.at[name] = n
	return n
}

// addPublics takes the symbols of a file that lie in no function. Of several at
// one address the first with a name counts.
func (s *symbols) addPublics(f *File, report *Report) {
	f.elfPublics(report, func(addr, _ uint64, name []byte) {
		rva, ok := f.rva(addr)
		switch {
		case !ok:
			report.drop(AddressRange)
		case rva != 0 && len(name) > 0 && !s.inFunction(uint32(rva)):
			s.publics = append(s.publics, public{rva: uint32(rva), name: string(name)})
		}
	})
}

// inFunction tells whether a function covers the address.
func (s *symbols) inFunction(rva uint32) bool {
	i, exact := slices.BinarySearchFunc(s.functions, rva, func(f function, rva uint32) int { return cmp.Compare(f.rva, rva) })
	return exact || i > 0 && rva-s.functions[i-1].rva < s.functions[i-1].size
}

// finish sorts publics, and demangles those that stay.
func (s *symbols) finish(report *Report) {
	slices.SortStableFunc(s.publics, func(a, b public) int { return cmp.Compare(a.rva, b.rva) })
	kept := s.publics[:0]
	for _, p := range s.publics {
		if n := len(kept); n > 0 && kept[n-1].rva == p.rva {
			kept[n-1].multiple = kept[n-1].multiple || kept[n-1].name != p.name
			continue
		}
		kept = append(kept, p)
	}
	s.publics = kept
	for i := range s.publics {
		s.publics[i].name = symbolName([]byte(s.publics[i].name), report)
	}
}
