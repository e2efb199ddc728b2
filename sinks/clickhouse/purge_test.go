package clickhouse_test

import (
	"slices"
	"testing"

	"aftershock/sinks"
)

func TestPurgeTakesOneVersionAndNothingElse(t *testing.T) {
	db, conn := open(t)
	var rows []sinks.Row
	for _, version := range []int32{1, 2, 12} {
		for i, day := range []string{"261122", "261022", "250101"} { // three partitions
			rows = append(rows, row(id(i, day), version, 0, int64(i), noon, "s"))
		}
	}
	if err := db.Write(t.Context(), append(rows, asPings(rows)...)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds nothing
		if err := db.Purge(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
	}
	tables := []string{"aftershock.crash_rows", "aftershock_protected.crash_rows", "aftershock.signatures", "aftershock.ping_rows", "aftershock_protected.ping_rows", "aftershock.ping_signatures"}
	// The key of these partitions is the version alone.
	for _, table := range []string{"aftershock.days", "aftershock.signature_words"} {
		if got := ask(t, conn, "SELECT DISTINCT toString(signature_version) AS v FROM "+table+" ORDER BY v"); !slices.Equal(got, []string{"1", "12"}) {
			t.Errorf("%s: %v", table, got)
		}
	}
	for _, table := range tables {
		got := ask(t, conn, "SELECT concat(toString(signature_version), ' ', toString(count())) FROM "+table+" GROUP BY signature_version ORDER BY signature_version")
		if !slices.Equal(got, []string{"1 3", "12 3"}) {
			t.Errorf("%s: %v", table, got)
		}
	}
}

func TestEpochIsThatOfWhatIsSeen(t *testing.T) {
	db, _ := open(t)
	for _, step := range []struct{ project, want int64 }{{0, 0}, {4, 4}, {3, 4}, {5, 5}} {
		if step.project > 0 {
			if err := db.Activate(t.Context(), activation(step.project, all(1))); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := db.Epoch(t.Context()); err != nil || got != step.want {
			t.Errorf("after %d: %d, %v, want %d", step.project, got, err, step.want)
		}
	}
}
