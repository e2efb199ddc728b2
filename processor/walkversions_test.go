package processor

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aftershock/schema"
	"aftershock/signature"
	"aftershock/stackwalk"
	"aftershock/symbolcache"
)

// walkedSet are dumps that are walked with the same symbols.
type walkedSet struct{ name, dumps, symbols string }

// walkedSets are the repository's crashes, and those of a folder of corpora beside it.
func walkedSets(corpora string) []walkedSet {
	at := func(name string) string { return filepath.Join(corpora, name) }
	sets := []walkedSet{
		{"sample crashes", "../testdata/crashes/*.dmp", "../testdata/symbols"},
		{"corpus", at("corpus/dumps/*.dmp"), at("corpus/symbols")},
		{"corpus, Crashpad", at("corpus/crasher/dumps/*.dmp"), at("corpus/crasher/symbols") + "," + at("corpus/symbols")},
		{"corpus, made", at("corpus/synthetic/dumps/*.dmp"), at("corpus/synthetic/symbols")},
	}
	cases, _ := filepath.Glob(at("cases/field/*")) // the pattern is a good one
	for _, dir := range cases {
		sets = append(sets, walkedSet{"field cases", filepath.Join(dir, "*.dmp"), filepath.Join(dir, "symbols")})
	}
	conditions, _ := filepath.Glob(at("truth/symbols/*")) // likewise
	for _, dir := range conditions {
		sets = append(sets, walkedSet{"known stacks, " + filepath.Base(dir), at("truth/dumps/*.dmp"), dir})
	}
	return sets
}

// What process version 7 changes in signatures, for docs/replay.md: of every dump of the corpora
// what walker and default rules of both versions say, by themselves and together, and how many of
// 20,000 crashes that are made of them in turns change. AFTERSHOCK_CORPORA is the folder of the
// corpora.
func TestWhatAWalkerVersionChanges(t *testing.T) {
	corpora := os.Getenv("AFTERSHOCK_CORPORA")
	if corpora == "" {
		t.Skip("AFTERSHOCK_CORPORA names no corpora")
	}
	today := walkOptions
	t.Cleanup(func() { walkOptions = today })
	old, err := signature.FromFS(os.DirFS("../signature/rulesets/v1"))
	if err != nil {
		t.Fatal(err)
	}
	versions := []struct {
		walker int
		rules  *signature.Ruleset
	}{{today.Version - 1, old}, {today.Version, old}, {today.Version, signature.Default()}}
	type counted struct{ dumps, stacks, walked, signed int }
	bySet, why := map[string]*counted{}, map[string]int{}
	var walked, signed []bool // for each dump, whether the walker moves it, and whether walker and rules do
	for _, set := range walkedSets(corpora) {
		var sources []symbolcache.Source
		for dir := range strings.SplitSeq(set.symbols, ",") {
			sources = append(sources, symbolcache.Dir(linked(t, dir)))
		}
		cache, err := symbolcache.New(symbolcache.Options{Dir: t.TempDir(), Sources: sources})
		if err != nil {
			t.Fatal(err)
		}
		p := Processor{SignatureVersion: 1, Annotations: schema.DefaultRegistry, Symbols: Symbols{Find: cache.Get}}
		dumps, err := filepath.Glob(set.dumps)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range dumps {
			dump, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var made [3]*schema.ProcessedCrash
			for i, version := range versions {
				walkOptions, p.Ruleset = stackwalk.Options{Version: version.walker}, version.rules
				raw := &schema.RawCrash{CrashID: "0bba929f-8721-460c-8e70-a43c90261122", ReceivedAt: time.UnixMilli(0).UTC()}
				if made[i], err = p.Process(t.Context(), Input{Raw: raw, Dump: dump}); err != nil {
					t.Fatalf("%s: %v", path, err)
				}
			}
			of := bySet[set.name]
			if of == nil {
				of = &counted{}
				bySet[set.name] = of
			}
			of.dumps++
			parted := parts(made[0], made[1])
			if parted != "" {
				of.stacks++
			}
			walked = append(walked, made[0].Signature != made[1].Signature)
			signed = append(signed, made[0].Signature != made[2].Signature)
			if last := len(signed) - 1; walked[last] || signed[last] {
				t.Logf("%s: %s\n\twas   %s\n\tis    %s\n\trules %s\n\t%s", set.name, filepath.Base(path), made[0].Signature, made[1].Signature, made[2].Signature, parted)
				if walked[last] {
					of.walked++
					kind, _, _ := strings.Cut(parted, ": ")
					why[kind]++
				}
				if signed[last] {
					of.signed++
				}
			}
		}
		if err := cache.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(bySet)) {
		of := bySet[name]
		t.Logf("| %s | %d | %d | %d | %d |", name, of.dumps, of.stacks, of.walked, of.signed)
	}
	for _, kind := range slices.SortedFunc(maps.Keys(why), func(a, b string) int { return cmp.Compare(why[b], why[a]) }) {
		t.Logf("| %s | %d |", kind, why[kind])
	}
	const crashes = 20000
	movedByWalker, moved := 0, 0
	for i := range crashes {
		if walked[i%len(walked)] {
			movedByWalker++
		}
		if signed[i%len(signed)] {
			moved++
		}
	}
	t.Logf("of %d crashes that are made of these %d, %d move by the walker, %d by walker and rules", crashes, len(signed), movedByWalker, moved)
	if len(signed) < 100 || moved == crashes {
		t.Errorf("%d dumps", len(signed))
	}
}

// linked is a folder of symbols in which files that hold the path of a folder are links to it, as
// they are where links could not be kept.
func linked(t *testing.T, dir string) string {
	t.Helper()
	entries, _ := os.ReadDir(dir) // a set may have no symbols
	into := t.TempDir()
	for _, e := range entries {
		to, err := filepath.Abs(filepath.Join(dir, e.Name()))
		if err == nil && !e.IsDir() {
			var text []byte
			text, err = os.ReadFile(to)
			to = filepath.Join(filepath.Dir(to), strings.TrimSpace(string(text)))
		}
		if err == nil {
			err = os.Symlink(to, filepath.Join(into, e.Name()))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return into
}

// parts tells where two walks of a crashing thread part, and how: the trusts of the two frames,
// and behind a colon the frames. It is empty where they have the same frames.
func parts(was, is *schema.ProcessedCrash) string {
	a, b := crashedFrames(was), crashedFrames(is)
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			return fmt.Sprintf("goes on by %s: #%d %s", b[i].Trust, i, named(&b[i]))
		case i >= len(b):
			return fmt.Sprintf("ends before a frame by %s: #%d %s", a[i].Trust, i, named(&a[i]))
		case a[i].Offset != b[i].Offset:
			return fmt.Sprintf("%s becomes %s: #%d %s, %s", a[i].Trust, b[i].Trust, i, named(&a[i]), named(&b[i]))
		case a[i].Function != b[i].Function:
			return fmt.Sprintf("another name: #%d %s, %s", i, named(&a[i]), named(&b[i]))
		}
	}
	return ""
}

func crashedFrames(c *schema.ProcessedCrash) []schema.Frame {
	if at := c.Crash.CrashingThread; at != nil && int(*at) < len(c.Threads) {
		return c.Threads[*at].Frames
	}
	return nil
}

func named(f *schema.Frame) string { return f.Module + "!" + f.Function + f.ModuleOffset }
