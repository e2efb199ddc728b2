package symbolcache

import (
	"encoding/binary"
	"slices"

	"aftershock/breakpad"
)

// AppendLocations appends the inlined calls at rva, innermost first, and then
// the function itself. It appends nothing when no symbol covers rva. Names are
// decoded into dst: they do not alias the file. It does not allocate when dst
// has room.
func (f *File) AppendLocations(dst *breakpad.Locations, rva uint64) {
	s, ok := f.symbolAt(rva)
	if !ok {
		return
	}
	start := len(dst.List)
	size := f.append(dst, s.name)
	l := &dst.List[start]
	l.FunctionRVA, l.ParameterSize, l.Public = uint64(s.base), s.parameterSize, s.public
	if !s.public {
		c, ok := f.codeAt(s.code, s.base)
		if !ok {
			dst.List = dst.List[:start]
			return
		}
		l.ParameterSize = f.parameterSize(&s, uint32(rva))
		size += f.appendCalls(dst, &c, uint32(rva))
		slices.Reverse(dst.List[start:]) // they came outermost first
	}
	f.decodeNames(dst, start, size)
}

// append appends a location of unknown place with the pieces of a name, and
// answers their size.
func (f *File) append(dst *breakpad.Locations, name spelling) int {
	shared, rest := f.pieces(name)
	dst.List = append(dst.List, breakpad.Location{Function: shared, File: rest, LineRVA: undefined << 32})
	return len(shared) + len(rest)
}

// appendCalls appends the inlined calls at an address of the function that was
// appended last, and sets the places: that of a call is in the function around
// it. It answers the size of the names.
func (f *File) appendCalls(dst *breakpad.Locations, c *code, address uint32) int {
	size := 0
	caller := &dst.List[len(dst.List)-1]
	declared := uint32(undefined) // the file of the caller, as INLINE_ORIGIN tells
	for depth := range c.depths {
		first, at, ok := c.inlineAt(depth, address)
		if !ok {
			break
		}
		index, kind, file, line := c.call(at)
		known := kind != callUnknown
		if kind == callByCaller {
			file, known = declared, f.hasFile(declared)
		}
		if caller != nil && known {
			f.setPlace(caller, place{true, file, line, first}, true)
		}
		caller = nil // an unknown function is left out
		var name spelling
		if name, declared = f.origin(index); name.shared == undefined {
			continue
		}
		size += f.append(dst, name)
		caller = &dst.List[len(dst.List)-1]
		caller.FunctionRVA, caller.Inline = uint64(first), true
	}
	if caller != nil {
		if p := c.lineAt(address); p.known {
			f.setPlace(caller, p, false)
		}
	}
	return size
}

// setPlace sets a place. Until names are decoded the file's index is in the
// upper half of LineRVA.
func (f *File) setPlace(l *breakpad.Location, p place, call bool) {
	if l.SetPlace(p.line, f.hasFile(p.file), call); l.HasFile {
		l.LineRVA = uint64(p.file)<<32 | uint64(p.rva)
	}
}

// hasFile tells whether a record defines a file.
func (f *File) hasFile(index uint32) bool {
	files := f.sections[sectionFiles]
	return uint64(index) < uint64(len(files)/nameSize) && readSpelling(files[uint64(index)*nameSize:]).shared != undefined
}

// origin answers the name of an inlined function and the file that it was
// declared in.
func (f *File) origin(index uint32) (name spelling, file uint32) {
	origins := f.sections[sectionOrigins]
	if uint64(index) >= uint64(len(origins)/originSize) {
		return spelling{shared: undefined}, undefined
	}
	b := origins[uint64(index)*originSize:][:originSize]
	return readSpelling(b[4:]), binary.LittleEndian.Uint32(b)
}

// HasFunction tells whether rva lies in a function with a name. Scans ask it
// for every word that might be a return address.
func (f *File) HasFunction(rva uint64) bool {
	s, ok := f.symbolAt(rva)
	return ok && s.name.shared|s.name.size != 0
}

// Extent is that of the symbol that covers rva; ok is false where none does.
func (f *File) Extent(rva uint64) (e breakpad.Extent, ok bool) {
	s, ok := f.symbolAt(rva)
	if !ok {
		return e, false
	}
	return breakpad.Extent{Start: uint64(s.base), End: uint64(s.last) + 1, Public: s.public, Last: s.public && s.last == maxRVA}, true
}

// SymbolCount is the number of symbols that cover any address.
func (f *File) SymbolCount() int { return len(f.sections[sectionSymbols]) / symbolSize }

// FirstSymbol is where the first FUNC or PUBLIC symbol starts; ok is false if there
// is none.
func (f *File) FirstSymbol() (rva uint64, ok bool) {
	symbols := f.sections[sectionSymbols]
	if len(symbols) < symbolSize {
		return 0, false
	}
	return uint64(binary.LittleEndian.Uint32(symbols)), true
}

// symbol is an entry of the symbols section.
type symbol struct {
	base, last    uint32 // its first and last address
	name          spelling
	parameterSize uint32
	code          uint32 // offset in the code section; of a PUBLIC symbol where it starts
	public        bool
}

// symbolAt is the symbol that covers rva.
func (f *File) symbolAt(rva uint64) (s symbol, ok bool) {
	if rva > maxRVA {
		return s, false
	}
	i := lastAtOrBefore(f.sections[sectionSymbols], symbolSize, f.sections[sectionSymbolIndex], uint32(rva))
	if i < 0 {
		return s, false
	}
	b := f.sections[sectionSymbols][i*symbolSize:][:symbolSize]
	le := binary.LittleEndian
	if uint32(rva) > le.Uint32(b[4:]) {
		return s, false
	}
	s = symbol{base: le.Uint32(b), last: le.Uint32(b[4:]), parameterSize: le.Uint32(b[8:]), code: le.Uint32(b[12:]), name: readSpelling(b[16:])}
	if s.name.shared&publicBit != 0 {
		s.public, s.base = true, s.code
		s.name.shared &^= publicBit
	}
	return s, true
}

// parameterSize prefers what STACK WIN says over the FUNC record.
func (f *File) parameterSize(s *symbol, address uint32) uint32 {
	for _, kind := range [...]breakpad.WinKind{breakpad.WinFrameData, breakpad.WinFPO} {
		if len(f.sections[winSection(kind)]) > 0 {
			if w, ok := f.Win(uint64(address), kind); ok {
				return w.ParameterSize
			}
		}
	}
	return s.parameterSize
}
