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
	kept, _ := separate(spans)
	return kept
}

// separate is disjoint that also answers what it drops, in the same order.
func separate(spans []span) (kept, dropped []span) {
	slices.SortFunc(spans, func(a, b span) int {
		if a.first != b.first { // as a rule
			return cmp.Compare(a.first, b.first)
		}
		return cmp.Or(cmp.Compare(a.last, b.last), cmp.Compare(a.index, b.index))
	})
	kept = spans[:0]
	for _, s := range spans {
		if n := len(kept); n > 0 && s.first <= kept[n-1].last {
			dropped = append(dropped, s)
			continue
		}
		kept = append(kept, s)
	}
	return kept, dropped
}

// rests are the parts of dropped spans that no kept one covers, disjoint and
// sorted; of two dropped ones the one that starts first has what both cover.
func rests(kept, dropped []span) []span {
	var out []span
	i := 0          // of kept
	at := uint64(0) // everything before is covered
	for _, s := range dropped {
		at = max(at, s.first)
		for at <= s.last {
			for i < len(kept) && kept[i].last < at {
				i++
			}
			last := s.last
			switch {
			case i == len(kept):
			case kept[i].first > at:
				last = min(last, kept[i].first-1)
			default: // covered
				last = kept[i].last
			}
			if i == len(kept) || kept[i].first > at {
				out = append(out, span{at, last, s.index})
			}
			if last == ^uint64(0) {
				return out
			}
			at = last + 1
		}
	}
	return out
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
