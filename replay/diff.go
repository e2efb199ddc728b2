package replay

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"aftershock/schema"
	"aftershock/signature"
	"aftershock/sinks/clickhouse"
)

// Diff is what became of the signatures of crashes from version A to version B.
// Changes and pairs are about crashes that have a row in both; totals are exact,
// whatever is left out of the lists.
type Diff struct {
	A Side `json:"a"`
	B Side `json:"b"`
	// Kind is schema.KindPing when pings are compared, which are counted as crashes here;
	// empty: reports.
	Kind string `json:"kind,omitempty"`
	// Revisions: A and B are one version, and the newest revision of each crash
	// that has several is compared with the one before it.
	Revisions bool `json:"revisions"`
	// From and To bound received_at, half open; nil is no bound.
	From   *time.Time `json:"from"`
	To     *time.Time `json:"to"`
	Totals Totals     `json:"totals"`
	// Causes are what the crashes that moved may owe it to.
	Causes  []CauseCount `json:"causes"`
	Changes []Change     `json:"changes"` // of the most crashes first
	// OtherChanges is how many are not in Changes.
	OtherChanges int    `json:"other_changes"`
	Pairs        []Pair `json:"pairs"` // of the most crashes first
	Others       Others `json:"others"`
	// Folded are the pairs of which nothing but the totals tells; most often none.
	Folded Folded `json:"folded,omitzero"`
}

// population is whose crashes are compared.
func (d *Diff) population() clickhouse.Population { return clickhouse.PopulationOf(d.Kind) }

// Side is a signature version, and what it names.
type Side struct {
	SignatureVersion int32  `json:"signature_version"`
	ProcessVersion   int32  `json:"process_version"`
	RulesetHash      string `json:"ruleset_hash"`
	RegistryHash     string `json:"registry_hash"`
}

// Totals count crashes, and the signatures that they have.
type Totals struct {
	A     int64 `json:"a"`
	B     int64 `json:"b"`
	Both  int64 `json:"both"`
	OnlyA int64 `json:"only_a"`
	OnlyB int64 `json:"only_b"`
	// Moved have another signature in B than in A.
	Moved       int64 `json:"moved"`
	SignaturesA int   `json:"signatures_a"`
	SignaturesB int   `json:"signatures_b"`
}

// Cause is something that differs and can have moved a crash.
type Cause string

// The causes.
const (
	CauseRules    Cause = "rules"
	CauseRegistry Cause = "annotation registry"
	CauseProcess  Cause = "process version"
	CauseSymbols  Cause = "symbols" // other symbol files were used for that crash
)

// CauseCount is how many crashes moved for one of the causes, or for several of
// them together. No cause: nothing that is known differs.
type CauseCount struct {
	Could   []Cause `json:"could"`
	Crashes int64   `json:"crashes"`
}

// Change is a signature.Change of which the moves of the most crashes are kept.
type Change struct {
	signature.Change
	// OtherMoves is how many are not in Moves.
	OtherMoves int `json:"other_moves,omitempty"`
}

// Pair is crashes that went from one signature to another one.
type Pair struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Crashes int64  `json:"crashes"`
	// ShareOfFrom is which part of the crashes that have From in A, ShareOfTo of
	// those that have To in B; of crashes in both.
	ShareOfFrom float64      `json:"share_of_from"`
	ShareOfTo   float64      `json:"share_of_to"`
	Causes      []CauseCount `json:"causes"`
	Examples    []Example    `json:"examples"`
}

// Example is one of a pair's crashes.
type Example struct {
	CrashID string `json:"crash_id"`
	// Why says what signing A's stack with B's rules gave; empty where that was
	// not tried.
	Why string `json:"why,omitempty"`
	// Line is the line of the ruleset that decided, zero where none did. Added
	// tells whether B has it; else A has.
	Line  signature.ListLine `json:"line,omitzero"`
	Added bool               `json:"added,omitempty"`
}

// Others are the pairs that are not listed.
type Others struct {
	Pairs   int   `json:"pairs"`
	Crashes int64 `json:"crashes"`
}

// Limits of a diff.
const (
	// MaxDiffLimit is how many rows of each kind may be asked for.
	MaxDiffLimit = 10_000
	// maxCells is how many pairs of signatures are counted at a time: about 300
	// bytes each in memory.
	maxCells = 1 << 20
	// maxMoves of one change are kept.
	maxMoves = 20
	// maxExamples of a pair are kept.
	maxExamples = 3
)

// ErrTooManyPairs is wrapped when versions have more pairs of signatures than are counted,
// where none may be folded.
var ErrTooManyPairs = errors.New("too many pairs of signatures")

// NewSide is what a diff says of a version.
func NewSide(v *schema.SignatureVersion) Side {
	return Side{v.Number, v.ProcessVersion, v.RulesetHash, v.RegistryHash}
}

// cell counts the crashes of one pair of signatures whose symbols did or did not
// differ. A side that lacks the crash has no signature.
type cell struct {
	from, to *string
	symbols  bool
	crashes  int64
	examples []string
}

// compare puts the same cells into the same order each time.
func (c cell) compare(other cell) int {
	name := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	switch {
	case c.symbols != other.symbols && c.symbols:
		return 1
	case c.symbols != other.symbols:
		return -1
	}
	return cmp.Or(cmp.Compare(name(c.from), name(other.from)), cmp.Compare(name(c.to), name(other.to)))
}

// fill counts the cells, and changes their order, and what was folded. Each pair of
// signatures is in at most two cells.
func (d *Diff) fill(cells []cell, folded folds, limit int) {
	slices.SortFunc(cells, cell.compare)
	pairs := map[[2]string]*Pair{}
	ofFrom, ofTo := map[string]int64{}, map[string]int64{}
	inA, inB := map[string]bool{}, map[string]bool{}
	for _, c := range cells {
		if c.from != nil {
			inA[*c.from] = true
			d.Totals.A += c.crashes
		}
		if c.to != nil {
			inB[*c.to] = true
			d.Totals.B += c.crashes
		}
		switch {
		case c.from == nil:
			d.Totals.OnlyB += c.crashes
			continue
		case c.to == nil:
			d.Totals.OnlyA += c.crashes
			continue
		}
		d.Totals.Both += c.crashes
		ofFrom[*c.from] += c.crashes
		ofTo[*c.to] += c.crashes
		p := pairs[[2]string{*c.from, *c.to}]
		if p == nil {
			p = &Pair{From: *c.from, To: *c.to}
			pairs[[2]string{p.From, p.To}] = p
		}
		p.Crashes += c.crashes
		if p.From != p.To {
			d.Totals.Moved += c.crashes
			p.Causes = addCause(p.Causes, d.causes(c.symbols), c.crashes)
			d.Causes = addCause(d.Causes, d.causes(c.symbols), c.crashes)
			for _, id := range c.examples {
				if len(p.Examples) < maxExamples {
					p.Examples = append(p.Examples, Example{CrashID: id})
				}
			}
		}
	}
	d.Totals.SignaturesA, d.Totals.SignaturesB = len(inA), len(inB)
	d.fold(folded)
	d.list(pairs, limit)
	for i := range d.Pairs {
		p := &d.Pairs[i]
		p.ShareOfFrom, p.ShareOfTo = share(p.Crashes, ofFrom[p.From]), share(p.Crashes, ofTo[p.To])
	}
}

// list keeps the largest pairs and changes.
func (d *Diff) list(pairs map[[2]string]*Pair, limit int) {
	d.Pairs, d.Changes = []Pair{}, []Change{}
	moves := make([]signature.Move, 0, len(pairs))
	var moved []*Pair
	for _, p := range pairs {
		moves = append(moves, signature.Move{From: p.From, To: p.To, Crashes: int(p.Crashes)})
		if p.From != p.To {
			moved = append(moved, p)
		}
	}
	slices.SortFunc(moved, func(a, b *Pair) int {
		return cmp.Or(cmp.Compare(b.Crashes, a.Crashes), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	for i, p := range moved {
		if i < limit {
			d.Pairs = append(d.Pairs, *p)
		} else {
			d.Others.Pairs++
			d.Others.Crashes += p.Crashes
		}
	}
	changes := signature.ChangesOf(moves)
	for i := range changes[:min(limit, len(changes))] {
		c := Change{Change: changes[i]}
		if n := len(c.Moves); n > maxMoves {
			c.Moves, c.OtherMoves = slices.Clone(c.Moves[:maxMoves]), n-maxMoves
		}
		d.Changes = append(d.Changes, c)
	}
	d.OtherChanges = len(changes) - len(d.Changes)
	slices.SortFunc(d.Causes, func(a, b CauseCount) int {
		return cmp.Or(cmp.Compare(b.Crashes, a.Crashes), slices.Compare(a.Could, b.Could))
	})
}

// causes are what differs for a crash.
func (d *Diff) causes(symbols bool) []Cause {
	could := []Cause{}
	if d.A.RulesetHash != d.B.RulesetHash {
		could = append(could, CauseRules)
	}
	if d.A.RegistryHash != d.B.RegistryHash {
		could = append(could, CauseRegistry)
	}
	if d.A.ProcessVersion != d.B.ProcessVersion {
		could = append(could, CauseProcess)
	}
	if symbols {
		could = append(could, CauseSymbols)
	}
	return could
}

func addCause(counts []CauseCount, could []Cause, crashes int64) []CauseCount {
	for i := range counts {
		if slices.Equal(counts[i].Could, could) {
			counts[i].Crashes += crashes
			return counts
		}
	}
	return append(counts, CauseCount{could, crashes})
}

func share(part, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(part) / float64(of)
}

// checkLimit refuses numbers of rows out of bounds.
func checkLimit(limit int) error {
	if limit < 1 || limit > MaxDiffLimit {
		return fmt.Errorf("%d rows: want 1 to %d", limit, MaxDiffLimit)
	}
	return nil
}
