package ask_test

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"aftershock/ask"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/sinks/clickhouse/clickhousetest"
)

// values are what the oracle of searches knows of a crash: of a field all values that it has,
// as text, int64, float64, bool or time.Time.
var values = map[string]func(c *crash) []any{
	"crash_id": func(c *crash) []any { return []any{c.CrashID} }, "signature": func(c *crash) []any { return texts(c.Signature) },
	"product": func(c *crash) []any { return texts(c.Product) }, "channel": func(c *crash) []any { return texts(c.Channel) },
	"build_id": func(c *crash) []any { return texts(c.BuildID) }, "reason": func(c *crash) []any { return texts(c.Reason) },
	"os_pretty_version": func(c *crash) []any { return texts(or(c.facts.OSPrettyVersion, "")) },
	"moz_crash_reason":  func(c *crash) []any { return texts(or(c.facts.MozCrashReason, "")) },
	"received_at":       func(c *crash) []any { return []any{c.ReceivedAt.UTC()} },
	"cpu_count":         func(c *crash) []any { return []any{int64(c.CPUCount)} },
	"uptime":            func(c *crash) []any { return pointed(c.facts.Uptime) },
	"startup_crash":     func(c *crash) []any { return pointed(c.facts.StartupCrash) },
	"throttle_rate":     func(c *crash) []any { return []any{c.ThrottleRate} },
	"missing_symbols":   func(c *crash) []any { return texts(c.facts.MissingSymbols...) },
	"proto_signature":   func(c *crash) []any { return texts(c.ProtoSignature) },
	"modules.filename": func(c *crash) (out []any) {
		for _, m := range c.Modules {
			out = append(out, texts(m.Filename)...)
		}
		return out
	},
	"stack.function": func(c *crash) (out []any) {
		for _, f := range c.Frames {
			for _, in := range f.Inlines {
				out = append(out, texts(in.Function)...)
			}
			out = append(out, texts(f.Function)...)
		}
		return out
	},
	"stack.line": func(c *crash) (out []any) {
		for _, f := range c.Frames {
			for _, in := range f.Inlines {
				out = append(out, in.Line)
			}
			out = append(out, f.Line)
		}
		return out
	},
	"stack.doubt": func(c *crash) (out []any) {
		for _, f := range c.Frames {
			out = append(out, texts(f.Doubt)...)
		}
		return out
	},
	"stack.probability": func(c *crash) (out []any) {
		for _, f := range c.Frames {
			for range f.Inlines {
				out = append(out, f.Probability)
			}
			out = append(out, f.Probability)
		}
		return out
	},
	"annotations": func(c *crash) (out []any) {
		for name, value := range c.public {
			out = append(out, name+"="+value)
		}
		return out
	},
}

// texts are texts that are not empty: an empty one is no value.
func texts(of ...string) (out []any) {
	for _, s := range of {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func pointed[T any](p *T) []any {
	if p == nil {
		return nil
	}
	return []any{*p}
}

// lets tells whether a crash passes one value of a filter.
func lets(c *crash, field, text string) bool {
	text, not := strings.CutPrefix(text, "!")
	op := ""
	for _, o := range []string{"__null__", "__true__", ">=", "<=", "=", "~", "^", "$", "@", ">", "<"} {
		if rest, ok := strings.CutPrefix(text, o); ok {
			op, text = o, rest
			break
		}
	}
	all := values[field](c)
	if op == "__null__" {
		return (len(all) == 0) != not
	}
	return slices.ContainsFunc(all, func(v any) bool { return compares(v, op, text) }) != not
}

func compares(v any, op, text string) bool {
	d := 0
	switch v := v.(type) {
	case string:
		switch op {
		case "":
			return strings.EqualFold(v, text) // the crashes' terms are ASCII
		case "~":
			return strings.Contains(v, text)
		case "^":
			return strings.HasPrefix(v, text)
		case "$":
			return strings.HasSuffix(v, text)
		case "@":
			return regexp.MustCompile(text).MatchString(v)
		}
		d = strings.Compare(v, text)
	case bool:
		want := op == "__true__" || text == "true" || text == "1"
		return v == want
	case int64:
		return compares(float64(v), op, text)
	case float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			panic(text)
		}
		d = sign(v - n)
	case time.Time:
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			panic(text)
		}
		d = v.Compare(at)
	}
	switch op {
	case "", "=":
		return d == 0
	case ">=":
		return d >= 0
	case "<=":
		return d <= 0
	case ">":
		return d > 0
	case "<":
		return d < 0
	}
	return false
}

func sign(x float64) int { return cmp.Compare(x, 0) }

// found are the crashes that the parameters of a search let through: of a field one value that
// is no range and does not say not, and all others.
func (o *oracle) found(q url.Values) (out []*crash) {
	all := only(slices.Collect(mapValues(o.versions[o.active])), func(c *crash) bool { return !c.ReceivedAt.Before(now.AddDate(0, 0, -7)) })
	for _, v := range q["received_at"] { // no usual time, or that before the end
		if v[0] == '>' || v[0] == '<' {
			all = slices.Collect(mapValues(o.versions[o.active]))
		}
	}
	if v := q["received_at"]; len(v) == 1 && v[0][0] == '<' {
		to, err := time.Parse(time.RFC3339, strings.TrimLeft(v[0], "<="))
		if err != nil {
			panic(v)
		}
		to = to.Truncate(time.Millisecond).Add(time.Duration(strings.Count(v[0], "=")) * time.Millisecond)
		all = only(all, func(c *crash) bool { return !c.ReceivedAt.Before(to.AddDate(0, 0, -7)) })
	}
	for _, c := range all {
		passes := true
		for field, texts := range q {
			if field[0] == '_' {
				continue
			}
			one, any := false, false
			for _, text := range texts {
				h := lets(c, field, text)
				if text[0] == '!' || text[0] == '>' || text[0] == '<' {
					passes = passes && h
					continue
				}
				one, any = true, any || h
			}
			passes = passes && (!one || any)
		}
		if passes {
			out = append(out, c)
		}
	}
	return out
}

func mapValues[K comparable, V any](m map[K]V) func(yield func(V) bool) {
	return func(yield func(V) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// searched is a search in what a test has stored.
func searched(t *testing.T, q url.Values) *ask.Search {
	t.Helper()
	s, err := ask.Public().ParseSearch(q, ask.Usual{Columns: []string{"crash_id"}, FacetSize: 50, Number: 100}, now)
	if err != nil {
		t.Fatalf("%v: %v", q, err)
	}
	return s
}

// searchable are tables that an oracle knows of.
func searchable(t *testing.T, count int) (*oracle, *clickhouse.DB) {
	t.Helper()
	address, analysts := clickhousetest.ServeAnalysts(t)
	db := clickhousetest.Open(t, address)
	public, err := clickhouse.Open(analysts, schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { public.Close() }) //nolint:gosec // the server ends with it
	o := &oracle{versions: map[int32]map[string]*crash{}}
	all := crashes(t, count)
	var of []*schema.ProcessedCrash
	for i := range count {
		c := bent(i, all.At(i))
		if i%4 == 1 {
			c.ThrottleRate = 0.25
		}
		of = append(of, c)
	}
	o.tell(t, db, 500, of)
	o.see(t, db, 1)
	return o, public
}

// params reads pairs of names and values.
func params(pairs ...string) url.Values {
	q := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		q.Add(pair[0], pair[1])
	}
	return q
}

// asISO is how a time stands in a filter.
func asISO(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// filters are some for each operator on each kind of field, with values of the crashes.
func filters(o *oracle) (out []url.Values) {
	all := slices.Collect(mapValues(o.versions[o.active]))
	slices.SortFunc(all, func(a, b *crash) int { return strings.Compare(a.CrashID, b.CrashID) })
	for _, field := range slices.Sorted(mapKeys(values)) {
		if slices.Contains([]string{"product", "channel", "reason", "moz_crash_reason", "signature", "modules.filename", "missing_symbols"}, field) {
			continue // others have the type, and the facets have these
		}
		f, err := ask.Public().Field(field)
		if err != nil {
			panic(err)
		}
		with := slices.IndexFunc(all, func(c *crash) bool { return len(values[field](c)) > 0 })
		v := values[field](all[with])
		text := fmt.Sprint(v[len(v)-1])
		if at, ok := v[0].(time.Time); ok {
			text = asISO(at)
		}
		for _, op := range f.Takes() {
			value, runes := text, []rune(text)
			n := len(runes)
			switch op {
			case ask.Contains:
				value = string(runes[n/3 : max(n/3+1, n*2/3)])
			case ask.Starts:
				value = string(runes[:(n+1)/2])
			case ask.Ends:
				value = string(runes[n/2:])
			case ask.Matches:
				value = "^" + regexp.QuoteMeta(string(runes[:1])) + ".*" + regexp.QuoteMeta(string(runes[n-1:])) + "$"
			case ask.Missing, ask.True:
				value = ""
			case ask.Any:
				if f.Kind == ask.KindText {
					value = strings.ToUpper(text)
				}
			default: // is or compares with the value
			}
			out = append(out, params(field, string(op)+value), params(field, "!"+string(op)+value))
		}
	}
	other := all[7]
	return append(out,
		params("signature", "="+all[0].Signature, "signature", "="+other.Signature),
		params("signature", "!="+all[0].Signature, "signature", "!="+other.Signature),
		params("product", all[0].Product, "channel", "!="+all[0].Channel, "stack.function", "!__null__"),
		params("uptime", ">=60", "uptime", "<600"), params("uptime", "<60", "uptime", "__null__"),
		params("received_at", ">"+asISO(now.AddDate(0, 0, -30)), "received_at", "<="+asISO(other.ReceivedAt)),
		params("received_at", ">="+asISO(other.ReceivedAt), "startup_crash", "!__true__"),
	)
}

func mapKeys[K comparable, V any](m map[K]V) func(yield func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// Every operator on every kind of field, and its negation, finds the crashes that the oracle
// finds, with the weight that the oracle gives them.
func TestFiltersFindWhatTheOracleFinds(t *testing.T) {
	o, db := searchable(t, 1200)
	some := 0
	for i, q := range filters(o) {
		want := o.found(q)
		q["_results_number"] = []string{"1000"}
		s := searched(t, q)
		counted := &ask.Counted{Crashes: uint64(len(want)), Estimated: estimated(want)}
		var err error
		if i%5 == 0 || len(want) > 1000 {
			if counted, err = s.Count(t.Context(), db); err != nil {
				t.Fatalf("%v: %v", q, err)
			}
		}
		page, err := s.Page(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		have, ids := page.IDs, []string{}
		for _, c := range want {
			ids = append(ids, c.CrashID)
		}
		slices.Sort(have)
		slices.Sort(ids)
		ids = ids[:min(len(ids), 1000)]
		if len(want) <= 1000 && !slices.Equal(have, ids) {
			t.Errorf("%v: %d crashes, want %d", q, len(have), len(ids))
		}
		if counted.Crashes != uint64(len(want)) || counted.Estimated != estimated(want) {
			t.Errorf("%v: %d crashes, estimated %v, want %d and %v", q, counted.Crashes, counted.Estimated, len(want), estimated(want))
		}
		if len(want) > 0 {
			some++
		}
	}
	if some < 100 {
		t.Errorf("%d searches find something", some)
	}
}

// bucketsOf groups crashes as a step does: by term, as its JSON.
func bucketsOf(all []*crash, field string, into func(v any) any) (terms map[string][]*crash, missing []*crash) {
	terms = map[string][]*crash{}
	for _, c := range all {
		in := map[string]bool{}
		for _, v := range values[field](c) {
			in[termOf(into(v))] = true
		}
		for term := range in {
			terms[term] = append(terms[term], c)
		}
		if len(in) == 0 {
			missing = append(missing, c)
		}
	}
	return terms, missing
}

func same1(v any) any { return v }

func termOf(v any) string {
	switch v := v.(type) {
	case time.Time:
		layout := "2006-01-02 15:04:05.000"
		return v.UTC().Format(layout)
	default:
		return fmt.Sprint(v)
	}
}

// checkFacet compares a facet with the oracle's, of crashes that are in it.
func checkFacet(t *testing.T, what string, f ask.Facet, all []*crash, field string, into func(any) any, size int, below func(t *testing.T, b ask.Bucket, in []*crash)) {
	t.Helper()
	want, missing := bucketsOf(all, field, into)
	if f.Step.Count == ask.Cardinality {
		if f.Value != uint64(len(want)) {
			t.Errorf("%s: %d values, want %d", what, f.Value, len(want))
		}
		return
	}
	order := slices.Sorted(mapKeys(want))
	if f.Step.Count == ask.Terms {
		slices.SortStableFunc(order, func(a, b string) int { return len(want[b]) - len(want[a]) })
		order = order[:min(len(order), size)]
	}
	if len(f.Buckets) != len(order) {
		t.Errorf("%s: %d buckets, want %d", what, len(f.Buckets), len(order))
	}
	var counts, have []int
	for _, term := range order {
		counts = append(counts, len(want[term]))
	}
	for _, b := range f.Buckets {
		term := ask.Shown(b.Term)
		in := want[term]
		if b.Crashes != uint64(len(in)) || b.Estimated != estimated(in) || len(in) == 0 {
			t.Errorf("%s: %q has %d crashes, estimated %v, want %d and %v", what, term, b.Crashes, b.Estimated, len(in), estimated(in))
		}
		have = append(have, int(b.Crashes))
		if below != nil {
			below(t, b, in)
		}
	}
	if f.Step.Count == ask.Terms && !slices.Equal(have, counts) {
		t.Errorf("%s: counts %v, want %v", what, have, counts)
	}
	if f.Missing != nil && f.Missing.Crashes != uint64(len(missing)) {
		t.Errorf("%s: %d without, want %d", what, f.Missing.Crashes, len(missing))
	}
}

// Facets of every kind of field, in each other, histograms and cardinalities count what the
// oracle counts.
func TestFacetsCountWhatTheOracleCounts(t *testing.T) {
	o, db := searchable(t, 1200)
	count := func(q url.Values) *ask.Counted {
		t.Helper()
		q["_results_number"] = []string{"0"}
		c, err := searched(t, q).Count(t.Context(), db)
		if err != nil {
			t.Fatalf("%v: %v", q, err)
		}
		return c
	}
	all := o.found(url.Values{"received_at": {">=" + asISO(now.AddDate(0, 0, -20))}})
	since := func(more ...string) url.Values {
		return params(append(more, "received_at", ">="+asISO(now.AddDate(0, 0, -20)))...)
	}
	for field := range values {
		for _, size := range []string{"3", "10000"} {
			c := count(since("_facets", field, "_facets_size", size, "_facets", "_cardinality."+field))
			n, _ := strconv.Atoi(size)
			checkFacet(t, field+" "+size, c.Facets[0], all, field, same1, n, nil)
			checkFacet(t, "cardinality of "+field, c.Facets[1], all, field, same1, n, nil)
		}
	}
	c := count(since("_aggs.product", "channel", "_aggs.product.channel", "_cardinality.signature", "_facets", "product", "_aggs.product.stack.function", "os_pretty_version", "_facets_size", "4"))
	if len(c.Facets) != 1 {
		t.Fatalf("%d facets", len(c.Facets))
	}
	checkFacet(t, "product", c.Facets[0], all, "product", same1, 4, func(t *testing.T, b ask.Bucket, in []*crash) {
		checkFacet(t, "channel", b.Facets[0], in, "channel", same1, 4, func(t *testing.T, b ask.Bucket, in []*crash) {
			checkFacet(t, "signatures", b.Facets[0], in, "signature", same1, 4, nil)
		})
		checkFacet(t, "function", b.Facets[1], in, "stack.function", same1, 4, func(t *testing.T, b ask.Bucket, in []*crash) {
			checkFacet(t, "system", b.Facets[0], in, "os_pretty_version", same1, 4, nil)
		})
	})
	parts := func(width float64) func(any) any {
		return func(v any) any {
			switch v := v.(type) {
			case int64:
				return math.Floor(float64(v)/width) * width
			case time.Time:
				monday := int64(0)
				if width == 7*86400 {
					monday = 4 * 86400
				}
				return time.Unix(int64(math.Floor(float64(v.Unix()-monday)/width))*int64(width)+monday, 0).UTC().Format(time.DateTime)
			}
			panic("no histogram")
		}
	}
	c = count(since("_histogram.received_at", "product", "_histogram.uptime", "_cardinality.channel", "_histogram_interval.uptime", "60", "_facets", "_histogram.stack.line", "_histogram_interval.stack.line", "100"))
	for _, f := range c.Facets {
		switch f.Step.As {
		case "received_at":
			checkFacet(t, "days", f, all, "received_at", parts(86400), 0, func(t *testing.T, b ask.Bucket, in []*crash) {
				checkFacet(t, "product", b.Facets[0], in, "product", same1, 50, nil)
			})
		case "uptime":
			checkFacet(t, "minutes", f, all, "uptime", parts(60), 0, func(t *testing.T, b ask.Bucket, in []*crash) {
				checkFacet(t, "channels", b.Facets[0], in, "channel", same1, 0, nil)
			})
		case "stack.line":
			checkFacet(t, "lines", f, all, "stack.line", parts(100), 0, nil)
		}
	}
	for every, width := range map[string]float64{"1w": 7 * 86400, "6h": 6 * 3600} {
		c = count(since("_facets", "_histogram.date", "_histogram_interval.date", every))
		checkFacet(t, every, c.Facets[0], all, "received_at", parts(width), 0, nil)
	}
}
