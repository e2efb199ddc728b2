package breakpad

import "bytes"

// Sink takes the records that tell which code is where, as [Scan] reads them.
// Names alias the reader's memory: they are valid until the method returns.
type Sink interface {
	// File and Origin define an id. Of two definitions the later one counts, and
	// either may come after its use.
	File(id uint32, name []byte)
	Origin(id uint32, name []byte)
	// Function starts a function; lines and inlined calls up to the next one
	// are its own.
	Function(FuncRecord)
	Line(LineRecord)
	Inline(InlineRecord)
	Public(PublicRecord)
	// Unwind tells how many bytes the reader itself keeps more for STACK records.
	Unwind(bytes int)
	// Err is asked after every record: an error ends the scan.
	Err() error
}

// FuncRecord is a FUNC record with at least one byte of code. Ranges are
// inclusive, so that one can end at the last address.
type FuncRecord struct {
	First, Last   uint32
	ParameterSize uint32
	Name          []byte
}

// LineRecord is a line record with at least one byte of code.
type LineRecord struct {
	First, Last  uint32
	Number, File uint32 // File is an id
}

// InlineRecord is an INLINE record: a call and the code that it became.
type InlineRecord struct {
	Depth              uint32
	CallLine, CallFile uint32 // CallFile is an id
	Origin             uint32 // an id
	// Old tells that the record has no call file. It is then the file that the
	// caller's origin was declared in, or that of the function's first line.
	Old bool
	// Ranges alias the reader's memory.
	Ranges []InlineRange
}

// InlineRange is a part of an inlined call's code. It may be empty.
type InlineRange struct{ First, Size uint32 }

// PublicRecord is a PUBLIC record.
type PublicRecord struct {
	RVA, ParameterSize uint32
	Name               []byte
}

// section is what the lines before decide about the next one.
type section uint8

const (
	sectionNone    section = iota
	sectionFunc            // line and INLINE records may follow
	sectionDropped         // the same, of a FUNC that is left out
	sectionCFI             // STACK CFI deltas may follow
)

// function reads "FUNC [m] address size parameter_size name". A function
// without code is left out together with its lines.
func (p *parser) function(f *fields) bool {
	p.section = sectionDropped
	f.multiple()
	rva, size, params := f.rva(), f.hex(8), f.hex32()
	if f.bad {
		return false
	}
	if size == 0 {
		return true
	}
	p.section = sectionFunc
	p.countSymbol()
	p.sink.Function(FuncRecord{First: uint32(rva), Last: uint32(min(rva+size-1, maxRVA)), ParameterSize: params, Name: p.name(f)})
	return true
}

// sourceLine reads "address size line file" after a FUNC.
func (p *parser) sourceLine(f *fields) bool {
	if p.section != sectionFunc && p.section != sectionDropped {
		return false
	}
	rva, size := f.rva(), f.hex(8)
	number, file := f.decimal(), f.decimal()
	if f.bad || !f.done() {
		return false
	}
	if size == 0 || p.section == sectionDropped { // PDBs have lines without code
		return true
	}
	p.sink.Line(LineRecord{First: uint32(rva), Last: uint32(min(rva+size-1, maxRVA)), Number: number, File: file})
	return true
}

// inline reads "INLINE depth call_line call_file origin (address size)+", or
// the older form without call_file; the number of fields tells which.
func (p *parser) inline(f *fields) bool {
	if p.section != sectionFunc && p.section != sectionDropped {
		return false
	}
	older := *f
	r, ok := p.inlineForm(f, false)
	if !ok && older.count()%2 == 1 {
		r, ok = p.inlineForm(&older, true)
	}
	if !ok {
		return false
	}
	p.oldInlines = p.oldInlines || r.Old
	if p.section == sectionFunc {
		p.sink.Inline(r)
	}
	return true
}

// inlineForm reads an INLINE record of one of the two forms. A record of the
// other one lacks the last size.
func (p *parser) inlineForm(f *fields, old bool) (InlineRecord, bool) {
	r := InlineRecord{Depth: f.decimal(), CallLine: f.decimal(), Old: old, Ranges: p.ranges[:0]}
	if !old {
		r.CallFile = f.decimal()
	}
	r.Origin = f.decimal()
	if f.bad || r.Depth >= maxInlineDepth || f.done() {
		return InlineRecord{}, false
	}
	for !f.done() {
		rva, size := f.rva(), f.hex32()
		if f.bad {
			return InlineRecord{}, false
		}
		r.Ranges = append(r.Ranges, InlineRange{uint32(rva), size})
	}
	p.ranges = r.Ranges
	return r, true
}

// origin reads "INLINE_ORIGIN id name", or the older "INLINE_ORIGIN id file
// name". The older form cannot be told from a name that starts with a number,
// so it is taken apart only when it is known which form the file has: see
// [OldOrigin].
func (p *parser) origin(f *fields) bool {
	id := f.decimal()
	if f.bad {
		return false
	}
	p.besides++
	p.sink.Origin(id, p.name(f))
	return true
}

// OldOrigin takes the name of an INLINE_ORIGIN record of a file with old INLINE
// records ([File.OldInlines]) apart: the id of the file that the function was
// declared in stands before it.
func OldOrigin(text []byte) (file uint32, name []byte, ok bool) {
	f := fields{rest: text}
	file = f.decimal()
	if f.bad {
		return 0, text, false
	}
	return file, f.name(), true
}

// fileName reads "FILE id name".
func (p *parser) fileName(f *fields) bool {
	id := f.decimal()
	if f.bad {
		return false
	}
	p.besides++
	p.sink.File(id, p.name(f))
	return true
}

// public reads "PUBLIC [m] address parameter_size name".
func (p *parser) public(f *fields) bool {
	f.multiple()
	rva, params := f.rva(), f.hex32()
	if f.bad {
		return false
	}
	p.countSymbol()
	p.sink.Public(PublicRecord{RVA: uint32(rva), ParameterSize: params, Name: p.name(f)})
	return true
}

func (p *parser) countSymbol() {
	if p.symbols++; p.symbols > maxSymbols {
		p.err = ErrSymbolLimit
	}
}

// name is the rest of the line. A NUL, which some compilers leave in names,
// becomes '_' as in Breakpad.
func (p *parser) name(f *fields) []byte {
	name := f.name()
	p.nameBytes += uint64(len(name))
	if bytes.IndexByte(name, 0) >= 0 {
		for i, c := range name {
			if c == 0 {
				name[i] = '_' // the line is in memory of Scan's own
			}
		}
	}
	return name
}
