package breakpad

import (
	"bytes"
	"cmp"
	"slices"
)

// finish sorts what the parser has kept itself, and drops what cannot be found.
func (p *parser) finish() {
	winRange := func(w WinRecord) (uint32, uint32) {
		return uint32(w.RVA), uint32(min(w.RVA+w.Size-1, maxRVA))
	}
	p.file.oldInlines = p.oldInlines
	p.file.strict = !p.strict.refused
	p.file.framedata = Disjoint(p.file.framedata, winRange)
	p.file.fpo = Disjoint(p.file.fpo, winRange)
	p.finishCFI()
}

// finish sorts the tables of code, and drops what cannot be found.
func (f *File) finish() {
	f.functions = Disjoint(f.functions, func(fn function) (uint32, uint32) { return fn.first, fn.last })
	for i := range f.functions {
		fn := &f.functions[i]
		kept := Disjoint(f.lines[fn.lines.start:fn.lines.end], func(l line) (uint32, uint32) { return l.first, l.last })
		fn.lines.end = fn.lines.start + uint32(len(kept))
		slices.SortStableFunc(f.inlines[fn.inlines.start:fn.inlines.end], compareInlines)
	}
	f.finishPublics()
}

func compareInlines(a, b inlineRange) int {
	return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(a.first, b.first), cmp.Compare(a.size, b.size))
}

// finishPublics sorts PUBLIC records; of several at one address the one with
// the greatest name counts, then the one with the most parameters.
func (f *File) finishPublics() {
	slices.SortStableFunc(f.publics, func(a, b public) int {
		return cmp.Or(cmp.Compare(a.rva, b.rva), bytes.Compare(f.text(a.name), f.text(b.name)), cmp.Compare(a.parameterSize, b.parameterSize))
	})
	kept := f.publics[:0]
	for i, pub := range f.publics {
		if i+1 < len(f.publics) && f.publics[i+1].rva == pub.rva {
			continue
		}
		kept = append(kept, pub)
	}
	f.publics = kept
	f.symbols = f.countSymbols()
}

// Disjoint sorts ranges in place and drops those that overlap an earlier one:
// of two that start together the shorter stays, of two equal ones the first; a
// later start inside a kept range goes. Parity: every range table of
// minidump-stackwalk follows this rule.
func Disjoint[T any](ranges []T, span func(T) (first, last uint32)) []T {
	compare := func(a, b T) int { // values: pointers would make each an allocation
		aFirst, aLast := span(a)
		bFirst, bLast := span(b)
		if aFirst != bFirst {
			return cmp.Compare(aFirst, bFirst)
		}
		return cmp.Compare(aLast, bLast)
	}
	if !slices.IsSortedFunc(ranges, compare) { // most come sorted
		slices.SortStableFunc(ranges, compare)
	}
	kept := 0
	end := int64(-1) // last address kept so far
	for i := range ranges {
		first, last := span(ranges[i])
		if int64(first) <= end {
			continue
		}
		end = int64(last)
		if kept != i {
			ranges[kept] = ranges[i]
		}
		kept++
	}
	return ranges[:kept]
}
