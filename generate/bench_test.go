package generate

import (
	"syscall"
	"testing"
	"time"
)

// cpu is what this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkAt makes crashes of a million whose signatures have been there before: making a
// signature's first crash costs about ten times as much, and is done once.
func BenchmarkAt(b *testing.B) {
	g := newCrashes(b, Options{Count: 1_000_000})
	const many, apart = 50_000, 20
	for i := range many {
		g.At(i * apart)
	}
	b.ReportAllocs()
	before, i := cpu(b), 0
	for b.Loop() {
		g.At(i * apart)
		i = (i + 7919) % many
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "crashes/s")
	b.ReportMetric(float64(b.N)/(cpu(b)-before).Seconds(), "crashes/cpu-s") // with the garbage collector's share
}

// BenchmarkNew is what comes before the first crash.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		newCrashes(b, Options{Count: 1_000_000})
	}
}
