package clickhouse_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"aftershock/sinks"
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
	if len(tables) != 2 {
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
