package clickhouse_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
)

// A query reads its second view later than its scalars. What comes in between, of a version
// that is not seen at that time, is not seen: also when it is the first of its hour.
func TestTwoViewsOfAQueryShowNothingThatIsNotSeen(t *testing.T) {
	db, conn := open(t)
	half := time.Date(2026, 11, 22, 11, 30, 0, 0, time.UTC)
	if err := db.Activate(t.Context(), activation(1, schema.ActiveRange{From: schema.TimeBegin, To: half, SignatureVersion: 1}, schema.ActiveRange{From: half, To: schema.TimeEnd, SignatureVersion: 2})); err != nil {
		t.Fatal(err)
	}
	for n, query := range []string{
		"SELECT toString(sum(n)) FROM (SELECT count() AS n FROM aftershock.crashes WHERE signature_version = 1 UNION ALL SELECT count() AS n FROM aftershock.pings WHERE signature_version = 1)",
		"SELECT toString(count() + 1) FROM aftershock.crashes AS c RIGHT JOIN aftershock.pings AS p ON c.crash_id = p.crash_id WHERE p.signature_version = 1",
	} {
		ping := row(id(2, "261122"), 1, 0, 2, half.Add(30*time.Minute), "f")
		ping.Processed.Kind = schema.KindPing
		for _, s := range []string{
			"TRUNCATE TABLE aftershock.crash_rows", "TRUNCATE TABLE aftershock.ping_rows", "DROP TABLE IF EXISTS aftershock.days", "DROP TABLE IF EXISTS aftershock.slow_days",
			"CREATE TABLE aftershock.slow_days (signature_version UInt32, day Date, first DateTime64(3, 'UTC'), last DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY day",
			"INSERT INTO aftershock.slow_days SELECT 1, '2026-11-22', '2026-11-22 10:00:00', '2026-11-22 11:00:00'",
			"CREATE VIEW aftershock.days AS SELECT * FROM aftershock.slow_days WHERE sleepEachRow(1) = 0",
			"INSERT INTO aftershock.crash_rows (signature_version, day, crash_id, received_at, ver) SELECT 1, '2026-11-22', '00000001-0000-4000-8000-000000261122', '2026-11-22 10:05:00', 1",
		} {
			if err := conn.Exec(t.Context(), s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
		came := make(chan error, 1)
		go func() {
			time.Sleep(500 * time.Millisecond)
			err := conn.Exec(t.Context(), "INSERT INTO aftershock.slow_days SELECT 1, '2026-11-22', '2026-11-22 12:00:00', '2026-11-22 13:00:00'")
			if err == nil {
				err = conn.Exec(t.Context(), "INSERT INTO aftershock.ping_rows (signature_version, day, crash_id, received_at, ver) SELECT 1, '2026-11-22', '00000002-0000-4000-8000-000000261122', '2026-11-22 12:00:00', 1")
			}
			came <- err
		}()
		if got := ask(t, conn, query); got[0] != "1" {
			t.Errorf("%d: %s crashes of version 1, want 1", n, got[0])
		}
		if err := <-came; err != nil {
			t.Fatal(err)
		}
	}
}

// A signature that comes in while a query runs has its name in the answer, or is not in it.
func TestNamesAreThereForWhatAQueryReads(t *testing.T) {
	db, conn := open(t)
	if err := db.Activate(t.Context(), activation(1, all(1))); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), []sinks.Row{row(id(1, "261122"), 1, 0, 1, noon, "first")}); err != nil {
		t.Fatal(err)
	}
	came := make(chan error, 1)
	go func() {
		time.Sleep(500 * time.Millisecond)
		came <- db.Write(t.Context(), []sinks.Row{row(id(2, "261122"), 1, 0, 2, noon, "second")})
	}()
	got := ask(t, conn, "SELECT signature FROM (SELECT signature_id, count() AS n FROM aftershock.crashes GROUP BY signature_id) AS counted ANY LEFT JOIN aftershock.signature_names AS names USING (signature_id) WHERE (SELECT sleep(2)) = 0")
	if err := <-came; err != nil {
		t.Fatal(err)
	}
	if slices.Contains(got, "") {
		t.Errorf("%q: a signature without its name", got)
	}
}

// Signatures that each of many promotions touches are as old as what they came from, and to
// find that takes no longer with each.
func TestFirstSeenFollowsManyPromotions(t *testing.T) {
	db, conn := open(t)
	if err := db.Activate(t.Context(), activation(1, all(1))); err != nil {
		t.Fatal(err)
	}
	const promotions = 40
	if err := db.Write(t.Context(), []sinks.Row{row(id(1, "261122"), 1, 0, 1, noon, "now"), row(id(2, "261122"), 1, 0, 2, noon, "to and fro"), row(id(3, "261122"), 1, 0, 3, noon, "new")}); err != nil {
		t.Fatal(err)
	}
	began := noon.AddDate(0, -1, 0).Format(time.DateTime)
	for epoch := range promotions {
		from, to := "to and fro", "fro and to"
		if epoch%2 == 0 {
			from, to = to, from
		}
		first := noon.Format(time.DateTime)
		pairs := fmt.Sprintf("('now', 'now', '%s'), ('%s', '%s', '%s'), ('', '', '%s')", first, from, to, first, first)
		if epoch == 0 {
			pairs += fmt.Sprintf(", ('before', 'now', '%s')", began)
		}
		err := conn.Exec(t.Context(), fmt.Sprintf("INSERT INTO aftershock.signature_lineage (epoch, batch, from_version, to_version, old_signature, new_signature, crashes, majority, first_seen, complete)"+
			" SELECT %d, 1, %d, %d, old, new, 1, 1, toDateTime64(first, 3, 'UTC'), old = '' FROM VALUES('old String, new String, first String', %s)", epoch+1, epoch, epoch+1, pairs))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Activate(t.Context(), activation(promotions+1, all(1))); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query(t.Context(), clickhouse.Limits{MemoryBytes: 256 << 20, Time: time.Minute}, "SELECT concat(signature, ' ', toString(first_seen)) FROM aftershock.signature_first_seen ORDER BY signature")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		got = append(got, line)
	}
	if want := []string{"new 2026-11-22 12:00:00.000", "now 2026-10-22 12:00:00.000", "to and fro 2026-11-22 12:00:00.000"}; rows.Err() != nil || !slices.Equal(got, want) {
		t.Errorf("%q, want %q, %v", got, want, rows.Err())
	}
}
