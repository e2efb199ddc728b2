package clickhouse_test

import (
	"maps"
	"slices"
	"syscall"
	"testing"
	"time"

	"aftershock/generate"
	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
)

const benchmarkRows = 4000

// generatedRows are crashes as those of the field: some 20 frames and 60 modules each.
func generatedRows(b *testing.B) []sinks.Row {
	b.Helper()
	g, err := generate.New(generate.Options{Count: 1_000_000, Until: noon})
	if err != nil {
		b.Fatal(err)
	}
	rows := make([]sinks.Row, benchmarkRows)
	for i := range rows {
		rows[i] = sinks.Row{Processed: g.At(i), Position: g.Position(i)}
	}
	return rows
}

// cpu is what this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// measure runs step, which handles benchmarkRows rows.
func measure(b *testing.B, step func() error) {
	b.Helper()
	b.ReportAllocs()
	before, n := cpu(b), 0
	for b.Loop() {
		if err := step(); err != nil {
			b.Fatal(err)
		}
		n += benchmarkRows
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(n), "cpu_µs/row")
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkWrite stores batches of wide rows in both tables; the server is another
// process, so that cpu_µs/row is the client's.
func BenchmarkWrite(b *testing.B) {
	db, _ := open(b)
	rows := generatedRows(b)
	measure(b, func() error { return db.Write(b.Context(), rows) })
}

// BenchmarkSteps are what Write does before it sends anything.
func BenchmarkSteps(b *testing.B) {
	steps, err := (&clickhouse.DB{Annotations: schema.DefaultRegistry}).Steps(generatedRows(b))
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(steps)) {
		b.Run(name, func(b *testing.B) { measure(b, steps[name]) })
	}
}
