package replay

import (
	"fmt"
	"strings"
	"testing"

	"aftershock/signature"
)

func TestPlansWarn(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		of   ProductMoves
		want int
	}{
		"a percent":                  {ProductMoves{"orchard", 1000, 10}, 0},
		"more than a percent":        {ProductMoves{"orchard", 1000, 11}, 1},
		"two crashes say nothing":    {ProductMoves{"orchard", 10, 2}, 0},
		"three do":                   {ProductMoves{"orchard", 10, 3}, 1},
		"nothing moves":              {ProductMoves{"orchard", 1000, 0}, 0},
		"none of them is of anybody": {ProductMoves{}, 0},
	} {
		p := Plan{Products: []ProductMoves{tc.of}}
		if err := (&Operator{}).warn(t.Context(), &p); err != nil || len(p.Warnings) != tc.want {
			t.Errorf("%s: %q, %v", name, p.Warnings, err)
		}
	}
	merged := []signature.Change{
		{Kind: signature.Merged, Signature: "c", Moves: []signature.Move{{From: "a", To: "c"}, {From: "b", To: "c"}, {From: "d", To: "c"}}},
		{Kind: signature.Split, Signature: "a", Moves: []signature.Move{{From: "a", To: "c"}}},
	}
	for name, tc := range map[string]struct {
		bugs map[string][]string
		want string
	}{
		"no bugs":         {nil, ""},
		"one has a bug":   {map[string][]string{"a": {"1"}}, ""},
		"the same bug":    {map[string][]string{"a": {"1"}, "b": {"1"}}, ""},
		"different bugs":  {map[string][]string{"a": {"1"}, "b": {"2", "3"}}, `signatures with different bugs become "c": "a" has 1; "b" has 2, 3`},
		"not all of them": {map[string][]string{"d": {"2"}, "b": {"1"}}, `signatures with different bugs become "c": "b" has 1; "d" has 2`},
	} {
		if got := strings.Join(mergedBugs(merged, tc.bugs), "\n"); got != tc.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestWarningsAndProductsAreBounded(t *testing.T) {
	t.Parallel()
	products := map[string]*ProductMoves{}
	for n := range maxPlanProducts + 2 {
		for range 3 {
			countProduct(products, fmt.Sprint(n), true)
		}
	}
	if got := products[otherProducts]; len(products) != maxPlanProducts+1 || got == nil || got.Sampled != 6 || got.Changed != 6 {
		t.Errorf("%d products, others %v", len(products), got)
	}
	for n, want := range map[int]int{maxWarnings: maxWarnings, maxWarnings + 1: maxWarnings + 1} {
		p := Plan{Products: productMoves(products)[:n]}
		if err := (&Operator{}).warn(t.Context(), &p); err != nil || len(p.Warnings) != want {
			t.Errorf("%d: %d warnings, %v", n, len(p.Warnings), err)
		}
	}
}

// Whatever signatures say stays in its cell.
func TestAPlanAsMarkdown(t *testing.T) {
	t.Parallel()
	p := Plan{Base: 1, Sampled: 10, Changed: 5, Products: []ProductMoves{{"or`ch|ard", 10, 5}}, Warnings: []string{"<b>[x](y)"}}
	for n := range maxMarkdownChanges + 1 {
		p.Changes = append(p.Changes, signature.Change{Kind: signature.Moved, Signature: fmt.Sprintf("a`|b %d\n", n), Crashes: 1, Moves: []signature.Move{{From: "a", To: "z", Crashes: 1, Cause: signature.ListLine{File: "f", Number: 3, Text: "x|y"}, Added: true}, {From: "a", To: "y"}}})
	}
	p.Changes = append(p.Changes, signature.Change{Kind: signature.New, Signature: "not for itself"})
	var b strings.Builder
	if err := p.WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	for _, want := range []string{"**5 of 10**", "50 %", "| moved | `a'\\|b 0\\n` | 1 | → `z` and 1 more | new: `f:3: x\\|y` |\n", "and 1 changes more", "| `or'ch\\|ard` | 10 | 5 (50 %) |", "> ⚠ &lt;b>\\[x](y)"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "not for itself") || strings.Count(out, "| moved |") != maxMarkdownChanges {
		t.Errorf("%s", out)
	}
}
