package minidump

import (
	"cmp"
	"slices"
	"sort"
)

// span is an inclusive address range with the index of what lies there.
type span struct {
	first, last uint64
	index       int
}

// disjoint sorts spans and drops those that overlap an earlier one: of two
// that start together the shorter stays, of two equal ones the first; a later
// start inside a kept span goes. Parity: every range table of
// minidump-stackwalk works like this, so what it cannot find, we do not find.
func disjoint(spans []span) []span {
	slices.SortStableFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last))
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
	i := sort.Search(len(spans), func(i int) bool { return spans[i].last >= addr })
	if i == len(spans) || spans[i].first > addr {
		return 0, false
	}
	return spans[i].index, true
}
