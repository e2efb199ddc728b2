package clickhouse_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
)

// One crash that is asked for by its id is seen when and as all are, in both databases and of
// both populations: through promotions, several ranges, and rows that are stored again.
func TestOneCrashIsSeenAsAllAre(t *testing.T) {
	db, conn := open(t)
	const crashes, days = 60, 3
	idOf := func(n int) string { return id(n, noon.AddDate(0, 0, n%days).Format("060102")) }
	var rows, again []sinks.Row
	for n := range crashes {
		at := noon.AddDate(0, 0, n%days).Add(time.Duration(n%24-12) * time.Hour)
		for version := int32(1); version <= 2; version++ {
			for revision := range int64(2) {
				r := row(idOf(n), version, revision, int64(n), at, fmt.Sprintf("%d of %d in %d", n, revision, version))
				if n%4 == 1 {
					r.Processed.Kind = schema.KindPing
				}
				if revision == 0 {
					rows = append(rows, r)
				} else if n%5 == 2 {
					again = append(again, r)
				}
			}
		}
	}
	if err := db.Write(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	part := func(from, to time.Time, version int32) schema.ActiveRange {
		return schema.ActiveRange{From: from, To: to, SignatureVersion: version}
	}
	middle := noon.AddDate(0, 0, 1)
	epoch := int64(0)
	look := func(name string, want int, ranges ...schema.ActiveRange) {
		t.Helper()
		epoch++
		if err := db.Activate(t.Context(), activation(epoch, ranges...)); err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, of := range clickhouse.Populations {
			for database, columns := range map[string]string{
				"aftershock":           "concat(toString(crash_id), ' ', toString(signature_version), ' ', toString(revision), ' ', signature, ' ', content_hash, ' ', proto_signature)",
				"aftershock_protected": "concat(toString(crash_id), ' ', toString(signature_version), ' ', toString(revision), ' ', ifNull(address, ''), ' ', annotations['URL'])",
			} {
				all := map[string]string{}
				for _, line := range ask(t, conn, of.SQL("SELECT "+columns+" FROM "+database+".$view")) {
					crash, _, _ := strings.Cut(line, " ")
					all[crash] = line
				}
				found += len(all)
				for n := range crashes {
					got := ask(t, conn, of.SQL("SELECT "+columns+" FROM "+database+".$by_id WHERE crash_id = '"+idOf(n)+"'"))
					if len(got) > 1 || strings.Join(got, "") != all[idOf(n)] {
						t.Errorf("%s: %s.%s of %s: %q, want %q", name, database, of.ByID, idOf(n), got, all[idOf(n)])
					}
				}
			}
		}
		if found != want {
			t.Errorf("%s: %d rows in both databases, want %d", name, found, want)
		}
	}
	look("nothing is active", 0)
	look("one version", 2*crashes, all(1))
	look("another", 2*crashes, all(2))
	if err := db.Write(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	look("processed again", 2*crashes, all(2))
	look("two ranges", 2*crashes, part(schema.TimeBegin, middle, 1), part(middle, schema.TimeEnd, 2))
	look("three", 2*crashes, part(schema.TimeBegin, noon, 1), part(noon, middle, 2), part(middle, schema.TimeEnd, 1))
	look("a version of which there is nothing", 0, all(3))
	look("back", 2*crashes, all(1))
}

// One crash is looked for in its day of the version that is seen.
func TestOneCrashIsLookedForInOneDay(t *testing.T) {
	db, conn := open(t)
	var rows []sinks.Row
	for n := range 4 {
		at := noon.AddDate(0, 0, n)
		for version := int32(1); version <= 2; version++ {
			rows = append(rows, row(id(n, at.Format("060102")), version, 0, int64(n), at, "f"))
		}
	}
	if err := db.Write(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	if err := db.Activate(t.Context(), activation(1, all(2))); err != nil {
		t.Fatal(err)
	}
	plan := strings.Join(ask(t, conn, "EXPLAIN indexes = 1 SELECT * FROM aftershock.crash_by_id WHERE crash_id = '"+id(1, noon.AddDate(0, 0, 1).Format("060102"))+"'"), "\n")
	if !strings.Contains(plan, "Parts: 1/8") {
		t.Errorf("not pruned:\n%s", plan)
	}
}
