package web

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"aftershock/access"
	"aftershock/ask"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// usualSearch is what the page of the search shows that does not say.
var usualSearch = ask.Usual{
	Columns:   []string{"crash_id", "received_at", "signature", "product", "version", "channel", "os", "process_type", "reason"},
	Facets:    []string{"signature"},
	FacetSize: 20, Number: 50,
}

func (h *Handler) routeSearch() {
	h.mux.HandleFunc("GET /search", h.limited(h.search))
	h.mux.HandleFunc("GET /search.json", h.limited(h.searchJSON))
	h.mux.HandleFunc("GET /search.md", h.limited(h.searchMarkdown))
	h.mux.HandleFunc("GET /search.csv", h.limited(h.searchCSV))
	h.mux.HandleFunc("GET /search.parquet", h.limited(h.searchParquet))
	h.mux.HandleFunc("GET /pings", func(w http.ResponseWriter, r *http.Request) { // which are never counted as crashes
		http.Redirect(w, r, "/search?"+url.Values{"_view": {"pings"}, "_facets": {"signature version os"}}.Encode(), http.StatusSeeOther)
	})
}

// searchPage is what the search's template gets.
type searchPage struct {
	Rows       []filterRow // one a filter, and an empty one
	Operators  []operator
	Fields     []ask.Field
	Columns    string
	Facets     string
	Hidden     []hidden
	Total      string
	Estimated  string
	Tables     []facetTable
	Heads      []searchHead
	Results    [][]searchCell
	Next       string
	Previous   string
	Statements []ask.Select
}

// searchHead is a column's head, which leads to the search sorted by it.
type searchHead struct {
	Name, Link string
	Numeric    bool
	Order      string // ascending, descending, or nothing
}

// searchCell is a value that filters by itself. Of a list it has some of the values.
type searchCell struct {
	Values  []searchValue
	More    int // values that are not shown
	Numeric bool
}

// searchValue is shown cut; its links are there where a filter can hold it.
type searchValue struct {
	Text, Link, Only, Without string
	Time                      bool // a moment, in UTC
}

const (
	// maxShownChars of a value in a cell.
	maxShownChars = 240
	// maxShownValues of a list in a cell.
	maxShownValues = 4
	// maxLinkBytes of a value that a link filters by.
	maxLinkBytes = 1000
	// A page holds two links for each value, with the whole search in each: what makes a page
	// larger than these is for the twins, which have no links.
	maxPageQuery     = 2 << 10
	maxPageCells     = 5000
	maxPageFacetRows = 2000
)

// answers asks everything of a search at once. What is protected is kept before it is shown.
func (h *Handler) answers(r *http.Request, s *ask.Search) (counted *ask.Counted, page *ask.Page, err error) {
	db := h.searchTables(s)
	g, ctx := errgroup.WithContext(r.Context())
	g.Go(func() (err error) {
		counted, err = s.Count(ctx, db)
		return err
	})
	g.Go(func() (err error) {
		page, err = s.Page(ctx, db)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	return counted, page, h.auditSearch(r, s, len(page.Rows))
}

// searchable is what the viewer of a request may search.
func (h *Handler) searchable(r *http.Request) *ask.Allowed {
	if h.account(r).Protected {
		return ask.Protected()
	}
	return ask.Public()
}

// searchTables are those that a search is asked of. One with protected fields was parsed for who may
// ask them: searchable.
func (h *Handler) searchTables(s *ask.Search) *clickhouse.DB {
	if len(s.Protected()) > 0 {
		return h.o.Protected
	}
	return h.o.DB
}

// auditSearch keeps who searches by protected fields, and which.
func (h *Handler) auditSearch(r *http.Request, s *ask.Search, rows int) error {
	if len(s.Protected()) == 0 {
		return nil
	}
	return h.audit(r, schema.AuditEvent{What: schema.AuditQuestion, Role: string(access.Protected), Subject: "search: " + strings.Join(s.Protected(), ", "), Count: int64(rows)})
}

// search is the page. What its form sends becomes the search's own address.
func (h *Handler) search(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if text := q.Get("text"); text != "" {
		http.Redirect(w, r, "/text?text="+url.QueryEscape(text), http.StatusSeeOther)
		return
	}
	if fromForm(q) {
		http.Redirect(w, r, searchLink(ofForm(q)), http.StatusSeeOther) //nolint:gosec // a path of ours
		return
	}
	if len(r.URL.RawQuery) > maxPageQuery {
		h.failed(w, r, &badValueError{fmt.Sprintf("a search of more than %d bytes is too long for a page; its twins, as /search.json, take it", maxPageQuery)})
		return
	}
	if asked, err := h.searchable(r).ParseSearch(q, usualSearch, h.now()); err == nil && asked.Number*len(asked.Columns) > maxPageCells {
		h.failed(w, r, &badValueError{fmt.Sprintf("%d crashes of %d columns are too many for a page, which has %d values at most; the twins, as /search.csv, have all", asked.Number, len(asked.Columns), maxPageCells)})
		return
	}
	s, counted, page, err := h.searched(w, r)
	if err != nil {
		h.failedSearch(w, r, err)
		return
	}
	b := searchPage{
		Rows: filterRows(q, h.searchable(r)), Operators: operators, Fields: h.searchable(r).Fields(), Columns: namesOf(s.Columns), Facets: strings.Join(facetNames(q), " "), Hidden: keptByForm(q),
		Total: strconv.FormatUint(counted.Crashes, 10), Estimated: strconv.FormatFloat(counted.Estimated, 'f', -1, 64), Tables: facetTables(q, counted, maxPageFacetRows),
	}
	if b.Statements, err = s.Statements(); err != nil {
		h.failedSearch(w, r, err)
		return
	}
	b.Heads = heads(q, s)
	for _, row := range page.Rows {
		var cells []searchCell
		for i, v := range row {
			cells = append(cells, cellOf(q, s.Columns[i].Field, s.Columns[i].As, v))
		}
		b.Results = append(b.Results, cells)
	}
	b.Next, b.Previous = pageLink(q, page.Next), pageLink(q, page.Previous)
	whole := without(q, "_cursor", "_results_offset")
	h.show(w, r, http.StatusOK, "search.html", view{Title: "Search", At: "/search", Body: b, Private: len(s.Protected()) > 0, Twins: append(twinLinks("/search", q), link{"/search.parquet?" + whole.Encode(), "PARQUET"})})
}

// searched reads the search of a request, and asks it.
func (h *Handler) searched(w http.ResponseWriter, r *http.Request) (*ask.Search, *ask.Counted, *ask.Page, error) {
	s, err := h.searchable(r).ParseSearch(r.URL.Query(), usualSearch, h.now())
	if err != nil {
		return nil, nil, nil, err
	}
	if len(s.Protected()) > 0 {
		private(w)
	}
	counted, page, err := h.answers(r, s)
	return s, counted, page, err
}

// failedSearch answers for a search that was not answered.
func (h *Handler) failedSearch(w http.ResponseWriter, r *http.Request, err error) {
	if refused := refusal(err); refused != nil {
		err = &badValueError{refused.Error()}
	}
	h.failed(w, r, err)
}

// without is a copy of parameters without some.
func without(q url.Values, names ...string) url.Values {
	out := url.Values{}
	for name, values := range q {
		if !slices.Contains(names, name) {
			out[name] = slices.Clone(values)
		}
	}
	return out
}

// searchLink is a search's address, on its first page.
func searchLink(q url.Values) string {
	return "/search?" + without(q, "_cursor", "_results_offset").Encode()
}

func pageLink(q url.Values, cursor string) string {
	if cursor == "" {
		return ""
	}
	q = without(q, "_cursor", "_results_offset")
	q.Set("_cursor", cursor)
	return "/search?" + q.Encode()
}

// only is the search with one more filter. What it was one of before, by the same field, the
// new one takes the place of.
func only(q url.Values, field string, filters ...string) url.Values {
	out := without(q)
	out[field] = slices.DeleteFunc(out[field], func(v string) bool {
		not, op, _ := ask.SplitValue(v)
		return !not && op != ask.AtLeast && op != ask.AtMost && op != ask.Above && op != ask.Below
	})
	out[field] = append(out[field], filters...)
	return out
}

// heads lead to the search sorted by a column; the other way round where it already is.
func heads(q url.Values, s *ask.Search) (out []searchHead) {
	for _, c := range s.Columns {
		head := searchHead{Name: c.As, Numeric: c.Field.Kind == ask.KindNumber && !c.Field.List}
		if !c.Field.List {
			by := "-" + c.As
			if first := s.Sort; len(first) > 0 && first[0].Field.Name == c.Field.Name {
				head.Order = "ascending"
				if first[0].Falling {
					by, head.Order = c.As, "descending"
				}
			}
			sorted := without(q)
			sorted.Set("_sort", by)
			head.Link = searchLink(sorted)
		}
		out = append(out, head)
	}
	return out
}

// cellOf shows a value of a column.
func cellOf(q url.Values, f ask.Field, as string, v json.RawMessage) (c searchCell) {
	c.Numeric = f.Kind == ask.KindNumber && !f.List
	all := []json.RawMessage{v}
	switch pairs := map[string]string{}; {
	case f.Name == "annotations":
		json.Unmarshal(v, &pairs) //nolint:errcheck,gosec // an object of texts, or there are none
		all = nil
		for name, value := range pairs {
			text, _ := json.Marshal(name + "=" + value) //nolint:errchkjson // a text
			all = append(all, text)
		}
		slices.SortFunc(all, func(a, b json.RawMessage) int { return strings.Compare(string(a), string(b)) })
	case f.List:
		all = nil
		json.Unmarshal(v, &all) //nolint:errcheck,gosec // a list
	}
	for _, v := range all[:min(len(all), maxShownValues)] {
		c.Values = append(c.Values, valueOf(q, f, as, v))
	}
	c.More = len(all) - len(c.Values)
	return c
}

// valueOf is a value with what it leads to.
func valueOf(q url.Values, f ask.Field, as string, v json.RawMessage) searchValue {
	text := ask.Shown(v)
	out := searchValue{Text: cut(text), Link: linkOf(f.Name, text, filter{}), Time: text != "" && f.Moments()}
	if f.Name != "signature" && f.Name != "crash_id" {
		out.Link = "" // it filters
	}
	switch {
	case len(text) > maxLinkBytes:
	case f.Kind == ask.KindID: // it leads to the crash
	case text == "" && f.List: // a part of a list, which is no value
	case text == "":
		out.Only, out.Without = searchLink(only(q, as, string(ask.Missing))), searchLink(add(q, as, "!"+string(ask.Missing)))
	default:
		out.Only, out.Without = searchLink(only(q, as, "="+text)), searchLink(add(q, as, "!="+text))
	}
	return out
}

func add(q url.Values, field, filter string) url.Values {
	out := without(q)
	if !slices.Contains(out[field], filter) {
		out[field] = append(out[field], filter)
	}
	return out
}

// cut keeps a cell small; twins have the whole.
func cut(text string) string {
	n := 0
	for at := range text {
		if n++; n > maxShownChars {
			return text[:at] + "…"
		}
	}
	return text
}

// facetTable is a facet of a search.
type facetTable struct {
	Title   string
	Columns []string
	Value   string // of a cardinality at the top
	Rows    []facetRow
	Cut     bool // there are more than pages show
}

type facetRow struct {
	Terms              []searchValue
	Crashes, Estimated string
	Percent            string
	Bar                int
}

// facetTables are the facets, each as a table, of together at most so many rows; of one in another
// the rows begin with the terms above.
func facetTables(q url.Values, c *ask.Counted, most int) (out []facetTable) {
	at, rows := map[*ask.Step]int{}, 0
	var walk func(of []ask.Facet, q url.Values, above []searchValue, names []string, all uint64)
	walk = func(of []ask.Facet, q url.Values, above []searchValue, names []string, all uint64) {
		for _, f := range of {
			i, ok := at[f.Step]
			if !ok {
				i = len(out)
				at[f.Step] = i
				names := append(slices.Clone(names), strings.ReplaceAll(f.Step.Key(), "_"+f.Step.As, " "+f.Step.As))
				out = append(out, facetTable{Title: strings.Join(names, ", "), Columns: names})
			}
			if f.Step.Count == ask.Cardinality {
				value := strconv.FormatUint(f.Value, 10)
				if len(above) == 0 {
					out[i].Value = value
				} else {
					out[i].Rows = append(out[i].Rows, facetRow{Terms: append(slices.Clone(above), searchValue{Text: value})})
				}
				continue
			}
			buckets := f.Buckets
			if f.Missing != nil {
				buckets = append(slices.Clone(buckets), *f.Missing)
			}
			for _, b := range buckets {
				if rows++; rows > most {
					out[i].Cut = true
					break
				}
				term, narrowed := bucketOf(q, f.Step, b)
				row := facetRow{Terms: append(slices.Clone(above), term), Crashes: strconv.FormatUint(b.Crashes, 10), Estimated: strconv.FormatFloat(b.Estimated, 'f', -1, 64)}
				if all > 0 {
					share := min(float64(b.Crashes)/float64(all), 1)
					row.Percent, row.Bar = strconv.FormatFloat(100*share, 'f', 2, 64), int(share*barWidth)
				}
				out[i].Rows = append(out[i].Rows, row)
				walk(b.Facets, narrowed, row.Terms, out[i].Columns, b.Crashes)
			}
		}
	}
	walk(c.Facets, q, nil, nil, c.Crashes)
	return out
}

// bucketOf is a bucket's term, and the search for what is in it.
func bucketOf(q url.Values, step *ask.Step, b ask.Bucket) (searchValue, url.Values) {
	if step.Count != ask.Histogram {
		v := valueOf(q, step.Field, step.As, b.Term)
		text := ask.Shown(b.Term)
		if text == "" {
			v.Text = "no value"
			return v, only(q, step.As, string(ask.Missing))
		}
		return v, only(q, step.As, "="+text)
	}
	text := ask.Shown(b.Term)
	end := ""
	if step.Field.Kind == ask.KindTime {
		end = later(text, step.Interval)
	} else if n, err := strconv.ParseFloat(text, 64); err == nil {
		end = strconv.FormatFloat(n+step.Interval, 'f', -1, 64)
	}
	narrowed := only(q, step.As, ">="+text, "<"+end)
	return searchValue{Text: text, Only: searchLink(narrowed), Time: step.Field.Moments()}, narrowed
}

// searchJSON is the twin for programs: what /api/SuperSearch/ answers.
func (h *Handler) searchJSON(w http.ResponseWriter, r *http.Request) {
	s, counted, page, err := h.searched(w, r)
	if err != nil {
		h.failedSearch(w, r, err)
		return
	}
	sendJSON(w, r, http.StatusOK, superSearch(s, counted, page))
}

func (h *Handler) searchMarkdown(w http.ResponseWriter, r *http.Request) {
	s, counted, page, err := h.searched(w, r)
	if err != nil {
		h.failedSearch(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
	if r.Method == http.MethodHead {
		return
	}
	fmt.Fprintf(w, "## Search: %d crashes\n\n", counted.Crashes) //nolint:errcheck // its client may be gone
	for _, t := range facetTables(url.Values{}, counted, math.MaxInt) {
		a := ask.Answer{}
		for _, name := range append(slices.Clone(t.Columns), "crashes", "estimated") {
			a.Columns = append(a.Columns, ask.Column{Name: name})
		}
		for _, row := range t.Rows {
			var cells []string
			for _, v := range row.Terms {
				cells = append(cells, v.Text)
			}
			a.Rows = append(a.Rows, append(cells, row.Crashes, row.Estimated))
		}
		fmt.Fprintf(w, "### %s %s\n\n", t.Title, t.Value) //nolint:errcheck // likewise
		a.WriteMarkdown(w)                                //nolint:errcheck,gosec // likewise
		w.Write([]byte("\n"))                             //nolint:errcheck,gosec // likewise
	}
	a := ask.Answer{}
	for _, c := range s.Columns {
		a.Columns = append(a.Columns, ask.Column{Name: c.As, Type: c.Field.Type})
	}
	for _, row := range page.Rows {
		var cells []string
		for _, v := range row {
			cells = append(cells, ask.Shown(v))
		}
		a.Rows = append(a.Rows, cells)
	}
	a.WriteMarkdown(w) //nolint:errcheck,gosec // likewise
}
