package generate

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aftershock/processor"
	"aftershock/schema"
	"aftershock/signature"
	"aftershock/symbolcache"
)

var update = flag.Bool("update", false, "rewrite stacks.bin")

// The stacks that generated crashes are made of are what the processor makes of the sample
// crashes today.
func TestStacksAreThoseOfTheSamples(t *testing.T) {
	cache, err := symbolcache.New(symbolcache.Options{Dir: t.TempDir(), Sources: []symbolcache.Source{symbolcache.Dir("../testdata/symbols")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cache.Close(); err != nil {
			t.Error(err)
		}
	})
	p := processor.Processor{SignatureVersion: 1, Ruleset: signature.Default(), Annotations: schema.DefaultRegistry, Symbols: processor.Symbols{Find: cache.Get}}
	dumps, err := filepath.Glob("../testdata/crashes/*.dmp")
	if err != nil || len(dumps) == 0 {
		t.Fatalf("no dumps: %v", err)
	}
	var all []walked
	for _, path := range dumps {
		dump, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		raw := &schema.RawCrash{CrashID: "0bba929f-8721-460c-8e70-a43c90261122", ReceivedAt: time.UnixMilli(0).UTC()}
		c, err := p.Process(t.Context(), processor.Input{Raw: raw, Dump: dump})
		if err != nil {
			t.Fatal(err)
		}
		w := walked{Name: strings.TrimSuffix(filepath.Base(path), ".dmp"), Reason: c.Crash.Reason, Crashed: int(*c.Crash.CrashingThread), Threads: c.Threads}
		for i := range w.Threads {
			frames := &w.Threads[i].Frames
			*frames = (*frames)[:min(len(*frames), maxWalked)]
		}
		all = append(all, w)
	}
	if *update {
		var file bytes.Buffer
		z, err := gzip.NewWriterLevel(&file, gzip.BestCompression)
		if err == nil {
			err = json.NewEncoder(z).Encode(all)
		}
		if err == nil {
			err = z.Close()
		}
		if err == nil {
			err = os.WriteFile("stacks.bin", file.Bytes(), 0o644) //nolint:gosec // for everybody to read
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	// Through JSON, as what was read: it has no difference between nil and empty.
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	var want []walked
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, readStacks(stacksFile)); diff != "" {
		t.Errorf("go generate ./generate (-want +have):\n%s", diff)
	}
}
