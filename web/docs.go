package web

import (
	"net/http"
	"strings"

	"aftershock/schema"
)

func (h *Handler) routeDocs() {
	h.mux.HandleFunc("GET /docs/fields", h.fields)
	h.mux.HandleFunc("GET /docs/design", h.design)
}

// fieldsPage is what the template of /docs/fields gets.
type fieldsPage struct {
	Text        string // that was looked for
	Facts       []schema.FactInfo
	Annotations []schema.AnnotationInfo
}

// fields is the data dictionary: the facts, and the annotations as the registry has them.
func (h *Handler) fields(w http.ResponseWriter, r *http.Request) {
	p := fieldsPage{Text: strings.TrimSpace(r.URL.Query().Get("text"))}
	has := func(texts ...string) bool {
		return strings.Contains(strings.ToLower(strings.Join(texts, "\n")), strings.ToLower(p.Text))
	}
	for _, f := range schema.Dictionary() {
		if has(f.Name, f.Doc, f.Source) {
			p.Facts = append(p.Facts, f)
		}
	}
	for _, name := range schema.DefaultRegistry.Names() {
		if a := schema.DefaultRegistry.Lookup(name); has(a.Name, a.Description, a.Column) {
			p.Annotations = append(p.Annotations, a)
		}
	}
	h.show(w, r, http.StatusOK, "fields.html", view{Title: "Fields", At: "/docs/fields", Body: p})
}

// designPage is what the template of /docs/design gets: one of each part.
type designPage struct {
	Colours []colour
	Steps   []string
	Chart   *chart
	Table   table
	Node    node
	Frames  []frame
}

type colour struct{ Name, Means string }

// design shows every part that pages are made of, each once.
func (h *Handler) design(w http.ResponseWriter, r *http.Request) {
	p := designPage{
		Colours: []colour{
			{"text", "what is read"},
			{"quiet", "what is read second: labels, notes, frames that do not count"},
			{"paper", "what is written on"},
			{"sheet", "what lies on it: the head of a page, code, buttons"},
			{"line", "what parts rows"},
			{"accent", "what leads on"},
			{"bar", "how much of something there is"},
			{"warn", "what may be wrong, always with words that say so"},
		},
		Steps: []string{"s1", "s2", "s3", "s4"},
		Chart: &chart{Width: chartWidth, Height: chartHeight, First: "Monday", Last: "Sunday", Caption: "crashes from Monday to Sunday; most, 120, at Thursday"},
		Table: table{
			Columns: []column{{"signature", false}, {"crashes", true}},
			Rows: [][]cell{
				{{Text: "orchard::pick", Link: "/signature?signature=orchard%3A%3Apick"}, {Text: "120", Numeric: true, HasBar: true, Bar: barWidth}},
				{{Text: "orchard::prune", Link: "/signature?signature=orchard%3A%3Aprune"}, {Text: "30", Numeric: true, HasBar: true, Bar: barWidth / 4}},
			},
		},
		Node: node{Name: "abort", Percent: 60, Crashes: 120, Below: []node{{Name: "orchard::pick", Percent: 45, Crashes: 90, Example: "/find?text="}, {Name: "orchard::prune", Percent: 15, Crashes: 30}}},
		Frames: []frame{
			{Number: "0", Function: "orchard::pick", Source: "pick.cc:12", Module: "orchard", Trust: "context"},
			{Number: "1", Inlined: true, Function: "std::sort", Source: "sort.h:40", Module: "libfruit.so", Trust: "scan"},
			{Number: "1", Function: "fruit_sort", Module: "libfruit.so", Trust: "scan", Likely: "83 %"},
			{Number: "2", Function: "fruit_free", Module: "libfruit.so", Doubt: doubtOf("fruit_free", "public"), Trust: "scan", Likely: "55 %", Unlikely: true},
		},
	}
	for i, height := range []int{40, 60, 80, 120, 70, 50, 30} {
		p.Chart.Bars = append(p.Chart.Bars, chartBar{X: i * chartWidth / 7, Y: chartHeight - height, Width: chartWidth/7 - 1, Height: height, Label: "a day"})
	}
	h.show(w, r, http.StatusOK, "design.html", view{Title: "Design", At: "/docs/design", Body: p})
}
