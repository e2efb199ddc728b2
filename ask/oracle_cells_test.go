package ask_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"aftershock/ask"
)

// answer is a table that an oracle made. A cell is a string, an int, a float64, a time.Time,
// near, anything, or nil for NULL. Columns that begin with _ only sort.
type answer struct {
	columns []string
	rows    [][]any
}

// near is a number that the tables may have a little different: by no more than the bound.
type near struct{ value, bound float64 }

// anything is a cell that is not compared.
type anything struct{}

func newAnswer(columns string) *answer { return &answer{columns: strings.Fields(columns)} }

func (a *answer) add(cells ...any) { a.rows = append(a.rows, cells) }

// by sorts by columns; those that begin with - have the highest first. NULL is last.
func (a *answer) by(columns ...string) *answer {
	slices.SortFunc(a.rows, func(x, y []any) int {
		for _, name := range columns {
			column, falls := strings.CutPrefix(name, "-")
			i := slices.Index(a.columns, column)
			d := compareCells(x[i], y[i])
			if falls && x[i] != nil && y[i] != nil {
				d = -d
			}
			if d != 0 {
				return d
			}
		}
		return 0
	})
	return a
}

func (a *answer) most(n int) *answer {
	a.rows = a.rows[:min(n, len(a.rows))]
	return a
}

func compareCells(x, y any) int {
	switch x := x.(type) {
	case nil:
		if y == nil {
			return 0
		}
		return 1
	case string:
		if y, ok := y.(string); ok {
			return strings.Compare(x, y)
		}
	case int:
		if y, ok := y.(int); ok {
			return cmp.Compare(x, y)
		}
	case float64:
		if y, ok := y.(float64); ok {
			return cmp.Compare(x, y)
		}
	case near:
		if y, ok := y.(near); ok {
			return cmp.Compare(x.value, y.value)
		}
	case time.Time:
		if y, ok := y.(time.Time); ok {
			return x.Compare(y)
		}
	}
	if y == nil {
		return -1
	}
	panic(fmt.Sprintf("%T and %T in one column", x, y))
}

// same tells whether a cell reads like the oracle's.
func same(want any, have string) bool {
	number, err := strconv.ParseFloat(have, 64)
	switch want := want.(type) {
	case anything:
		return true
	case nil:
		return have == ""
	case float64:
		return err == nil && number == want
	case near:
		return err == nil && math.Abs(number-want.value) <= want.bound
	case time.Time:
		return have == want.UTC().Format("2006-01-02 15:04:05.000")
	default:
		return have == fmt.Sprint(want)
	}
}

// maxDifferences are shown of an answer.
const maxDifferences = 5

func (a *answer) compare(t *testing.T, what string, have *ask.Answer) {
	t.Helper()
	var columns []string
	for _, c := range have.Columns {
		columns = append(columns, c.Name)
	}
	if shown := slices.DeleteFunc(slices.Clone(a.columns), func(c string) bool { return strings.HasPrefix(c, "_") }); !slices.Equal(shown, columns) {
		t.Errorf("%s: columns %v, want %v", what, columns, shown)
		return
	}
	if len(have.Rows) != len(a.rows) {
		t.Errorf("%s: %d rows, want %d", what, len(have.Rows), len(a.rows))
	}
	differences := 0
	for n := range min(len(have.Rows), len(a.rows)) {
		for i, column := range columns {
			if want := a.rows[n][slices.Index(a.columns, column)]; !same(want, have.Rows[n][i]) {
				if differences++; differences <= maxDifferences {
					t.Errorf("%s: row %d: %s is %q, want %v (%v)", what, n, column, have.Rows[n][i], want, a.rows[n])
				}
			}
		}
	}
}

// opt is a fact's cell.
func opt[T any](p *T) any {
	if p == nil {
		return nil
	}
	switch v := any(*p).(type) {
	case int64:
		return int(v)
	case int32:
		return int(v)
	default:
		return v
	}
}

// or is a text, or another where there is none.
func or(p *string, instead string) string {
	if p == nil {
		return instead
	}
	return *p
}

// said is an annotation's cell; said and empty is as if it was missing.
func (c *crash) said(name string) any {
	if c.public[name] == "" {
		return nil
	}
	return c.public[name]
}

// size is the cell of an annotation that is a number.
func (c *crash) size(name string) any {
	n, err := strconv.Atoi(c.public[name])
	if err != nil {
		return nil
	}
	return n
}

func is[T comparable](p *T, value T) bool { return p != nil && *p == value }

// group is crashes by what they have in common.
func group[K comparable](all []*crash, key func(c *crash) K) map[K][]*crash {
	out := map[K][]*crash{}
	for _, c := range all {
		out[key(c)] = append(out[key(c)], c)
	}
	return out
}

func bySignature(all []*crash) map[string][]*crash {
	return group(all, func(c *crash) string { return c.Signature })
}

// only are the crashes of which something is true.
func only(all []*crash, is func(c *crash) bool) (out []*crash) {
	for _, c := range all {
		if is(c) {
			out = append(out, c)
		}
	}
	return out
}

func count(all []*crash, is func(c *crash) bool) int { return len(only(all, is)) }

// of are the crashes of a signature; of all where it is empty.
func of(all []*crash, signature string) []*crash {
	return only(all, func(c *crash) bool { return signature == "" || c.Signature == signature })
}

// distinct values; nil is none.
func distinct(all []*crash, value func(c *crash) any) int {
	values := map[any]bool{}
	for _, c := range all {
		values[value(c)] = true
	}
	delete(values, nil)
	return len(values)
}

// installs are told apart by when they were installed.
func installs(all []*crash) int {
	return distinct(all, func(c *crash) any { return opt(c.facts.InstallTime) })
}

// perInstall is how often each of them crashed; NULL for none.
func perInstall(all []*crash) any {
	if installs(all) == 0 {
		return nil
	}
	return round(float64(count(all, func(c *crash) bool { return c.facts.InstallTime != nil }))/float64(installs(all)), 2)
}

// estimated is how many there were, where the door keeps only a share of them.
func estimated(all []*crash) float64 { return math.RoundToEven(weight(all)) }

// weight is how many crashes there were for those that were kept.
func weight(all []*crash) (n float64) {
	for _, c := range all {
		n += 1 / c.ThrottleRate
	}
	return n
}

// weighed is the percentage of the crashes that there were.
func weighed(part, whole []*crash) float64 {
	if len(whole) == 0 {
		return 0
	}
	return 100 * weight(part) / weight(whole)
}

// median is the middle one, the upper one of two; NULL for none.
func median(all []*crash, value func(c *crash) any) any {
	var numbers []int
	for _, c := range all {
		if n, ok := value(c).(int); ok {
			numbers = append(numbers, n)
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	slices.Sort(numbers)
	return numbers[len(numbers)/2]
}

// percent is a share.
func percent(part, whole int) float64 { return 100 * float64(part) / float64(whole) }

// round is to decimals, half to even, as ClickHouse does.
func round(x float64, decimals int) float64 {
	scale := math.Pow10(decimals)
	return math.RoundToEven(x*scale) / scale
}

func least(all []*crash, value func(c *crash) string) string {
	if len(all) == 0 {
		return ""
	}
	return value(slices.MinFunc(all, func(a, b *crash) int { return strings.Compare(value(a), value(b)) }))
}

func greatest(all []*crash, value func(c *crash) string) string {
	return value(slices.MaxFunc(all, func(a, b *crash) int { return strings.Compare(value(a), value(b)) }))
}

func build(c *crash) string { return c.BuildID }

// firstBuild is the lowest that is known; empty for none.
func firstBuild(all []*crash) string {
	return least(only(all, func(c *crash) bool { return c.BuildID != "" }), build)
}

// ranks are places by a number, highest first; names decide ties.
func ranks(of map[string]float64) map[string]int {
	names := slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(cmp.Compare(of[b], of[a]), strings.Compare(a, b)) })
	out := map[string]int{}
	for i, name := range names {
		out[name] = i + 1
	}
	return out
}
