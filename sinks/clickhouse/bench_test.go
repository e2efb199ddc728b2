package clickhouse_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"aftershock/schema"
	"aftershock/sinks"
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

// BenchmarkWrite stores batches of wide rows in both tables; the server is another
// process, so that cpu_µs/row is the client's.
func BenchmarkWrite(b *testing.B) {
	db, _ := open(b)
	const batch = 5000
	rows := make([]sinks.Row, batch)
	for i := range rows {
		rows[i] = wideRow(i)
	}
	var before, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if err := db.Write(b.Context(), rows); err != nil {
			b.Fatal(err)
		}
		n += batch
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		b.Fatal(err)
	}
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	b.ReportMetric(float64(cpu.Microseconds())/float64(n), "cpu_µs/row")
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}
