package replay

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"aftershock/schema"
	"aftershock/signature"
	"aftershock/sinks/clickhouse"
)

// ProductMoves is how many of a product's sampled crashes change their signature.
type ProductMoves struct {
	Product string `json:"product"`
	Sampled int    `json:"sampled"`
	Changed int    `json:"changed"`
}

const (
	// maxPlanProducts are counted each for itself, and the others together: what names a product
	// comes from clients.
	maxPlanProducts = 1000
	// otherProducts is the name of those.
	otherProducts = "(others)"
	// warnShare of a product's crashes may move without a warning, and warnLeast crashes.
	warnShare = 0.01
	warnLeast = 3
	// maxWarnings are told one by one.
	maxWarnings = 50
	// maxBugSignatures are asked for their bugs.
	maxBugSignatures = 1000
)

// productOf is the product that a crash names in public; empty for none.
func productOf(p *schema.ProcessedCrash) string {
	for i := range p.Annotations {
		if a := &p.Annotations[i]; a.Name == "ProductName" && a.Public {
			return a.Value
		}
	}
	return ""
}

func countProduct(products map[string]*ProductMoves, name string, changed bool) {
	p := products[name]
	if p == nil {
		if len(products) >= maxPlanProducts {
			name = otherProducts
		}
		if p = products[name]; p == nil {
			p = &ProductMoves{Product: strings.Clone(name)} // it aliases the event
			products[p.Product] = p
		}
	}
	p.Sampled++
	if changed {
		p.Changed++
	}
}

func productMoves(products map[string]*ProductMoves) (out []ProductMoves) {
	for _, p := range products {
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b ProductMoves) int {
		return cmp.Or(cmp.Compare(b.Sampled, a.Sampled), cmp.Compare(a.Product, b.Product))
	})
	return out
}

// warn tells what somebody should look at: much of a product moves, or signatures become one
// that have different bugs.
func (o *Operator) warn(ctx context.Context, p *Plan) error {
	for _, m := range p.Products {
		if m.Changed >= warnLeast && share(int64(m.Changed), int64(m.Sampled)) > warnShare {
			p.Warnings = append(p.Warnings, fmt.Sprintf("%s of %s's crashes move: %d of %d", percent(share(int64(m.Changed), int64(m.Sampled))), quoted(m.Product), m.Changed, m.Sampled))
		}
	}
	bugs, err := o.bugs(ctx, p)
	if err != nil {
		return err
	}
	p.Warnings = append(p.Warnings, mergedBugs(p.Changes, bugs)...)
	if more := len(p.Warnings) - maxWarnings; more > 0 {
		p.Warnings = append(p.Warnings[:maxWarnings], fmt.Sprintf("and %d warnings more", more))
	}
	return nil
}

// mergedBugs warns of signatures that become one and have different bugs.
func mergedBugs(changes []signature.Change, bugs map[string][]string) (out []string) {
	for i := range changes {
		c := &changes[i]
		if c.Kind != signature.Merged {
			continue
		}
		of := map[string]string{} // a signature, by the bugs that it has
		for _, m := range c.Moves {
			if b := bugs[m.From]; len(b) > 0 {
				of[strings.Join(b, ", ")] = m.From
			}
		}
		if len(of) < 2 {
			continue
		}
		var each []string
		for _, b := range slices.Sorted(maps.Keys(of)) {
			each = append(each, quoted(of[b])+" has "+b)
		}
		out = append(out, fmt.Sprintf("signatures with different bugs become %s: %s", quoted(c.Signature), strings.Join(each, "; ")))
	}
	return out
}

// bugs are those of the signatures that become one with others, sorted, by signature. Without
// tables there are none.
func (o *Operator) bugs(ctx context.Context, p *Plan) (map[string][]string, error) {
	var names []string
	for i := range p.Changes {
		if p.Changes[i].Kind != signature.Merged {
			continue
		}
		for _, m := range p.Changes[i].Moves {
			names = append(names, m.From)
		}
	}
	if o.DB == nil || len(names) == 0 {
		return nil, nil //nolint:nilnil // see above
	}
	rows, err := o.DB.Query(ctx, clickhouse.Limits{}, "SELECT DISTINCT signature, bug FROM aftershock.bugs WHERE signature IN (?) ORDER BY signature, bug", names[:min(maxBugSignatures, len(names))])
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	out := map[string][]string{}
	for rows.Next() {
		var signature, bug string
		if err := rows.Scan(&signature, &bug); err != nil {
			return nil, err
		}
		out[signature] = append(out[signature], bug)
	}
	return out, rows.Err()
}
