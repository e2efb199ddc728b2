package clickhouse_test

import (
	"fmt"
	"maps"
	"slices"
	"syscall"
	"testing"
	"time"

	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
)

// wideRow is a crash with 20 frames, 30 modules and what annotations are usual.
func wideRow(n int) sinks.Row {
	r := row(id(n, "261122"), 1, 0, int64(n), noon, fmt.Sprint("signature ", n%500))
	p := r.Processed
	var frames []schema.Frame
	for i := range 20 {
		frames = append(frames, schema.Frame{
			Trust: "cfi", Module: "libxul.so", ModuleOffset: fmt.Sprintf("0x%x", n*i), Function: fmt.Sprintf("mozilla::dom::Function%d", (n+i)%2000),
			File: "dom/base/nsDocument.cpp", Line: int64(n%5000 + i),
		})
	}
	p.Threads[0].Frames = frames
	p.Crash.CrashingThread = new(int32(0))
	p.Modules = nil
	for i := range 30 {
		p.Modules = append(p.Modules, schema.Module{
			Filename: fmt.Sprint("lib", i, ".so"), Path: fmt.Sprint("/usr/lib/lib", i, ".so"), DebugFile: fmt.Sprint("lib", i, ".so"), DebugID: fmt.Sprintf("%032X0", i), Symbols: "found",
		})
	}
	return r
}

const benchmarkRows = 5000

func wideRows() []sinks.Row {
	rows := make([]sinks.Row, benchmarkRows)
	for i := range rows {
		rows[i] = wideRow(i)
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
	rows := wideRows()
	measure(b, func() error { return db.Write(b.Context(), rows) })
}

// BenchmarkSteps are what Write does before it sends anything.
func BenchmarkSteps(b *testing.B) {
	steps, err := (&clickhouse.DB{Annotations: schema.DefaultRegistry}).Steps(wideRows())
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(steps)) {
		b.Run(name, func(b *testing.B) { measure(b, steps[name]) })
	}
}
