package ask_test

import (
	"cmp"
	"fmt"
	"html"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"aftershock/ask"
	"aftershock/schema"
)

// descend makes the lineage of a promotion out of the crashes themselves: what became of each
// signature that is another one now, and of those that others became.
func (o *oracle) descend(promoted []*schema.ProcessedCrash) {
	epoch := o.epoch + 1
	crashes, first := map[[2]string]int{}, map[string]time.Time{}
	concerned := map[string]bool{}
	for _, p := range promoted {
		old := o.versions[o.active][p.CrashID]
		crashes[[2]string{old.Signature, p.Signature}]++
		if old.Signature != p.Signature {
			concerned[old.Signature], concerned[p.Signature] = true, true
		}
		if at, ok := first[old.Signature]; !ok || old.ReceivedAt.Before(at) {
			first[old.Signature] = old.ReceivedAt
		}
	}
	most := map[string][2]string{}
	pairs := slices.SortedFunc(maps.Keys(crashes), func(a, b [2]string) int {
		return cmp.Or(crashes[b]-crashes[a], cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	})
	for _, pair := range pairs {
		if _, ok := most[pair[0]]; !ok {
			most[pair[0]] = pair
		}
	}
	for _, pair := range pairs {
		if concerned[pair[0]] {
			o.lineage = append(o.lineage, descent{epoch, pair[0], pair[1], most[pair[0]] == pair, first[pair[0]], crashes[pair]})
		}
	}
	o.lineage = append(o.lineage, descent{epoch + 7, pairs[0][0], "not yet", true, first[pairs[0][0]], 5}) // which does not count
}

// names are those that a signature's crashes go by, as far as promotions are seen: it, what most of
// which became it, and what most of it became.
func (o *oracle) names(signature string) []string {
	names := map[string]bool{signature: true}
	for _, d := range o.lineage {
		if d.epoch <= o.epoch && d.majority && (d.new == signature || d.old == signature) {
			names[d.old], names[d.new] = true, true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

var (
	lineageLines = regexp.MustCompile(`(?s)<ul class="lineage">(.*?)</ul>`)
	listItems    = regexp.MustCompile(`(?s)<li>(.*?)</li>`)
	trendOf      = regexp.MustCompile(`(?s)<h3>Crashes a day, of all its names</h3>(.*?)</figure>`)
	trendBars    = regexp.MustCompile(`height="([0-9]+)"><title>([^<]*)</title>`)
	treeOf       = regexp.MustCompile(`(?s)<ul class="tree">(.*?)</section>`)
	treeParts    = regexp.MustCompile(`<ul>|</ul>|<b>([0-9]+) %</b> ([^<]*?) ?(?:<span class="beside">([0-9]+)</span></summary>|<a href="[^"]*">([0-9]+)<span|([0-9]+)</li>)`)
)

// compareLineage compares what a signature's page says of promotions, and the bars of all its names.
// It returns how many shares and bars it has compared, and how many names have crashes.
func (o *oracle) compareLineage(t *testing.T, p pages, signature string) (shares, bars, names int) {
	t.Helper()
	at := "/signature?" + url.Values{"signature": {signature}, "from": {"28d"}}.Encode()
	page := p.get(at)
	var want []string
	history := newAnswer("Epoch Versions Was Is Crashes Of_what_it_was")
	for _, d := range o.lineage {
		if d.epoch > o.epoch || d.old != signature && d.new != signature {
			continue
		}
		all := 0
		for _, other := range o.lineage {
			if other.epoch == d.epoch && other.old == d.old {
				all += other.crashes
			}
		}
		share := fmt.Sprintf("%.1f %%", 100*float64(d.crashes)/float64(all))
		if d.new == signature {
			history.add(int(d.epoch), "1 → 2", d.old, d.new, d.crashes, share)
		}
		if d.old == signature {
			history.add(int(d.epoch), "1 → 2", d.old, d.new, d.crashes, share)
		}
		switch {
		case d.old == d.new:
		case d.new == signature:
			want = append(want, fmt.Sprintf("Was %s until version 2 (epoch %d): %s of its %d crashes came here.", d.old, d.epoch, share, all))
		default:
			want = append(want, fmt.Sprintf("Became %s with version 2 (epoch %d): %s of its crashes, %d.", d.new, d.epoch, share, d.crashes))
		}
	}
	var have []string
	if m := lineageLines.FindStringSubmatch(page); m != nil {
		for _, item := range listItems.FindAllStringSubmatch(m[1], -1) {
			have = append(have, plain(item[1]))
		}
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) {
		t.Errorf("%s: %q, want %q", at, have, want)
	}
	told := p.get(at + "&tab=history")
	if len(history.rows) == 0 {
		if !strings.Contains(told, "No promotion has changed it") {
			t.Errorf("%s: a history of nothing", at)
		}
	} else {
		table := tableUnder(t, told, "What promotions made of it")
		for i := range table.Columns {
			table.Columns[i].Name = strings.ReplaceAll(table.Columns[i].Name, " ", "_")
		}
		slices.SortFunc(history.rows, func(a, b []any) int { return strings.Compare(fmt.Sprint(a...), fmt.Sprint(b...)) })
		byText := func(a, b []string) int { return strings.Compare(strings.Join(a, ""), strings.Join(b, "")) }
		slices.SortFunc(table.Rows, byText)
		history.compare(t, at+" history", table)
	}
	bars, names = o.compareTrend(t, at, page, signature)
	return len(want), bars, names
}

// compareTrend compares the bars of all names of a signature; there are none where it has but one.
func (o *oracle) compareTrend(t *testing.T, at, page, signature string) (bars, names int) {
	t.Helper()
	q, _ := ask.Find("days")
	all := o.names(signature)
	days, seen := map[string]int{}, map[string]bool{}
	for _, c := range o.during(asked{q, map[string]string{}}, now.AddDate(0, 0, -28), now) {
		if len(all) > 1 && slices.Contains(all, c.Signature) {
			days[c.day]++
			seen[c.Signature] = true
		}
	}
	if len(days) < 2 {
		clear(days) // which is no picture
	}
	most := 0
	for _, n := range days {
		most = max(most, n)
	}
	var want, have []string
	for day, n := range days {
		want = append(want, fmt.Sprintf("%s: %d, %d high", day, n, 120*n/most))
	}
	if m := trendOf.FindStringSubmatch(page); m != nil {
		for _, bar := range trendBars.FindAllStringSubmatch(m[1], -1) {
			have = append(have, bar[2]+", "+bar[1]+" high")
		}
	}
	slices.Sort(want)
	if !slices.Equal(want, have) {
		t.Errorf("%s: bars %q, want %q", at, have, want)
	}
	return len(want), len(seen)
}

// branch is a frame of the tree as somebody reads it.
type branch struct {
	path    []string
	percent string
	crashes int
	below   int // crashes of what is shown below; -1 for nothing
}

// branches reads a page's tree.
func branches(t *testing.T, page string) (all []*branch) {
	t.Helper()
	m := treeOf.FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no tree on %.1500s", page)
	}
	root := &branch{below: -1}
	open, last := []*branch{root}, root
	for _, part := range treeParts.FindAllStringSubmatch(m[1], -1) {
		switch part[0] {
		case "<ul>":
			open = append(open, last)
		case "</ul>":
			open = open[:len(open)-1]
		default:
			above := open[len(open)-1]
			crashes, _ := strconv.Atoi(part[3] + part[4] + part[5])
			last = &branch{append(slices.Clone(above.path), html.UnescapeString(part[2])), part[1], crashes, -1}
			above.below = max(above.below, 0) + crashes
			all = append(all, last)
		}
		if len(open) == 0 { // that of the tree itself
			break
		}
	}
	return append(all, root)
}

// compareTree compares the tree of a signature's stacks: each frame has the crashes whose stacks begin
// so, and what is below a frame has all of them. It returns how many frames it has.
func (o *oracle) compareTree(t *testing.T, p pages, signature string) (frames int) {
	t.Helper()
	for _, os := range []string{"", "Windows NT"} {
		q, _ := ask.Find("days")
		some := of(o.during(asked{q, map[string]string{"os": os}}, now.AddDate(0, 0, -28), now), signature)
		if len(some) == 0 {
			continue
		}
		at := "/signature?" + url.Values{"signature": {signature}, "from": {"28d"}, "tab": {"stacks"}, "os": {os}}.Encode()
		begin, whole := map[string]int{}, map[string]int{}
		for _, c := range some {
			path := strings.Split(c.ProtoSignature, " | ")
			if c.ProtoSignature == "" {
				path = []string{"(no stack)"}
			}
			path = path[:min(len(path), 12)]
			for i := range path {
				begin[fmt.Sprintf("%q", path[:i+1])]++
			}
			whole[fmt.Sprintf("%q", path)]++
		}
		for _, b := range branches(t, p.get(at)) {
			if b.path == nil {
				b.crashes = len(some)
			}
			if b.below >= 0 && b.below != b.crashes {
				t.Errorf("%s: %q has %d crashes, and %d below it", at, b.path, b.crashes, b.below)
			}
			if b.path == nil {
				continue
			}
			if want := fmt.Sprint((100*b.crashes + len(some)/2) / len(some)); b.percent != want {
				t.Errorf("%s: %q is %s %% of %d, want %s", at, b.path, b.percent, len(some), want)
			}
			want, name := begin[fmt.Sprintf("%q", b.path)], b.path[len(b.path)-1]
			switch {
			case strings.HasSuffix(name, " others, each of less than 1 %"): // by what is above
				continue
			case name == "(the stack ends)":
				want = whole[fmt.Sprintf("%q", b.path[:len(b.path)-1])]
			}
			if frames++; b.crashes != want {
				t.Errorf("%s: %q has %d crashes, want %d", at, b.path, b.crashes, want)
			}
		}
	}
	return frames
}
