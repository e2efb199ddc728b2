package clickhouse_test

import (
	"fmt"
	"slices"
	"testing"

	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
	"aftershock/sinks/clickhouse/clickhousetest"
)

// olderRows are inserted as releases with some migrations had their tables: a crash that was
// stored twice, one that was processed again, one whose views show another version, and rows
// of more days and months than an insert may have partitions by default.
var olderRows = []string{
	"INSERT INTO aftershock.crash_rows (signature_version, day, crash_id, received_at, revision, ver, signature, proto_signature, content_hash, product, `stack.function`, `modules.filename`, `modules.symbols_sha256`, annotations, raw_topic, raw_offset)" +
		" SELECT version, '2026-11-22', concat('0000000', toString(n), '-0000-4000-8000-000000261122'), '2026-11-22 12:00:00', revision, bitOr(bitShiftLeft(toUInt128(revision), 64), toUInt128(1)), signature, 'f | g<T|U>', repeat('5f', 32), 'orchard', ['f', 'g'], ['app'], ['s'], map('ProductName', 'orchard'), 'crash.raw', n" +
		" FROM VALUES('version UInt32, n UInt8, revision UInt64, signature String', (1, 1, 0, 'old'), (1, 1, 0, 'old'), (1, 2, 0, 'before'), (1, 2, 4, 'reprocessed'), (2, 1, 0, 'not active'))",
	"INSERT INTO aftershock_protected.crash_rows (signature_version, day, crash_id, received_at, revision, ver, `threads.name`, `threads.thread_id`, `modules.path`, `modules.base`, `dumps.sha256`, annotations, raw_topic, raw_offset)" +
		" SELECT 1, '2026-11-22', concat('0000000', toString(n), '-0000-4000-8000-000000261122'), '2026-11-22 12:00:00', 0, 1, ['main', 'worker'], [7, 9], ['/home/jane/app'], ['0x00001000'], ['5f'], map('URL', 'https://example.org/secret'), 'crash.raw', n FROM VALUES('n UInt8', 1, 2)",
	"INSERT INTO aftershock.crash_rows (signature_version, day, crash_id, received_at) SELECT 7, toDate('2001-01-01') + INTERVAL number MONTH AS d," +
		" concat('00000000-0000-4000-8000-000000', formatDateTime(d, '%y%m%d')), d FROM numbers(150) SETTINGS max_partitions_per_insert_block = 0",
}

// olderRowsByDay are two of those crashes in the tables of migration 10, with what its sinks
// wrote before them.
var olderRowsByDay = []string{
	"INSERT INTO aftershock.days (signature_version, day, first, last) VALUES (1, '2026-11-22', '2026-11-22 12:00:00', '2026-11-22 12:00:00')",
	"INSERT INTO aftershock.signature_words (signature_version, signature) VALUES (1, 'old'), (1, 'reprocessed')",
	"INSERT INTO aftershock.crash_rows (signature_version, day, crash_id, received_at, revision, ver, signature)" +
		" SELECT 1, '2026-11-22', toUUID(concat('0000000', toString(n), '-0000-4000-8000-000000261122')), '2026-11-22 12:00:00', revision, 1, signature FROM VALUES('n UInt8, revision UInt64, signature String', (1, 0, 'old'), (2, 4, 'reprocessed'))",
	"INSERT INTO aftershock_protected.crash_rows (signature_version, day, crash_id, received_at, revision, ver, `modules.path`)" +
		" SELECT 1, '2026-11-22', toUUID(concat('0000000', toString(n), '-0000-4000-8000-000000261122')), '2026-11-22 12:00:00', 0, 1, ['/home/jane/app'] FROM VALUES('n UInt8', 1, 2)",
}

// A database that a release with some migrations has filled is brought up to date by each
// number of migrations that follow: its rows stay, and new ones stand beside them.
func TestOlderDatabasesAreBroughtUpToDate(t *testing.T) {
	for from, why := range map[int]string{3: "no narrow rows", 5: "no pings", 7: "no facts", 9: "rows by month", 10: "rows by day"} {
		t.Run(fmt.Sprintf("%d: %s", from, why), func(t *testing.T) {
			url := clickhousetest.Serve(t)
			db, err := clickhouse.Open(url, schema.DefaultRegistry)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.MigrateTo(t.Context(), from); err != nil {
				t.Fatal(err)
			}
			conn := db.Conn()
			if err := db.Activate(t.Context(), activation(1, all(1))); err != nil {
				t.Fatal(err)
			}
			rows := olderRows
			if from >= 10 {
				rows = olderRowsByDay
			}
			for _, s := range rows {
				if err := conn.Exec(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // the second does nothing
				if _, err := db.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			fresh := row(id(3, "261122"), 1, 0, 11, noon, "new")
			fresh.Processed.Facts = &schema.Facts{ReportType: new("hang"), MajorVersion: new(int32(7))}
			fresh.Processed.Annotations = append(fresh.Processed.Annotations, schema.Annotation{Name: "Version", Value: "7.1", Public: true})
			ping := row(id(4, "261122"), 1, 0, 12, noon, "a ping")
			ping.Processed.Kind = schema.KindPing
			if err := db.Write(t.Context(), []sinks.Row{fresh, ping}); err != nil {
				t.Fatal(err)
			}
			for query, want := range map[string][]string{
				"SELECT concat(toString(crash_id), ' ', signature, ' ', ifNull(report_type, 'NULL'), ' ', ifNull(toString(major_version), 'NULL')) FROM aftershock.crashes ORDER BY crash_id": {
					id(1, "261122") + " old NULL NULL", id(2, "261122") + " reprocessed NULL NULL", id(3, "261122") + " new hang 7",
				},
				"SELECT concat(toString(crash_id), ' ', toString(`modules.path`)) FROM aftershock_protected.crashes ORDER BY crash_id": {
					id(1, "261122") + " ['/home/jane/app']", id(2, "261122") + " ['/home/jane/app']", id(3, "261122") + " ['/home/jane/app']",
				},
				"SELECT signature FROM aftershock.pings": {"a ping"},
				"SELECT concat(toString(crash), ' ', toString(revision), ' ', signature) FROM aftershock.signatures FINAL WHERE signature_version = 1 AND signature != 'before' ORDER BY crash": {
					id(1, "261122") + " 0 old", id(2, "261122") + " 4 reprocessed", id(3, "261122") + " 0 new",
				},
				"SELECT toString(count()) FROM (SELECT signature_id FROM aftershock.crashes WHERE signature_id NOT IN (SELECT signature_id FROM aftershock.signature_names))": {"0"},
			} {
				if got := ask(t, conn, query); !slices.Equal(got, want) {
					t.Errorf("%s\n\t= %q, want %q", query, got, want)
				}
			}
			if from >= 10 {
				return
			}
			for query, want := range map[string]string{
				"SELECT concat(proto_signature, ' ', content_hash) FROM aftershock.crashes WHERE signature = 'old'": "f | g<T|U> " + "5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f",
				"SELECT toString(count()) FROM aftershock.crash_rows FINAL WHERE signature_version = 7":             "150",
				"SELECT toString(count()) FROM aftershock.signatures FINAL WHERE signature_version = 7":             "150",
				"SELECT toString(sum(rows)) FROM system.parts WHERE active AND table LIKE '%by_month'":              "0",
			} {
				if got := ask(t, conn, query); !slices.Equal(got, []string{want}) {
					t.Errorf("%s\n\t= %q, want %q", query, got, want)
				}
			}
			if err := db.Purge(t.Context(), 7); err != nil {
				t.Fatal(err)
			}
			if got := ask(t, conn, "SELECT toString(count()) FROM aftershock.crash_rows WHERE signature_version = 7"); got[0] != "0" {
				t.Errorf("%s rows of a version that is purged", got[0])
			}
		})
	}
}

// A migration that was stopped between any two of its statements goes on when it comes again,
// and so does one that two processes run at once.
func TestMigrationOfRowsCanBeRepeated(t *testing.T) {
	url := clickhousetest.Serve(t)
	db, err := clickhouse.Open(url, schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.MigrateTo(t.Context(), 9); err != nil {
		t.Fatal(err)
	}
	conn := db.Conn()
	if err := db.Activate(t.Context(), activation(1, all(1))); err != nil {
		t.Fatal(err)
	}
	for _, s := range olderRows {
		if err := conn.Exec(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	n, err := clickhouse.Statements(10)
	if err != nil || n < 20 {
		t.Fatal(n, err)
	}
	for stop := 3; stop < n; stop += 4 { // each time from the begin, some statements further
		if err := db.MigrateSome(t.Context(), 10, stop); err != nil {
			t.Fatalf("to statement %d: %v", stop, err)
		}
	}
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{id(1, "261122") + " old", id(2, "261122") + " reprocessed"}
	if got := ask(t, conn, "SELECT concat(toString(crash_id), ' ', signature) FROM aftershock.crashes ORDER BY crash_id"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := ask(t, conn, "SELECT toString(count()) FROM aftershock.crash_rows FINAL"); got[0] != "153" {
		t.Errorf("%s rows", got[0])
	}
	// Who begins when another process is done takes nothing away.
	if err := db.MigrateSome(t.Context(), 10, 2); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), []sinks.Row{row(id(3, "261122"), 1, 0, 11, noon, "new")}); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, conn, "SELECT signature FROM aftershock.signatures WHERE crash = '"+id(3, "261122")+"'"); !slices.Equal(got, []string{"new"}) {
		t.Errorf("narrow rows: %q", got)
	}
}

// Lines of stacks that a release without doubt has stored, and stores beside this one, are as
// many as they were, and sure of nothing.
func TestOlderStacksSayNothingOfDoubt(t *testing.T) {
	url := clickhousetest.Serve(t)
	db, err := clickhouse.Open(url, schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.MigrateTo(t.Context(), 13); err != nil {
		t.Fatal(err)
	}
	conn := db.Conn()
	if err := db.Activate(t.Context(), activation(1, all(1))); err != nil {
		t.Fatal(err)
	}
	older := func(n int) {
		t.Helper()
		for _, table := range []string{"crash_rows", "ping_rows"} {
			if err := conn.Exec(t.Context(), fmt.Sprintf("INSERT INTO aftershock.%s (signature_version, day, crash_id, received_at, ver, `stack.frame`, `stack.inlined`, `stack.trust`, `stack.function`)"+
				" SELECT 1, '2026-11-22', '%s', '2026-11-22 12:00:00', 1, [0, 0, 1], [1, 0, 0], ['cfi', 'cfi', 'scan'], ['in', 'f', 'g']", table, id(n, "261122"))); err != nil {
				t.Fatal(err)
			}
		}
	}
	older(1)
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	older(2)
	report, ping := row(id(3, "261122"), 1, 0, 11, noon, "new"), row(id(3, "261122"), 1, 0, 12, noon, "new")
	ping.Processed.Kind = schema.KindPing
	if err := db.Write(t.Context(), []sinks.Row{report, ping}); err != nil {
		t.Fatal(err)
	}
	want := []string{"['','',''] [0,0,0]", "['','',''] [0,0,0]", "['','public',''] [0.7,0.7,0]"}
	for _, view := range []string{"crashes", "pings", "crash_by_id", "ping_by_id"} {
		if got := ask(t, conn, "SELECT concat(toString(`stack.doubt`), ' ', toString(`stack.probability`)) FROM aftershock."+view+" ORDER BY crash_id"); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", view, got, want)
		}
	}
}
