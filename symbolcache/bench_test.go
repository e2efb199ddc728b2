package symbolcache_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"aftershock/breakpad"
	"aftershock/stackwalk"
	"aftershock/symbolcache"
)

// benchmarkFile is a file with inlined calls and STACK CFI: libc's of the
// corpus where it is, else the repository's.
func benchmarkFile(b *testing.B) []byte {
	b.Helper()
	var largest []byte
	for _, path := range symbolFiles(b) {
		if filepath.Base(path) != "libc.so.6.sym" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		if len(text) > len(largest) {
			largest = text
		}
	}
	return largest
}

func BenchmarkCompile(b *testing.B) {
	text := benchmarkFile(b)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if err := symbolcache.Compile(io.Discard, bytes.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(compile(b, string(text))))/float64(len(text)), "compiled/text")
}

func BenchmarkParse(b *testing.B) {
	text := benchmarkFile(b)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := breakpad.Parse(bytes.NewReader(text), breakpad.ParseOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "app.csym")
	if err := os.WriteFile(path, compile(b, string(benchmarkFile(b))), 0o600); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		f, err := symbolcache.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// benchmarkBoth runs what on the text and on the compiled form, with random
// addresses at which keep answers true.
func benchmarkBoth(b *testing.B, keep func(stackwalk.Symbols, uint64) bool, what func(stackwalk.Symbols, uint64)) {
	text := string(benchmarkFile(b))
	parsed, compiled := parse(b, text), openBytes(b, compile(b, text))
	source := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same addresses every time
	var at []uint64
	for len(at) < 1<<14 {
		if rva := source.Uint64N(4 << 20); keep(parsed, rva) {
			at = append(at, rva)
		}
	}
	for name, symbols := range map[string]stackwalk.Symbols{"text": parsed, "compiled": compiled} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				what(symbols, at[i&(len(at)-1)])
				i++
			}
		})
	}
}

func BenchmarkAppendLocations(b *testing.B) {
	dst := breakpad.Locations{List: make([]breakpad.Location, 0, 64)}
	benchmarkBoth(b,
		func(s stackwalk.Symbols, rva uint64) bool {
			dst.Reset()
			s.AppendLocations(&dst, rva)
			return len(dst.List) > 0
		},
		func(s stackwalk.Symbols, rva uint64) {
			dst.Reset()
			s.AppendLocations(&dst, rva)
		})
}

func BenchmarkCFI(b *testing.B) {
	benchmarkBoth(b,
		func(s stackwalk.Symbols, rva uint64) bool { _, ok := s.CFI(rva); return ok },
		func(s stackwalk.Symbols, rva uint64) { s.CFI(rva) })
}

func BenchmarkHasFunction(b *testing.B) {
	benchmarkBoth(b,
		func(stackwalk.Symbols, uint64) bool { return true },
		func(s stackwalk.Symbols, rva uint64) { s.HasFunction(rva) })
}
