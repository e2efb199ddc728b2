package symbolcache_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aftershock/breakpad"
	"aftershock/stackwalk"
	"aftershock/symbolcache"
)

// benchmarkFiles are the .sym files below $AFTERSHOCK_BENCH_SYMBOLS, else libc's
// of the corpus where it is, else the repository's. libc has inlined calls and
// STACK CFI.
func benchmarkFiles(b *testing.B) map[string][]byte {
	b.Helper()
	var paths []string
	if root := os.Getenv("AFTERSHOCK_BENCH_SYMBOLS"); root != "" {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error { //nolint:gosec // whoever sets it means the folder
			if err == nil && !d.IsDir() && filepath.Ext(path) == ".sym" {
				paths = append(paths, path)
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	} else {
		for _, path := range symbolFiles(b) {
			if filepath.Base(path) == "libc.so.6.sym" {
				paths = append(paths, path)
			}
		}
	}
	files := map[string][]byte{} // the largest of a name
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		if name := filepath.Base(path); len(text) > len(files[name]) {
			files[name] = text
		}
	}
	return files
}

func BenchmarkCompile(b *testing.B) {
	for name, text := range benchmarkFiles(b) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := symbolcache.Compile(io.Discard, bytes.NewReader(text)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(compile(b, string(text))))/float64(len(text)), "compiled/text")
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for name, text := range benchmarkFiles(b) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := breakpad.Parse(bytes.NewReader(text), breakpad.ParseOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for name, text := range benchmarkFiles(b) {
		b.Run(name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "app.csym")
			if err := os.WriteFile(path, compile(b, string(text)), 0o600); err != nil {
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
		})
	}
}

// benchmarkBoth runs what on the text and on the compiled form, at random
// addresses: uniform among the functions, then inside one.
func benchmarkBoth(b *testing.B, what func(s stackwalk.Symbols, rva uint64)) {
	for name, text := range benchmarkFiles(b) {
		symbols := map[string]stackwalk.Symbols{"text": parse(b, string(text)), "compiled": openBytes(b, compile(b, string(text)))}
		at := benchmarkAddresses(string(text))
		for form, s := range symbols {
			b.Run(name+"/"+form, func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					what(s, at[i&(len(at)-1)])
					i++
				}
			})
		}
	}
}

func benchmarkAddresses(text string) []uint64 {
	type function struct{ rva, size uint64 }
	var functions []function
	for line := range strings.Lines(text) {
		var f function
		line = strings.Replace(line, "FUNC m ", "FUNC ", 1)
		if n, err := fmt.Sscanf(line, "FUNC %x %x", &f.rva, &f.size); n == 2 && err == nil && f.size > 0 {
			functions = append(functions, f)
		}
	}
	source := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same addresses every time
	at := make([]uint64, 1<<18)
	for i := range at {
		f := functions[source.IntN(len(functions))]
		at[i] = f.rva + source.Uint64N(f.size)
	}
	return at
}

func BenchmarkAppendLocations(b *testing.B) {
	dst := breakpad.Locations{List: make([]breakpad.Location, 0, 64)}
	benchmarkBoth(b, func(s stackwalk.Symbols, rva uint64) {
		dst.Reset()
		s.AppendLocations(&dst, rva)
	})
}

// BenchmarkCFIStep finds the rules at an address and evaluates them.
func BenchmarkCFIStep(b *testing.B) {
	callee := breakpad.Registers{Valid: 1<<breakpad.MaxRegisters - 1}
	var caller breakpad.Registers
	mem := breakpad.Memory{Base: 1<<64 - 1<<12, Bytes: make([]byte, 1<<12)}
	for i := range callee.Values {
		callee.Values[i] = 1<<64 - 1<<11
	}
	benchmarkBoth(b, func(s stackwalk.Symbols, rva uint64) {
		if row, ok := s.CFI(rva); ok {
			row.Rules.Eval(breakpad.AMD64, &callee, &caller, &mem)
		}
	})
}

func BenchmarkHasFunction(b *testing.B) {
	benchmarkBoth(b, func(s stackwalk.Symbols, rva uint64) { s.HasFunction(rva) })
}
