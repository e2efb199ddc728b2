package web

import (
	"cmp"
	"net/url"
	"slices"
)

// filter is what a page is asked for. It stands in the URL whole, and goes with every link
// that leads to another page of the same crashes.
type filter struct {
	Product, Channel, Process, OS, From string
	extra                               url.Values // parameters of the page alone
}

// fromURL reads a filter.
func fromURL(q url.Values) filter {
	f := filter{Product: q.Get("product"), Channel: q.Get("channel"), Process: q.Get("process_type"), OS: q.Get("os"), From: q.Get("from"), extra: url.Values{}}
	for name, values := range q {
		if !slices.Contains(filterNames, name) {
			f.extra[name] = values
		}
	}
	return f
}

// filterNames are the parameters of a filter, as questions name them.
var filterNames = []string{"product", "channel", "process_type", "os", "from"}

// fields are what the filter says of crashes, by the names that questions and searches have; empty
// for what it leaves open.
func (f filter) fields() map[string]string {
	return map[string]string{"product": f.Product, "channel": f.Channel, "process_type": f.Process, "os": f.OS}
}

// since is how far back pages go that are no questions, which have times of their own.
func (f filter) since() string { return cmp.Or(f.From, usualTime) }

// search is the search within the filter and since a time. What it has already stays.
func (f filter) search(search url.Values, since string) url.Values {
	for name, value := range f.fields() {
		if value != "" && !search.Has(name) {
			search.Set(name, "="+value)
		}
	}
	search.Add("received_at", ">="+since)
	return search
}

// values are all parameters, by name; of one that is there twice the first counts.
func (f filter) values() map[string]string {
	out := f.fields()
	if f.From != "" {
		out["from"] = f.From
	}
	for name, values := range f.extra {
		out[name] = values[0]
	}
	return out
}

// query is the filter as it stands in URLs, with more parameters.
func (f filter) query(more ...string) string {
	q := url.Values{}
	for name, value := range f.fields() {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.From != "" {
		q.Set("from", f.From)
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
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

// with is the filter with another value of a field.
func (f filter) with(name, value string) filter {
	switch name {
	case "product":
		f.Product = value
	case "channel":
		f.Channel = value
	case "process_type":
		f.Process = value
	case "os":
		f.OS = value
	}
	return f
}
