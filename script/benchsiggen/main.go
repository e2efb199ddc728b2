// Command benchsiggen times signatures against Socorro's siggen, in turns on one
// core of the same machine, and prints medians and their ratio.
//
//	benchsiggen -python PYTHON -bin aftershock -ruleset DIR -vectors DIR [-rounds 10]
//
// PYTHON is an interpreter that can import siggen; DIR holds Socorro's lists, and
// fuzz.jsonl.gz and strings.jsonl.gz.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"aftershock/signature"
)

// siggen signs the crashes in a file, parsed before and then line by line, and
// prints what a crash took of both, in µs.
const siggen = `
import json, sys, time
from siggen.generator import SignatureGenerator
lines = open(sys.argv[1]).read().splitlines()
g = SignatureGenerator()
crashes = [json.loads(l) for l in lines]
t = time.perf_counter()
for c in crashes: g.generate(c)
parsed = time.perf_counter() - t
t = time.perf_counter()
for l in lines:
    r = g.generate(json.loads(l))
    json.dumps({"signature": r.signature, "notes": r.notes, "proto_signature": r.extra.get("proto_signature")})
print(parsed / len(lines) * 1e6, (time.perf_counter() - t) / len(lines) * 1e6)
`

// siggenStream is how many crashes of the stream siggen signs: it has no cache,
// each takes the same.
const siggenStream = 10_000

// bench is where things are.
type bench struct{ python, bin, ruleset, scratch string }

func main() {
	var b bench
	flag.StringVar(&b.python, "python", "", "interpreter with siggen")
	flag.StringVar(&b.bin, "bin", "bin/aftershock", "the binary")
	flag.StringVar(&b.ruleset, "ruleset", "", "directory of Socorro's lists")
	vectors := flag.String("vectors", "", "directory with the vectors")
	rounds := flag.Int("rounds", 10, "times that each side runs")
	flag.Parse()
	if err := b.run(*vectors, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "benchsiggen:", err)
		os.Exit(1)
	}
}

func (b *bench) run(vectors string, rounds int) (err error) {
	runtime.GOMAXPROCS(1)
	if b.scratch, err = os.MkdirTemp("", "benchsiggen"); err != nil {
		return err
	}
	defer os.RemoveAll(b.scratch) //nolint:errcheck // left behind at worst
	fuzz, err := crashData(filepath.Join(vectors, "fuzz.jsonl.gz"))
	if err != nil {
		return err
	}
	strs, err := crashData(filepath.Join(vectors, "strings.jsonl.gz"))
	if err != nil {
		return err
	}
	stream := heavyTail(slices.Concat(fuzz, strs)[:5000], 100_000)
	figures := map[string][]float64{}
	for range rounds {
		for _, side := range []func(map[string][]float64, [][]byte, [][]byte) error{b.theirs, b.ours} {
			if err := side(figures, fuzz, stream); err != nil {
				return err
			}
		}
	}
	return report(figures)
}

// crashData returns the inputs of vectors, one JSON object each.
func crashData(path string) ([][]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for d := json.NewDecoder(z); d.More(); {
		var v struct {
			CrashData json.RawMessage `json:"crash_data"`
		}
		if err := d.Decode(&v); err != nil {
			return nil, err
		}
		out = append(out, v.CrashData)
	}
	return out, nil
}

// heavyTail draws n: a few are most of them, as in real traffic.
func heavyTail(of [][]byte, n int) [][]byte {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same draw in every run
	zipf := rand.NewZipf(random, 1.1, 8, uint64(len(of)-1))
	out := make([][]byte, n)
	for i := range out {
		out[i] = of[zipf.Uint64()]
	}
	return out
}

func (b *bench) theirs(figures map[string][]float64, fuzz, stream [][]byte) error {
	for name, crashes := range map[string][][]byte{"fuzz": fuzz, "stream": stream[:siggenStream]} {
		path, err := b.file(crashes)
		if err != nil {
			return err
		}
		out, err := exec.Command(b.python, "-c", siggen, path).Output() //nolint:gosec,noctx // the developer names it
		if err != nil {
			return fmt.Errorf("siggen: %w", err)
		}
		for i, f := range strings.Fields(string(out)) {
			us, err := strconv.ParseFloat(f, 64)
			if err != nil {
				return err
			}
			figures["siggen "+name+[]string{" parsed", " JSON"}[i]] = append(figures["siggen "+name+[]string{" parsed", " JSON"}[i]], us)
		}
	}
	return nil
}

// file writes crashes, one a line.
func (b *bench) file(crashes [][]byte) (string, error) {
	path := filepath.Join(b.scratch, "crashes.jsonl")
	return path, os.WriteFile(path, append(bytes.Join(crashes, []byte("\n")), '\n'), 0o600)
}

func (b *bench) ours(figures map[string][]float64, fuzz, stream [][]byte) error {
	for name, crashes := range map[string][][]byte{"fuzz": fuzz, "stream": stream} {
		us, err := b.generate(crashes)
		if err != nil {
			return err
		}
		figures["ours "+name+" parsed"] = append(figures["ours "+name+" parsed"], us)
		path, err := b.file(crashes)
		if err != nil {
			return err
		}
		took, err := b.command(path, "sign", "--jsonl", "--ruleset", b.ruleset)
		if err != nil {
			return err
		}
		// Without its start, as siggen is timed.
		start, err := b.command(os.DevNull, "sign", "--jsonl", "--ruleset", b.ruleset)
		if err != nil {
			return err
		}
		figures["ours "+name+" JSON"] = append(figures["ours "+name+" JSON"], (took-start).Seconds()*1e6/float64(len(crashes)))
		if name != "stream" {
			continue
		}
		if took, err = b.command(path, "sign", "diff", "--ruleset", b.ruleset, "--ruleset", "default"); err != nil {
			return err
		}
		figures["diff of 100,000, s"] = append(figures["diff of 100,000, s"], took.Seconds())
	}
	return nil
}

// generate signs parsed crashes with a ruleset that has seen none.
func (b *bench) generate(crashes [][]byte) (us float64, err error) {
	ruleset, err := signature.FromFS(os.DirFS(b.ruleset))
	if err != nil {
		return 0, err
	}
	parsed := make([]*signature.Crash, len(crashes))
	known := map[*byte]*signature.Crash{}
	for i, data := range crashes {
		c := known[&data[0]]
		if c == nil {
			if c, err = signature.ParseCrash(data); err != nil {
				return 0, err
			}
			known[&data[0]] = c
		}
		parsed[i] = c
	}
	runtime.GC()
	start := time.Now()
	for _, c := range parsed {
		ruleset.Generate(c)
	}
	return time.Since(start).Seconds() * 1e6 / float64(len(parsed)), nil
}

func (b *bench) command(stdin string, args ...string) (time.Duration, error) {
	in, err := os.Open(stdin)
	if err != nil {
		return 0, err
	}
	defer in.Close()                    //nolint:errcheck // read only
	cmd := exec.Command(b.bin, args...) //nolint:gosec,noctx // our own
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stdin = in
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	if _, err := bufio.NewReader(out).WriteTo(discard{}); err != nil {
		return 0, err
	}
	err = cmd.Wait()
	return time.Since(start), err
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func report(figures map[string][]float64) error {
	median := func(name string) float64 {
		list := slices.Sorted(slices.Values(figures[name]))
		if len(list) == 0 {
			return 0
		}
		return list[len(list)/2]
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "µs a crash\tsiggen\tours\tratio\t") //nolint:errcheck // Flush tells
	for _, name := range []string{"fuzz parsed", "stream parsed", "fuzz JSON", "stream JSON"} {
		theirs, ours := median("siggen "+name), median("ours "+name)
		fmt.Fprintf(w, "%s\t%.1f\t%.2f\t%.1f\t\n", name, theirs, ours, theirs/ours) //nolint:errcheck // Flush tells
	}
	fmt.Fprintf(w, "diff of 100,000, s\t\t%.2f\t\t\n", median("diff of 100,000, s")) //nolint:errcheck // Flush tells
	return w.Flush()
}
