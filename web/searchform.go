package web

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"aftershock/ask"
)

// operator is one that the form offers.
type operator struct{ Sign, Name string }

// operators are what the form offers: those that a field does not take are refused.
var operators = []operator{
	{"", "is one of"},
	{"!", "is none of"},
	{"=", "is exactly"},
	{"!=", "is not exactly"},
	{"~", "contains"},
	{"!~", "does not contain"},
	{"^", "starts with"},
	{"!^", "does not start with"},
	{"$", "ends with"},
	{"!$", "does not end with"},
	{"@", "matches"},
	{"!@", "does not match"},
	{">=", "≥"},
	{"<=", "≤"},
	{">", ">"},
	{"<", "<"},
	{"__null__", "is missing"},
	{"!__null__", "is there"},
	{"__true__", "is true"},
	{"!__true__", "is not true"},
}

// filterRow is a filter in the form.
type filterRow struct{ Field, Operator, Value string }

// names of what the form sends: of each row three, and what is written as one text.
const (
	formField    = "_field"
	formOperator = "_operator"
	formValue    = "_value"
)

// fromForm tells whether parameters are as the form sends them: the first row's field is
// always there.
func fromForm(q url.Values) bool { return q.Has(formField) }

// ofForm is the search that a form says.
func ofForm(q url.Values) url.Values {
	out := without(q, formField, formOperator, formValue)
	for i, field := range q[formField] {
		op, value := at(q[formOperator], i), at(q[formValue], i)
		alone := strings.HasSuffix(op, string(ask.Missing)) || strings.HasSuffix(op, string(ask.True))
		switch {
		case field == "" || value == "" && !alone: // an empty row
		case alone:
			out.Add(field, op)
		case op == "" && hasSign(value): // what somebody has typed with an operator before it
			out.Add(field, value)
		default:
			out.Add(field, op+value)
		}
	}
	for _, name := range []string{"_columns", "_facets"} {
		if text := strings.TrimSpace(out.Get(name)); text == "" {
			out.Del(name)
		}
	}
	return out
}

func at(all []string, i int) string {
	if i < len(all) {
		return all[i]
	}
	return ""
}

func hasSign(value string) bool {
	not, op, _ := ask.SplitValue(value)
	return not || op != ask.Any
}

// usualDate is the time of a search that does not say.
const usualDate = "7d"

// filterRows are the filters of a search, by name, and an empty row.
func filterRows(q url.Values, allowed *ask.Allowed) (out []filterRow) {
	var names []string
	dated := false
	for name := range q {
		if f, err := allowed.Field(name); err == nil {
			names = append(names, name)
			dated = dated || f.Name == "received_at"
		}
	}
	slices.Sort(names)
	if !dated {
		out = append(out, filterRow{"date", string(ask.AtLeast), usualDate})
	}
	for _, name := range names {
		for _, v := range q[name] {
			if v == "" {
				continue
			}
			not, op, value := ask.SplitValue(v)
			sign := string(op)
			if not {
				sign = "!" + sign
			}
			if !slices.ContainsFunc(operators, func(o operator) bool { return o.Sign == sign }) {
				sign, value = "", v // "not above" and the like stand as they are
			}
			out = append(out, filterRow{name, sign, value})
		}
	}
	return append(out, filterRow{})
}

// keptByForm are the parameters of a search that its form has no place for.
func keptByForm(q url.Values) (out []hidden) {
	for name, values := range q {
		if !strings.HasPrefix(name, "_") || slices.Contains([]string{"_columns", "_facets", "_cursor", "_results_offset"}, name) {
			continue
		}
		for _, v := range values {
			out = append(out, hidden{name, v})
		}
	}
	slices.SortFunc(out, func(a, b hidden) int { return strings.Compare(a.Name+a.Value, b.Name+b.Value) })
	return out
}

func namesOf(columns []ask.Named) string {
	var names []string
	for _, c := range columns {
		names = append(names, c.As)
	}
	return strings.Join(names, " ")
}

// facetNames are the facets as the form has them.
func facetNames(q url.Values) []string {
	if q.Has("_facets") {
		return q["_facets"]
	}
	return usualSearch.Facets
}

// later is a time of the tables, some seconds later.
func later(text string, seconds float64) string {
	from, err := time.Parse(time.DateTime, text)
	if err != nil {
		return text
	}
	return from.Add(time.Duration(seconds) * time.Second).Format(time.DateTime)
}
