package clickhouse_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
)

// A ping is no crash, wherever somebody counts.
func TestPingsAreStoredApart(t *testing.T) {
	db, conn := open(t)
	if err := db.Activate(t.Context(), activation(1, all(1))); err != nil {
		t.Fatal(err)
	}
	want := func(name string, counts map[clickhouse.Population]string) {
		t.Helper()
		for of, n := range counts {
			for _, table := range []string{"aftershock.$rows", "aftershock.$view", "aftershock_protected.$rows", "aftershock_protected.$view", "aftershock.$signatures"} {
				if got := ask(t, conn, of.SQL("SELECT toString(count()) FROM "+table))[0]; got != n {
					t.Errorf("%s: %s in %s, want %s", name, got, of.SQL(table), n)
				}
			}
		}
	}
	reports := []sinks.Row{row(id(1, "261122"), 1, 0, 10, noon, "f"), row(id(2, "261122"), 1, 0, 11, noon, "f"), row(id(3, "261122"), 1, 0, 12, noon, "g")}
	reports[2].Processed.Kind = "nobody's" // of a door that is not ours
	pings := asPings([]sinks.Row{row(id(4, "261122"), 1, 0, 13, noon, "f"), row(id(5, "261122"), 1, 0, 14, noon, "h")})
	for _, step := range []struct {
		name           string
		rows           []sinks.Row
		reports, pings string
	}{
		{"nothing", nil, "0", "0"},
		{"reports", reports[:2], "2", "0"},
		{"a mixed batch", []sinks.Row{pings[0], reports[2]}, "3", "1"},
		{"pings", pings[1:], "3", "2"},
	} {
		if err := db.Write(t.Context(), step.rows); err != nil {
			t.Fatal(err)
		}
		want(step.name, map[clickhouse.Population]string{clickhouse.Reports: step.reports, clickhouse.Pings: step.pings})
	}
	for of, rows := range map[clickhouse.Population][]sinks.Row{clickhouse.Reports: reports, clickhouse.Pings: pings} {
		crashes := map[string]string{}
		for _, r := range rows {
			crashes[r.Processed.CrashID] = r.Processed.Signature
		}
		if got := seen(t, conn, of); !maps.Equal(got, crashes) {
			t.Errorf("%s: %v, want %v", of.View, got, crashes)
		}
	}
}

// A population's tables and views are those of the other one by other names.
func TestPopulationsHaveTheSameTables(t *testing.T) {
	_, conn := open(t)
	shape := func(of clickhouse.Population) []string {
		var out []string
		for _, table := range []string{"aftershock.$rows", "aftershock_protected.$rows", "aftershock.$signatures", "aftershock.$view", "aftershock_protected.$view", "aftershock.$by_id", "aftershock_protected.$by_id"} {
			where := of.SQL(fmt.Sprintf(" WHERE concat(database, '.', %%s) = '%s'", table))
			out = append(out, ask(t, conn, "SELECT concat(engine_full, ' ', partition_key, ' ', sorting_key, ' ', primary_key) FROM system.tables"+fmt.Sprintf(where, "name"))...)
			out = append(out, ask(t, conn, "SELECT concat(name, ' ', type, ' ', compression_codec, ' ', default_expression) FROM system.columns"+fmt.Sprintf(where, "table")+" ORDER BY position")...)
		}
		return append(out, ask(t, conn, of.SQL("SELECT replaceAll(replaceAll(as_select, '$rows', 'rows'), '$signatures', 'signatures') FROM system.tables"+
			" WHERE name IN ('$view', '$by_id', 'signatures_of_$rows') ORDER BY database, engine, as_select"))...)
	}
	want := shape(clickhouse.Reports)
	if len(want) < 100 {
		t.Fatalf("%q", want)
	}
	if got := shape(clickhouse.Pings); !slices.Equal(got, want) {
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("%q, want %q", got[i], want[i])
			}
		}
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
}

// What analysts ask of both: how many reports and pings there are of a signature, and of how
// many they are a sample. The query is docs/pings.md's.
func TestReportsAgainstPings(t *testing.T) {
	db, conn := open(t)
	if err := db.Activate(t.Context(), activation(1, all(1))); err != nil {
		t.Fatal(err)
	}
	n := 0
	some := func(count int, kind, signature, channel string, rate float64, at time.Time) (rows []sinks.Row) {
		for range count {
			n++
			r := row(id(n, "261122"), 1, 0, int64(n), at, signature)
			p := r.Processed
			p.Kind, p.ThrottleRate = kind, rate
			p.Annotations = append(p.Annotations, schema.Annotation{Name: "ReleaseChannel", Value: channel, Public: true})
			rows = append(rows, r)
		}
		return rows
	}
	rows := slices.Concat(
		some(7, schema.KindReport, "both", "release", 0.1, noon), some(2, schema.KindReport, "both", "release", 1, noon),
		some(5, schema.KindPing, "both", "release", 0.004, noon), some(3, schema.KindPing, "both", "release", 0.05, noon.Add(time.Hour)),
		some(4, schema.KindReport, "reported", "release", 0.25, noon),
		some(6, schema.KindPing, "pinged", "release", 0.5, noon),
		some(1, schema.KindReport, "", "release", 1, noon), some(1, schema.KindPing, "", "release", 1, noon), // nothing is known of it
		// Nobody asks for these.
		some(9, schema.KindReport, "both", "nightly", 1, noon), some(9, schema.KindPing, "both", "nightly", 1, noon),
		some(9, schema.KindReport, "both", "release", 1, noon.Add(2*time.Hour)), some(9, schema.KindPing, "early", "release", 1, noon.Add(-time.Millisecond)),
	)
	other := row(id(1, "261122"), 2, 0, 1, noon, "another version's")
	other.Processed.Kind = schema.KindPing
	for _, batch := range [][]sinks.Row{rows, rows[3:20], {other}} { // some of them again
		if err := db.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile("../../docs/pings.md")
	if err != nil {
		t.Fatal(err)
	}
	query := regexp.MustCompile(`(?s)\n    SELECT .*?\n\n`).Find(page)
	ctx := ch.Context(t.Context(), ch.WithParameters(ch.Parameters{"from": "2026-11-22 12:00:00", "to": "2026-11-22 14:00:00", "channel": "release"}))
	found, err := conn.Query(ctx, string(query))
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	var got []string
	for found.Next() {
		var signature string
		var reports, pings uint64
		var reportsEstimated, pingsEstimated float64
		if err := found.Scan(&signature, &reports, &pings, &reportsEstimated, &pingsEstimated); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%q %d %d %v %v", signature, reports, pings, reportsEstimated, pingsEstimated))
	}
	want := []string{`"both" 9 8 72 1310`, `"pinged" 0 6 0 12`, `"" 1 1 1 1`, `"reported" 4 0 16 0`}
	if err := found.Err(); err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, want %q, %v", got, want, err)
	}
}
