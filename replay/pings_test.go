package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
	"aftershock/stream/streamtest"
)

// pings are the same rows of pings.
func pings(rows ...sinks.Row) []sinks.Row {
	out := slices.Clone(rows)
	for i := range out {
		p := *out[i].Processed
		p.Kind = schema.KindPing
		out[i].Processed = &p
	}
	return out
}

// A ping that would vanish is as missing as a crash, whether it was looked at before or not.
func TestPingsThatWouldVanishAreMissing(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	all := change{schema.TimeBegin, schema.TimeEnd, 1, 2}
	put := func(n int, version int32, at time.Time, as func(...sinks.Row) []sinks.Row) {
		t.Helper()
		write(t, db, as(stored(crashID(n, at.Format("060102")), version, 0, int64(n), at, "f", ""))...)
	}
	reports := func(rows ...sinks.Row) []sinks.Row { return rows }
	for version := int32(1); version <= 2; version++ {
		put(1, version, noon, reports)
		put(2, version, noon, pings)
	}
	recent := &look{before: noon.Add(time.Hour), stored: map[int32]map[int32]int64{1: {0: 1100}, 2: {0: 2100}}}
	check := func(name string, looked *look, limit int, want ...string) {
		t.Helper()
		n, first, err := missing(t.Context(), db, []change{all}, looked, limit)
		var got []string
		for _, m := range first {
			got = append(got, fmt.Sprintf("%s %.8s at %d", m.Kind, m.CrashID, m.Raw.Offset))
		}
		if err != nil || n != int64(len(want)) || !slices.Equal(got, want[:min(limit, len(want))]) {
			t.Errorf("%s: %d, %q, %v, want %q", name, n, got, err, want)
		}
	}
	until := func(want time.Time) {
		t.Helper()
		if got, err := all.until(t.Context(), db); err != nil || !got.Equal(want) {
			t.Errorf("both have everything until %s, %v, want %s", got, err, want)
		}
	}
	check("both have all", nil, 10)
	until(schema.TimeEnd)
	put(3, 1, noon.Add(time.Minute), pings)
	check("a ping", nil, 10, "ping 00000003 at 3")
	check("a ping that was looked at", recent, 10)
	until(noon.Add(time.Minute))
	put(200, 1, noon.Add(24*time.Hour), reports)
	put(201, 1, noon.Add(-24*time.Hour), pings) // of a day that no report is of
	put(202, 1, noon.Add(2*time.Minute), reports)
	want := []string{"ping 000000c9 at 201", "ping 00000003 at 3", "report 000000ca at 202", "report 000000c8 at 200"} // by day and id
	for limit := range 5 {
		check("both kinds", nil, limit, want...)
	}
	check("both kinds, since", recent, 10, want[0], want[2], want[3])
	until(noon.Add(-24 * time.Hour))
	put(201, 2, noon.Add(-24*time.Hour), pings)
	put(3, 2, noon, pings)
	until(noon.Add(2 * time.Minute)) // a report now
	check("a ping that came since and is there", recent, 10, want[2:]...)
}

// What is shown of pings changes with what is shown of reports, and is held against it the
// same way.
func TestAPromotionLosesNoPing(t *testing.T) {
	t.Parallel()
	r := promotable(t, openDB(t), func(*schema.VersionEvent) {})
	r.project()
	r.stores(1, "f", 1, 2, 3, 4)
	r.stores(2, "g", 1, 2, 3, 4)
	ping := func(version int32, signature string, days ...int) {
		t.Helper()
		for _, day := range days {
			row := stored(crashID(100+day, "261122"), version, 0, int64(100+day), at(day), signature, "")
			row.Position.Offset = 0
			write(t, r.o.DB, pings(row)...)
		}
	}
	ping(1, "p", 2, 3)
	ping(2, "q", 2)
	r.refuses(func() error { return r.promote(2, begin, end, soon) },
		"crashes that are seen would vanish: 1 are not in the new version (--accept-missing 1 lets them):"+
			fmt.Sprintf("\n  ping %s (crash.raw/0/103, version 1): not processed in the new version; verify --version tells more", crashID(103, "261122")))
	ping(2, "q", 3)
	if err := r.promote(2, begin, end, soon); err != nil {
		t.Fatal(err)
	}
	if got := r.seen(); got != "1 v2 g, 2 v2 g, 3 v2 g, 4 v2 g" {
		t.Errorf("seen: %s", got)
	}
	if got := asked(t, r.o.DB, "SELECT concat(toString(signature_version), ' ', signature) FROM aftershock.pings"); !slices.Equal(got, []string{"2 q", "2 q"}) {
		t.Errorf("pings that are seen: %q", got)
	}
	// Lineage is of reports.
	if got := asked(t, r.o.DB, "SELECT concat(old_signature, ' > ', new_signature, ' ', toString(crashes)) FROM aftershock.lineage"); !slices.Equal(got, []string{"f > g 4"}) {
		t.Errorf("lineage: %q", got)
	}
	if l, err := FindLineage(t.Context(), r.o.DB, clickhouse.Limits{}, "q"); err != nil || l.FirstSeen != nil {
		t.Errorf("a signature of pings alone: %+v, %v", l, err)
	}
}

func TestAPromotionIsRefusedWhilePingsLackSymbolsForAWhile(t *testing.T) {
	t.Parallel()
	o := &Operator{DB: openDB(t)}
	moves := []change{{schema.TimeBegin, schema.TimeEnd, 1, 2}}
	write(t, o.DB, pings(lacking(1, 1, 0, "found"), lacking(1, 2, 0, "timeout"), lacking(2, 1, 0, "timeout"), lacking(2, 2, 0, "timeout"))...)
	write(t, o.DB, lacking(3, 1, 0, "found"), lacking(3, 2, 0, "error"), lacking(4, 1, 0, "found"), lacking(4, 2, 0, "error"))
	err := o.refuseTransient(t.Context(), moves, nil, 2)
	if !errors.Is(err, ErrTransient) || !strings.Contains(err.Error(), ": 3 in the new version") || !strings.HasSuffix(err.Error(), "\n  error of libslow.so: 2 crashes\n  timeout of libslow.so: 1 pings") {
		t.Errorf("%v", err)
	}
	if err := o.refuseTransient(t.Context(), moves, nil, 3); err != nil {
		t.Error(err)
	}
	if err := o.refuseTransient(t.Context(), moves, &look{before: noon.Add(time.Hour), stored: map[int32]map[int32]int64{2: {0: 3000}}}, 0); err != nil {
		t.Errorf("what was looked at: %v", err)
	}
}

// Each population is compared by itself: what the other one has changes nothing.
func TestADiffIsOfOnePopulation(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	rows := slices.Concat(generated(600)...)
	queries := map[string]DiffQuery{
		"versions":  {A: &schema.SignatureVersion{Number: 1}, B: &schema.SignatureVersion{Number: 2, RulesetHash: "b"}, Limit: 1000},
		"revisions": {A: &schema.SignatureVersion{Number: 1}, B: &schema.SignatureVersion{Number: 1}, Revisions: true, Limit: 1000},
	}
	run := func(name string, p clickhouse.Population) *Diff {
		t.Helper()
		q := queries[name]
		q.Population = p
		d, err := q.Run(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	write(t, db, rows...)
	reports := map[string]*Diff{}
	for name := range queries {
		reports[name] = run(name, clickhouse.Population{}) // reports
		if d := run(name, clickhouse.Pings); d.Totals.A+d.Totals.B+d.Totals.Both != 0 || d.Kind != schema.KindPing {
			t.Errorf("%s of pings, before there are any: %+v", name, d)
		}
	}
	if reports["versions"].Totals.Moved < 10 || reports["revisions"].Totals.Both < 10 {
		t.Fatalf("%+v", reports)
	}
	write(t, db, pings(rows...)...)
	extra := []sinks.Row{stored(crashID(9001, "261122"), 1, 0, 9001, noon, "p", ""), stored(crashID(9001, "261122"), 2, 0, 9001, noon, "q", "")}
	write(t, db, pings(append(extra, stored(crashID(9001, "261122"), 1, 3, 9001, noon, "p again", ""))...)...)
	for name, before := range reports {
		if d := cmp.Diff(before, run(name, clickhouse.Reports)); d != "" || before.Kind != "" {
			t.Errorf("%s of reports changed with pings (-before +after)\n%s", name, d)
		}
		of := run(name, clickhouse.Pings)
		if of.Totals.Both != before.Totals.Both+1 || of.Totals.Moved != before.Totals.Moved+1 || of.Totals.OnlyA != before.Totals.OnlyA {
			t.Errorf("%s of pings: %+v, of reports %+v", name, of.Totals, before.Totals)
		}
	}
	// An example's row is looked for among its own.
	rules := rulesOf(t, "abort\n")
	version := &schema.SignatureVersion{Number: 1, RulesetHash: rules.Hash(), Ruleset: files(rules)}
	k, _ := streamtest.Broker(t, 1, schema.ProcessedTopic(1))
	for kind, want := range map[string]string{"": "its row is gone", schema.KindPing: "its processed crash is gone from crash.processed.v1"} {
		d := &Diff{Kind: kind, Pairs: []Pair{{From: "p again", To: "q", Examples: []Example{{CrashID: crashID(9001, "261122")}}}}}
		if err := d.Explain(t.Context(), db, k, version, version); err != nil || d.Pairs[0].Examples[0].Why != want {
			t.Errorf("%q: %+v, %v, want %s", kind, d.Pairs, err, want)
		}
	}
}

// Whoever reads a report is told that it is about pings, and never that they are crashes.
func TestReportsSayThatTheyAreOfPings(t *testing.T) {
	reports, of := small(), small()
	of.Kind = schema.KindPing
	write := func(d *Diff) map[string]string {
		out := map[string]string{}
		for name, report := range map[string]func(*bytes.Buffer) error{
			"text": func(b *bytes.Buffer) error { return d.WriteText(b) }, "page": func(b *bytes.Buffer) error { return d.WriteHTML(b) },
			"json": func(b *bytes.Buffer) error { return d.WriteJSON(b) }, "csv": func(b *bytes.Buffer) error { return d.WriteCSV(b) },
		} {
			var b bytes.Buffer
			if err := report(&b); err != nil {
				t.Fatal(err)
			}
			out[name] = b.String()
		}
		return out
	}
	was, is := write(reports), write(of)
	for _, name := range []string{"text", "page"} {
		if !strings.Contains(is[name], "Crash pings, not reports. Signature version 2 against 1") || strings.Contains(is[name], "crashes") || strings.Contains(was[name], "pings") {
			t.Errorf("%s", is[name])
		}
		if want := strings.NewReplacer("Signature version 2", "Crash pings, not reports. Signature version 2", "\ncrashes ", "\n  pings ", "crashes", "pings").Replace(was[name]); want != is[name] {
			t.Errorf("%s (-want +got)\n%s", name, cmp.Diff(want, is[name]))
		}
	}
	if !strings.HasPrefix(is["csv"], "row,version_a,version_b,signature_a,signature_b,pings,") {
		t.Errorf("%s", is["csv"])
	}
	var told struct{ Kind string }
	if err := json.Unmarshal([]byte(is["json"]), &told); err != nil || told.Kind != "ping" || strings.Contains(was["json"], `"kind":""`) {
		t.Errorf("%s, %v", is["json"], err)
	}
}

// A condition selects reports or pings, whichever it is asked of.
func TestWhereSelectsOfOnePopulation(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	if err := db.Activate(t.Context(), schema.Activation{Epoch: 1, Ranges: []schema.ActiveRange{{From: schema.TimeBegin, To: schema.TimeEnd, SignatureVersion: 1}}}); err != nil {
		t.Fatal(err)
	}
	write(t, db, stored(crashID(1, "261122"), 1, 0, 1, noon, "f", ""))
	write(t, db, pings(stored(crashID(2, "261122"), 1, 0, 2, noon, "f", ""), stored(crashID(3, "261122"), 1, 0, 3, noon, "f", ""))...)
	for _, p := range clickhouse.Populations {
		want := map[string][]int64{"crashes": {1}, "pings": {2, 3}}[p.View]
		selected, all, err := Where(t.Context(), db, clickhouse.Limits{}, p, "signature = 'f'", 10)
		var got []int64
		for _, s := range selected {
			got = append(got, s.Raw.Offset)
		}
		if err != nil || all != int64(len(want)) || !slices.Equal(got, want) {
			t.Errorf("%s: %v of %d, %v", p.View, got, all, err)
		}
	}
	if _, all, err := Where(t.Context(), db, clickhouse.Limits{}, clickhouse.Pings, "1", 1); err != nil || all != 2 {
		t.Errorf("more pings than wanted: %d, %v", all, err)
	}
}

// A plan compares one kind, and estimates a replay of both.
func TestAPlanIsOfOneKind(t *testing.T) {
	t.Parallel()
	r, reportBytes := planned(t, 6)
	bytesOfAll := 6 * reportBytes
	for day := 11; day <= 13; day++ {
		p := signed(t, day, rulesOf(t, "abort\n"), "abort", "helper", "h")
		p.Kind, p.ReceivedAt = schema.KindPing, at(day)
		value, err := schema.Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		bytesOfAll += int64(len(value))
		r.raw(0, day)
		r.put(&kgo.Record{Topic: schema.ProcessedTopic(1), Key: []byte(p.CrashID), Value: value})
	}
	for kind, want := range map[string]Plan{"": {Sampled: 6, Changed: 6, OtherKind: 3}, schema.KindPing: {Sampled: 3, Changed: 3, OtherKind: 6, Kind: schema.KindPing}} {
		got, err := r.o.Plan(t.Context(), PlanOptions{Ruleset: rulesOf(t, "abort\nhelper\n"), Sample: 1000, Kind: kind})
		if err != nil {
			t.Fatal(err)
		}
		if got.Sampled != want.Sampled || got.Changed != want.Changed || got.OtherKind != want.OtherKind || got.Kind != want.Kind || got.All != 9 || got.EventBytes != bytesOfAll/9 {
			t.Errorf("%q: %+v", kind, got)
		}
		var text bytes.Buffer
		if err := got.WriteChanges(&text); err != nil || !strings.Contains(text.String(), fmt.Sprintf("%d %s\n", want.Sampled, got.What())) || strings.Contains(text.String(), "helper | h") != (kind != "") {
			t.Errorf("%q: %s, %v", kind, &text, err)
		}
	}
}
