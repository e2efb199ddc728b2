package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"aftershock/access"
	"aftershock/ask"
)

// usualSuperSearch is what Super Search answers that is told nothing.
var usualSuperSearch = ask.Usual{Columns: []string{"uuid", "date", "signature", "product", "version"}, Facets: []string{"signature"}, FacetSize: 50, Number: 100}

// searchParams are the parameters of a search that are no fields.
var searchParams = []apiParam{
	{name: "_columns", doc: "Fields of the crashes; * for all.", kind: "string", many: true},
	{name: "_sort", doc: "Fields to sort by, with a minus for falling.", kind: "string", many: true},
	{name: "_facets", doc: "Fields to count by; _cardinality.FIELD counts values, _histogram.FIELD counts by parts of equal width.", kind: "string", many: true},
	{name: "_facets_size", doc: fmt.Sprintf("Terms of a facet, %d at most.", ask.MaxFacetSize), kind: "integer"},
	{name: "_aggs.FIELD", doc: "Fields to count by in each term of FIELD; _aggs.FIELD.FIELD goes deeper.", kind: "string", many: true},
	{name: "_histogram.FIELD", doc: "Fields to count by in each part of a time or number.", kind: "string", many: true},
	{name: "_histogram_interval.FIELD", doc: "How wide a part is: a number, or a time like 1d.", kind: "string"},
	{name: "_cardinality.FIELD", doc: "Counts the values of FIELD.", kind: "string"},
	{name: "_results_number", doc: fmt.Sprintf("Crashes, %d at most.", ask.MaxNumber), kind: "integer"},
	{name: "_results_offset", doc: fmt.Sprintf("Crashes to pass over, %d at most. A cursor goes on without end, and stays where it is.", ask.MaxOffset), kind: "integer"},
	{name: "_cursor", doc: "Where the page begins: next or previous of an answer.", kind: "string"},
	{name: "_view", doc: "crashes, or pings.", kind: "string"},
	{name: "_return_query", doc: "1 for the statements, instead of their answers.", kind: "string"},
}

func (h *Handler) apiSearch(r *http.Request, q url.Values) (any, error) {
	s, err := h.searchable(r).ParseSearch(without(q, "_return_query"), usualSuperSearch, h.o.Now())
	if err != nil {
		return nil, err
	}
	if v := q.Get("_return_query"); v != "" && v != "0" {
		statements, err := s.Statements()
		return map[string]any{"query": statements}, err
	}
	counted, page, err := h.answers(r, s)
	if err != nil {
		return nil, err
	}
	return superSearch(s, counted, page), nil
}

// superSearch is an answer in Super Search's shape, with what that has not: estimated, next
// and previous.
func superSearch(s *ask.Search, counted *ask.Counted, page *ask.Page) map[string]any {
	hits := make([]map[string]json.RawMessage, 0, len(page.Rows))
	for _, row := range page.Rows {
		hit := map[string]json.RawMessage{}
		for i, c := range s.Columns {
			hit[c.As] = inJSON(c.Field, row[i])
		}
		hits = append(hits, hit)
	}
	out := map[string]any{"hits": hits, "total": counted.Crashes, "estimated": counted.Estimated, "facets": facetsJSON(counted.Facets), "errors": []string{}}
	for name, cursor := range map[string]string{"next": page.Next, "previous": page.Previous} {
		if cursor != "" {
			out[name] = cursor
		}
	}
	return out
}

// inJSON is a value as Super Search writes it: times have their zone.
func inJSON(f ask.Field, v json.RawMessage) json.RawMessage {
	if f.Kind != ask.KindTime || f.List || string(v) == "null" {
		return v
	}
	text := ask.Shown(v)
	if !strings.Contains(text, " ") { // a day
		return v
	}
	return json.RawMessage(`"` + strings.Replace(text, " ", "T", 1) + `+00:00"`)
}

func facetsJSON(facets []ask.Facet) map[string]any {
	out := map[string]any{}
	for _, f := range facets {
		if f.Step.Count == ask.Cardinality {
			out[f.Step.Key()] = map[string]uint64{"value": f.Value}
			continue
		}
		buckets := make([]map[string]any, 0, len(f.Buckets))
		for _, b := range f.Buckets {
			bucket := map[string]any{"term": inJSON(f.Step.Field, b.Term), "count": b.Crashes, "estimated": b.Estimated}
			if len(b.Facets) > 0 || f.Step.Count == ask.Histogram {
				bucket["facets"] = facetsJSON(b.Facets)
			}
			buckets = append(buckets, bucket)
		}
		out[f.Step.Key()] = buckets
	}
	return out
}

// searchField is a field as SuperSearchFields tells of it.
type searchField struct {
	Name        string         `json:"name"`
	Column      string         `json:"column"` // what our tables call it
	Description string         `json:"description"`
	QueryType   string         `json:"query_type"`
	List        bool           `json:"list"`
	Operators   []ask.Operator `json:"operators"`
	Permissions []string       `json:"permissions_needed"`
	Exposed     bool           `json:"is_exposed"`
	Returned    bool           `json:"is_returned"`
}

// queryTypes are Super Search's names of kinds.
var queryTypes = map[ask.Kind]string{ask.KindText: "string", ask.KindNumber: "number", ask.KindTruth: "bool", ask.KindTime: "date", ask.KindID: "enum"}

func (h *Handler) apiFields(r *http.Request, _ url.Values) (any, error) {
	out := map[string]searchField{}
	for _, f := range h.searchable(r).Fields() {
		for _, name := range []string{f.Name, f.Twin} {
			if name != "" {
				out[name] = searchField{name, f.Name, f.Doc, queryTypes[f.Kind], f.List, f.Takes(), needed(f), true, true}
			}
		}
	}
	return out, nil
}

// needed are the roles without which a field is not there.
func needed(f ask.Field) []string {
	if f.Protected {
		return []string{string(access.Protected)}
	}
	return []string{}
}
