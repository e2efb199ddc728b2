package clickhouse_test

import (
	"slices"
	"testing"
	"time"

	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
)

// A day that is older than the retention goes from every table, and one that is not stays.
func TestRowsOfOldDaysGo(t *testing.T) {
	db, conn := open(t)
	if err := db.Activate(t.Context(), activation(1, all(1))); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	at := func(n, daysAgo int) sinks.Row {
		day := now.AddDate(0, 0, -daysAgo)
		return row(id(n, day.Format("060102")), 1, 0, int64(n), day, "f")
	}
	ping := at(4, 40)
	ping.Processed.Kind = "ping"
	if err := db.Write(t.Context(), []sinks.Row{at(1, 1), at(2, 29), at(3, 31), ping}); err != nil {
		t.Fatal(err)
	}
	for _, days := range []int{0, 30, 30} { // what is so already stays so
		if err := db.Retain(t.Context(), days); err != nil {
			t.Fatal(err)
		}
	}
	left := func(table string) string {
		return ask(t, conn, clickhouse.Reports.SQL("SELECT concat(toString(count()), ' ', if(count() = 0, '0', toString(min(today() - day)))) FROM "+table))[0]
	}
	for table, want := range map[string]string{"aftershock.crash_rows": "2 1", "aftershock_protected.crash_rows": "2 1", "aftershock.ping_rows": "0 0", "aftershock_protected.ping_rows": "0 0", "aftershock.days": "2 1"} {
		for range 100 {
			if err := conn.Exec(t.Context(), "OPTIMIZE TABLE "+table+" FINAL"); err != nil {
				t.Fatal(err)
			}
			if left(table) == want {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if got := left(table); got != want {
			t.Errorf("%s: %s, want %s", table, got, want)
		}
	}
	if err := db.Retain(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	// What was healed is kept for a time of its own, whatever crashes are kept for.
	if got := ask(t, conn, "SELECT name FROM system.tables WHERE create_table_query LIKE '% TTL %' AND startsWith(database, 'aftershock')"); !slices.Equal(got, []string{"heals"}) {
		t.Errorf("%q still forget", got)
	}
	if got := ask(t, conn, "SELECT signature FROM aftershock.signature_names"); !slices.Equal(got, []string{"f"}) {
		t.Errorf("names: %q", got)
	}
}
