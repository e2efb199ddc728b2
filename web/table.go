package web

import (
	"slices"
	"strconv"

	"aftershock/ask"
)

// table is an answer as a page shows it: texts that lead somewhere, numbers to the right, and
// a bar beside the value that a question is about.
type table struct {
	Columns []column
	Rows    [][]cell
}

type column struct {
	Name    string
	Numeric bool
}

type cell struct {
	Text    string
	Link    string // empty: none
	Without string // the same without crashes that have the value; empty: none
	Numeric bool
	Time    bool // a moment, in UTC
	Bar     int  // of barWidth
	HasBar  bool
}

// barWidth is how long the longest bar is.
const barWidth = 80

// tableOf makes one. Links keep the filter; values are what the question was given.
func tableOf(q ask.Query, a *ask.Answer, values map[string]string, f filter) table {
	var t table
	for _, c := range a.Columns {
		t.Columns = append(t.Columns, column{c.Name, c.Numeric()})
	}
	most := 0.0
	crashes, value := slices.IndexFunc(a.Columns, func(c ask.Column) bool { return c.Name == "crashes" }), -1
	for i, c := range a.Columns {
		if q.Chart.Kind == ask.Bars && c.Name == q.Chart.Value {
			value = i
		}
	}
	if value >= 0 {
		for _, row := range a.Rows {
			if n, err := strconv.ParseFloat(row[value], 64); err == nil {
				most = max(most, n)
			}
		}
	}
	for _, row := range a.Rows {
		cells := make([]cell, len(row))
		for i, text := range row {
			cells[i] = cell{Text: text, Numeric: t.Columns[i].Numeric, Time: text != "" && a.Columns[i].Moments(), Link: linkOf(a.Columns[i].Name, text, f), Without: withoutOf(a.Columns[i].Name, text, f)}
			if n, err := strconv.ParseFloat(text, 64); i == value && err == nil && most > 0 {
				cells[i].HasBar, cells[i].Bar = true, int(max(n, 0)/most*barWidth)
			}
		}
		if crashes >= 0 {
			cells[crashes].Link = crashesBehind(q, a, row, values, f)
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

// linkOf is where a value leads: to its page, or to the same page with it as the filter.
func linkOf(name, text string, f filter) string {
	if text == "" {
		return ""
	}
	switch name {
	case "signature", "old_signature", "new_signature":
		if _, err := ask.Text(text); err == nil { // else its page could not ask for it
			return "/signature" + f.query("signature", text)
		}
	case "crash_id", "example":
		if id, ok := crashID(text); ok {
			return "/crash/" + id + f.query()
		}
	case "product", "channel", "process_type", "os":
		if len(text) <= maxLinkBytes {
			return f.only(name, text)
		}
	}
	return ""
}

// withoutOf is the same page without the crashes that have a value by which it can be filtered.
func withoutOf(name, text string, f filter) string {
	if f.field(name) == nil || text == "" || len(text) > maxLinkBytes {
		return ""
	}
	return f.without(name, text)
}
