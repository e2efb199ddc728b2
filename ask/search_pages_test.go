package ask_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"aftershock/ask"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
	"aftershock/sinks/clickhouse/clickhousetest"
)

// walk goes from page to page, to the end, and back to the begin if nothing comes between.
func walk(t *testing.T, db *clickhouse.DB, q url.Values, between func()) (ids []string) {
	t.Helper()
	at := func(cursor string) (*ask.Page, *ask.Search) {
		q.Set("_cursor", cursor)
		if cursor == "" {
			q.Del("_cursor")
		}
		s, err := ask.Public().ParseSearch(q, ask.Usual{Columns: []string{"crash_id"}, Number: 100}, now)
		if err != nil {
			t.Fatalf("%v: %v", q, err)
		}
		p, err := s.Page(t.Context(), db)
		if err != nil {
			t.Fatalf("%v: %v", q, err)
		}
		return p, s
	}
	var pages [][]string
	cursor := ""
	for {
		p, _ := at(cursor)
		pages = append(pages, p.IDs)
		ids = append(ids, p.IDs...)
		if (p.Previous == "") != (len(pages) == 1) {
			t.Errorf("%v: page %d leads back to %q", q, len(pages), p.Previous)
		}
		if p.Next == "" {
			cursor = p.Previous
			break
		}
		cursor = p.Next
		if between != nil {
			between()
		}
	}
	if between != nil {
		return ids
	}
	for i := len(pages) - 2; i >= 0; i-- {
		p, _ := at(cursor)
		if !slices.Equal(p.IDs, pages[i]) {
			t.Errorf("%v: page %d is another on the way back", q, i+1)
		}
		if cursor = p.Previous; (cursor == "") != (i == 0) || p.Next == "" {
			t.Errorf("%v: page %d leads to %q and %q on the way back", q, i+1, p.Previous, p.Next)
		}
	}
	return ids
}

// Pages have every crash once, in the order that was asked for, whatever is equal or missing,
// and whatever comes between one page and the next.
func TestPagesHaveEveryCrashOnce(t *testing.T) {
	o, db := searchable(t, 600)
	all := only(slices.Collect(mapValues(o.versions[1])), func(c *crash) bool { return !c.ReceivedAt.Before(now.AddDate(0, 0, -25)) })
	for _, sort := range [][]string{{"product"}, {"-product", "os_pretty_version"}, {"uptime"}, {"-uptime"}, {"-received_at"}, {"moz_crash_reason", "-startup_crash"}, {"throttle_rate", "-day", "cpu_count"}, {"-crash_id"}, {"crash_time"}, {"-signature_id", "revision"}, {"content_hash"}} {
		q := url.Values{"received_at": {">=25d"}, "_results_number": {"83"}, "_sort": sort}
		ids := walk(t, db, q, nil)
		want := slices.Clone(all)
		if sorted(want, sort) {
			for i, c := range want {
				if i < len(ids) && ids[i] != c.CrashID {
					t.Errorf("by %v: crash %d is %s, want %s", sort, i, ids[i], c.CrashID)
					break
				}
			}
		}
		slices.Sort(ids)
		if n := len(ids); n != len(all) || len(slices.Compact(ids)) != n {
			t.Errorf("by %v: %d crashes, want %d", sort, n, len(all))
		}
	}
}

// sorted sorts as a search does; false where the oracle does not know a field.
func sorted(all []*crash, by []string) bool {
	for _, name := range by {
		if values[strings.TrimPrefix(name, "-")] == nil {
			return false
		}
	}
	falls := strings.HasPrefix(by[0], "-")
	slices.SortFunc(all, func(a, b *crash) int {
		for _, name := range by {
			name, falls := strings.CutPrefix(name, "-")
			x, y := values[name](a), values[name](b)
			if len(x) == 0 || len(y) == 0 {
				if d := len(y) - len(x); d != 0 {
					return d
				}
				continue
			}
			if d := compareValues(x[0], y[0]); d != 0 {
				if falls {
					return -d
				}
				return d
			}
		}
		d := strings.Compare(a.CrashID, b.CrashID)
		if falls {
			return -d
		}
		return d
	})
	return true
}

func compareValues(x, y any) int {
	switch x := x.(type) {
	case string:
		return strings.Compare(x, y.(string))
	case int64:
		return sign(float64(x - y.(int64)))
	case float64:
		return sign(x - y.(float64))
	case bool:
		if x == y.(bool) {
			return 0
		}
		if x {
			return 1
		}
		return -1
	default:
		return x.(time.Time).Compare(y.(time.Time))
	}
}

// A crash that comes while somebody turns pages moves nothing.
func TestPagesStayWhereTheyAre(t *testing.T) {
	db := clickhousetest.Open(t, clickhousetest.ServeTables(t))
	all := crashes(t, 200)
	write := func(from, to int) {
		var rows []sinks.Row
		for i := from; i < to; i++ {
			rows = append(rows, row(all.At(i), int64(i)))
		}
		if err := db.Write(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
	}
	write(0, 120)
	see(t, db, 1, 1)
	next := 120
	ids := walk(t, db, url.Values{"date": {">=40d"}, "_results_number": {"40"}}, func() { // newest first: those that come are before
		write(next, next+20)
		next += 20
	})
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			t.Errorf("%s twice", id)
		}
		seen[id] = true
	}
	for i := range 120 {
		if id := all.At(i).CrashID; !seen[id] {
			t.Errorf("%s is lost", id)
		}
	}
}

// Of every public field the tables answer every operator, facet, histogram, cardinality, sort
// and column, and the whole can be exported.
func TestEveryFieldCanBeSearched(t *testing.T) {
	o, db := searchable(t, 60)
	if n := len(ask.Public().Fields()); n < 150 {
		t.Fatalf("%d fields", n)
	}
	samples := map[ask.Kind]string{ask.KindText: "a", ask.KindNumber: "1", ask.KindTruth: "true", ask.KindTime: "2026-09-01", ask.KindID: slices.Sorted(mapKeys(o.versions[1]))[0]}
	try := func(q url.Values) {
		t.Helper()
		s, err := ask.Public().ParseSearch(q, ask.Usual{Columns: []string{"uuid"}, FacetSize: 5, Number: 5}, now)
		if err != nil {
			t.Errorf("%v: %v", q, err)
			return
		}
		if _, err := s.Count(t.Context(), db); err != nil {
			t.Errorf("%v: %v", q, err)
		}
		if _, err := s.Page(t.Context(), db); err != nil {
			t.Errorf("%v: %v", q, err)
		}
	}
	for op := range slices.Values(ask.Operators) {
		for part := range slices.Chunk(ask.Public().Fields(), 40) {
			q := url.Values{}
			for _, f := range part {
				if !slices.Contains(f.Takes(), op) {
					continue
				}
				value := samples[f.Kind]
				if op == ask.True || op == ask.Missing {
					value = ""
				}
				q[f.Name] = []string{"!" + string(op) + value}
			}
			try(q)
		}
	}
	var plain, order []string
	for _, f := range ask.Public().Fields() {
		plain = append(plain, f.Name, "_cardinality."+f.Name)
		if f.Kind == ask.KindNumber || f.Kind == ask.KindTime {
			plain = append(plain, "_histogram."+f.Name)
		}
		if !f.List {
			order = append(order, f.Name)
		}
	}
	for part := range slices.Chunk(plain, 16) {
		try(url.Values{"_facets": part, "_results_number": {"0"}})
	}
	for part := range slices.Chunk(order, 4) {
		walk(t, db, url.Values{"_sort": part, "_results_number": {"20"}, "date": {">=10d"}}, nil)
	}
	q := url.Values{"_columns": {"*"}, "_results_number": {"3"}, "date": {">=60d"}, "_sort": {"signature"}}
	try(q)
	s := searched(t, q)
	n := 0
	if err := s.Each(t.Context(), db, func(row []json.RawMessage) error {
		if n++; len(row) != len(ask.Public().Fields()) {
			return fmt.Errorf("%d columns", len(row))
		}
		return nil
	}); err != nil || n != len(o.versions[1]) {
		t.Errorf("%d crashes: %v", n, err)
	}
	var file bytes.Buffer
	if err := s.Parquet(t.Context(), db, func() io.Writer { return &file }); err != nil || !bytes.HasPrefix(file.Bytes(), []byte("PAR1")) || !bytes.HasSuffix(file.Bytes(), []byte("PAR1")) {
		t.Errorf("%d bytes of Parquet: %v", file.Len(), err)
	}
	try(url.Values{"_view": {"pings"}, "_facets": {"product"}})
}
