package clickhouse_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
)

func TestVerifyLooksAtTheRowsThatCount(t *testing.T) {
	db, conn := open(t)
	if err := db.Activate(t.Context(), activation(1, all(1))); err != nil {
		t.Fatal(err)
	}
	other := row(id(9, "261122"), 1, 0, 14, noon, "another partition's")
	other.Processed.Raw.Partition = 1
	for _, batch := range [][]sinks.Row{
		{row(id(1, "261122"), 1, 0, 10, noon, "a"), row(id(2, "261122"), 1, 0, 11, noon, "b"), other},
		{row(id(1, "261122"), 1, 0, 13, noon, "a again")},           // a later raw record
		{row(id(2, "261122"), 1, 5, 11, noon, "b reprocessed")},     // a newer result
		{row(id(3, "261122"), 1, 0, 12, noon, "c")},                 // outside of the span
		{row(id(1, "261122"), 2, 0, 10, noon, "another version's")}, // not seen
	} {
		if err := db.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	rows := func(table stream.Table, from, end int64) (got []string) {
		t.Helper()
		if err := table.Rows(t.Context(), 0, from, end, func(r stream.StoredRow) error {
			got = append(got, fmt.Sprintf("%d revision %d from %d", r.RawOffset, r.Revision, r.ProcessedOffset))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		return got
	}
	tables := db.Tables(1)
	if len(tables) != 3 {
		t.Fatalf("%d tables", len(tables))
	}
	for _, table := range tables {
		if got, want := rows(table, 0, 12), []string{"10 revision 0 from 110", "11 revision 5 from 111"}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", table.Name, got, want)
		}
		if got := rows(table, 13, 100); len(got) != 0 {
			t.Errorf("%s: the row of a duplicate: %q", table.Name, got)
		}
		seen := 0
		if table.Seen == nil {
			continue
		}
		if err := table.Seen(t.Context(), 0, 0, 12, func(int64) error { seen++; return nil }); err != nil || seen != 2 {
			t.Errorf("%s: %d seen, %v", table.Name, seen, err)
		}
		stop := errors.New("stop")
		if err := table.Rows(t.Context(), 0, 0, 100, func(stream.StoredRow) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("%s: %v", table.Name, err)
		}
	}
	if got := rows(db.Tables(2)[0], 0, 100); len(got) != 1 {
		t.Errorf("version 2: %q", got)
	}
	// A narrow row that is not there, and one of another revision.
	if err := conn.Exec(t.Context(), "ALTER TABLE aftershock.signatures DELETE WHERE signature_version = 1 AND (crash = ? OR revision = 5) SETTINGS mutations_sync = 2", id(3, "261122")); err != nil {
		t.Fatal(err)
	}
	if got, want := rows(tables[2], 0, 100), []string{"10 revision 0 from 110"}; !slices.Equal(got, want) {
		t.Errorf("narrow rows: %q, want %q", got, want)
	}
	// Both versions are seen at once: a mistake that only the views show.
	both := activation(2, all(1), all(2))
	if err := db.Activate(t.Context(), both); err != nil {
		t.Fatal(err)
	}
	var offsets []int64
	if err := tables[0].Seen(t.Context(), 0, 0, 12, func(o int64) error { offsets = append(offsets, o); return nil }); err != nil {
		t.Fatal(err)
	}
	if slices.Sort(offsets); !slices.Equal(offsets, []int64{10, 10, 11}) {
		t.Errorf("seen: %v", offsets)
	}
	if err := conn.Exec(t.Context(), "DROP TABLE aftershock_protected.crash_rows"); err != nil {
		t.Fatal(err)
	}
	if err := tables[1].Rows(t.Context(), 0, 0, 1, nil); err == nil {
		t.Error("a table that is gone")
	}
}

// The views may be made to show something else than what was projected.
func TestShowsTellsALostOrOtherProjection(t *testing.T) {
	db, conn := open(t)
	want := activation(3, all(1))
	check := func(name string, right bool) {
		t.Helper()
		if err := db.Shows(t.Context(), want); right != (err == nil) || !right && !errors.Is(err, clickhouse.ErrProjection) {
			t.Errorf("%s: %v", name, err)
		}
	}
	check("nothing", false)
	for _, a := range []struct {
		name string
		a    schema.Activation
		want bool
	}{{"an older one", activation(2, all(1)), false}, {"this one", want, true}, {"a newer one", activation(4, all(1)), false}} {
		if err := db.Activate(t.Context(), a.a); err != nil {
			t.Fatal(err)
		}
		check(a.name, a.want)
	}
	for _, statement := range []string{"TRUNCATE TABLE aftershock.activation", "INSERT INTO aftershock.activation VALUES (3, [('1970-01-01', '2200-01-01', 2)])"} {
		if err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		check(statement, false)
	}
}
