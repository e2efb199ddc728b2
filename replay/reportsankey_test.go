package replay

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A chart is exact to the last coordinate: bars beside each other with gaps between, bands
// from one to the other, a colour for each old signature.
func TestAChartOfTwoPairs(t *testing.T) {
	got := newSankey([]Pair{{From: "a", To: "x", Crashes: 300}, {From: "a", To: "y\x1b", Crashes: 100}}, "crashes")
	want := &Sankey{
		Width: 1000, Height: 456,
		Nodes: []sankeyNode{
			{X: 320, Y: 0, Height: 420, LabelX: 312, Anchor: "end", Label: "a", Title: "a", Crashes: 400},
			{X: 670, Y: 0, Height: 315, LabelX: 688, Anchor: "start", Label: "x", Title: "x", Crashes: 300},
			{X: 670, Y: 327, Height: 105, LabelX: 688, Anchor: "start", Label: `y\x1b`, Title: `y\x1b`, Crashes: 100},
		},
		Bands: []sankeyBand{
			{"M330 0.0C500 0.0 500 0.0 670 0.0V315.0C500 315.0 500 315.0 330 315.0Z", 210, "300 crashes: a → x"},
			{"M330 315.0C500 315.0 500 327.0 670 327.0V432.0C500 432.0 500 420.0 330 420.0Z", 210, `100 crashes: a → y\x1b`},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if n := got.Nodes[2]; n.Bar() != 10 || n.Middle() != 383.5 {
		t.Errorf("a bar of %v with its label at %v", n.Bar(), n.Middle())
	}
	many := make([]Pair, 17)
	for i := range many {
		many[i] = Pair{From: "a", To: strings.Repeat("x", 40+i), Crashes: 1}
	}
	if s := newSankey(many, "crashes"); len(s.Bands) != 16 || s.Nodes[5].Label != strings.Repeat("x", 44) || s.Nodes[6].Label != strings.Repeat("x", 22)+"…"+strings.Repeat("x", 21) {
		t.Errorf("%d bands, %q, %q", len(s.Bands), s.Nodes[5].Label, s.Nodes[6].Label)
	}
	if newSankey(nil, "crashes") != nil {
		t.Error("a chart of nothing")
	}
}

func TestEachOldSignatureHasAColour(t *testing.T) {
	var pairs []Pair
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		pairs = append(pairs, Pair{From: name, To: "x", Crashes: 84})
	}
	pairs = append(pairs, Pair{From: "b", To: "y", Crashes: 0})
	s := newSankey(pairs, "crashes")
	var hues []int
	for _, b := range s.Bands {
		hues = append(hues, b.Hue)
	}
	if d := cmp.Diff([]int{210, 257, 304, 351, 38, 257}, hues); d != "" {
		t.Error(d)
	}
	// A band of nothing can be seen, and bars are stacked with gaps.
	if b := s.Bands[5]; b.Path != "M330 180.0C500 180.0 500 432.0 670 432.0V433.5C500 433.5 500 181.5 330 181.5Z" {
		t.Errorf("%s", b.Path)
	}
	var tops []float64
	for _, n := range s.Nodes[:5] {
		tops = append(tops, n.Y)
	}
	if d := cmp.Diff([]float64{0, 96, 193.5, 289.5, 385.5}, tops); d != "" || s.Height != 493.5 {
		t.Errorf("%s, %v high", d, s.Height)
	}
}
