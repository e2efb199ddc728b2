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
	if s.public {
		dst.List = append(dst.List, breakpad.Location{FunctionRVA: pack(s.base, s.name), LineRVA: pack(0, undefined), ParameterSize: s.parameterSize})
	} else {
		c, ok := f.codeAt(s.code, s.base)
		if !ok {
			return
		}
		f.appendCalls(dst, &c, &s, uint32(rva))
	}
	f.decodeNames(dst, start)
}

// appendCalls appends the locations of a function. The place of a call is in
// the function around it.
func (f *File) appendCalls(dst *breakpad.Locations, c *code, s *symbol, address uint32) {
	list := dst.List
	start := len(list)
	caller := breakpad.Location{FunctionRVA: pack(s.base, s.name), ParameterSize: f.parameterSize(s, address)}
	hidden := false               // caller is an inlined call of an unknown function
	declared := uint32(undefined) // the file of the caller, as INLINE_ORIGIN tells
	for depth := range c.depths {
		first, at, ok := c.inlineAt(depth, address)
		if !ok {
			break
		}
		origin, kind, file, line := c.call(at)
		if kind == callByCaller {
			file = declared
		}
		setPlace(&caller, f.place(place{kind != callUnknown, file, line, first}))
		if !hidden {
			list = append(list, caller)
		}
		var name uint32
		name, declared = f.origin(origin)
		hidden = name == undefined
		caller = breakpad.Location{FunctionRVA: pack(first, name), Inline: true}
	}
	setPlace(&caller, f.place(c.lineAt(address)))
	if !hidden {
		list = append(list, caller)
	}
	slices.Reverse(list[start:]) // they came outermost first
	dst.List = list
}

// Until names are decoded, their numbers are in the upper halves of the
// addresses that stand beside them in a Location.
func pack(rva, name uint32) uint64            { return uint64(name)<<32 | uint64(rva) }
func unpack(packed uint64) (rva, name uint32) { return uint32(packed), uint32(packed >> 32) }

func setPlace(l *breakpad.Location, p place) {
	l.Line, l.LineRVA = p.line, pack(p.rva, p.file)
}

// place makes the file's index in p its name; a place whose file no record
// defines is unknown.
func (f *File) place(p place) place {
	if files := f.sections[sectionFiles]; p.known && uint64(p.file) < uint64(len(files)/4) {
		if p.file = binary.LittleEndian.Uint32(files[4*p.file:]); p.file != undefined {
			return p
		}
	}
	return place{file: undefined}
}

// origin answers the name of an inlined function and the file that it was
// declared in.
func (f *File) origin(index uint32) (name, file uint32) {
	origins := f.sections[sectionOrigins]
	if uint64(index) >= uint64(len(origins)/originSize) {
		return undefined, undefined
	}
	b := origins[index*originSize:][:originSize]
	return binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
}

// HasFunction tells whether rva lies in a function with a name. Scans ask it
// for every word that might be a return address.
func (f *File) HasFunction(rva uint64) bool {
	s, ok := f.symbolAt(rva)
	return ok && s.name != 0
}

// symbol is an entry of the symbols section.
type symbol struct {
	base          uint32 // where it starts
	name          uint32 // 0 is the empty one
	parameterSize uint32
	code          uint32 // of a function: offset in the code section
	public        bool
}

// symbolAt is the symbol that covers rva.
func (f *File) symbolAt(rva uint64) (s symbol, ok bool) {
	if rva > maxRVA {
		return s, false
	}
	i := lastAtOrBefore(f.sections[sectionAddresses], f.sections[sectionAddressIndex], uint32(rva))
	if i < 0 {
		return s, false
	}
	b := f.sections[sectionSymbols][i*symbolSize:][:symbolSize]
	if uint32(rva) > binary.LittleEndian.Uint32(b) {
		return s, false
	}
	name := binary.LittleEndian.Uint32(b[4:])
	s = symbol{name: name &^ publicBit, parameterSize: binary.LittleEndian.Uint32(b[8:]), public: name&publicBit != 0}
	start := binary.LittleEndian.Uint32(b[12:])
	if s.public {
		s.base = start
	} else {
		s.base, s.code = binary.LittleEndian.Uint32(f.sections[sectionAddresses][4*i:]), start
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
