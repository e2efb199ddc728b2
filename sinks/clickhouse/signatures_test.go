package clickhouse_test

import (
	"slices"
	"testing"

	"aftershock/sinks"
)

// signatures are the table's rows as they count.
const signatures = "SELECT concat(toString(crash), ' v', toString(signature_version), ' revision ', toString(revision), ' ', signature)" +
	" FROM aftershock.signatures FINAL ORDER BY crash, signature_version, revision"

// Unlike crash_rows it keeps a crash's older revisions.
func TestSignaturesKeepEveryRevisionOnce(t *testing.T) {
	db, conn := open(t)
	a, b := id(1, "261122"), id(2, "261122")
	for _, batch := range [][]sinks.Row{
		{row(a, 1, 0, 10, noon, "first"), row(b, 1, 0, 11, noon, "b")},
		{row(a, 1, 0, 10, noon, "first")}, // again
		{row(a, 1, 0, 50, noon, "a second raw record of the same id")},
		{row(b, 1, 6, 11, noon, "b reprocessed")},
		{row(b, 1, 3, 11, noon, "b reprocessed earlier, stored later")},
		{row(a, 2, 0, 10, noon, "another version's")},
	} {
		if err := db.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		a + " v1 revision 0 first", a + " v2 revision 0 another version's",
		b + " v1 revision 0 b", b + " v1 revision 3 b reprocessed earlier, stored later", b + " v1 revision 6 b reprocessed",
	}
	if got := ask(t, conn, signatures); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for query, want := range map[string]string{
		"SELECT toString(countIf(s.symbols != sipHash64(r.`modules.symbols_sha256`) OR s.received_at != r.received_at OR s.ver != r.ver)) FROM aftershock.crash_rows r FINAL" +
			" JOIN aftershock.signatures s ON s.crash = r.crash_id AND s.signature_version = r.signature_version AND s.revision = r.revision AND s.ver = r.ver": "0",
		"SELECT arrayStringConcat(arraySort(groupArray(DISTINCT partition)), ' ') FROM system.parts WHERE database = 'aftershock' AND table = 'signatures' AND active": "(1,202611) (2,202611)",
	} {
		if got := ask(t, conn, query); len(got) != 1 || got[0] != want {
			t.Errorf("%s\n\t= %q, want %q", query, got, want)
		}
	}
}
