package replay

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// benchCrashes is how many crashes a benchmark has.
func benchCrashes() int {
	if n, err := strconv.Atoi(os.Getenv("AFTERSHOCK_BENCH_CRASHES")); err == nil {
		return n
	}
	return 200_000
}

// fill makes rows of two versions, of a month, in several parts. A 97th of the
// crashes move; 5,000 signatures, most crashes in few of them.
func fill(b *testing.B, db *clickhouse.DB, crashes int) {
	b.Helper()
	const parts = 5
	for version := 1; version <= 2; version++ {
		for part := range parts {
			if err := db.Exec(b.Context(), clickhouse.Limits{}, fmt.Sprintf(`
				INSERT INTO aftershock.crash_rows (signature_version, day, crash_id, received_at, ver, signature, modules.symbols_sha256, raw_topic, raw_offset, processed_offset)
				SELECT %d, toDate('2026-11-01') + sipHash64(n, 1) %% 30 AS day,
					concat(substring(toString(reinterpretAsUUID(concat(reinterpretAsString(sipHash64(n)), reinterpretAsString(sipHash64(n, 2))))), 1, 30), formatDateTime(day, '%%y%%m%%d')),
					toDateTime64(day, 3, 'UTC') + sipHash64(n, 3) %% 86400, toUInt128(18446744073709551615 - n),
					concat('mozilla::dom::Function', toString(intDiv(5000, 1 + sipHash64(n, 4) %% 5000) * 10 + if(%d = 2 AND n %% 97 = 0, 3, 0)), ' | base::internal::Run'),
					[toString(n %% 50)], 'crash.raw', n, n
				FROM (SELECT number * %d + %d AS n FROM numbers(%d)) SETTINGS max_threads = 2`, version, version, parts, part, crashes/parts)); err != nil {
				b.Fatal(err)
			}
		}
	}
}

var benchDay = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// BenchmarkRows asks what a diff and a promotion ask, of two versions of
// AFTERSHOCK_BENCH_CRASHES crashes.
func BenchmarkRows(b *testing.B) {
	db := openDB(b)
	crashes := benchCrashes()
	fill(b, db, crashes)
	b.Run("Diff", func(b *testing.B) {
		q := DiffQuery{
			A: &schema.SignatureVersion{Number: 1}, B: &schema.SignatureVersion{Number: 2, RulesetHash: "other"}, Limit: 50,
			Limits: clickhouse.Limits{MemoryBytes: 1536 << 20}, From: benchDay,
		}
		for b.Loop() {
			start := time.Now()
			d, err := q.Run(b.Context(), db)
			if err != nil {
				b.Fatal(err)
			}
			if int(d.Totals.Both) != crashes {
				b.Fatalf("%+v", d.Totals)
			}
			b.Log(time.Since(start))
		}
	})
	p := Promotion{Epoch: 2, From: benchDay, To: schema.TimeEnd, Version: 2, Before: []schema.ActiveRange{{From: schema.TimeBegin, To: schema.TimeEnd, SignatureVersion: 1}}}
	b.Run("Missing", func(b *testing.B) {
		for b.Loop() {
			start := time.Now()
			if n, _, err := Missing(b.Context(), db, p, 10); err != nil || n != 0 {
				b.Fatal(n, err)
			}
			b.Log(time.Since(start))
		}
	})
	// What is asked while everything is held: of the last thousand crashes.
	o := &Operator{DB: db}
	held := &look{before: schema.TimeEnd, stored: map[int32]map[int32]int64{1: {0: int64(crashes) - 1000}, 2: {0: int64(crashes) - 1000}}}
	b.Run("Held", func(b *testing.B) {
		for b.Loop() {
			start := time.Now()
			if err := o.refuseLosses(b.Context(), p.changes(), held, PromoteOptions{}); err != nil {
				b.Fatal(err)
			}
			b.Log(time.Since(start))
		}
	})
	b.Run("Transient", func(b *testing.B) {
		for b.Loop() {
			start := time.Now()
			if err := o.refuseTransient(b.Context(), p.changes(), nil, 0); err != nil {
				b.Fatal(err)
			}
			b.Log(time.Since(start))
		}
	})
}
