package report_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aftershock/breakpad"
	"aftershock/internal/reference"
	"aftershock/minidump"
	"aftershock/stackwalk"
	"aftershock/stackwalk/analysis"
	"aftershock/stackwalk/report"
)

// BenchmarkDump is what a resident processor does with each dump of the corpus
// once it has its symbols: "walk" reads, walks and analyzes it, "json" prints
// the report as well. The reference's "walk" has the same parts.
func BenchmarkDump(b *testing.B) {
	for _, s := range sets(b) {
		dumps, err := filepath.Glob(filepath.Join(s.dumps, "*.dmp"))
		if err != nil {
			b.Fatal(err)
		}
		for _, path := range dumps {
			if in, err := walkFile(path, s.symbols); err == nil {
				benchmarkDump(b, path, s.symbols, in)
			}
		}
	}
}

func benchmarkDump(b *testing.B, path string, symbols []string, warm report.Input) {
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	found := make([]stackwalk.Symbols, len(warm.Dump.Modules))
	for i := range found {
		if f, _ := load(&warm.Dump.Modules[i], symbols); f != nil {
			found[i] = f
		}
	}
	walk := func() report.Input {
		d, err := minidump.Parse(data)
		if err != nil {
			b.Fatal(err)
		}
		w := stackwalk.Walk(d, func(module int) stackwalk.Symbols { return found[module] }, stackwalk.Options{})
		return report.Input{Dump: d, Walk: w, Symbols: warm.Symbols}
	}
	name := strings.TrimSuffix(filepath.Base(path), ".dmp")
	b.Run("walk/"+name, func(b *testing.B) {
		b.ReportAllocs()
		frames := 0
		for b.Loop() {
			in := walk()
			analysis.Analyze(in.Dump, 0)
			for i := range in.Walk.Threads {
				frames += len(in.Walk.Threads[i].Frames)
			}
		}
		b.ReportMetric(float64(frames)/float64(b.N), "frames/op")
	})
	b.Run("json/"+name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := report.JSON(io.Discard, walk(), false); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkParseSymbols(b *testing.B) {
	text, err := os.ReadFile(filepath.Join(reference.Path(b, "corpus"), "symbols", "crash-client", "509C0610949836F7B70BD88BCF03E5400", "crash-client.sym"))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := breakpad.Parse(bytes.NewReader(text), breakpad.ParseOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
