package web

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"aftershock/ask"
)

// filter is what a page is asked for. It stands in the URL whole, and goes with every link
// that leads to another page of the same crashes.
//
// A field has a value, or some values with != before each that are left out; as questions take
// them, see ask.Without.
type filter struct {
	Product, Channel, Process, OS, From string
	List                                string     // the id of one of signatures that rankings leave out
	leaves                              []string   // its signatures, where they were looked up
	at                                  string     // the page, where it goes by the filter
	extra                               url.Values // parameters of the page alone
}

// fromURL reads a filter. Of a field that is there twice the first value counts, unless all of
// them are left out.
func fromURL(q url.Values) filter {
	field := func(name string) string {
		given := slices.DeleteFunc(slices.Clone(q[name]), func(v string) bool { return v == "" })
		if len(given) == 0 {
			return ""
		}
		for _, v := range given {
			if _, not := ask.LeftOut(v); !not {
				return v
			}
		}
		return strings.Join(given, "\n")
	}
	f := filter{Product: field("product"), Channel: field("channel"), Process: field("process_type"), OS: field("os"), From: q.Get("from"), List: q.Get("without"), extra: url.Values{}}
	for name, values := range q {
		if !slices.Contains(filterNames, name) {
			f.extra[name] = values
		}
	}
	return f
}

// filterNames are the parameters of a filter, as questions name them.
var filterNames = []string{"product", "channel", "process_type", "os", "from", "without"}

// fields are what the filter says of crashes, by the names that questions and searches have; empty
// for what it leaves open.
func (f filter) fields() map[string]string {
	return map[string]string{"product": f.Product, "channel": f.Channel, "process_type": f.Process, "os": f.OS}
}

// given are a field's values as they stand in a URL.
func given(value string) []string {
	texts, not := ask.LeftOut(value)
	if !not {
		return []string{value}
	}
	for i := range texts {
		texts[i] = ask.Without(texts[i])
	}
	return texts
}

// since is how far back pages go that are no questions, which have times of their own.
func (f filter) since() string { return cmp.Or(f.From, usualTime) }

// search is the search within the filter and since a time. What it has already stays.
func (f filter) search(search url.Values, since string) url.Values {
	for name, value := range f.fields() {
		if _, not := ask.LeftOut(value); not {
			search[name] = append(search[name], given(value)...)
		} else if value != "" && !search.Has(name) {
			search.Set(name, "="+value)
		}
	}
	search.Add("received_at", ">="+since)
	return search
}

// values are all parameters, by name; of one of the page's own that is there twice the first
// counts.
func (f filter) values() map[string]string {
	out := f.fields()
	if f.From != "" {
		out["from"] = f.From
	}
	if len(f.leaves) > 0 {
		out["without"] = strings.Join(f.leaves, "\n")
	}
	for name, values := range f.extra {
		out[name] = values[0]
	}
	return out
}

// query is the filter as it stands in URLs, with more parameters.
func (f filter) query(more ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return f.in(q)
}

// in is the filter as it stands in URLs, with these parameters.
func (f filter) in(q url.Values) string {
	for name, value := range f.fields() {
		if value != "" {
			q[name] = given(value)
		}
	}
	if f.From != "" {
		q.Set("from", f.From)
	}
	if f.List != "" {
		q.Set("without", f.List)
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// Times are what the filter offers; what stands in the URL may be any that a question takes.
func (filter) Times() []link {
	return []link{{"1d", "24 hours"}, {"3d", "3 days"}, {"7d", "7 days"}, {"14d", "14 days"}, {"28d", "28 days"}, {"365d", "a year"}}
}

// field is the value of one, to be set; nil where the filter has no such field.
func (f *filter) field(name string) *string {
	switch name {
	case "product":
		return &f.Product
	case "channel":
		return &f.Channel
	case "process_type":
		return &f.Process
	case "os":
		return &f.OS
	}
	return nil
}

// here is the same page under the filter with another value of a field. Where a page goes by no
// filter, it is that of top crashers.
func (f filter) here(name, value string) string {
	*f.field(name) = value
	if f.at == "" {
		return "/top" + f.query()
	}
	q := url.Values{}
	for name, values := range f.extra {
		q[name] = values
	}
	return f.at + f.in(q)
}

// only is the same page for crashes with a value alone.
func (f filter) only(name, value string) string {
	if _, not := ask.LeftOut(value); not {
		return "" // no filter can hold it
	}
	return f.here(name, value)
}

// without is the same page without the crashes that have a value.
func (f filter) without(name, value string) string {
	have := *f.field(name)
	texts, not := ask.LeftOut(have)
	switch {
	case strings.Contains(value, "\n"):
		return "" // no filter can hold it
	case !not || slices.Contains(texts, value):
		have = ask.Without(value)
	default:
		have += "\n" + ask.Without(value)
	}
	return f.here(name, have)
}

// left is a value that a filter leaves out, with the same page that does not.
type left struct{ Field, Name, Value, Given, Back string }

// Without are the values that are left out.
func (f filter) Without() (out []left) {
	for _, of := range []link{{"product", "product"}, {"channel", "channel"}, {"process_type", "process"}, {"os", "system"}} {
		texts, not := ask.LeftOut(*f.field(of.Path))
		if !not {
			continue
		}
		for _, text := range texts {
			var rest []string
			for _, other := range texts {
				if other != text {
					rest = append(rest, ask.Without(other))
				}
			}
			out = append(out, left{of.Path, of.Name, text, ask.Without(text), f.here(of.Path, strings.Join(rest, "\n"))})
		}
	}
	return out
}

// Typed is what stands in the form's field of a name: what is left out stands beside it.
func (f filter) Typed(name string) string {
	value := *f.field(name)
	if _, not := ask.LeftOut(value); not {
		return ""
	}
	return value
}
