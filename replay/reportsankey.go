package replay

import "fmt"

// Sizes of the chart, in its own units.
const (
	maxSankeyPairs = 16
	sankeyWidth    = 1000
	sankeyHeight   = 420 // of all bands together
	sankeyGap      = 12  // between signatures
	sankeyLeft     = 330 // right edge of the old signatures' bars
	sankeyRight    = 670 // left edge of the new ones'
	sankeyBar      = 10
	minBand        = 1.5 // a band that can be seen
	maxLabelRunes  = 44
)

// Sankey is a chart of the largest pairs: old signatures on the left, new ones on
// the right, bands as wide as their crashes.
type Sankey struct {
	Width, Height float64
	Nodes         []sankeyNode
	Bands         []sankeyBand
}

type sankeyNode struct {
	X, Y, Height  float64
	LabelX        float64
	Anchor, Label string
	Title         string
	Crashes       int64
}

type sankeyBand struct {
	Path  string // numbers only
	Hue   int
	Title string
}

// Bar is the width of a signature's bar.
func (sankeyNode) Bar() float64 { return sankeyBar }

// Middle is where its label stands.
func (n sankeyNode) Middle() float64 { return n.Y + n.Height/2 + 4 }

// column is the signatures of one side, from above.
type column struct {
	order   []string
	crashes map[string]int64
	height  map[string]float64
	top     map[string]float64 // where the next band begins
}

func (c *column) add(name string, crashes int64, height float64) {
	if _, ok := c.crashes[name]; !ok {
		c.order = append(c.order, name)
	}
	c.crashes[name] += crashes
	c.height[name] += height
}

// place stacks the bars, and returns where the last one ends.
func (c *column) place() float64 {
	y := 0.
	for _, name := range c.order {
		c.top[name] = y
		y += c.height[name] + sankeyGap
	}
	return y
}

func newColumn() *column {
	return &column{crashes: map[string]int64{}, height: map[string]float64{}, top: map[string]float64{}}
}

// Sankey draws the pairs; nil when there are none.
func (d *Diff) Sankey() *Sankey { return newSankey(d.Pairs, d.What()) }

// MovedShare is which part of the crashes that both have moved.
func (d *Diff) MovedShare() float64 { return share(d.Totals.Moved, d.Totals.Both) }

// newSankey draws the pairs of what is compared, which are ordered; nil when there are none.
func newSankey(pairs []Pair, what string) *Sankey {
	pairs = pairs[:min(maxSankeyPairs, len(pairs))]
	if len(pairs) == 0 {
		return nil
	}
	var all int64
	for i := range pairs {
		all += pairs[i].Crashes
	}
	width := func(p *Pair) float64 { return max(minBand, sankeyHeight*share(p.Crashes, all)) }
	left, right := newColumn(), newColumn()
	for i := range pairs {
		p := &pairs[i]
		left.add(p.From, p.Crashes, width(p))
		right.add(p.To, p.Crashes, width(p))
	}
	s := &Sankey{Width: sankeyWidth, Height: max(left.place(), right.place()) + sankeyGap}
	hue := map[string]int{}
	for i, name := range left.order {
		hue[name] = (210 + 47*i) % 360
	}
	s.nodes(left, sankeyLeft-sankeyBar, sankeyLeft-sankeyBar-8, "end")
	s.nodes(right, sankeyRight, sankeyRight+sankeyBar+8, "start")
	const middle = (sankeyLeft + sankeyRight) / 2
	for i := range pairs {
		p := &pairs[i]
		h, from, to := width(p), left.top[p.From], right.top[p.To]
		left.top[p.From] += h
		right.top[p.To] += h
		s.Bands = append(s.Bands, sankeyBand{
			Path: fmt.Sprintf("M%d %.1fC%d %.1f %d %.1f %d %.1fV%.1fC%d %.1f %d %.1f %d %.1fZ",
				sankeyLeft, from, middle, from, middle, to, sankeyRight, to, to+h, middle, to+h, middle, from+h, sankeyLeft, from+h),
			Hue:   hue[p.From],
			Title: fmt.Sprintf("%d %s: %s → %s", p.Crashes, what, shown(p.From), shown(p.To)),
		})
	}
	return s
}

func (s *Sankey) nodes(c *column, x, labelX float64, anchor string) {
	for _, name := range c.order {
		s.Nodes = append(s.Nodes, sankeyNode{
			X: x, Y: c.top[name], Height: c.height[name], LabelX: labelX, Anchor: anchor,
			Label: label(name), Title: shown(name), Crashes: c.crashes[name],
		})
	}
}

// label is a signature in short: the ends of those that were split tell them apart.
func label(name string) string {
	text := []rune(shown(name))
	if len(text) <= maxLabelRunes {
		return string(text)
	}
	const head = maxLabelRunes / 2
	return string(text[:head]) + "…" + string(text[len(text)-(maxLabelRunes-head-1):])
}
