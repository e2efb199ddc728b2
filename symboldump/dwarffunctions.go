package symboldump

import (
	"cmp"
	"slices"
	"sort"
)

// entry is what a function's or inlined call's entry says.
type entry struct {
	name               entryName
	low, high, ranges  attr
	callLine, callFile uint64
}

// scope is an entry whose children are being read.
type scope struct {
	// function: what inlined calls belong to, -1 if nothing.
	function int
	// depth is that of inlined calls right below.
	depth uint32
	// owner: the function ends with this scope.
	owner bool
}

// openFunction is a function whose entry is being read.
type openFunction struct {
	spans []span
	name  string
	calls []call
}

// call is a range of an inlined call.
type call struct {
	span
	depth              uint32
	origin             uint32
	callLine, callFile uint32
	order              uint32 // of the entries
}

// functionReader reads the functions of units.
type functionReader struct {
	symbols *symbols
	named   *symbolIndex
	file    *File
	report  *Report
	seen    map[uint32]int32 // rva of a function → its index in symbols.functions, plus 1
	lines   lineTable
	callTo  lineTable // of a split unit, whose calls have files of its own
	nesting nesting
	open    []openFunction
	scopes  []scope
	spans   []span
	origins map[uint64]uint32 // offset of an entry → number of its name, of the unit
	room    []line            // chunk that lines are cut from
	calls   []inline          // the same of inlined calls
	chain   [][]call          // calls of closed functions, to be used again

	rowsRead, rowsTold int // of line tables, see maxRepeats
}

// unit reads the functions of a unit. skeleton is the unit that names a split one,
// else nil.
func (fr *functionReader) unit(u *unit) {
	table := u
	if u.skeleton != nil {
		table = u.skeleton
	}
	fr.lines.files = fr.lines.files[:0]
	fr.lines.rows, fr.lines.sequences = fr.lines.rows[:0], fr.lines.sequences[:0]
	fr.lines.compDir = table.compDir
	if table.hasStmtList {
		fr.lines.read(table, table.dwarf, table.stmtList)
		fr.rowsRead += len(fr.lines.rows)
	}
	if u.skeleton != nil && u.hasStmtList {
		fr.callTo.read(u, u.dwarf, u.stmtList)
	}
	clear(fr.origins)
	fr.open, fr.scopes = fr.open[:0], fr.scopes[:0]
	current := scope{function: -1}
	r := u.entries()
	for r.left() > 0 && !fr.report.full() {
		code := r.uleb()
		if code == 0 {
			if n := len(fr.scopes); n > 0 {
				fr.leave(current)
				current, fr.scopes = fr.scopes[n-1], fr.scopes[:n-1]
			}
			continue
		}
		a := u.abbrevs.find(code)
		if !a.known {
			r.fail()
			break
		}
		if !fr.report.step(len(a.specs)) {
			break
		}
		below := current
		below.owner = false
		switch a.tag {
		case tagSubprogram:
			below = fr.function(u, &r, a)
		case tagInlinedSubroutine:
			below = fr.inlined(u, &r, a, current)
		default:
			u.skip(&r, a)
		}
		switch {
		case r.bad:
		case !a.children:
			if below.owner {
				fr.leave(below)
			}
		case len(fr.scopes) == maxEntryDepth:
			fr.report.drop(DepthLimit)
			r.seek(uint64(len(r.data)))
		default:
			fr.scopes = append(fr.scopes, current)
			current = below
		}
	}
	for n := len(fr.scopes); n > 0; n-- { // units may end without the last terminators
		fr.leave(current)
		current, fr.scopes = fr.scopes[n-1], fr.scopes[:n-1]
	}
	if r.bad {
		fr.report.drop(UnitDamaged)
	}
}

// entry reads the attributes of a function or inlined call.
func (u *unit) entry(r *reader, a *abbrev) entry {
	var e entry
	for _, s := range a.specs {
		v := u.read(r, s)
		switch s.name {
		case attrLowPC:
			e.low = v
		case attrHighPC:
			e.high = v
		case attrRanges:
			e.ranges = v
		case attrCallLine:
			e.callLine = v.n
		case attrCallFile:
			e.callFile = v.n
		default:
			e.name.note(s.name, v)
		}
	}
	return e
}

// spansOf are the ranges of an entry's code (DWARF 5 section 2.17). Code that the
// linker dropped has none.
func (fr *functionReader) spansOf(u *unit, e *entry) []span {
	fr.spans = fr.spans[:0]
	if e.ranges.form != 0 {
		fr.spans = u.appendRanges(fr.spans, e.ranges)
	}
	if len(fr.spans) > 0 {
		return fr.spans
	}
	low, ok := u.address(e.low)
	if !ok || low == 0 {
		return nil
	}
	high, ok := u.address(e.high)
	if !ok {
		if e.high.form == 0 {
			return nil
		}
		high = low + e.high.n
	}
	if high > low {
		fr.spans = append(fr.spans, span{low, high})
	}
	return fr.spans
}

// function reads a function's entry, and answers the scope of its children.
func (fr *functionReader) function(u *unit, r *reader, a *abbrev) scope {
	e := u.entry(r, a)
	kept := fr.spans[:0]
	lowest := uint64(0)
	for _, s := range fr.spansOf(u, &e) {
		rva, ok := fr.file.rva(s.low)
		if !ok || s.high-fr.file.load > maxRVA+1 {
			fr.report.drop(AddressRange)
			continue
		}
		if rva == 0 { // of headers, so of no code
			continue
		}
		if at, ok := fr.seen[uint32(rva)]; ok {
			if at != 0 && fr.symbols.functions[at-1].size != uint32(s.high-s.low) {
				fr.symbols.functions[at-1].multiple = true
			}
			continue
		}
		if !fr.report.hold(heldFunction + heldSpan) {
			break
		}
		fr.seen[uint32(rva)] = 0
		if lowest == 0 || s.low < lowest {
			lowest = s.low
		}
		kept = append(kept, s)
	}
	if len(kept) == 0 {
		return scope{function: -1}
	}
	raw := fr.named.at(lowest)
	if raw == nil && fr.symbols.nameRoom >= 0 {
		raw = u.nameOf(e.name)
	}
	f := openFunction{spans: append([]span(nil), kept...), name: fr.functionName(u, raw)}
	if n := len(fr.chain); n > 0 {
		f.calls, fr.chain = fr.chain[n-1], fr.chain[:n-1]
	}
	fr.open = append(fr.open, f)
	return scope{function: len(fr.open) - 1, owner: true}
}

// nameOmitted is what other tools say of a function without a name.
const nameOmitted = "<name omitted>"

// functionName demangles. Names of Go are no compiler's variants.
func (fr *functionReader) functionName(u *unit, raw []byte) string {
	if len(raw) == 0 || fr.symbols.nameRoom < 0 {
		return nameOmitted
	}
	var name string
	if u.language == languageGo {
		name = wholeName(raw, fr.report)
	} else {
		name = symbolName(raw, fr.report)
	}
	if long := int64(len(raw) - len(name)); long > 0 {
		fr.symbols.nameRoom -= long // it was read
	}
	if !fr.symbols.roomFor(name) {
		return nameOmitted
	}
	return name
}

// inlined reads the entry of an inlined call, and answers the scope of its
// children.
func (fr *functionReader) inlined(u *unit, r *reader, a *abbrev, in scope) scope {
	e := u.entry(r, a)
	if in.function < 0 {
		return scope{function: -1}
	}
	spans := fr.spansOf(u, &e)
	if len(spans) == 0 {
		return scope{function: -1}
	}
	c := call{depth: in.depth, origin: fr.origin(u, e.name), callLine: uint32(e.callLine)}
	table := &fr.lines
	if u.skeleton != nil && u.hasStmtList {
		table = &fr.callTo
	}
	c.callFile = table.number(uint32(e.callFile), fr.symbols)
	f := &fr.open[in.function]
	if !fr.report.hold(int64(len(spans)) * heldCall) {
		return scope{function: -1}
	}
	for _, c.span = range spans {
		c.order = uint32(len(f.calls))
		f.calls = append(f.calls, c)
	}
	in.owner = false
	if in.depth++; in.depth >= maxInlineDepth {
		fr.report.drop(DepthLimit)
		return scope{function: -1}
	}
	return in
}

// origin is the number of an inlined function's name.
func (fr *functionReader) origin(u *unit, n entryName) uint32 {
	key := u.offset + n.origin.n
	known := n.linkage.form == 0 && n.name.form == 0 && n.origin.form != formRefAddr && n.origin.form != formGNURefAlt &&
		n.origin.form != formRefSup4 && n.origin.form != formRefSup8
	if known {
		if number, ok := fr.origins[key]; ok {
			return number
		}
	}
	var raw []byte
	if fr.symbols.nameRoom >= 0 {
		raw = u.nameOf(n)
	}
	number, ok := fr.symbols.origins.find(raw)
	if !ok {
		fr.symbols.roomFor(string(raw)) // the table keeps it as well
		number = fr.symbols.origins.add(string(raw), fr.functionName(u, raw))
	}
	if known {
		fr.origins[key] = number
	}
	return number
}

// leave ends a scope. With a function's own all of it is known.
func (fr *functionReader) leave(s scope) {
	if !s.owner {
		return
	}
	f := &fr.open[s.function]
	if len(f.spans) > 1 {
		slices.SortFunc(f.calls, func(a, b call) int { return cmp.Compare(a.low, b.low) })
	}
	for _, at := range f.spans {
		calls := f.calls
		if len(f.spans) > 1 {
			from := sort.Search(len(calls), func(i int) bool { return calls[i].low >= at.low })
			to := sort.Search(len(calls), func(i int) bool { return calls[i].low >= at.high })
			calls = calls[from:max(from, to)]
		}
		fr.finish(f.name, calls, at)
	}
	fr.report.hold(-int64(len(f.calls)) * heldCall)
	fr.chain = append(fr.chain, f.calls[:0])
	fr.open = fr.open[:s.function]
}

// finish makes a function of a range of an entry and the calls in it.
func (fr *functionReader) finish(name string, calls []call, at span) {
	load := fr.file.load
	fn := function{rva: uint32(at.low - load), size: uint32(min(at.high-at.low, maxRVA)), name: name}
	rows := fr.lines.within(at)
	if fr.rowsTold += len(rows); fr.rowsTold > maxRepeats*fr.rowsRead { // functions that overlap
		fr.report.drop(LinesDamaged)
		rows = nil
	}
	if !fr.report.hold(int64(len(rows)*heldLine + len(calls)*heldInline)) {
		return
	}
	lines := fr.roomForLines(len(rows))
	for _, row := range rows {
		number := fr.lines.number(row.file, fr.symbols)
		low := max(row.addr, at.low)
		if n := len(lines); n > 0 && lines[n-1].number == row.line && lines[n-1].file == number {
			continue
		}
		lines = append(lines, line{rva: uint32(low - load), number: row.line, file: number})
	}
	for i := range lines { // each reaches up to the next
		next := uint64(fn.rva) + uint64(fn.size)
		if i+1 < len(lines) {
			next = uint64(lines[i+1].rva)
		}
		lines[i].size = uint32(next - uint64(lines[i].rva))
	}
	fn.lines = fr.keepLines(lines)
	fn.inlines = fr.nesting.nest(calls, at, load, fr)
	fr.symbols.functions = append(fr.symbols.functions, fn)
	fr.seen[fn.rva] = int32(len(fr.symbols.functions))
}

const roomChunk = 16 << 10

// roomForLines is an empty slice with room for n; keepLines takes what was put
// into it.
func (fr *functionReader) roomForLines(n int) []line {
	if cap(fr.room)-len(fr.room) < n {
		fr.room = make([]line, 0, max(n, roomChunk))
	}
	at := len(fr.room)
	return fr.room[at:at:cap(fr.room)]
}

func (fr *functionReader) keepLines(lines []line) []line {
	fr.room = fr.room[:len(fr.room)+len(lines)]
	return lines[:len(lines):len(lines)]
}
