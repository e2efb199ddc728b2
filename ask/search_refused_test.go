package ask_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"aftershock/ask"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

func parse(q url.Values) (*ask.Search, error) {
	return ask.Public().ParseSearch(q, ask.Usual{Columns: []string{"crash_id"}, FacetSize: 50, Number: 100}, now)
}

// everyPlace is all in which a search can name a field.
func everyPlace(name string) map[string]url.Values {
	return map[string]url.Values{
		"filter": {name: {"=x"}}, "not": {name: {"!__null__"}}, "missing": {name: {"__null__"}}, "empty filter": {name: {""}}, "range": {name: {">=0"}}, "facet": {"_facets": {name}}, "second facet": {"_facets": {"product", name}},
		"sort": {"_sort": {name}}, "falling": {"_sort": {"-" + name}}, "second sort": {"_sort": {"product", "-" + name}}, "column": {"_columns": {name}}, "joined columns": {"_columns": {"product," + name}},
		"agg": {"_aggs." + name: {"product"}}, "agg of product": {"_aggs.product": {name}}, "inner agg": {"_aggs.product." + name: {"version"}}, "histogram": {"_histogram." + name: {"product"}}, "histogram in facets": {"_facets": {"_histogram." + name}},
		"in a histogram": {"_histogram.date": {name}}, "histogram in an agg": {"_aggs.product": {"_histogram." + name}}, "interval": {"_histogram_interval." + name: {"1"}},
		"cardinality": {"_facets": {"_cardinality." + name}}, "cardinality as a parameter": {"_cardinality." + name: {""}}, "cardinality in an agg": {"_aggs.product": {"_cardinality." + name}}, "cardinality in a histogram": {"_histogram.date": {"_cardinality." + name}},
	}
}

// What is protected is refused in every place as what does not exist is, before anything is
// asked of the tables: an answer cannot depend on it.
func TestProtectedFieldsAreAsUnknown(t *testing.T) {
	public := map[string]bool{}
	for _, f := range ask.Public().Fields() {
		public[f.Name], public[f.Twin] = true, true
	}
	names := []string{"nothing", "URL", "Email", "annotations.URL", "crash_rows.signature", "ver", "`signature`", "signature`", "signature--", "SIGNATURE", "1", "(SELECT 1)", "\x00", strings.Repeat("a", 5000)}
	protected := 0
	for _, c := range clickhouse.Columns(schema.ClassProtected) {
		if !public[c.Name] {
			names = append(names, c.Name)
			protected++
		}
	}
	if protected < 50 {
		t.Fatalf("%d protected fields", protected)
	}
	for _, name := range names {
		for place, q := range everyPlace(name) {
			_, err := parse(q)
			unknown := "there is no field "
			var refused *ask.RefusedError
			if !errors.As(err, &refused) || !strings.HasPrefix(err.Error(), unknown) || !strings.HasSuffix(err.Error(), "that can be searched: /api/SuperSearchFields/ has those there are") {
				// unloaded_modules is public, and has no histogram, whatever stands behind it.
				if before, _, ok := strings.Cut(name, "."); refused == nil || !ok || !public[before] {
					t.Errorf("%.60q as %s: %v", name, place, err)
				}
			}
		}
	}
}

// The names of Super Search are of public columns, and no column's own.
func TestTwinsArePublic(t *testing.T) {
	twins := 0
	for _, f := range ask.Public().Fields() {
		if f.Twin == "" {
			continue
		}
		twins++
		for _, class := range []schema.Class{schema.ClassPublic, schema.ClassProtected} {
			if slices.ContainsFunc(clickhouse.Columns(class), func(c clickhouse.Column) bool { return c.Name == f.Twin }) {
				t.Errorf("%s is a column of class %s, and Super Search's name of %s", f.Twin, class, f.Name)
			}
		}
		if g, err := ask.Public().Field(f.Twin); err != nil || g.Name != f.Name {
			t.Errorf("%s: %v", f.Twin, err)
		}
	}
	if twins < 15 {
		t.Errorf("%d names of Super Search", twins)
	}
}

func many(n int, of func(i int) string) (out []string) {
	for i := range n {
		out = append(out, of(i))
	}
	return out
}

// Every bound lets through what it says, and refuses what is one more.
func TestBoundsOfASearch(t *testing.T) {
	fields := ask.Public().Fields()
	filters := func(n int) url.Values {
		q := url.Values{}
		for _, f := range fields[:n] {
			q[f.Name] = []string{"__null__"}
		}
		return q
	}
	one := func(name string, values ...string) url.Values { return url.Values{name: values} }
	for name, at := range map[string][2]url.Values{
		"fields":          {filters(40), filters(41)},
		"terms":           {one("product", many(100, func(i int) string { return fmt.Sprint("=", i) })...), one("product", many(101, func(i int) string { return fmt.Sprint("=", i) })...)},
		"bytes":           {one("product", strings.Repeat("a", 4096)), one("product", strings.Repeat("a", 4097))},
		"regex":           {one("product", "@"+strings.Repeat("a", 512)), one("product", "@"+strings.Repeat("a", 513))},
		"sorts":           {one("_sort", "product", "version", "channel", "os"), one("_sort", "product", "version", "channel", "os", "date")},
		"facets":          {one("_facets", many(16, func(i int) string { return fields[i].Name })...), one("_facets", many(17, func(i int) string { return fields[i].Name })...)},
		"depth":           {one("_aggs.product.version", "os"), one("_aggs.product.version.os", "channel")},
		"facet size":      {one("_facets_size", "10000"), one("_facets_size", "10001")},
		"results":         {one("_results_number", "1000"), one("_results_number", "1001")},
		"offset":          {one("_results_offset", "100000"), one("_results_offset", "100001")},
		"interval":        {{"_facets": {"_histogram.uptime"}, "_histogram_interval.uptime": {"1e15"}}, {"_facets": {"_histogram.uptime"}, "_histogram_interval.uptime": {"1.1e15"}}},
		"days":            {{"_facets": {"_histogram.date"}, "_histogram_interval.date": {"3650d"}}, {"_facets": {"_histogram.date"}, "_histogram_interval.date": {"3651d"}}},
		"first year":      {one("date", ">=1971-01-01"), one("date", ">=1970-12-31")},
		"last year":       {one("date", "<2105-12-31"), one("date", "<2106-01-01")},
		"largest number":  {one("uptime", "18446744073709551615"), one("uptime", "1e999")},
		"what is counted": {one("_aggs.product", "_cardinality.os"), one("_aggs._cardinality.os.product", "version")},
	} {
		if _, err := parse(at[0]); err != nil {
			t.Errorf("%s: at the bound: %v", name, err)
		}
		_, err := parse(at[1])
		var refused *ask.RefusedError
		if !errors.As(err, &refused) {
			t.Errorf("%s: beyond the bound: %v", name, err)
		}
	}
	var names []string
	for _, f := range fields {
		names = append(names, f.Name)
	}
	for _, f := range fields {
		if f.Twin != "" {
			names = append(names, f.Twin)
		}
	}
	s, err := parse(one("_columns", append([]string{"*"}, names[:180]...)...))
	if err != nil || len(s.Columns) != 180 {
		t.Errorf("180 columns: %v", err)
	}
	if _, err := parse(one("_columns", names[:181]...)); err == nil {
		t.Error("181 columns")
	}
	// A cursor's text is base64: four characters for three bytes.
	padded := func(bytes int) string {
		const before, behind = `{"s":"-received_at","f":1790000000000,"k":["0","1790000000000","`, `"]}`
		return base64.RawURLEncoding.EncodeToString([]byte(before + strings.Repeat("a", bytes/4*3-len(before)-len(behind)) + behind))
	}
	if _, err := parse(one("_cursor", padded(8192))); err != nil || len(padded(8192)) != 8192 {
		t.Errorf("a cursor of 8192 bytes: %v", err)
	}
	if _, err := parse(one("_cursor", padded(8196))); err == nil || !strings.Contains(err.Error(), "8192 bytes") {
		t.Errorf("a longer cursor: %v", err)
	}
}

// Whatever a URL says is understood or refused.
func TestOddSearchesAreRefused(t *testing.T) {
	cursor := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for _, q := range []url.Values{
		{"_facets_size": {"-1"}},
		{"_facets_size": {"x"}},
		{"_results_number": {""}},
		{"_limit": {"1"}},
		{"_view": {"crash_rows"}},
		{"_sort": {"stack.function"}},
		{"_sort": {"--product"}},
		{"uptime": {"~1"}},
		{"uptime": {"x"}},
		{"uptime": {"NaN"}},
		{"uptime": {"=0x10"}},
		{"startup_crash": {"perhaps"}},
		{"product": {"__true__"}},
		{"product": {"@("}},
		{"product": {"@(a{1000}){1000}"}},
		{"product": {"@\xff"}},
		{"crash_id": {"x"}},
		{"crash_id": {"0bba929f-8721-460c-8e70-\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x10\x11"}},
		{"date": {">=yesterday"}},
		{"date": {"~2026"}},
		{"crash_time": {"__true__"}},
		{"_facets": {"_histogram.product"}},
		{"_facets": {"_histogram.startup_crash"}},
		{"_facets": {"_histogram."}},
		{"_aggs.": {"product"}},
		{"_aggs.product._cardinality": {"os"}},
		{"_aggs._histogram": {"os"}},
		{"_aggs." + strings.Repeat("product.", 5000): {"os"}},
		{"_histogram_interval.uptime": {"60"}},
		{"_histogram.uptime": {"product"}, "_histogram_interval.uptime": {"0"}},
		{"_histogram.date": {"product"}, "_histogram_interval.date": {"1M"}},
		{"_histogram.date": {"product"}, "_histogram_interval.date": {"0.5d"}},
		{"_histogram.date": {"product"}, "_histogram_interval.date": {"NaNd"}},
		{"_cursor": {"x!"}},
		{"_cursor": {cursor(`{}`)}},
		{"_cursor": {cursor(`{"s":"-received_at","f":0,"k":["0","1","a"]}`)}},
		{"_cursor": {cursor(`{"s":"-received_at","f":1790000000000,"k":["0","x","a"]}`)}},
		{"_cursor": {cursor(`{"s":"-received_at","f":1790000000000,"k":["2","1","a"]}`)}},
		{"_cursor": {cursor(`{"s":"product","f":1790000000000,"k":["0","1","a"]}`)}},
		{"_cursor": {cursor(`{"s":"-received_at","f":1790000000000,"k":["0","1"]}`)}},
		{"_cursor": {cursor(`[]`)}},
		{"_cursor": {strings.Repeat("A", 8193)}},
	} {
		_, err := parse(q)
		var refused *ask.RefusedError
		if !errors.As(err, &refused) || len(err.Error()) > 400 {
			t.Errorf("%.200v: %.500v", q, err)
		}
	}
	if _, err := parse(url.Values{"_cursor": {cursor(`{"s":"-received_at","f":1790000000000,"k":["0","1790000000000","a"]}`)}}); err != nil {
		t.Error(err)
	}
}

// Values are no part of a statement, whatever they hold.
func TestValuesAreParameters(t *testing.T) {
	const evil = "x') OR 1=1 -- {p0:String} \\' \x00 `"
	for _, op := range []string{"", "=", "~", "^", "$", ">=", "!", "!~"} {
		for _, name := range []string{"signature", "os_pretty_version", "stack.function", "annotations"} {
			s, err := parse(url.Values{name: {op + evil}, "_facets": {"product"}})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			all, err := s.Statements()
			if err != nil {
				t.Fatal(err)
			}
			for _, st := range all {
				if strings.Contains(st.SQL, "OR 1") || strings.Contains(st.SQL, "evil") || !slices.ContainsFunc(slices.Collect(mapValues(st.Params)), func(v string) bool { return strings.Contains(v, "OR 1=1") }) {
					t.Errorf("%s %s: %s", name, op, st.SQL)
				}
			}
		}
	}
}

func FuzzSearch(f *testing.F) {
	for _, q := range []string{"product=~a&_facets=version", "_aggs.product.version=_cardinality.os&_histogram.date=product", "date=%3E%3D7d&_sort=-uptime&_cursor=abc", "_aggs.stack.function._histogram.uptime=os"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		s, err := parse(q)
		if err != nil {
			return
		}
		if _, err := s.Statements(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// Who may read what is protected may name it in every place, and the search says so; of what there is
// not they are told the same as everybody.
func TestProtectedFieldsForWhoMay(t *testing.T) {
	usual := ask.Usual{Columns: []string{"crash_id"}, FacetSize: 50, Number: 100}
	fields := 0
	for _, f := range ask.Protected().Fields() {
		if !f.Protected {
			continue
		}
		fields++
		for place, q := range everyPlace(f.Name) {
			s, err := ask.Protected().ParseSearch(q, usual, now)
			var refused *ask.RefusedError
			switch {
			case errors.As(err, &refused) && !strings.Contains(err.Error(), "there is no field"): // an operator or order it has not
			case err != nil:
				t.Errorf("%s as %s: %v", f.Name, place, err)
			case !slices.Equal(s.Protected(), []string{f.Name}) && place != "empty filter":
				t.Errorf("%s as %s: %q", f.Name, place, s.Protected())
			default:
				if _, err := s.Statements(); err != nil {
					t.Errorf("%s as %s: %v", f.Name, place, err)
				}
			}
		}
	}
	if fields < 50 {
		t.Errorf("%d fields", fields)
	}
	for place, q := range everyPlace("nothing") {
		_, err := ask.Protected().ParseSearch(q, usual, now)
		if _, other := parse(q); err == nil || err.Error() != other.Error() {
			t.Errorf("%s: %v", place, err)
		}
	}
	if s, err := ask.Protected().ParseSearch(url.Values{"_columns": {"*"}, "product": {"x"}}, usual, now); err != nil || len(s.Protected()) > 0 {
		t.Errorf("%v, %v", s.Protected(), err)
	}
}

// 58.0b is every beta of 58.0, and what says more is only that.
func TestBetasOfAVersion(t *testing.T) {
	for text, want := range map[string]ask.Filter{
		"58.0b": {Operator: ask.Starts, Value: "58.0b"}, "!58.0b": {Not: true, Operator: ask.Starts, Value: "58.0b"}, "=58.0b": {Operator: ask.Exactly, Value: "58.0b"},
		"58.0b4": {Value: "58.0b4"}, "58.0": {Value: "58.0"}, "web": {Value: "web"}, "b": {Value: "b"},
	} {
		s, err := parse(url.Values{"version": {text}})
		if err != nil {
			t.Fatal(err)
		}
		if f := s.Filters[0]; f.Not != want.Not || f.Operator != want.Operator || f.Value != want.Value {
			t.Errorf("%s: %v %q %q", text, f.Not, f.Operator, f.Value)
		}
	}
	if s, _ := parse(url.Values{"build_id": {"58.0b"}}); s.Filters[0].Operator != ask.Any {
		t.Error("another field")
	}
}
