package replay

import (
	"cmp"
	"slices"
)

// Whoever sends crashes can make signatures, and must not keep an operator from a diff: of
// more pairs than are counted apart, the rarest are counted together.

// Folded are pairs that are counted in the totals alone, because there are more than are
// kept apart. A pair that was folded in one part of the range and not in another is
// counted too low there, and so are the numbers of signatures.
type Folded struct {
	Pairs   int64 `json:"pairs"`
	Crashes int64 `json:"crashes"`
}

// foldKind is what the totals tell apart of a pair.
type foldKind struct{ inA, inB, moved, symbols bool }

// folds are the folded pairs by what they are.
type folds map[foldKind]Folded

func (f folds) add(other folds) {
	for kind, n := range other {
		f[kind] = Folded{f[kind].Pairs + n.Pairs, f[kind].Crashes + n.Crashes}
	}
}

// bound folds a quarter of the counts, the rarest, when there are too many.
func (c *counting) bound(counts map[key]*count, into folds) error {
	if len(counts) <= c.maxPairs {
		return nil
	}
	if c.query.exact {
		return ErrTooManyPairs
	}
	keys := make([]key, 0, len(counts))
	for k := range counts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int { return cmp.Compare(counts[a].crashes, counts[b].crashes) })
	for _, k := range keys[:len(keys)-c.maxPairs*3/4] {
		if k.from != 0 || k.to != 0 { // else out of range
			kind := foldKind{k.from != 0, k.to != 0, k.from != k.to, k.symbols}
			into.add(folds{kind: {1, counts[k].crashes}})
		}
		delete(counts, k)
	}
	return nil
}

// fold adds to the totals what was folded.
func (d *Diff) fold(folded folds) {
	for kind, n := range folded {
		d.Folded.Pairs += n.Pairs
		d.Folded.Crashes += n.Crashes
		if kind.inA {
			d.Totals.A += n.Crashes
		}
		if kind.inB {
			d.Totals.B += n.Crashes
		}
		switch {
		case !kind.inB:
			d.Totals.OnlyA += n.Crashes
			continue
		case !kind.inA:
			d.Totals.OnlyB += n.Crashes
			continue
		}
		d.Totals.Both += n.Crashes
		if kind.moved {
			d.Totals.Moved += n.Crashes
			d.Causes = addCause(d.Causes, d.causes(kind.symbols), n.Crashes)
		}
	}
}
