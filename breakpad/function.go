package breakpad

// unknown is an index that nothing has: of a file or origin whose id is not
// defined.
const unknown = 1<<32 - 1

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
	p.file.functions = append(p.file.functions, function{
		first: uint32(rva), last: uint32(min(rva+size-1, maxRVA)),
		parameterSize: params, name: p.keep(f.name()),
		lines:   slice{uint32(len(p.file.lines)), uint32(len(p.file.lines))},
		inlines: slice{uint32(len(p.file.inlines)), uint32(len(p.file.inlines))},
	})
	return true
}

func (p *parser) current() *function { return &p.file.functions[len(p.file.functions)-1] }

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
	p.file.lines = append(p.file.lines, line{
		first: uint32(rva), last: uint32(min(rva+size-1, maxRVA)), number: number, file: file,
	})
	p.current().lines.end = uint32(len(p.file.lines))
	return true
}

// origin reads "INLINE_ORIGIN id name", or the older "INLINE_ORIGIN id file
// name". The older form cannot be told from a name that starts with a number,
// so it is taken apart only once an INLINE record has shown which form the
// file has: see finishOrigins.
func (p *parser) origin(f *fields) bool {
	id := f.decimal()
	if f.bad {
		return false
	}
	p.originIDs[id] = uint32(len(p.file.origins))
	p.file.origins = append(p.file.origins, origin{name: p.keep(f.name()), file: unknown})
	return true
}

// inline reads "INLINE depth call_line call_file origin (address size)+", or
// the older form without call_file; the number of fields tells which.
func (p *parser) inline(f *fields) bool {
	if p.section != sectionFunc && p.section != sectionDropped {
		return false
	}
	counter, tokens := *f, 0
	for len(counter.token()) > 0 {
		tokens++
	}
	old := tokens%2 == 1
	in := inlineRange{depth: f.decimal(), callLine: f.decimal(), callFile: unknown}
	if !old {
		in.callFile = f.decimal()
	}
	in.origin = f.decimal()
	if tokens < 5 || f.bad || in.depth >= maxInlineDepth {
		return false
	}
	start := len(p.file.inlines)
	for !f.done() {
		rva, size := f.rva(), f.hex(8)
		if f.bad {
			p.file.inlines = p.file.inlines[:start]
			return false
		}
		in.first, in.size = uint32(rva), uint32(size)
		if p.section == sectionFunc {
			p.file.inlines = append(p.file.inlines, in)
		}
	}
	if p.section == sectionFunc {
		p.current().inlines.end = uint32(len(p.file.inlines))
	}
	p.file.oldInlines = p.file.oldInlines || old
	return true
}

// finishOrigins gives every origin of a file with old INLINE records its
// declaration file, which stands before the name.
func (p *parser) finishOrigins() {
	if !p.file.oldInlines {
		return
	}
	for i := range p.file.origins {
		o := &p.file.origins[i]
		f := fields{rest: p.file.text(o.name)}
		file := f.decimal()
		if f.bad {
			continue
		}
		o.file = p.fileIndex(file)
		name := f.name()
		o.name = text{o.name.start + o.name.size - uint32(len(name)), uint32(len(name))}
	}
}

func (p *parser) fileIndex(id uint32) uint32 {
	if i, ok := p.fileIDs[id]; ok {
		return i
	}
	return unknown
}
