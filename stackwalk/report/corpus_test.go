package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"aftershock/breakpad"
	"aftershock/internal/reference"
	"aftershock/internal/truth"
	"aftershock/minidump"
	"aftershock/stackwalk"
	"aftershock/stackwalk/report"
)

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// set is one folder of dumps with what the reference makes of them.
type set struct {
	dumps, expected string
	symbols         []string
}

func sets(t testing.TB) []set {
	root := reference.Path(t, "corpus")
	reference, err := filepath.Glob(filepath.Join(root, "expected", "minidump-stackwalk-*"))
	if err != nil || len(reference) == 0 {
		t.Fatal("corpus without expected/minidump-stackwalk-*", err)
	}
	in := func(elements ...string) string { return filepath.Join(append([]string{root}, elements...)...) }
	return []set{
		{in("dumps"), slices.Max(reference), []string{in("symbols")}},
		{in("crasher", "dumps"), in("crasher", "expected"), []string{in("crasher", "symbols"), in("symbols")}},
		{in("synthetic", "dumps"), in("synthetic", "expected"), []string{in("synthetic", "symbols")}},
	}
}

// walkFile reads and walks a dump with the symbols in these folders, with
// version 1.
func walkFile(path string, symbols []string) (report.Input, error) {
	return walkVersion(path, symbols, 1)
}

func walkVersion(path string, symbols []string, version int) (report.Input, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return report.Input{}, err
	}
	d, err := minidump.Parse(data)
	if err == nil {
		err = d.Walkable()
	}
	if err != nil {
		return report.Input{}, err
	}
	told := make([]report.Symbols, len(d.Modules))
	result := stackwalk.Walk(d, func(module int) stackwalk.Symbols {
		f, err := load(&d.Modules[module], symbols)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			told[module].Status = report.SymbolsMissing
			return nil
		case err != nil, version == 1 && !f.Strict():
			told[module].Status = report.SymbolsCorrupt
			return nil
		}
		told[module] = report.Symbols{Status: report.SymbolsLoaded, URL: f.URL}
		return f
	}, stackwalk.Options{Version: version})
	for i := range told {
		for j := 0; j < len(told) && told[i].Status == report.SymbolsUnused; j++ {
			if d.Modules[i].SameFile(&d.Modules[j]) {
				told[i] = told[j]
			}
		}
	}
	return report.Input{Dump: d, Walk: result, Symbols: told}, nil
}

// parsed is a symbol file, or why there is none.
type parsed struct {
	file *breakpad.File
	err  error
}

var loaded = map[string]parsed{} // by path

// load finds the symbols of a module in these folders; the error wraps
// fs.ErrNotExist if none has them.
func load(m *minidump.Module, symbols []string) (*breakpad.File, error) {
	if m.DebugID() == "" || m.DebugFile() == "" {
		return nil, fs.ErrNotExist
	}
	for _, dir := range symbols {
		leaf := m.DebugName()
		path := filepath.Join(truth.Folder(dir, leaf), m.DebugID(), strings.TrimSuffix(leaf, ".pdb")+".sym")
		p, ok := loaded[path]
		if !ok {
			in, err := os.Open(path) //nolint:gosec // as in exists
			if p.err = err; err == nil {
				p.file, p.err = breakpad.Parse(in, breakpad.ParseOptions{})
				_ = in.Close()
			}
			loaded[path] = p
		}
		if !errors.Is(p.err, fs.ErrNotExist) {
			return p.file, p.err
		}
	}
	return nil, fs.ErrNotExist
}

// TestJSONEqualsTheReference compares the whole document of every dump with
// minidump-stackwalk's.
func TestJSONEqualsTheReference(t *testing.T) {
	allowed, used := allowedDifferences(t, "differences.txt"), map[string]bool{}
	var frames, fields, dumps tally
	defer func() { t.Logf("frames %v, fields %v, dumps %v", frames, fields, dumps) }()
	for _, s := range sets(t) {
		expected, err := os.ReadDir(s.expected)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range expected {
			name, kind, _ := strings.Cut(e.Name(), ".json")
			if strings.HasSuffix(e.Name(), ".status") {
				name, kind = strings.TrimSuffix(e.Name(), ".status"), ".status"
			}
			path := filepath.Join(s.dumps, name+".dmp")
			if !exists(path) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				in, err := walkFile(path, s.symbols)
				if kind == ".status" {
					if err == nil {
						t.Error("the reference refuses this dump, we do not")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				want := readJSON(t, filepath.Join(s.expected, e.Name()))
				found := differences(t, want, in)
				dumps.count(1, min(len(found), 1))
				ofFrames := 0
				for _, d := range found {
					if strings.Contains(d, "frames[") {
						ofFrames++
					}
				}
				frames.count(countFrames(want), ofFrames)
				fields.count(leaves(want), len(found)-ofFrames)
				for _, d := range found {
					field, _, _ := strings.Cut(d, ":")
					if key := name + "\t" + field; allowed[key] != "" {
						used[key] = true
						continue
					}
					t.Error(d)
				}
			})
		}
	}
	for key := range allowed {
		if !used[key] {
			t.Errorf("testdata/differences.txt: %q does not occur", key)
		}
	}
}

// allowedDifferences reads a file of testdata: the reason by "dump<TAB>field".
func allowedDifferences(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.SplitN(strings.TrimSpace(line), "\t", 3)
		if len(fields) != 3 {
			t.Fatalf("testdata/%s: %q: want dump, field and reason", file, line)
		}
		out[fields[0]+"\t"+fields[1]] = fields[2]
	}
	return out
}

// tally counts what is equal of how many.
type tally struct{ equal, total int }

func (c *tally) count(total, different int) {
	c.total += total
	c.equal += total - different
}

func (c tally) String() string { return fmt.Sprintf("%d/%d", c.equal, c.total) }

func readJSON(t *testing.T, path string) any {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return decodeJSON(t, text)
}

func decodeJSON(t *testing.T, text []byte) any {
	t.Helper()
	var document any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	return document
}

// printed is the report, decoded.
func printed(t *testing.T, in report.Input) any {
	t.Helper()
	var out bytes.Buffer
	if err := report.JSON(&out, in, false); err != nil {
		t.Fatal(err)
	}
	return decodeJSON(t, out.Bytes())
}

// countFrames is the number of frames of all threads.
func countFrames(document any) int {
	n := 0
	threads, _ := document.(map[string]any)["threads"].([]any)
	for _, t := range threads {
		frames, _ := t.(map[string]any)["frames"].([]any)
		n += len(frames)
	}
	return n
}

// leaves is the number of values in a document that are no null, but for frames.
func leaves(v any) int {
	n := 0
	switch v := v.(type) {
	case nil:
	case map[string]any:
		for key, member := range v {
			if key != "frames" {
				n += leaves(member)
			}
		}
	case []any:
		for _, element := range v {
			n += leaves(element)
		}
	default:
		n = 1
	}
	return n
}

func differences(t *testing.T, want any, in report.Input) []string {
	t.Helper()
	return diff(nil, "", want, printed(t, in))
}

// diff lists where two documents differ; absent, null and the empty list are
// equal.
func diff(out []string, path string, want, got any) []string {
	if len(out) > 20 {
		return out
	}
	switch w := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		keys := map[string]bool{}
		for k := range w {
			keys[k] = true
		}
		for k := range g {
			keys[k] = true
		}
		for k := range keys {
			out = diff(out, strings.TrimPrefix(path+"."+k, "."), w[k], g[k])
		}
		return out
	case []any:
		g, _ := got.([]any)
		if len(w) != len(g) {
			return append(out, fmt.Sprintf("%s: want %d, got %d", path, len(w), len(g)))
		}
		for i := range w {
			out = diff(out, fmt.Sprintf("%s[%d]", path, i), w[i], g[i])
		}
		return out
	}
	if list, ok := got.([]any); ok && len(list) == 0 {
		got = nil
	}
	if w, ok := want.(float64); ok {
		if g, ok := got.(float64); ok && math.Abs(w-g) < 1e-6 {
			return out // the reference computes in 32 bits
		}
	}
	if !reflect.DeepEqual(want, got) {
		out = append(out, fmt.Sprintf("%s: want %v, got %v", path, want, got))
	}
	return out
}

// TestHumanOfTheCorpus only checks that every dump can be printed, with a line
// a frame.
func TestHumanOfTheCorpus(t *testing.T) {
	for _, s := range sets(t) {
		dumps, err := filepath.Glob(filepath.Join(s.dumps, "*.dmp"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range dumps {
			in, err := walkFile(path, s.symbols)
			if err != nil {
				continue
			}
			var out strings.Builder
			if err := report.Human(&out, in); err != nil {
				t.Error(err)
			}
			frames := 0
			for _, th := range in.Walk.Threads {
				frames += len(th.Frames)
			}
			if got := strings.Count(out.String(), "\n  #"); got != frames {
				t.Errorf("%s: %d lines for %d frames", filepath.Base(path), got, frames)
			}
		}
	}
}
