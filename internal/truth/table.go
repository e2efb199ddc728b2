package truth

import (
	"slices"
	"strings"
)

// Tool finds the stacks of dumps: a version of our walker, or another program.
type Tool interface {
	// Walk answers the callers that the tool finds, by thread id.
	Walk(condition string, c *Case) (map[uint32][]Reported, error)
}

// All is the group of all threads but those whose stack overflowed, which have
// hundreds of equal frames.
const All = "all"

// overflow is the kind of such a crash.
const overflow = "stack overflow"

// Key names a score of a Table.
type Key struct{ Condition, Tool, Group string }

// Table holds scores of tools over a set. The zero Table is ready.
type Table struct {
	scores map[Key]*Score
	groups []string
	bins   map[string]*Calibration // by tool
}

// Add counts a judged thread of a dump.
func (t *Table) Add(condition, tool string, c *Case, th *Thread, got []Reported, j *Judged) {
	if t.scores == nil {
		t.scores, t.bins = map[Key]*Score{}, map[string]*Calibration{}
	}
	kind := "other threads"
	if th.Crashed {
		kind = c.Kind
	}
	groups := []string{kind, c.Arch, "by " + c.Writer}
	if kind != overflow {
		groups = append(groups, All)
		if t.bins[tool] == nil {
			t.bins[tool] = new(Calibration)
		}
		for i := range got {
			t.bins[tool].add(got[i].Probability, j.Right[i])
		}
	}
	for _, group := range groups {
		key := Key{condition, tool, group}
		if t.scores[key] == nil {
			t.scores[key] = new(Score)
		}
		t.scores[key].Add(j.Score)
		if !slices.Contains(t.groups, group) {
			t.groups = append(t.groups, group)
		}
	}
}

// Score is that of a key; the zero Score if nothing was counted for it.
func (t *Table) Score(condition, tool, group string) Score {
	if s := t.scores[Key{condition, tool, group}]; s != nil {
		return *s
	}
	return Score{}
}

// Groups are those that were counted, sorted, with All first.
func (t *Table) Groups() []string {
	out := slices.Clone(t.groups)
	slices.SortFunc(out, func(a, b string) int {
		switch {
		case a == b:
			return 0
		case a == All:
			return -1
		case b == All:
			return 1
		}
		return strings.Compare(a, b)
	})
	return out
}

// Calibration is that of a tool's probabilities over all conditions.
func (t *Table) Calibration(tool string) Calibration {
	if c := t.bins[tool]; c != nil {
		return *c
	}
	return Calibration{}
}

// CalibrationBins is the number of equal parts that probabilities are told in.
const CalibrationBins = 10

// Calibration compares probabilities that were told of frames with how many of them
// are true.
type Calibration [CalibrationBins]struct {
	Frames, True int
	Told         float64 // the sum of the probabilities
}

func (c *Calibration) add(p float64, right bool) {
	bin := &c[min(int(p*CalibrationBins), CalibrationBins-1)]
	bin.Frames++
	bin.Told += p
	if right {
		bin.True++
	}
}

// Measure walks the dumps in every condition and counts. each is called for every
// thread, and may be nil.
func (t *Table) Measure(cases []Case, conditions []string, name string, tool Tool, each func(condition string, c *Case, th *Thread, got []Reported, j *Judged)) error {
	for _, condition := range conditions {
		for i := range cases {
			c := &cases[i]
			found, err := tool.Walk(condition, c)
			if err != nil {
				return err
			}
			for k := range c.Threads {
				th := &c.Threads[k]
				got := found[th.TID]
				j := th.Judge(got)
				t.Add(condition, name, c, th, got, &j)
				if each != nil {
					each(condition, c, th, got, &j)
				}
			}
		}
	}
	return nil
}
