// Command benchpeers times reading, walking and printing every dump of the
// corpus against rust-minidump's crates, both resident with symbols in memory,
// in turns on the same machine, and prints medians and their ratio.
//
//	benchpeers -peer PROGRAM -corpus DIR [-rounds 10]
//
// PROGRAM is called as `PROGRAM dumps -n N -r 1 -s DIR… DUMP…` and answers lines
// of name, threads, frames, JSON bytes, cold ms, walk µs, walk and JSON µs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

func main() {
	peer := flag.String("peer", "", "program that times rust-minidump")
	corpus := flag.String("corpus", "", "directory with dumps, symbols and crasher")
	rounds := flag.Int("rounds", 10, "times that each side runs")
	flag.Parse()
	if err := run(*peer, *corpus, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "benchpeers:", err)
		os.Exit(1)
	}
}

// samples are µs by dump, of the walk and of walk and JSON.
type samples struct{ walk, json map[string][]float64 }

func newSamples() samples { return samples{map[string][]float64{}, map[string][]float64{}} }

func run(peer, corpus string, rounds int) error {
	if peer == "" || corpus == "" {
		return errors.New("want -peer and -corpus")
	}
	scratch, err := os.MkdirTemp("", "benchpeers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch) //nolint:errcheck // left behind at worst
	program := filepath.Join(scratch, "bench.test")
	if out, err := exec.CommandContext(context.Background(), "go", "test", "-c", "-o", program, "./stackwalk/report").CombinedOutput(); err != nil { //nolint:gosec // our own
		return fmt.Errorf("%w: %s", err, out)
	}
	ours, theirs := newSamples(), newSamples()
	for range rounds {
		if err := runPeer(theirs, peer, corpus); err != nil {
			return err
		}
		if err := runOurs(ours, program); err != nil {
			return err
		}
	}
	return report(ours, theirs)
}

func runPeer(to samples, peer, corpus string) error {
	args := []string{"dumps", "-n", "20", "-r", "1", "-s", filepath.Join(corpus, "symbols"), "-s", filepath.Join(corpus, "crasher", "symbols")}
	for _, dir := range []string{"dumps", "crasher/dumps"} {
		dumps, err := filepath.Glob(filepath.Join(corpus, dir, "*.dmp"))
		if err != nil {
			return err
		}
		args = append(args, dumps...)
	}
	out, err := exec.CommandContext(context.Background(), peer, args...).Output() //nolint:gosec // the developer names it
	if err != nil {
		return fmt.Errorf("%s: %w", peer, err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 7 {
			continue
		}
		walk, err1 := strconv.ParseFloat(f[5], 64)
		both, err2 := strconv.ParseFloat(f[6], 64)
		if name, ok := strings.CutSuffix(f[0], ".dmp"); ok && err1 == nil && err2 == nil {
			to.walk[name] = append(to.walk[name], walk)
			to.json[name] = append(to.json[name], both)
		}
	}
	return nil
}

func runOurs(to samples, program string) error {
	cmd := exec.CommandContext(context.Background(), program, "-test.run", "^$", "-test.bench", "^BenchmarkDump$", "-test.benchtime", "20ms", "-test.cpu", "1")
	cmd.Dir = filepath.Join("stackwalk", "report")
	cmd.Env = append(os.Environ(), "GOGC=400") // as a processor has it
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 4 || f[3] != "ns/op" {
			continue
		}
		ns, err := strconv.ParseFloat(f[2], 64)
		if err != nil {
			continue
		}
		if name, ok := strings.CutPrefix(f[0], "BenchmarkDump/walk/"); ok {
			to.walk[name] = append(to.walk[name], ns/1000)
		} else if name, ok := strings.CutPrefix(f[0], "BenchmarkDump/json/"); ok {
			to.json[name] = append(to.json[name], ns/1000)
		}
	}
	return nil
}

func report(ours, theirs samples) error {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "dump\twalk µs\trust\tratio\twalk + JSON µs\trust\tratio\t") //nolint:errcheck // a table for people
	var names []string
	for name := range theirs.walk {
		if ours.walk[name] != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		w, rw := median(ours.walk[name]), median(theirs.walk[name])
		j, rj := median(ours.json[name]), median(theirs.json[name])
		fmt.Fprintf(out, "%s\t%.1f\t%.1f\t1/%.1f\t%.1f\t%.1f\t1/%.1f\t\n", name, w, rw, rw/w, j, rj, rj/j) //nolint:errcheck // as above
	}
	return out.Flush()
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
