package replay

import (
	"fmt"
	"io"
	"text/tabwriter"

	"aftershock/signature"
	"aftershock/sinks/clickhouse"
)

// WriteText writes the diff for people.
func (d *Diff) WriteText(w io.Writer) error {
	p := printer{w: w, what: d.What()}
	p.line("%s, %s (%s)\n", d.Title(), d.Range(), d.Differences())
	for i := range d.Changes {
		p.change(&d.Changes[i].Change, d.Changes[i].OtherMoves)
	}
	if d.OtherChanges > 0 {
		p.line("and %d changes more (--limit)", d.OtherChanges)
	}
	if len(d.Pairs) > 0 {
		p.line("\n%7s  of its old  pair", p.what)
	}
	for i := range d.Pairs {
		p.pair(&d.Pairs[i])
	}
	if d.Others.Pairs > 0 {
		p.line("%7d            %d pairs more (--limit)", d.Others.Crashes, d.Others.Pairs)
	}
	if d.Folded.Pairs > 0 {
		p.line("%7d            in pairs that are too many to be told apart: the totals count them, and what is listed is at least", d.Folded.Crashes)
	}
	p.line("")
	p.totals(d)
	return p.err
}

// WriteChange writes a change of crashes for people, as WriteText does.
func WriteChange(w io.Writer, c *signature.Change) error {
	p := printer{w: w, what: clickhouse.Reports.View}
	p.change(c, 0)
	return p.err
}

// WriteChanges writes what the ruleset would change for people, as WriteText does.
func (p *Plan) WriteChanges(w io.Writer) error {
	out := printer{w: w, what: p.What()}
	for i := range p.Changes {
		out.change(&p.Changes[i], 0)
	}
	return out.err
}

// printer keeps the first error.
type printer struct {
	w    io.Writer
	what string // is counted
	err  error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *printer) change(c *signature.Change, otherMoves int) {
	p.line("%s %s: %d %s", c.Kind, quoted(c.Signature), c.Crashes, p.what)
	if c.Kind == signature.New || c.Kind == signature.Vanished {
		return // its moves stand with what moved, was split or merged
	}
	for _, m := range c.Moves {
		arrow, other := "to", m.To
		if c.Kind == signature.Merged {
			arrow, other = "from", m.From
		}
		p.line("  %7d %s %s%s", m.Crashes, arrow, quoted(other), because(m))
	}
	if otherMoves > 0 {
		p.line("          and %d signatures more", otherMoves)
	}
}

func (p *printer) pair(pair *Pair) {
	p.line("%7d  %9s  %s\n                   → %s", pair.Crashes, percent(pair.ShareOfFrom), quoted(pair.From), quoted(pair.To))
	for _, c := range pair.Causes {
		p.line("                     %d: %v", c.Crashes, c)
	}
	for _, e := range pair.Examples {
		why := ""
		if e.Why != "" {
			why = ": " + e.Why
		}
		p.line("                     %s%s", e.CrashID, why)
		if e.Line != (signature.ListLine{}) {
			p.line("                       %s %s", addedText(e.Added), shown(e.Line.String()))
		}
	}
}

func addedText(added bool) string {
	if added {
		return "new:"
	}
	return "no longer:"
}

func (p *printer) totals(d *Diff) {
	t := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', tabwriter.AlignRight)
	inner := printer{w: t, err: p.err}
	a, b := fmt.Sprint("v", d.A.SignatureVersion), fmt.Sprint("v", d.B.SignatureVersion)
	if d.Revisions {
		a, b = "the revisions before", "the newest"
	}
	inner.line("in both\t%d\t", d.Totals.Both)
	inner.line("only in %s\t%d\t", a, d.Totals.OnlyA)
	inner.line("only in %s\t%d\t", b, d.Totals.OnlyB)
	inner.line("signatures of %s\t%d\t", a, d.Totals.SignaturesA)
	inner.line("signatures of %s\t%d\t", b, d.Totals.SignaturesB)
	for _, c := range d.Causes {
		inner.line("moved because of %v\t%d\t", c, c.Crashes)
	}
	if p.err = inner.err; p.err == nil {
		p.err = t.Flush()
	}
	p.line("%d of %d %s change their signature (%s)", d.Totals.Moved, d.Totals.Both, p.what, percent(share(d.Totals.Moved, d.Totals.Both)))
}
