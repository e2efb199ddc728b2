package signature

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func crashes(b *testing.B, vs []vector) []*Crash {
	b.Helper()
	out := make([]*Crash, len(vs))
	for i, v := range vs {
		c, err := ParseCrash(v.CrashData)
		if err != nil {
			b.Fatal(err)
		}
		out[i] = c
	}
	return out
}

// BenchmarkGenerate signs parsed crashes; make bench-siggen compares. The fuzz
// vectors' names are nearly all different, so uncached is what a name costs that
// was never seen. stream and vectors are drawn from 5,000 stacks, made up and of
// the vectors.
func BenchmarkGenerate(b *testing.B) {
	fuzz := crashes(b, vectors(b, "fuzz"))
	stream := heavyTail(crashes(b, stacks(b)), 100_000)
	vectorStream := heavyTail(crashes(b, slices.Concat(vectors(b, "fuzz"), vectors(b, "strings"))), 100_000)
	for name, in := range map[string][]*Crash{"fuzz": fuzz, "stream": stream, "vectors": vectorStream} {
		for _, cached := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/cached=%v", name, cached), func(b *testing.B) {
				r := socorro(b)
				if !cached {
					r.cache = nil
				}
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					r.Generate(in[i])
					if i++; i == len(in) {
						i = 0
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sigs/s")
			})
		}
	}
}

// BenchmarkGenerateParallel signs the realistic stream on every core with one ruleset.
func BenchmarkGenerateParallel(b *testing.B) {
	stream := heavyTail(crashes(b, stacks(b)), 100_000)
	r := socorro(b)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for i := 0; p.Next(); i = (i + 7919) % len(stream) {
			r.Generate(stream[i])
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sigs/s")
}

func BenchmarkParseCrash(b *testing.B) {
	vs := vectors(b, "fuzz")
	b.ReportAllocs()
	var size, i int
	for _, v := range vs {
		size += len(v.CrashData)
	}
	b.SetBytes(int64(size / len(vs)))
	for b.Loop() {
		if _, err := ParseCrash(vs[i].CrashData); err != nil {
			b.Fatal(err)
		}
		i = (i + 1) % len(vs)
	}
}

// heavyTail draws n crashes: a few stacks are most of them, as in real traffic.
func heavyTail(of []*Crash, n int) []*Crash {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same draw in every run
	zipf := rand.NewZipf(random, 1.1, 8, uint64(len(of)-1))
	out := make([]*Crash, n)
	for i := range out {
		out[i] = of[zipf.Uint64()]
	}
	return out
}

// stacks are 5,000 stacks of 20 frames of a program of 12,000 functions whose
// names have the shapes of real ones; inner functions are in many stacks.
func stacks(b *testing.B) []vector {
	b.Helper()
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // the same draw in every run
	zipf := rand.NewZipf(random, 1.05, 20, 11_999)
	shapes := []string{
		"mozilla::dom::Element%d::SetAttribute(nsAtom*, nsTSubstring<char16_t> const&, bool)",
		"static void js::jit::Compiler%d<js::Value>::visit(js::jit::LNode*) const",
		"RefPtr<nsISupports%d>::assign_with_AddRef(nsISupports*)",
		"nsThread::ProcessEvent%d(bool, bool*)",
		"tokio::runtime::scheduler::Worker%d<alloc::sync::Arc<T>>::run::h0123456789abcdef",
		"g_object_notify_%d",
	}
	out := make([]vector, 5000)
	for i := range out {
		var frames []map[string]any
		for range 20 {
			n := int(zipf.Uint64())
			frames = append(frames, map[string]any{
				"function": fmt.Sprintf(shapes[n%len(shapes)], n), "file": fmt.Sprintf("hg:hg.mozilla.org/central:dom/base/File%d.cpp:abc", n%100),
				"line": n%1000 + 1, "module": "xul.dll", "module_offset": "0x1234", "offset": "0x7ff812341234",
			})
		}
		for j := range random.IntN(4) { // what happened goes before where
			frames[j]["function"] = []string{"abort", "mozalloc_abort(char const*)", "memcpy", "RtlRaiseException"}[random.IntN(4)]
		}
		data, err := json.Marshal(map[string]any{"os": "Windows NT", "threads": []any{map[string]any{"frames": frames}}})
		if err != nil {
			b.Fatal(err)
		}
		out[i].CrashData = data
	}
	return out
}
