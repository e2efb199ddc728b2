package symboldump

import (
	"bytes"
	"cmp"
	"slices"
)

// public is a symbol of the module's tables.
type public struct {
	rva      uint32
	multiple bool   // others have the same place
	raw      []byte // its name in the file
	name     string
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
	report *Report
	// nameRoom is how many bytes of names may still be kept: one string of a file
	// can be the name of many things.
	nameRoom  int64
	functions []function // by address, one an address
	publics   []public   // by address, one an address
	files     nameTable
	origins   nameTable
}

// nameTable gives names their numbers, in the order of their first use.
type nameTable struct {
	names []string
	at    map[string]uint32 // by what the name was made of
}

func (t *nameTable) find(key []byte) (uint32, bool) {
	n, ok := t.at[string(key)]
	return n, ok
}

// roomFor takes the room for a name, and answers whether there is some left.
func (s *symbols) roomFor(name string) bool {
	if s.nameRoom -= int64(len(name)) + 1; s.nameRoom < 0 {
		s.report.drop(NameTooLong)
		return false
	}
	return s.report.hold(int64(len(name)) + heldName)
}

func (t *nameTable) add(key, name string) uint32 {
	if t.at == nil {
		t.at = map[string]uint32{}
	}
	n := uint32(len(t.names))
	t.names = append(t.names, name)
	t.at[key] = n
	return n
}

// symbolIndex finds the name that symbol tables have for an address. They have
// mangled names where debug information may have none.
type symbolIndex struct{ symbols []namedAddress }

type namedAddress struct {
	addr uint64
	name []byte
}

// add takes a file's symbols; those of files before count first.
func (x *symbolIndex) add(f *File, report *Report) {
	f.eachSymbol(report, func(addr uint64, name []byte, resolver bool) {
		if !resolver && !report.full() && report.hold(heldSymbol) {
			x.symbols = append(x.symbols, namedAddress{addr, name})
		}
	})
}

func (x *symbolIndex) sort() {
	slices.SortStableFunc(x.symbols, func(a, b namedAddress) int { return cmp.Compare(a.addr, b.addr) })
}

// at is the first name of an address, nil if there is none.
func (x *symbolIndex) at(addr uint64) []byte {
	i, ok := slices.BinarySearchFunc(x.symbols, addr, func(s namedAddress, addr uint64) int { return cmp.Compare(s.addr, addr) })
	if !ok {
		return nil
	}
	return x.symbols[i].name
}

// addPublics takes the symbols of a file that lie in no function. Of several at
// one address the first with a name counts.
func (s *symbols) addPublics(f *File, report *Report) {
	f.eachSymbol(report, func(addr uint64, name []byte, _ bool) {
		rva, ok := f.rva(addr)
		switch {
		case !ok:
			report.drop(AddressRange)
		case rva != 0 && len(name) > 0 && !s.inFunction(uint32(rva)) && !report.full() && report.hold(heldPublic):
			s.publics = append(s.publics, public{rva: uint32(rva), raw: name})
		}
	})
}

// inFunction tells whether a function covers the address.
func (s *symbols) inFunction(rva uint32) bool {
	i, exact := slices.BinarySearchFunc(s.functions, rva, func(f function, rva uint32) int { return cmp.Compare(f.rva, rva) })
	return exact || i > 0 && rva-s.functions[i-1].rva < s.functions[i-1].size
}

// sortFunctions brings functions into the order of addresses.
func (s *symbols) sortFunctions() {
	slices.SortFunc(s.functions, func(a, b function) int { return cmp.Compare(a.rva, b.rva) })
}

// finish sorts publics, and demangles those that stay.
func (s *symbols) finish(report *Report) {
	slices.SortStableFunc(s.publics, func(a, b public) int { return cmp.Compare(a.rva, b.rva) })
	kept := s.publics[:0]
	for _, p := range s.publics {
		if n := len(kept); n > 0 && kept[n-1].rva == p.rva {
			kept[n-1].multiple = kept[n-1].multiple || !bytes.Equal(kept[n-1].raw, p.raw)
			continue
		}
		kept = append(kept, p)
	}
	s.publics = kept
	for i := range s.publics {
		p := &s.publics[i]
		if p.name = publicName(p.raw, report); !s.roomFor(p.name) {
			s.publics = s.publics[:i]
			break
		}
	}
}
