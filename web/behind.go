package web

import (
	"net/url"
	"slices"

	"aftershock/ask"
)

// behind are the columns of a question whose values, with the filter and the time that it is asked
// for, say which crashes its column crashes counts: a number leads to the search for them.
var behind = map[string][]string{
	"top-crashers":    {"signature"},
	"top-by-installs": {"signature"},
	"risers":          {"signature"},
	"states":          {"signature"},
}

// crashesBehind is the search for the crashes that a row counts; empty where none finds just those.
func crashesBehind(q ask.Query, a *ask.Answer, row []string, values map[string]string, f filter) string {
	columns := behind[q.Name]
	if columns == nil {
		return ""
	}
	search := url.Values{}
	for _, name := range columns {
		i := slices.IndexFunc(a.Columns, func(c ask.Column) bool { return c.Name == name })
		if i < 0 || row[i] == "" || len(row[i]) > maxLinkBytes {
			return ""
		}
		search.Set(name, "="+row[i])
	}
	given := func(name string) string {
		if values[name] != "" {
			return values[name]
		}
		for _, p := range q.Params {
			if p.Name == name {
				return p.Default
			}
		}
		return ""
	}
	from, to := given("from"), given("to")
	if q.Name == "states" {
		from = given("hours") + "h"
	}
	search = f.search(search, from)
	if to != "now" {
		search.Add("received_at", "<"+to)
		if q.Name == "states" {
			return "" // lately is before then, and no search says that
		}
	}
	return searchLink(search)
}
