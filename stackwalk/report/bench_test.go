package report_test

import (
	"bytes"
	"fmt"
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

// BenchmarkVersions walks every dump of the corpora and of the set of known stacks
// that is not huge, with versions 2 and 3 in turns: what the later one costs.
func BenchmarkVersions(b *testing.B) {
	type walked struct {
		dump  *minidump.Dump
		found []stackwalk.Symbols
	}
	var all []walked
	add := func(path string, symbols []string) {
		in, err := walkFile(path, symbols)
		if err != nil {
			return
		}
		found := make([]stackwalk.Symbols, len(in.Dump.Modules))
		for i := range found {
			if f, _ := load(&in.Dump.Modules[i], symbols); f != nil {
				found[i] = f
			}
		}
		all = append(all, walked{in.Dump, found})
	}
	for _, s := range append(sets(b), set{dumps: filepath.Join(reference.Path(b, "truth"), "dumps"), symbols: []string{filepath.Join(reference.Path(b, "truth"), "symbols", "a-full")}}) {
		dumps, err := filepath.Glob(filepath.Join(s.dumps, "*.dmp"))
		if err != nil {
			b.Fatal(err)
		}
		for _, path := range dumps {
			add(path, s.symbols)
		}
	}
	for _, version := range []int{2, 3} {
		b.Run(fmt.Sprintf("version=%d", version), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for i := range all {
					w := &all[i]
					stackwalk.Walk(w.dump, func(module int) stackwalk.Symbols { return w.found[module] }, stackwalk.Options{Version: version})
				}
			}
		})
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
