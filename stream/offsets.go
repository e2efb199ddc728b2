package stream

import (
	"fmt"
	"math/bits"
	"strings"
)

// Offsets are offsets of a partition, ascending.
type Offsets struct {
	Count int64 `json:"count"`
	// Ranges are the first of them; at most maxRanges.
	Ranges []OffsetRange `json:"ranges,omitempty"`
}

// OffsetRange is a range of offsets with both its ends.
type OffsetRange struct {
	First int64 `json:"first"`
	Last  int64 `json:"last"`
}

// maxRanges is how many ranges are told: enough to see where to look.
const maxRanges = 1000

// add takes an offset above all that it has.
func (o *Offsets) add(offset int64) {
	o.Count++
	if n := len(o.Ranges); n > 0 && o.Ranges[n-1].Last == offset-1 {
		o.Ranges[n-1].Last = offset
	} else if n < maxRanges {
		o.Ranges = append(o.Ranges, OffsetRange{offset, offset})
	}
}

// counted is how many the ranges hold.
func (o Offsets) counted() (n int64) {
	for _, r := range o.Ranges {
		n += r.Last - r.First + 1
	}
	return n
}

// String is like 2-4,7; "none" for none.
func (o Offsets) String() string {
	if o.Count == 0 {
		return "none"
	}
	var b strings.Builder
	for i, r := range o.Ranges {
		if i > 0 {
			b.WriteByte(',')
		}
		if r.First == r.Last {
			fmt.Fprintf(&b, "%d", r.First)
		} else {
			fmt.Fprintf(&b, "%d-%d", r.First, r.Last)
		}
	}
	if more := o.Count - o.counted(); more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// offsetSet is a set of the offsets of a span, a bit each.
type offsetSet struct {
	Span
	bits  []uint64
	count int64
}

func newOffsetSet(s Span) *offsetSet {
	return &offsetSet{Span: s, bits: make([]uint64, (max(s.End-s.From, 0)+63)/64)}
}

// add tells whether the offset was not in the set; one outside the span never is.
func (s *offsetSet) add(offset int64) bool {
	if !s.holds(offset) || s.has(offset) {
		return false
	}
	i := offset - s.From
	s.bits[i/64] |= 1 << (i % 64)
	s.count++
	return true
}

func (s *offsetSet) has(offset int64) bool {
	i := offset - s.From
	return s.holds(offset) && s.bits[i/64]&(1<<(i%64)) != 0
}

// where are the offsets of the set for which the condition holds.
func (s *offsetSet) where(condition func(offset int64) bool) Offsets {
	var out Offsets
	for i, word := range s.bits {
		for ; word != 0; word &= word - 1 { // without its lowest bit
			if offset := s.From + int64(64*i+bits.TrailingZeros64(word)); condition(offset) {
				out.add(offset)
			}
		}
	}
	return out
}

// all are the offsets of the set.
func (s *offsetSet) all() Offsets { return s.where(func(int64) bool { return true }) }
