package minidump

import (
	"cmp"
	"slices"
)

// span is an inclusive address range with the index of what lies there.
type span struct {
	first, last uint64
	index       int
}

// disjoint sorts spans and drops those that overlap an earlier one: of two
// that start together the shorter stays, of two equal ones the one of lower index; a later
// start inside a kept span goes. Parity: every range table of
// minidump-stackwalk works like this, so what it cannot find, we do not find.
func disjoint(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int {
		switch {
		case a.first != b.first:
			return cmp.Compare(a.first, b.first)
		case a.last != b.last:
			return cmp.Compare(a.last, b.last)
		}
		return cmp.Compare(a.index, b.index)
	})
	kept := spans[:0]
	for _, s := range spans {
		if n := len(kept); n > 0 && s.first <= kept[n-1].last {
			continue
		}
		kept = append(kept, s)
	}
	return kept
}

// lookup finds the span that covers addr in what disjoint answered.
func lookup(spans []span, addr uint64) (int, bool) {
	lo, hi := 0, len(spans)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); spans[mid].last < addr {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(spans) || spans[lo].first > addr {
		return 0, false
	}
	return spans[lo].index, true
}
