package web

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"aftershock/ask"
	"aftershock/replay"
	"aftershock/sinks/clickhouse"
)

// signatureParts are what a signature's page has beside questions.
type signatureParts struct {
	// Begin is the crash to begin with: all its modules have symbols, as far as there is such.
	Begin   string
	Lineage []string
	Heirs   []link
	From    []link
	Trend   *chart
	Tree    []node
	// History is every step of a promotion that led to the signature or away from it. The tab of
	// that name shows it, with Epochs: what each made visible.
	History []step
	Epochs  []epoch
	Fields  []distribution
	// Saves: the viewer can put the signature into lists, which they have of these names.
	Saves     bool
	Lists     []string
	Signature string
}

// step is what one promotion made of a signature.
type step struct {
	Epoch            int64
	FromVersion, To  int32
	Old, New         string
	OldLink, NewLink string
	Crashes          int64
	Share            string
}

// epoch is what was visible since a promotion or a rollback.
type epoch struct{ Epoch, Versions, Begins string }

// distribution is how crashes are spread over the values of a field.
type distribution struct {
	Field string
	Rows  []share
}

type share struct {
	Value, Crashes, Percent, Link, Without string
	Bar                                    int
}

// lineageLimits bound what a page asks about lineage.
var lineageLimits = clickhouse.Limits{MemoryBytes: 512 << 20, Time: 5 * time.Second}

// signature asks for a signature's parts that the tab shows. A twin has its answers alone.
func (h *Handler) signature(r *http.Request, f filter, b *body, tab, twin string) error {
	signature := b.Subject
	values, err := h.pageValues(f, signature)
	if err != nil {
		return err
	}
	var l *replay.Lineage
	var before *answered
	var names errgroup.Group
	if twin == "" && (tab == "" || tab == "history") {
		names.Go(func() (err error) {
			l, err = replay.FollowLineage(r.Context(), h.o.DB, lineageLimits, signature)
			return err
		})
	}
	if tab == "" {
		names.Go(func() (err error) {
			before, err = h.inherited(r, signature, f)
			return err
		})
	}
	if err := names.Wait(); err != nil {
		return err
	}
	if before != nil {
		at := 1 + slices.IndexFunc(b.Sections, func(s answered) bool { return s.Query.Name == "bugs" })
		b.Sections = slices.Insert(b.Sections, at, *before)
	}
	if twin != "" {
		return nil
	}
	p := &signatureParts{Signature: signature}
	b.Parts = p
	if h.saver(r) != nil && tab == "" {
		p.Saves = true
		for _, l := range h.listsOf(r, nil) {
			p.Lists = append(p.Lists, l.Name)
		}
	}
	var wanted []func() error
	switch tab {
	case "":
		wanted = []func() error{
			func() error { return h.beginWith(r, p, values, f) },
			func() error { return h.lineage(r, p, l, values, f, signature) },
		}
	case "history":
		wanted = []func() error{
			func() error { return h.lineage(r, p, l, values, f, signature) },
			func() error { return h.epochs(r, p) },
		}
	case "stacks":
		wanted = []func() error{func() error { return h.tree(r, p, values, f) }}
	case "distributions":
		wanted = []func() error{func() error { return h.distributions(r, p, values, f, signature) }}
	default:
		return nil
	}
	var all errgroup.Group
	for _, part := range wanted {
		all.Go(part)
	}
	return all.Wait()
}

func (h *Handler) beginWith(r *http.Request, p *signatureParts, values map[string]string, f filter) error {
	given := maps.Clone(values)
	given["crash_id"], given["received"] = "", "1970-01-01 00:00:00"
	a, err := ask.Neighbours.Ask(r.Context(), h.o.DB, given)
	if err != nil || len(a.Rows) == 0 || a.Rows[0][0] == "0" {
		return err
	}
	p.Begin = "/crash/" + a.Rows[0][6] + f.query()
	return nil
}

// lineage follows a signature through promotions, and draws all its names as one.
func (h *Handler) lineage(r *http.Request, p *signatureParts, l *replay.Lineage, values map[string]string, f filter, signature string) error {
	names := []string{signature}
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	to := func(name string) string { return "/signature" + f.query("signature", name) }
	for _, s := range slices.Concat(l.CameFrom, l.Became) {
		p.History = append(p.History, step{s.Epoch, s.FromVersion, s.ToVersion, s.Old, s.New, to(s.Old), to(s.New), s.Crashes, percent(s.Share)})
	}
	var cameBack int64 // the last epoch in which crashes came to this name
	for _, s := range l.CameFrom {
		if s.New == signature && s.Old != signature {
			cameBack = max(cameBack, s.Epoch)
			p.Lineage = append(p.Lineage, fmt.Sprintf("Was %s until version %d (epoch %d): %s of its %d crashes came here.", s.Old, s.ToVersion, s.Epoch, percent(s.Share), crashesOf(s)))
			p.From = append(p.From, link{to(s.Old), s.Old})
		}
		if s.Majority && slices.Contains(names, s.New) { // the last promotion first
			add(s.Old)
		}
	}
	for _, s := range l.Became {
		if s.Old == signature && s.New != signature {
			p.Lineage = append(p.Lineage, fmt.Sprintf("Became %s with version %d (epoch %d): %s of its crashes, %d.", s.New, s.ToVersion, s.Epoch, percent(s.Share), s.Crashes))
		}
		if s.Old == signature && s.New != signature && s.Majority && s.Epoch > cameBack {
			p.Heirs = append(p.Heirs, link{to(s.New), fmt.Sprintf("%s (%d crashes)", s.New, s.Crashes)})
		}
		if s.Majority && slices.Contains(names, s.Old) { // the first promotion first
			add(s.New)
		}
	}
	if l.Cut {
		p.Lineage = append(p.Lineage, "There are more names than are followed; those of few crashes are left out.")
	}
	if len(names) == 1 {
		return nil // the days of the signature alone are on the page
	}
	given := maps.Clone(values)
	given["signatures"] = ask.List(names)
	a, err := ask.Trend.Ask(r.Context(), h.o.DB, given)
	if err != nil {
		return err
	}
	p.Trend = chartOf(trendQuery, a)
	return nil
}

// epochs are what each promotion and rollback has made visible.
func (h *Handler) epochs(r *http.Request, p *signatureParts) error {
	a, err := ask.Promotions.Ask(r.Context(), h.o.DB, nil)
	if err != nil {
		return err
	}
	for _, row := range a.Rows {
		p.Epochs = append(p.Epochs, epoch{row[0], row[1], row[2]})
	}
	return nil
}

// trendQuery says how the answer of ask.Trend is drawn.
var trendQuery = ask.Query{Chart: ask.Chart{Kind: ask.Line, Label: "day", Value: "crashes"}}

// crashesOf is how many crashes had the old signature.
func crashesOf(s replay.Step) int64 {
	if s.Share <= 0 {
		return s.Crashes
	}
	return int64(float64(s.Crashes)/s.Share + 0.5)
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) + " %" }

// distributions asks how the crashes are spread; a value leads to the search for its crashes.
func (h *Handler) distributions(r *http.Request, p *signatureParts, values map[string]string, f filter, signature string) error {
	a, err := ask.Distributions.Ask(r.Context(), h.o.DB, values)
	if err != nil {
		return err
	}
	for _, row := range a.Rows {
		if n := len(p.Fields); n == 0 || p.Fields[n-1].Field != row[0] {
			p.Fields = append(p.Fields, distribution{Field: row[0]})
		}
		of, _ := strconv.ParseFloat(row[3], 64) // the server's own number
		d := &p.Fields[len(p.Fields)-1]
		searchOf := func(sign string) string {
			return searchLink(f.search(url.Values{"signature": {"=" + signature}, row[0]: {sign + row[1]}}, f.since()))
		}
		d.Rows = append(d.Rows, share{Value: row[1], Crashes: row[2], Percent: row[3], Bar: int(of / 100 * barWidth), Link: searchOf("="), Without: searchOf("!=")})
	}
	return nil
}

// node is a frame of the tree of stacks, with what called it below.
type node struct {
	Name    string
	Crashes int
	Percent int
	Ends    int    // of the crashes, those whose stack ends here, or goes on below what is asked for
	Example string // one of those
	Below   []node
}

// treeLeast is the share of crashes below which a branch is not shown for itself, in percent.
const treeLeast = 1

// tree asks for the stacks, and joins those that begin alike.
func (h *Handler) tree(r *http.Request, p *signatureParts, values map[string]string, f filter) error {
	a, err := ask.Stacks(r.Context(), h.o.DB, values)
	if err != nil {
		return err
	}
	p.Tree = treeOf(a, func(id string) string { return "/crash/" + id + f.query() })
	return nil
}

// treeOf joins stacks that begin alike. What no branch has, it says.
func treeOf(stacks []ask.Stack, link func(id string) string) []node {
	if len(stacks) == 0 {
		return nil
	}
	var root node
	shown := 0
	for _, s := range stacks {
		shown += s.Crashes
		if len(s.Path) == 0 {
			s.Path = []string{"(no stack)"}
		}
		root.add(s.Path, s.Crashes, link(s.Example))
	}
	total := stacks[0].All
	root.settle(total)
	if rest := total - shown; rest > 0 {
		root.Below = append(root.Below, node{Name: "(stacks that are too many to be shown)", Crashes: rest, Percent: (100*rest + total/2) / total})
	}
	return root.Below
}

// add puts a stack into the tree.
func (n *node) add(path []string, crashes int, example string) {
	n.Crashes += crashes
	if len(path) == 0 {
		n.Example = example
		n.Ends += crashes
		return
	}
	i := slices.IndexFunc(n.Below, func(b node) bool { return b.Name == path[0] })
	if i < 0 {
		i = len(n.Below)
		n.Below = append(n.Below, node{Name: path[0]})
	}
	n.Below[i].add(path[1:], crashes, example)
}

// settle orders what is below by crashes, and joins what is too little to be shown.
func (n *node) settle(total int) {
	if total > 0 {
		n.Percent = (100*n.Crashes + total/2) / total
	}
	if n.Ends > 0 && len(n.Below) > 0 {
		n.Below = append(n.Below, node{Name: "(the stack ends)", Crashes: n.Ends, Ends: n.Ends, Example: n.Example})
	}
	slices.SortStableFunc(n.Below, func(a, b node) int { return b.Crashes - a.Crashes })
	few := slices.IndexFunc(n.Below, func(b node) bool { return 100*b.Crashes < treeLeast*total })
	if few >= 0 && few < len(n.Below)-1 {
		rest := node{Name: fmt.Sprintf("%d others, each of less than %d %%", len(n.Below)-few, treeLeast)}
		for _, b := range n.Below[few:] {
			rest.Crashes += b.Crashes
		}
		n.Below = append(n.Below[:few], rest)
	}
	for i := range n.Below {
		n.Below[i].settle(total)
	}
}

// Open tells whether a page shows what is below at once.
func (n node) Open() bool { return n.Percent >= 20 }
