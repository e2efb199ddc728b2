package clickhouse_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"aftershock/redact"
	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
	"aftershock/sinks/clickhouse/clickhousetest"
	"aftershock/sinks/sinktest"
)

// TestMain lets the test binary be the embedded ClickHouse as well.
func TestMain(m *testing.M) {
	clickhousetest.Main()
	os.Exit(m.Run())
}

// open returns a migrated database, and a plain connection to look at it.
func open(t testing.TB) (*clickhouse.DB, driver.Conn) {
	t.Helper()
	url := clickhousetest.ServeTables(t)
	db := clickhousetest.Open(t, url)
	o, err := ch.ParseDSN(url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := ch.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return db, conn
}

// ask returns the answer's rows, columns between spaces.
func ask(t *testing.T, conn driver.Conn, query string) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		out = append(out, line)
	}
	return out
}

func id(n int, day string) string { return fmt.Sprintf("%08x-0000-4000-8000-000000%s", n, day) }

// row is a processed crash of a version at a raw offset.
func row(crashID string, version int32, revision, rawOffset int64, at time.Time, signature string) sinks.Row {
	name := "worker"
	return sinks.Row{
		Processed: &schema.ProcessedCrash{
			CrashID: crashID, ReceivedAt: at, SignatureVersion: version, Revision: revision, Signature: signature,
			Raw:   schema.Position{Topic: schema.TopicRaw, Offset: rawOffset},
			Crash: schema.CrashInfo{Reason: "SIGSEGV / SEGV_MAPERR", Address: &name},
			Annotations: []schema.Annotation{
				{Name: "ProductName", Value: "orchard", Public: true}, {Name: "URL", Value: "https://example.org/secret"},
			},
			Threads: []schema.Thread{{Name: name, Frames: []schema.Frame{
				{Module: "app", Function: "f", File: "a.cc", Line: 7, Doubt: "public", Probability: 0.7, Inlines: []schema.Inline{{Function: "in", File: "b.h", Line: 3}}},
				{Module: "libc", ModuleOffset: "0x10"},
			}}},
			Modules: []schema.Module{{Filename: "app", Path: "/home/jane/app", Symbols: "found"}},
			Notes:   []schema.Note{{Code: "dump_missing", Stage: "dump", Index: -1}},
		},
		Position: schema.Position{Topic: schema.ProcessedTopic(version), Offset: rawOffset + 100},
	}
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func activation(epoch int64, ranges ...schema.ActiveRange) schema.Activation {
	return schema.Activation{Epoch: epoch, Ranges: ranges}
}

func all(version int32) schema.ActiveRange {
	return schema.ActiveRange{From: schema.TimeBegin, To: schema.TimeEnd, SignatureVersion: version}
}

func TestMigrationsRunOnceAndAreChecked(t *testing.T) {
	db, conn := open(t)
	before := ask(t, conn, "SELECT concat(toString(number), ' ', name) FROM aftershock.migrations FINAL ORDER BY number")
	if len(before) < 3 || before[0] != "1 0001_databases.sql" {
		t.Fatalf("%q", before)
	}
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Errorf("again: %v", err)
	}
	if n := ask(t, conn, "SELECT toString(count()) FROM aftershock.migrations")[0]; n != fmt.Sprint(len(before)) {
		t.Errorf("%s rows in migrations, want %d", n, len(before))
	}
	// What a newer release adds does not stop this one.
	next := len(before) + 1
	ahead := []string{fmt.Sprintf("%04d_more.sql", next), fmt.Sprintf("%04d_incompatible_words.sql", next+1)}
	for i, name := range ahead {
		if err := conn.Exec(t.Context(), "INSERT INTO aftershock.migrations (number, name, sha256) VALUES (?, ?, 'x')", next+i, name); err != nil {
			t.Fatal(err)
		}
	}
	if newer, err := db.Migrate(t.Context()); err != nil || !slices.Equal(newer, ahead) {
		t.Errorf("a newer release that adds: %q, %v", newer, err)
	}
	if err := conn.Exec(t.Context(), "INSERT INTO aftershock.migrations (number, name, sha256) VALUES (?, '0999_renamed.incompatible.sql', 'x')", next+2); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "0999_renamed.incompatible.sql of a newer release") {
		t.Errorf("a newer release that changes: %v", err)
	}
	if err := conn.Exec(t.Context(), "TRUNCATE TABLE aftershock.migrations"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Exec(t.Context(), "INSERT INTO aftershock.migrations (number, name, sha256, applied_at) VALUES (2, 'other', 'other', now() + 10)"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "is not the one that was applied") {
		t.Errorf("a changed migration: %v", err)
	}
}

func TestRowsThatComeAgainAreCountedOnce(t *testing.T) {
	db, conn := open(t)
	if err := db.Activate(t.Context(), activation(1, all(1))); err != nil {
		t.Fatal(err)
	}
	a, b := id(1, "261122"), id(2, "261122")
	first := row(a, 1, 0, 10, noon, "first")
	for _, batch := range [][]sinks.Row{
		{first, row(b, 1, 0, 11, noon, "b")},
		{first}, // again, cut into another batch
		{row(a, 1, 0, 50, noon, "a second raw record of the same id")},
		{row(b, 1, 6, 11, noon, "b reprocessed")},
		{row(b, 1, 3, 11, noon, "b reprocessed earlier, stored later")},
	} {
		if err := db.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	got := ask(t, conn, "SELECT concat(crash_id, ' ', signature) FROM aftershock.crashes ORDER BY crash_id")
	if len(got) != 2 || got[0] != a+" first" || got[1] != b+" b reprocessed" {
		t.Errorf("%q", got)
	}
	if got := ask(t, conn, "SELECT toString(count()) FROM aftershock_protected.crashes"); got[0] != "2" {
		t.Errorf("protected: %q", got)
	}
}

// asPings are the same rows of pings.
func asPings(rows []sinks.Row) []sinks.Row {
	out := slices.Clone(rows)
	for i := range out {
		p := *out[i].Processed
		p.Kind = schema.KindPing
		out[i].Processed = &p
	}
	return out
}

// pingSink stores all crashes as pings.
type pingSink struct{ *clickhouse.DB }

func (s pingSink) Write(ctx context.Context, rows []sinks.Row) error {
	return s.DB.Write(ctx, asPings(rows))
}

func TestContract(t *testing.T) {
	db, conn := open(t)
	if err := db.Activate(t.Context(), activation(1, all(1))); err != nil {
		t.Fatal(err)
	}
	for sink, of := range map[sinks.Sink]clickhouse.Population{db: clickhouse.Reports, pingSink{db}: clickhouse.Pings} {
		// A rule of an administrator's.
		if err := conn.Exec(t.Context(), of.SQL("ALTER TABLE aftershock.$rows ADD CONSTRAINT no_poison CHECK signature != '"+sinktest.Poison+"'")); err != nil {
			t.Fatal(err)
		}
		t.Run(of.View, func(t *testing.T) {
			sinktest.Contract(t, func(t *testing.T) sinktest.Subject {
				for _, table := range []string{"aftershock.$rows", "aftershock_protected.$rows"} {
					if err := conn.Exec(t.Context(), of.SQL("TRUNCATE TABLE "+table)); err != nil {
						t.Fatal(err)
					}
				}
				return sinktest.Subject{Sink: sink, Seen: func(t *testing.T) map[string]string { return seen(t, conn, of) }}
			})
		})
	}
}

// seen are the signatures by crash id that analysts see, once they have found that both
// databases show the same crashes.
func seen(t *testing.T, conn driver.Conn, of clickhouse.Population) map[string]string {
	t.Helper()
	seen := map[string]string{}
	for _, line := range ask(t, conn, of.SQL("SELECT concat(crash_id, ' ', signature) FROM aftershock.$view")) {
		id, signature, _ := strings.Cut(line, " ")
		if _, twice := seen[id]; twice {
			t.Errorf("%s is seen twice", id)
		}
		seen[id] = signature
	}
	if n := ask(t, conn, of.SQL("SELECT toString(count()) FROM aftershock_protected.$view"))[0]; n != fmt.Sprint(len(seen)) {
		t.Errorf("%s protected rows, %d public ones", n, len(seen))
	}
	return seen
}

func TestColumnsHoldTheCrash(t *testing.T) {
	db, conn := open(t)
	if err := db.Activate(t.Context(), activation(1, all(1))); err != nil {
		t.Fatal(err)
	}
	crash := row(id(1, "261122"), 1, 0, 10, noon, "f")
	if err := db.Write(t.Context(), []sinks.Row{crash}); err != nil {
		t.Fatal(err)
	}
	public, err := redact.Public(crash.Processed, schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"SELECT content_hash FROM aftershock.crashes":                                                                        public.ContentHash,
		"SELECT toString(`stack.function`) FROM aftershock.crashes":                                                          "['in','f','']",
		"SELECT toString(`stack.inlined`) FROM aftershock.crashes":                                                           "[1,0,0]",
		"SELECT toString(`stack.line`) FROM aftershock.crashes":                                                              "[3,7,0]",
		"SELECT product FROM aftershock.crashes":                                                                             "orchard",
		"SELECT toString(annotations) FROM aftershock.crashes":                                                               "{'ProductName':'orchard'}",
		"SELECT toString(day) FROM aftershock.crashes":                                                                       "2026-11-22",
		"SELECT toString(`notes.code`) FROM aftershock.crashes":                                                              "['dump_missing']",
		"SELECT annotations['URL'] FROM aftershock_protected.crashes":                                                        "https://example.org/secret",
		"SELECT toString(`modules.path`) FROM aftershock_protected.crashes":                                                  "['/home/jane/app']",
		"SELECT toString(`threads.stack`) FROM aftershock_protected.crashes":                                                 "[['app!f','libc+0x10']]",
		"SELECT concat(raw_topic, ' ', toString(raw_offset), ' ', toString(processed_offset)) FROM aftershock.crashes":       "crash.raw 10 110",
		"SELECT toString(count()) FROM aftershock.crashes WHERE has(`stack.function`, 'in') AND reason LIKE 'SIGSEGV%'":      "1",
		"SELECT toString(length(groupArray(name))) FROM system.columns WHERE database = 'aftershock' AND name LIKE '%path%'": "0",
	} {
		if got := ask(t, conn, query); len(got) != 1 || got[0] != want {
			t.Errorf("%s\n\t= %q, want %q", query, got, want)
		}
	}
}

// Each change of the activation is seen at once and as a whole.
func TestActivationChoosesTheVersion(t *testing.T) {
	db, conn := open(t)
	early, late := id(1, "261122"), id(2, "261122")
	if err := db.Write(t.Context(), []sinks.Row{
		row(early, 1, 0, 1, noon, "early v1"), row(late, 1, 0, 2, noon.Add(time.Hour), "late v1"),
		row(early, 2, 0, 1, noon, "early v2"), row(late, 2, 0, 2, noon.Add(time.Hour), "late v2"),
	}); err != nil {
		t.Fatal(err)
	}
	cut := noon.Add(30 * time.Minute)
	before := schema.ActiveRange{From: schema.TimeBegin, To: cut, SignatureVersion: 1}
	after := schema.ActiveRange{From: cut, To: schema.TimeEnd, SignatureVersion: 2}
	for _, step := range []struct {
		name       string
		activation schema.Activation
		want       string
	}{
		{"nothing is active", activation(0), ""},
		{"one version", activation(1, all(1)), "early v1,late v1"},
		{"two, by range", activation(2, before, after), "early v1,late v2"},
		{"the other one", activation(3, all(2)), "early v2,late v2"},
		{"an older one comes late", activation(1, all(1)), "early v2,late v2"},
		{"the same again", activation(3, all(2)), "early v2,late v2"},
		{"the end of a range is not in it", activation(4, schema.ActiveRange{From: noon, To: noon.Add(time.Hour), SignatureVersion: 1}), "early v1"},
	} {
		if err := db.Activate(t.Context(), step.activation); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(ask(t, conn, "SELECT signature FROM aftershock.crashes ORDER BY crash_id"), ",")
		if got != step.want {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
	}
}

// A query reads the partitions of active versions only.
func TestViewsPrunePartitions(t *testing.T) {
	db, conn := open(t)
	if err := db.Write(t.Context(), []sinks.Row{
		row(id(1, "261122"), 1, 0, 1, noon, "a"), row(id(1, "261122"), 2, 0, 1, noon, "a"), row(id(1, "261122"), 3, 0, 1, noon, "a"),
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Activate(t.Context(), activation(1, all(2))); err != nil {
		t.Fatal(err)
	}
	plan := strings.Join(ask(t, conn, "EXPLAIN indexes = 1 SELECT count() FROM aftershock.crashes"), "\n")
	if !strings.Contains(plan, "Parts: 1/3") {
		t.Errorf("not pruned:\n%s", plan)
	}
}

func TestServerThatIsAwayIsAnError(t *testing.T) {
	db, err := clickhouse.Open("http://127.0.0.1:1", schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Write(t.Context(), []sinks.Row{row(id(1, "261122"), 1, 0, 1, noon, "a")}); err == nil {
		t.Error("Write says that the rows are stored")
	}
	if err := db.Ping(t.Context()); err == nil {
		t.Error("Ping says that it is there")
	}
	if _, err := clickhouse.Open("127.0.0.1:8123", schema.DefaultRegistry); err == nil {
		t.Error("an address without scheme was taken")
	}
}

// The same crash is the same row, byte for byte: annotations keep their order.
func TestRowsKeepTheOrderOfAnnotations(t *testing.T) {
	db, conn := open(t)
	r := row(id(1, "261122"), 1, 0, 1, noon, "s")
	r.Processed.Annotations = nil
	var want []string
	for _, name := range []string{"ProductName", "Version", "ReleaseChannel", "BuildID", "Vendor", "a", "z", "m", "b"} {
		r.Processed.Annotations = append(r.Processed.Annotations, schema.Annotation{Name: name, Value: "1"})
		want = append(want, name)
	}
	if err := db.Write(t.Context(), []sinks.Row{r}); err != nil {
		t.Fatal(err)
	}
	got := ask(t, conn, "SELECT arrayStringConcat(mapKeys(annotations), ' ') FROM aftershock_protected.crash_rows")
	if len(got) != 1 || got[0] != strings.Join(want, " ") {
		t.Errorf("got %q, want %q", got, want)
	}
}
