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

// fillSignatures makes rows of two versions, of a month, in several parts. A 97th
// of the crashes move; 5,000 signatures, most crashes in few of them.
func fillSignatures(b *testing.B, db *clickhouse.DB, crashes int) {
	b.Helper()
	const parts = 5
	for version := 1; version <= 2; version++ {
		for part := range parts {
			if err := db.Exec(b.Context(), clickhouse.Limits{}, fmt.Sprintf(`
				INSERT INTO aftershock.signatures
				SELECT %d, toDate('2026-11-01') + sipHash64(n, 1) %% 30 AS day,
					reinterpretAsUUID(concat(reinterpretAsString(sipHash64(n)), reinterpretAsString(sipHash64(n, 2)))),
					0, toUInt128(18446744073709551615 - n), toDateTime64(day, 3, 'UTC') + sipHash64(n, 3) %% 86400,
					concat('mozilla::dom::Function', toString(intDiv(5000, 1 + sipHash64(n, 4) %% 5000) * 10 + if(%d = 2 AND n %% 97 = 0, 3, 0)), ' | base::internal::Run'),
					sipHash64(n %% 50)
				FROM (SELECT number * %d + %d AS n FROM numbers(%d)) SETTINGS max_threads = 2`, version, version, parts, part, crashes/parts)); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkDiff compares two versions of AFTERSHOCK_BENCH_CRASHES crashes.
func BenchmarkDiff(b *testing.B) {
	db := openDB(b)
	crashes := 200_000
	if n, err := strconv.Atoi(os.Getenv("AFTERSHOCK_BENCH_CRASHES")); err == nil {
		crashes = n
	}
	fillSignatures(b, db, crashes)
	q := DiffQuery{
		A: &schema.SignatureVersion{Number: 1}, B: &schema.SignatureVersion{Number: 2, RulesetHash: "other"}, Limit: 50,
		Limits: clickhouse.Limits{MemoryBytes: 1536 << 20},
		From:   time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC),
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
		b.Logf("%v", time.Since(start))
	}
}
