package breakpad

import (
	"bytes"
	"cmp"
	"slices"
)

// finish sorts the tables, drops what cannot be found and resolves ids.
func (p *parser) finish() *File {
	f := p.file
	p.finishOrigins()
	for i := range f.lines {
		f.lines[i].file = p.fileIndex(f.lines[i].file)
	}
	for i := range f.inlines {
		in := &f.inlines[i]
		in.callFile = p.fileIndex(in.callFile)
		if index, ok := p.originIDs[in.origin]; ok {
			in.origin = index
		} else {
			in.origin = unknown
		}
	}
	f.functions = disjoint(f.functions, func(fn function) (uint32, uint32) { return fn.first, fn.last })
	for i := range f.functions {
		fn := &f.functions[i]
		kept := disjoint(f.lines[fn.lines.start:fn.lines.end], func(l line) (uint32, uint32) { return l.first, l.last })
		fn.lines.end = fn.lines.start + uint32(len(kept))
		slices.SortStableFunc(f.inlines[fn.inlines.start:fn.inlines.end], compareInlines)
	}
	p.finishPublics()
	winRange := func(w WinRecord) (uint32, uint32) {
		return uint32(w.RVA), uint32(min(w.RVA+w.Size-1, maxRVA))
	}
	f.framedata = disjoint(f.framedata, winRange)
	f.fpo = disjoint(f.fpo, winRange)
	p.finishCFI()
	return f
}

func compareInlines(a, b inlineRange) int {
	return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(a.first, b.first), cmp.Compare(a.size, b.size))
}

// finishPublics sorts PUBLIC records; of several at one address the one with
// the greatest name counts, then the one with the most parameters.
func (p *parser) finishPublics() {
	f := p.file
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
}

// disjoint sorts ranges and drops those that overlap an earlier one: of two
// that start together the shorter stays, of two equal ones the first; a later
// start inside a kept range goes. Parity: every range table of
// minidump-stackwalk follows this rule.
func disjoint[T any](ranges []T, span func(T) (first, last uint32)) []T {
	slices.SortStableFunc(ranges, func(a, b T) int {
		aFirst, aLast := span(a)
		bFirst, bLast := span(b)
		return cmp.Or(cmp.Compare(aFirst, bFirst), cmp.Compare(aLast, bLast))
	})
	kept := ranges[:0]
	end := int64(-1) // last address kept so far
	for i := range ranges {
		first, last := span(ranges[i])
		if int64(first) <= end {
			continue
		}
		end = int64(last)
		kept = append(kept, ranges[i])
	}
	return kept
}
