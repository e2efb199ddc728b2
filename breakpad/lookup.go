package breakpad

import "slices"

// AppendLocations appends the inlined calls at rva, innermost first, and then
// the function itself. It appends nothing when no FUNC and no PUBLIC record
// covers rva. It does not allocate when dst has room.
func (f *File) AppendLocations(dst *Locations, rva uint64) {
	if rva > maxRVA {
		return
	}
	addr := uint32(rva)
	fn := f.functionAt(addr)
	if fn == nil {
		if pub := f.publicAt(addr); pub != nil {
			dst.List = append(dst.List, Location{
				Function: f.text(pub.name), FunctionRVA: uint64(pub.rva), ParameterSize: pub.parameterSize, Public: true,
			})
		}
		return
	}
	list := dst.List
	start := len(list)
	real := Location{Function: f.text(fn.name), FunctionRVA: uint64(fn.first), ParameterSize: f.parameterSize(fn, addr)}
	// An INLINE record names the callee and where the call stands, which is in
	// the function one level up. The line record is the place in the deepest.
	in := f.inlineAt(fn, 0, addr)
	if in == nil {
		f.setLine(&real, fn, addr)
	} else {
		real.setCall(f, fn, in, nil)
	}
	for depth := uint32(1); in != nil; depth++ {
		next := f.inlineAt(fn, depth, addr)
		if in.origin != unknown {
			callee := Location{Function: f.text(f.origins[in.origin].name), FunctionRVA: uint64(in.first), Inline: true}
			if next != nil {
				callee.setCall(f, fn, next, in)
			} else {
				f.setLine(&callee, fn, addr)
			}
			list = append(list, callee)
		}
		in = next
	}
	slices.Reverse(list[start:]) // they came outermost first
	list = append(list, real)
	dst.List = list
}

// setCall sets the place of the call that in describes. caller is the inlined
// call that makes it, nil for fn itself.
func (l *Location) setCall(f *File, fn *function, in, caller *inlineRange) {
	file := in.callFile
	if in.old {
		file = f.oldCallFile(fn, caller)
	}
	if in.old && file == unknown {
		return
	}
	l.setPlace(f, file, in.callLine, in.first, true)
}

// oldCallFile finds the file of a call site for the older form of INLINE, which
// does not name it: where the inlined caller was declared, or the file of the
// function's first line.
func (f *File) oldCallFile(fn *function, caller *inlineRange) uint32 {
	switch {
	case caller == nil && fn.lines.start < fn.lines.end:
		return f.lines[fn.lines.start].file
	case caller == nil || caller.origin == unknown:
		return unknown
	}
	return f.origins[caller.origin].file
}

// setLine sets file and line of the line record that covers addr.
func (f *File) setLine(l *Location, fn *function, addr uint32) {
	lines := f.lines[fn.lines.start:fn.lines.end]
	i := searchLast(lines, func(l *line) uint32 { return l.last }, addr)
	if i < len(lines) && lines[i].first <= addr {
		l.setPlace(f, lines[i].file, lines[i].number, lines[i].first, false)
	}
}

// setPlace sets a place that starts at an address; the file may be unknown.
func (l *Location) setPlace(f *File, file, line, first uint32, call bool) {
	if l.SetPlace(line, file != unknown, call); l.HasFile {
		l.File, l.LineRVA = f.fileText(file), uint64(first)
	}
}

// HasFunction tells whether rva lies in a function with a name. Scans ask it
// for every word that might be a return address.
func (f *File) HasFunction(rva uint64) bool {
	if rva > maxRVA {
		return false
	}
	if fn := f.functionAt(uint32(rva)); fn != nil {
		return fn.name.size > 0
	}
	pub := f.publicAt(uint32(rva))
	return pub != nil && pub.name.size > 0
}

// Extent is what a symbol covers: from Start to before End. A PUBLIC symbol has no
// size, and ends where the next symbol starts; Last tells that none does.
type Extent struct {
	Start, End   uint64
	Public, Last bool
}

// Extent is that of the symbol that covers rva; ok is false where none does.
func (f *File) Extent(rva uint64) (e Extent, ok bool) {
	if rva > maxRVA {
		return e, false
	}
	if fn := f.functionAt(uint32(rva)); fn != nil {
		return Extent{Start: uint64(fn.first), End: uint64(fn.last) + 1}, true
	}
	pub := f.publicAt(uint32(rva))
	if pub == nil {
		return e, false
	}
	e = Extent{Start: uint64(pub.rva), End: maxRVA + 1, Public: true, Last: true}
	if i := searchFirst(f.publics, func(p *public) uint32 { return p.rva }, uint32(rva)); i < len(f.publics) {
		e.End, e.Last = uint64(f.publics[i].rva), false
	}
	if i := searchFirst(f.functions, func(fn *function) uint32 { return fn.first }, uint32(rva)); i < len(f.functions) {
		e.End, e.Last = min(e.End, uint64(f.functions[i].first)), false
	}
	return e, true
}

// SymbolCount is the number of symbols that cover any address.
func (f *File) SymbolCount() int { return f.symbols }

// countSymbols leaves out PUBLIC symbols that cover nothing beside functions.
func (f *File) countSymbols() int {
	n := len(f.functions)
	for i, p := range f.publics {
		end := uint64(maxRVA) + 1
		if i+1 < len(f.publics) {
			end = uint64(f.publics[i+1].rva)
		}
		start := uint64(p.rva)
		next := searchFirst(f.functions, func(fn *function) uint32 { return fn.first }, p.rva)
		if next < len(f.functions) {
			end = min(end, uint64(f.functions[next].first))
		}
		if next > 0 {
			if before := &f.functions[next-1]; before.first == p.rva {
				continue
			} else {
				start = max(start, uint64(before.last)+1)
			}
		}
		if start < end {
			n++
		}
	}
	return n
}

// FirstSymbol is where the first FUNC or PUBLIC symbol starts; ok is false if there
// is none.
func (f *File) FirstSymbol() (rva uint64, ok bool) {
	rva = maxRVA
	if len(f.functions) > 0 {
		rva = uint64(f.functions[0].first)
	}
	if len(f.publics) > 0 {
		rva = min(rva, uint64(f.publics[0].rva))
	}
	return rva, f.HasFunctions()
}

func (f *File) functionAt(addr uint32) *function {
	i := searchLast(f.functions, func(fn *function) uint32 { return fn.last }, addr)
	if i == len(f.functions) || f.functions[i].first > addr {
		return nil
	}
	return &f.functions[i]
}

// publicAt is the nearest PUBLIC record at or before addr, unless a FUNC
// starts between the two: then addr lies in some function after that one.
func (f *File) publicAt(addr uint32) *public {
	// The number of records at or before addr.
	i := searchFirst(f.publics, func(p *public) uint32 { return p.rva }, addr)
	if i == 0 {
		return nil
	}
	pub := &f.publics[i-1]
	if j := searchFirst(f.functions, func(fn *function) uint32 { return fn.first }, addr); j > 0 && pub.rva <= f.functions[j-1].first {
		return nil
	}
	return pub
}

// parameterSize prefers what STACK WIN says over the FUNC record.
func (f *File) parameterSize(fn *function, addr uint32) uint32 {
	for _, kind := range [...]WinKind{WinFrameData, WinFPO} {
		if w, ok := f.Win(uint64(addr), kind); ok {
			return w.ParameterSize
		}
	}
	return fn.parameterSize
}

// inlineAt finds the inlined call of a depth that covers addr. Parity: only
// the range that starts nearest before addr is tried, so that one that ended
// early (or has no size) hides an outer one.
func (f *File) inlineAt(fn *function, depth, addr uint32) *inlineRange {
	ranges := f.inlines[fn.inlines.start:fn.inlines.end]
	key := uint64(depth)<<32 | uint64(addr)
	lo, hi := 0, len(ranges)
	for lo < hi { // the number of ranges at or before (depth, addr)
		mid := int(uint(lo+hi) >> 1)
		if uint64(ranges[mid].depth)<<32|uint64(ranges[mid].first) <= key {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return nil
	}
	in := &ranges[lo-1]
	if in.depth != depth || uint64(addr) >= uint64(in.first)+uint64(in.size) {
		return nil
	}
	return in
}

// Win is the STACK WIN record of the kind that covers rva.
func (f *File) Win(rva uint64, kind WinKind) (WinRecord, bool) {
	records := f.framedata
	if kind == WinFPO {
		records = f.fpo
	}
	i := searchFirst(records, func(w *WinRecord) uint64 { return w.RVA }, rva)
	if i == 0 || rva-records[i-1].RVA >= records[i-1].Size {
		return WinRecord{}, false
	}
	return records[i-1], true
}

// searchLast is the first index whose last is at or after addr.
func searchLast[T any](table []T, last func(*T) uint32, addr uint32) int {
	lo, hi := 0, len(table)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if last(&table[mid]) < addr {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// searchFirst is the number of entries whose first is at or before addr.
func searchFirst[T any, A uint32 | uint64](table []T, first func(*T) A, addr A) int {
	lo, hi := 0, len(table)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if first(&table[mid]) <= addr {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
