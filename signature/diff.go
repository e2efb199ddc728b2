package signature

import (
	"cmp"
	"slices"
)

// Comparison signs crashes with two rulesets and keeps what changes. It holds
// one entry for each pair of signatures, however many crashes are added. It is
// not safe for concurrent use.
type Comparison struct {
	old, new *Ruleset
	moves    map[[2]string]*Move
	crashes  int
	changed  int
}

// Move is crashes that have one signature with the old ruleset and one with
// the new; they may be the same.
type Move struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Crashes int    `json:"crashes"`
	// Cause is the line that decided otherwise in the first of the crashes, zero
	// where no line did. Added tells whether the new ruleset has it.
	Cause ListLine `json:"cause,omitzero"`
	Added bool     `json:"added,omitempty"`
}

// ChangeKind is what became of signatures.
type ChangeKind string

// The kinds of changes.
const (
	Moved  ChangeKind = "moved"  // a signature has another name, with all its crashes and no others
	Split  ChangeKind = "split"  // crashes of one signature have several
	Merged ChangeKind = "merged" // crashes of several signatures have one
	// Besides, whatever the above calls it:
	New      ChangeKind = "new"      // no crash had the signature
	Vanished ChangeKind = "vanished" // no crash has the signature any more
)

// Change is what became of one signature, or what it came of. A move can be in
// several changes: in a split and in a merger, say.
type Change struct {
	Kind ChangeKind `json:"kind"`
	// Signature is the one that was there, or that is new or came of a merger.
	Signature string `json:"signature"`
	Crashes   int    `json:"crashes"`
	Moves     []Move `json:"moves"` // the most crashes first
}

// NewComparison compares an old with a new ruleset.
func NewComparison(from, to *Ruleset) *Comparison {
	return &Comparison{old: from, new: to, moves: map[[2]string]*Move{}}
}

// Add signs a crash with both rulesets, and returns whether its signature changes.
func (c *Comparison) Add(crash *Crash) (changed bool) {
	from, to := c.Sign(crash)
	return c.Count(crash, from, to)
}

// Sign is a crash's signature with each ruleset, for Count. Unlike the rest of a Comparison it may be
// called from several goroutines.
func (c *Comparison) Sign(crash *Crash) (from, to string) {
	return c.old.Generate(crash).Signature, c.new.Generate(crash).Signature
}

// Count adds a crash that was signed, and returns whether its signature changes.
func (c *Comparison) Count(crash *Crash, from, to string) (changed bool) {
	c.crashes++
	if from != to {
		c.changed++
	}
	m := c.moves[[2]string{from, to}]
	if m == nil {
		m = &Move{From: from, To: to}
		if from != to {
			m.Cause, m.Added = Cause(c.old.Explain(crash).Why, c.new.Explain(crash).Why)
		}
		c.moves[[2]string{from, to}] = m
	}
	m.Crashes++
	return from != to
}

// Cause is, of one crash's steps with two rulesets, the line of the first step that
// differs: the new ruleset's when it has one there, else the old one's. It is zero
// where no line decided.
func Cause(old, new []Step) (line ListLine, added bool) {
	for i := range max(len(old), len(new)) {
		var before, after Step
		if i < len(old) {
			before = old[i]
		}
		if i < len(new) {
			after = new[i]
		}
		if before.Kind == after.Kind && before.Frame == after.Frame && before.Text == after.Text && before.After == after.After {
			continue
		}
		if after.Line != (ListLine{}) {
			return after.Line, true
		}
		return before.Line, false
	}
	return ListLine{}, false
}

// Crashes is how many were added, and how many of them changed their signature.
func (c *Comparison) Crashes() (all, changed int) { return c.crashes, c.changed }

// Changes are ChangesOf what was added.
func (c *Comparison) Changes() []Change {
	moves := make([]Move, 0, len(c.moves))
	for _, m := range c.moves {
		moves = append(moves, *m)
	}
	return ChangesOf(moves)
}

// ChangesOf tells from the moves of all crashes, one for each pair of signatures
// and also those that stay, which signatures are not what they were: those of the
// most crashes first.
func ChangesOf(moves []Move) []Change {
	byOld, byNew := map[string][]Move{}, map[string][]Move{}
	for _, m := range moves {
		byOld[m.From] = append(byOld[m.From], m)
		byNew[m.To] = append(byNew[m.To], m)
	}
	var out []Change
	for signature, moves := range byOld {
		switch {
		case len(moves) > 1:
			out = append(out, newChange(Split, signature, moves))
		case moves[0].To != signature && len(byNew[moves[0].To]) == 1:
			out = append(out, newChange(Moved, signature, moves))
		}
		if byNew[signature] == nil {
			out = append(out, newChange(Vanished, signature, moves))
		}
	}
	for signature, moves := range byNew {
		if len(moves) > 1 {
			out = append(out, newChange(Merged, signature, moves))
		}
		if byOld[signature] == nil {
			out = append(out, newChange(New, signature, moves))
		}
	}
	slices.SortFunc(out, func(a, b Change) int {
		return cmp.Or(cmp.Compare(b.Crashes, a.Crashes), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Signature, b.Signature))
	})
	return out
}

func newChange(kind ChangeKind, signature string, moves []Move) Change {
	moves = slices.Clone(moves)
	slices.SortFunc(moves, func(a, b Move) int {
		return cmp.Or(cmp.Compare(b.Crashes, a.Crashes), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	c := Change{Kind: kind, Signature: signature, Moves: moves}
	for _, m := range moves {
		c.Crashes += m.Crashes
	}
	return c
}
