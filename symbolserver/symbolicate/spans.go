package symbolicate

import (
	"cmp"
	"slices"
	"sort"
)

// span is where a module lies, inclusive so that one can end at the last address.
type span struct {
	first, last uint64
	module      int32
	base        uint64 // what offsets count from
}

// disjoint sorts spans and cuts them, so that an address is in one: of two that
// overlap, the one that starts first has what both cover, and of two that start
// together the shorter, then the first in the list. The other keeps what is behind.
func disjoint(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last), cmp.Compare(a.module, b.module))
	})
	kept := spans[:0]
	for _, s := range spans {
		if n := len(kept); n > 0 {
			if before := kept[n-1].last; s.last <= before {
				continue
			} else if s.first <= before {
				s.first = before + 1
			}
		}
		kept = append(kept, s)
	}
	return kept
}

// spanAt is the span that an address is in.
func spanAt(spans []span, address uint64) (span, bool) {
	i := sort.Search(len(spans), func(i int) bool { return spans[i].last >= address })
	if i == len(spans) || spans[i].first > address {
		return span{}, false
	}
	return spans[i], true
}
