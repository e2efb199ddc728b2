package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
)

// stored is a row of a crash.
func stored(id string, version int32, revision, rawOffset int64, at time.Time, signature, symbols string) sinks.Row {
	return sinks.Row{
		Processed: &schema.ProcessedCrash{
			CrashID: id, ReceivedAt: at, SignatureVersion: version, Revision: revision, Signature: signature,
			Raw:     schema.Position{Topic: schema.TopicRaw, Offset: rawOffset},
			Modules: []schema.Module{{Filename: "app", SymbolsSHA256: symbols}},
		},
		Position: schema.Position{Topic: schema.ProcessedTopic(version), Offset: rawOffset + 1000*int64(version)},
	}
}

func write(t *testing.T, db *clickhouse.DB, rows ...sinks.Row) {
	t.Helper()
	if err := db.Write(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
}

// strings of a query's only column.
func asked(t *testing.T, db *clickhouse.DB, query string) (out []string) {
	t.Helper()
	rows, err := db.Query(t.Context(), clickhouse.Limits{}, query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		out = append(out, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// matrix is a diff's counts as the naive query below gives them.
func matrix(t *testing.T, db *clickhouse.DB, q DiffQuery) []string {
	t.Helper()
	from, to := covered(&q)
	cells, _, err := q.cells(t.Context(), db, from, to)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range cells {
		from, to := "-", "-"
		if c.from != nil {
			from = *c.from
		}
		if c.to != nil {
			to = *c.to
		}
		out = append(out, fmt.Sprintf("%s > %s %v: %d", from, to, c.symbols, c.crashes))
	}
	slices.Sort(out)
	return out
}

// naive is the same over the wide table, from what is known to be right.
func naive(t *testing.T, db *clickhouse.DB, from, to time.Time) []string {
	t.Helper()
	side := func(version int) string {
		return fmt.Sprintf("(SELECT crash_id, signature, `modules.symbols_sha256` AS symbols FROM aftershock.crash_rows FINAL"+
			" WHERE signature_version = %d AND received_at >= fromUnixTimestamp64Milli(%d) AND received_at < fromUnixTimestamp64Milli(%d))", version, from.UnixMilli(), to.UnixMilli())
	}
	return asked(t, db, "SELECT concat(ifNull(a.signature, '-'), ' > ', ifNull(b.signature, '-'), ' ',"+
		" if(a.crash_id IS NOT NULL AND b.crash_id IS NOT NULL AND a.symbols != b.symbols, 'true', 'false'), ': ', toString(count())) AS line"+
		" FROM "+side(1)+" AS a FULL JOIN "+side(2)+" AS b ON a.crash_id = b.crash_id"+
		" GROUP BY a.signature, b.signature, a.crash_id IS NOT NULL AND b.crash_id IS NOT NULL AND a.symbols != b.symbols ORDER BY line SETTINGS join_use_nulls = 1")
}

// generated are rows of two versions with everything that delivery at least once,
// replays and people bring about.
func generated(crashes int) (batches [][]sinks.Row) {
	r := rand.New(rand.NewPCG(7, 7)) //nolint:gosec // the same rows each time
	batches = make([][]sinks.Row, 4)
	put := func(row sinks.Row) {
		i := r.IntN(len(batches))
		batches[i] = append(batches[i], row)
		if r.IntN(20) == 0 { // delivered again
			i = r.IntN(len(batches))
			batches[i] = append(batches[i], row)
		}
	}
	for n := range crashes {
		day := n % 5
		id, at := crashID(n, fmt.Sprintf("2611%02d", 20+day)), noon.AddDate(0, 0, day-2).Add(time.Duration(r.IntN(12*3600_000))*time.Millisecond)
		name := fmt.Sprint("signature ", r.IntN(20))
		for version := int32(1); version <= 2; version++ {
			if r.IntN(20) == 0 {
				continue // this version lacks it
			}
			if version == 2 && r.IntN(10) == 0 {
				name = fmt.Sprint("signature ", r.IntN(25))
			}
			symbols := fmt.Sprint("symbols ", r.IntN(2)*r.IntN(2))
			put(stored(id, version, 0, int64(n), at, name, symbols))
			if r.IntN(15) == 0 { // a second raw record, received later
				put(stored(id, version, 0, int64(n+crashes), at.Add(6*time.Hour), "signature of a duplicate", symbols))
			}
			for revision := range r.IntN(3) * r.IntN(2) * r.IntN(2) {
				put(stored(id, version, int64(revision+1), int64(n), at, fmt.Sprint("signature ", r.IntN(25)), fmt.Sprint("symbols ", revision)))
			}
		}
	}
	return batches
}

func TestDiffCountsWhatTheWideTablesShow(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	if err := db.Exec(t.Context(), clickhouse.Limits{}, "SYSTEM STOP MERGES aftershock.signatures"); err != nil {
		t.Fatal(err)
	}
	for _, batch := range generated(2000) {
		write(t, db, batch...)
	}
	write(t, db, stored(crashID(1, "261122"), 3, 0, 1, noon, "a third version's", ""))
	a, b := &schema.SignatureVersion{Number: 1}, &schema.SignatureVersion{Number: 2}
	compare := func(name string) {
		for _, bounds := range [][2]time.Time{
			{schema.TimeBegin, schema.TimeEnd},
			{noon.Add(3 * time.Hour), noon.AddDate(0, 0, 1).Add(5*time.Hour + time.Millisecond)},
			{noon.AddDate(0, 0, 40), schema.TimeEnd},
		} {
			want := naive(t, db, bounds[0], bounds[1])
			for _, rows := range []uint64{1, 2500, 1 << 20} {
				q := DiffQuery{A: a, B: b, From: bounds[0], To: bounds[1], chunkRows: rows}
				if diff := cmp.Diff(want, matrix(t, db, q)); diff != "" {
					t.Errorf("%s, %v, chunks of %d rows (-naive +diff)\n%s", name, bounds, rows, diff)
				}
			}
		}
	}
	compare("in parts")
	for _, statement := range []string{"SYSTEM START MERGES aftershock.signatures", "OPTIMIZE TABLE aftershock.signatures FINAL", "OPTIMIZE TABLE aftershock.crash_rows FINAL"} {
		if err := db.Exec(t.Context(), clickhouse.Limits{}, statement); err != nil {
			t.Fatal(err)
		}
	}
	compare("merged")
	if err := db.Purge(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	compare("dropped")
}

// Crashes with one row a version take the quick way, and only they.
func TestDiffTakesTheQuickWayWhereEveryCrashHasOneRow(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	for n := range 11 {
		write(t, db, stored(crashID(n, "261122"), 1, 0, int64(n), noon, "a", ""), stored(crashID(n, "261122"), 2, 0, int64(n), noon, fmt.Sprint("b", n%2), ""))
	}
	q := DiffQuery{A: &schema.SignatureVersion{Number: 1}, B: &schema.SignatureVersion{Number: 2}, chunkRows: 1}
	c := counting{db: db, query: &q, salt: "salt", counts: map[key]*count{}, maxPairs: maxCells}
	of := chunk{first: noon, last: noon}
	if single, err := c.add(t.Context(), c.sql(singleRows, of)); err != nil || !single || len(c.counts) != 2 {
		t.Errorf("%v, %v, %d pairs", single, err, len(c.counts))
	}
	write(t, db, stored(crashID(1, "261122"), 2, 5, 1, noon, "c", ""))
	c.counts = map[key]*count{}
	if single, err := c.add(t.Context(), c.sql(singleRows, of)); err != nil || single || len(c.counts) != 0 {
		t.Errorf("with a second revision: %v, %v, %d pairs", single, err, len(c.counts))
	}
	if got := matrix(t, db, q); !slices.Equal(got, []string{"a > b0 false: 6", "a > b1 false: 4", "a > c false: 1"}) {
		t.Errorf("%q", got)
	}
}

func TestDiffOfRevisionsComparesTheNewestTwo(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	id := func(n int) string { return crashID(n, "261122") }
	for _, batch := range [][]sinks.Row{
		{stored(id(1), 1, 0, 1, noon, "a", "old"), stored(id(2), 1, 0, 2, noon, "a", "old"), stored(id(3), 1, 0, 3, noon, "a", "old"), stored(id(4), 1, 0, 4, noon, "a", "old")},
		{stored(id(1), 1, 7, 1, noon, "b", "new"), stored(id(2), 1, 8, 2, noon, "c", "old"), stored(id(3), 1, 9, 3, noon, "a", "new")},
		{stored(id(2), 1, 9, 2, noon, "d", "new"), stored(id(2), 1, 9, 2, noon, "d", "new")},
		{stored(id(1), 1, 0, 50, noon, "the duplicate's", "old"), stored(id(4), 1, 0, 51, noon, "the duplicate's", "old")},
		{stored(id(4), 2, 5, 4, noon, "another version's", "old")},
	} {
		write(t, db, batch...)
	}
	v := &schema.SignatureVersion{Number: 1}
	d, err := (&DiffQuery{A: v, B: v, Revisions: true, Limit: 10}).Run(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Totals{A: 3, B: 3, Both: 3, Moved: 2, SignaturesA: 2, SignaturesB: 3}); d.Totals != want {
		t.Errorf("%+v, want %+v", d.Totals, want)
	}
	var got []string
	for _, p := range d.Pairs {
		got = append(got, fmt.Sprint(p.From, " > ", p.To, ": ", p.Crashes, " ", p.Causes, p.Examples))
	}
	if want := []string{"a > b: 1 [symbols] [{" + id(1) + "  :0:  false}]", "c > d: 1 [symbols] [{" + id(2) + "  :0:  false}]"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestDiffCoversWhatBothVersionsCover(t *testing.T) {
	at := func(hours int) *time.Time { return new(noon.Add(time.Duration(hours) * time.Hour)) }
	bound := func(t *time.Time) string {
		if t == nil {
			return "none"
		}
		return t.Sub(noon).String()
	}
	for name, tc := range map[string]struct {
		q    DiffQuery
		want string
	}{
		"everything":           {DiffQuery{A: &schema.SignatureVersion{}, B: &schema.SignatureVersion{}}, "none none"},
		"the later beginning":  {DiffQuery{A: &schema.SignatureVersion{From: at(1)}, B: &schema.SignatureVersion{From: at(2)}}, "2h0m0s none"},
		"the earlier end":      {DiffQuery{A: &schema.SignatureVersion{To: at(1)}, B: &schema.SignatureVersion{To: at(2)}}, "none 1h0m0s"},
		"less, when asked for": {DiffQuery{A: &schema.SignatureVersion{From: at(1)}, B: &schema.SignatureVersion{To: at(9)}, From: *at(3), To: *at(4)}, "3h0m0s 4h0m0s"},
		"never more":           {DiffQuery{A: &schema.SignatureVersion{From: at(1)}, B: &schema.SignatureVersion{To: at(9)}, From: *at(0), To: *at(10)}, "1h0m0s 9h0m0s"},
	} {
		from, to := covered(&tc.q)
		if got := bound(from) + " " + bound(to); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestChunksAreSuccessiveDays(t *testing.T) {
	day := func(n int, rows uint64) chunk {
		return chunk{noon.AddDate(0, 0, n), noon.AddDate(0, 0, n), rows}
	}
	var got []string
	for _, c := range chunksOf([]chunk{day(0, 4), day(1, 6), day(2, 1), day(5, 20), day(6, 10)}, 10) {
		got = append(got, fmt.Sprint(c.first.Day(), "-", c.last.Day(), ": ", c.rows))
	}
	if want := []string{"22-23: 10", "24-24: 1", "27-27: 20", "28-28: 10"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestDiffIsBounded(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	var rows []sinks.Row
	for n := range 50 {
		rows = append(rows, stored(crashID(n, "261122"), 1, 0, int64(n), noon, fmt.Sprint(n), ""), stored(crashID(n, "261122"), 2, 0, int64(n), noon, fmt.Sprint(n/2), ""))
	}
	write(t, db, rows...)
	v1, v2 := &schema.SignatureVersion{Number: 1}, &schema.SignatureVersion{Number: 2, RulesetHash: "other"}
	d, err := (&DiffQuery{A: v1, B: v2, Limit: 3}).Run(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Pairs) != 3 || len(d.Changes) != 3 || d.OtherChanges == 0 || d.Others != (Others{Pairs: 46, Crashes: 46}) || d.Totals.Moved != 49 {
		t.Errorf("%+v", d)
	}
	for _, limit := range []int{0, MaxDiffLimit + 1} {
		if _, err := (&DiffQuery{A: v1, B: v2, Limit: limit}).Run(t.Context(), db); err == nil {
			t.Errorf("a limit of %d", limit)
		}
	}
	if _, err := (&DiffQuery{A: v1, B: v1, Limit: 1}).Run(t.Context(), db); err == nil {
		t.Error("a version with itself")
	}
	if _, err := (&DiffQuery{A: v1, B: v2, Limit: 1, maxPairs: 50}).Run(t.Context(), db); err != nil {
		t.Errorf("as many pairs as there may be: %v", err)
	}
	if _, err := (&DiffQuery{A: v1, B: v2, Limit: 1, maxPairs: 49, exact: true}).Run(t.Context(), db); !errors.Is(err, ErrTooManyPairs) {
		t.Errorf("one pair too many: %v", err)
	}
	_, err = (&DiffQuery{A: v1, B: v2, Limit: 3, Limits: clickhouse.Limits{MemoryBytes: 1000}}).Run(t.Context(), db)
	if err == nil || !strings.Contains(err.Error(), "memory limit") {
		t.Errorf("with 1000 bytes of memory: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&DiffQuery{A: v1, B: v2, Limit: 3}).Run(ctx, db); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want to be cancelled", err)
	}
}

func TestEachCauseThatDiffersIsNamed(t *testing.T) {
	text := func(s string) *string { return &s }
	d := Diff{A: Side{1, 1, "r1", "a1"}, B: Side{2, 2, "r2", "a1"}}
	d.fill([]cell{
		{text("f"), text("g"), true, 2, []string{"3", "4"}}, // their order says nothing
		{text("f"), text("g"), false, 5, []string{"1", "2"}},
		{text("f"), text("f"), true, 9, nil},
		{text("f"), nil, false, 3, nil},
		{nil, text("h"), false, 1, nil},
	}, nil, 10)
	rules := []Cause{CauseRules, CauseProcess}
	want := []Pair{{
		From: "f", To: "g", Crashes: 7, ShareOfFrom: 7. / 16, ShareOfTo: 1,
		Causes:   []CauseCount{{rules, 5}, {append(slices.Clone(rules), CauseSymbols), 2}},
		Examples: []Example{{CrashID: "1"}, {CrashID: "2"}, {CrashID: "3"}},
	}}
	if diff := cmp.Diff(want, d.Pairs); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(want[0].Causes, d.Causes); diff != "" {
		t.Errorf("of all (-want +got)\n%s", diff)
	}
	if want := (Totals{A: 19, B: 17, Both: 16, OnlyA: 3, OnlyB: 1, Moved: 7, SignaturesA: 1, SignaturesB: 3}); d.Totals != want {
		t.Errorf("%+v, want %+v", d.Totals, want)
	}
	kinds := map[string]int64{}
	for _, c := range d.Changes {
		kinds[string(c.Kind)+" "+c.Signature] = int64(c.Crashes)
	}
	if want := map[string]int64{"split f": 16, "new g": 7}; !maps.Equal(kinds, want) {
		t.Errorf("%v, want %v", kinds, want)
	}
	same := Diff{A: Side{1, 1, "r", "a"}, B: Side{2, 1, "r", "b"}}
	if got := same.causes(false); !slices.Equal(got, []Cause{CauseRegistry}) {
		t.Errorf("%v", got)
	}
}

// Of more pairs than are kept apart the most frequent stay, and the totals stay exact,
// whether the parts of a range or all of it have too many.
func TestTheRarestPairsAreFolded(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	var rows []sinks.Row
	n := 0
	for day, each := range []string{"261121", "261122", "261123"} {
		for pair := range 60 { // the first ten are frequent, every third stays, and some are in one version alone
			for range 1 + 5*max(0, 10-pair) {
				n++
				id := crashID(n, each)
				at := noon.AddDate(0, 0, day-1)
				if pair != 58 {
					rows = append(rows, stored(id, 1, 0, int64(n), at, fmt.Sprint("a", pair), ""))
				}
				if pair == 59 {
					continue
				}
				to := fmt.Sprint("b", pair)
				if pair%3 == 0 {
					to = fmt.Sprint("a", pair)
				}
				rows = append(rows, stored(id, 2, 0, int64(n), at, to, ""))
			}
		}
	}
	write(t, db, rows...)
	v1, v2 := &schema.SignatureVersion{Number: 1}, &schema.SignatureVersion{Number: 2, RulesetHash: "other"}
	want, err := (&DiffQuery{A: v1, B: v2, Limit: 5}).Run(t.Context(), db)
	if err != nil || want.Folded != (Folded{}) {
		t.Fatalf("%+v, %v", want, err)
	}
	for _, chunkRows := range []uint64{1, 1 << 20} {
		got, err := (&DiffQuery{A: v1, B: v2, Limit: 5, maxPairs: 40, chunkRows: chunkRows}).Run(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		if got.Folded.Pairs < 20 || got.Folded.Crashes < 20 || got.Totals.SignaturesA >= want.Totals.SignaturesA {
			t.Errorf("folded %+v", got.Folded)
		}
		got.Totals.SignaturesA, got.Totals.SignaturesB = want.Totals.SignaturesA, want.Totals.SignaturesB
		if d := cmp.Diff(want.Totals, got.Totals); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(want.Causes, got.Causes); d != "" {
			t.Error(d)
		}
		for i := range want.Pairs {
			if w, g := want.Pairs[i], got.Pairs[i]; w.From != g.From || w.To != g.To || w.Crashes != g.Crashes {
				t.Errorf("%+v, want %+v", g, w)
			}
		}
		var text, page, table bytes.Buffer
		if err := errors.Join(got.WriteText(&text), got.WriteHTML(&page), got.WriteCSV(&table)); err != nil {
			t.Fatal(err)
		}
		for of, want := range map[*bytes.Buffer]string{&text: "too many to be told apart", &page: "too many to be told apart", &table: "folded,"} {
			if !strings.Contains(of.String(), want) {
				t.Errorf("no %q in %s", want, of)
			}
		}
	}
}
