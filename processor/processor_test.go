package processor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/schema"
	"aftershock/signature"
	"aftershock/stackwalk"
	"aftershock/symbolcache"
)

const crashes = "../testdata/crashes"

// newProcessor has the sample crashes' symbols and the shipped ruleset.
func newProcessor(t testing.TB) *Processor {
	t.Helper()
	cache, err := symbolcache.New(symbolcache.Options{Dir: t.TempDir(), Sources: []symbolcache.Source{symbolcache.Dir("../testdata/symbols")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cache.Close(); err != nil {
			t.Error(err)
		}
	})
	return &Processor{SignatureVersion: 1, Ruleset: signature.Default(), Annotations: schema.DefaultRegistry, Symbols: Symbols{Find: cache.Get}}
}

func input(dump []byte) Input {
	return Input{
		Raw: &schema.RawCrash{
			CrashID: "0bba929f-8721-460c-8e70-a43c90261122", ReceivedAt: time.UnixMilli(1_790_000_000_000).UTC(),
			Annotations: map[string]string{"ProductName": "orchard", "Version": "2.1.0", "URL": "https://example.org", "z": "1", "a": "2"},
			Throttle:    schema.Throttle{Rule: "accept_everything", Rate: 1},
		},
		Position: schema.Position{Topic: schema.TopicRaw, Partition: 3, Offset: 42},
		Dump:     dump,
	}
}

func process(t *testing.T, p *Processor, in Input) *schema.ProcessedCrash {
	t.Helper()
	out, err := p.Process(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	dump, err := os.ReadFile(filepath.Join(crashes, name))
	if err != nil {
		t.Fatal(err)
	}
	return dump
}

func samples(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(crashes, "*.dmp"))
	if err != nil || len(names) < 12 {
		t.Fatalf("%d sample dumps, %v", len(names), err)
	}
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	return names
}

// expected.json was made with the reference walker and checked by eye against
// the programs' sources.
func TestSampleCrashesAreUnderstood(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(crashes, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string]struct {
		Reason         string
		Address        string
		CrashingThread struct {
			Index int32
			Name  string
		} `json:"crashing_thread"`
		First struct {
			Frame    int
			Function string
			Source   string
			Inlined  bool
		} `json:"first_own_frame"`
	}
	if err := json.Unmarshal(text, &expected); err != nil {
		t.Fatal(err)
	}
	p := newProcessor(t)
	for _, name := range samples(t) {
		t.Run(name, func(t *testing.T) {
			want, ok := expected[name]
			if !ok {
				t.Fatal("not in expected.json")
			}
			out := process(t, p, input(sample(t, name)))
			if out.DumpStatus != schema.DumpOK || out.Crash.Reason != want.Reason || *out.Crash.Address != want.Address {
				t.Errorf("status %s, reason %q at %s, want %q at %s", out.DumpStatus, out.Crash.Reason, *out.Crash.Address, want.Reason, want.Address)
			}
			i := *out.Crash.CrashingThread
			if i != want.CrashingThread.Index || out.Threads[i].Name != want.CrashingThread.Name {
				t.Errorf("thread %d %q crashed, want %d %q", i, out.Threads[i].Name, want.CrashingThread.Index, want.CrashingThread.Name)
			}
			f := out.Threads[i].Frames[want.First.Frame]
			function, file, line := f.Function, f.File, f.Line
			if want.First.Inlined {
				at := slices.IndexFunc(f.Inlines, func(in schema.Inline) bool { return in.Function == want.First.Function })
				if at < 0 {
					t.Fatalf("%q is not inlined in frame %d: %+v", want.First.Function, want.First.Frame, f)
				}
				function, file, line = f.Inlines[at].Function, f.Inlines[at].File, f.Inlines[at].Line
			}
			if got := fmt.Sprintf("%s:%d", file, line); function != want.First.Function || got != want.First.Source {
				t.Errorf("frame %d is %s at %s, want %s at %s", want.First.Frame, function, got, want.First.Function, want.First.Source)
			}
			if out.Signature == "" || strings.HasPrefix(out.Signature, "EMPTY") {
				t.Errorf("signature %q", out.Signature)
			}
			for _, m := range out.Modules {
				if (m.SymbolsSHA256 != "") != (m.Symbols == "found") {
					t.Errorf("%s: symbols %s, digest %q", m.Filename, m.Symbols, m.SymbolsSHA256)
				}
			}
		})
	}
}

// Replay rests on this.
func TestSameInputGivesSameBytes(t *testing.T) {
	for _, name := range samples(t) {
		dump := sample(t, name)
		var first []byte
		for i := range 3 {
			in := input(bytes.Clone(dump))
			in.Raw.Annotations["OOMAllocationSize"] = "not a number" // notes come in an order as well
			in.Raw.Annotations["SafeMode"] = strings.Repeat("ü", maxLongTextBytes)
			b, err := schema.Encode(process(t, newProcessor(t), in))
			if err != nil {
				t.Fatal(err)
			}
			if i > 0 && !bytes.Equal(first, b) {
				t.Errorf("%s: run %d gave other bytes", name, i)
			}
			first = b
		}
	}
}

func TestAnnotationsAreClassified(t *testing.T) {
	in := input(nil)
	in.Raw.Annotations["SafeMode"] = "my secret"
	out := process(t, newProcessor(t), in)
	want := []schema.Annotation{
		{Name: "ProductName", Value: "orchard", Public: true},
		{Name: "SafeMode", Value: "my secret"},
		{Name: "URL", Value: "https://example.org"},
		{Name: "Version", Value: "2.1.0", Public: true},
		{Name: "a", Value: "2"},
		{Name: "z", Value: "1"},
	}
	if d := cmp.Diff(want, out.Annotations); d != "" {
		t.Error(d)
	}
	if !has(out, schema.NoteAnnotationNotPublic) {
		t.Errorf("notes %+v", out.Notes)
	}
}

func has(p *schema.ProcessedCrash, code string) bool {
	return slices.ContainsFunc(p.Notes, func(n schema.Note) bool { return n.Code == code })
}

func TestBadDumpsGetAStatusAndANote(t *testing.T) {
	good := sample(t, "orchard-null.dmp")
	noThreads := minidumptest.New(minidump.CPUAMD64, minidump.Linux).Stream(minidump.StreamThreadList, []byte{1}).Bytes()
	for name, tc := range map[string]struct {
		dump   []byte
		status string
		note   string
	}{
		"none":        {nil, statusNoDump, schema.NoteDumpMissing},
		"empty":       {[]byte{}, statusEmpty, schema.NoteDumpUnreadable},
		"text":        {[]byte("this is no dump at all, is it?  "), statusNoHeader, schema.NoteDumpUnreadable},
		"header only": {good[:32], "", schema.NoteDumpUnreadable},
		"no threads":  {noThreads, statusNoThreads, schema.NoteDumpUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			out := process(t, newProcessor(t), input(tc.dump))
			if out.DumpStatus == schema.DumpOK || tc.status != "" && out.DumpStatus != tc.status {
				t.Errorf("status %q, want %q", out.DumpStatus, tc.status)
			}
			if !has(out, tc.note) {
				t.Errorf("notes %+v, want %s", out.Notes, tc.note)
			}
			if want := "EMPTY: no frame data available; " + out.DumpStatus; out.Signature != want {
				t.Errorf("signature %q, want %q", out.Signature, want)
			}
			if len(out.Annotations) != 5 {
				t.Error("the annotations are lost")
			}
		})
	}
}

// knownCodes are all that notes can say.
func knownCodes(t *testing.T) map[string]bool {
	t.Helper()
	codes := map[string]bool{}
	for _, c := range schema.Catalogue {
		codes[c.Code] = true
	}
	// The findings are an open list of constants in minidump/finding.go.
	text, err := os.ReadFile("../minidump/finding.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), `"`) {
		codes[part] = true
	}
	for _, end := range []stackwalk.End{stackwalk.EndThreadFrameLimit, stackwalk.EndTotalFrameLimit, stackwalk.EndScanLimit, stackwalk.EndInlineLimit} {
		codes[string(end)] = true
	}
	return codes
}

func TestDamagedDumpsNeverFailAndNotesHoldOnlyCodes(t *testing.T) {
	codes := knownCodes(t)
	p := newProcessor(t)
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // repeatable damage
	check := func(what string, dump []byte) {
		out := process(t, p, input(dump))
		for _, n := range out.Notes {
			if !codes[n.Code] {
				t.Errorf("%s: note %q is in no catalogue", what, n.Code)
			}
		}
		if out.DumpStatus != schema.DumpOK && len(out.Notes) == 0 {
			t.Errorf("%s: status %s without a note", what, out.DumpStatus)
		}
		if b, err := schema.Encode(out); err != nil || len(b) > schema.MaxProcessedBytes {
			t.Errorf("%s: %d bytes, %v", what, len(b), err)
		}
	}
	for _, name := range []string{"orchard-null.dmp", "tidepool-unwrap.dmp"} {
		good := sample(t, name)
		for n := 0; n < len(good); n += 1 + n/16 {
			check(fmt.Sprintf("%s cut at %d", name, n), good[:n])
		}
		for i := range 300 {
			bad := bytes.Clone(good)
			for range 1 + random.IntN(20) {
				bad[random.IntN(len(bad)/(1+i%4))] = byte(random.Uint32())
			}
			check(fmt.Sprintf("%s mutation %d", name, i), bad)
		}
	}
}

func TestTransientSymbolFailureIsNoted(t *testing.T) {
	p := newProcessor(t)
	p.Symbols.Find = func(context.Context, symbolcache.Key) symbolcache.Lookup {
		return symbolcache.Lookup{Outcome: symbolcache.Timeout}
	}
	out := process(t, p, input(sample(t, "orchard-null.dmp")))
	if !has(out, schema.NoteSymbolsTransient) {
		t.Errorf("notes %+v", out.Notes)
	}
	outcomes := map[string]int{}
	for _, m := range out.Modules {
		outcomes[m.Symbols]++
	}
	if outcomes["timeout"] == 0 || outcomes["timeout"]+outcomes["unused"] != len(out.Modules) {
		t.Errorf("outcomes %v", outcomes)
	}
}

// A stack that lacks the symbols it should have must not pass for the answer.
func TestDeadlineFailsInsteadOfGivingAWorseStack(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := newProcessor(t)
	p.Symbols.Find = func(context.Context, symbolcache.Key) symbolcache.Lookup {
		cancel()
		return symbolcache.Lookup{Outcome: symbolcache.Timeout}
	}
	if out, err := p.Process(ctx, input(sample(t, "orchard-null.dmp"))); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", out, err)
	}
}

func TestNoPrivateAnnotationReachesTheSignature(t *testing.T) {
	in := input(sample(t, "orchard-abort.dmp"))
	plain := process(t, newProcessor(t), in)
	for _, name := range []string{"AbortMessage", "MozCrashReason", "JavaStackTrace", "JavaException", "AsyncShutdownTimeout", "URL", "Comments", "ipc_channel_error", "IPCMessageName"} {
		in.Raw.Annotations[name] = "canary, " + name
	}
	out := process(t, newProcessor(t), in)
	if out.Signature != plain.Signature || out.ProtoSignature != plain.ProtoSignature {
		t.Errorf("signature %q, without the annotations %q", out.Signature, plain.Signature)
	}
	if strings.Contains(strings.Join(out.SignatureNotes, ""), "canary") {
		t.Errorf("notes %q", out.SignatureNotes)
	}
}

// Signing again from the event gives what was signed from the dump: a re-sign
// has nothing else.
func TestSigningAgainGivesTheSame(t *testing.T) {
	p := newProcessor(t)
	big := strings.Repeat("x", maxLongTextBytes-1)
	for _, annotations := range []map[string]string{
		{"OOMAllocationSize": "5000000"},
		{"JavaStackTrace": "a.E: x\n\tat a.B.c(B.java:7)"},
		{"JavaStackTrace": "a.E: " + strings.Repeat("x", maxLongTextBytes) + "\n\tat a.B.c(B.java:7)"}, // cut before the method
		{"a": big, "b": big, "c": big, "JavaStackTrace": "a.E: x\n\tat a.B.c(B.java:7)"},
	} {
		for _, name := range samples(t) {
			in := input(sample(t, name))
			maps.Copy(in.Raw.Annotations, annotations)
			b, err := schema.Encode(process(t, p, in))
			if err != nil {
				t.Fatal(err)
			}
			out, err := schema.Decode[schema.ProcessedCrash](b)
			if err != nil {
				t.Fatal(err)
			}
			again := p.Ruleset.Generate(signature.FromProcessed(out))
			if again.Signature != out.Signature || again.ProtoSignature != out.ProtoSignature || !slices.Equal(again.Notes, out.SignatureNotes) {
				t.Errorf("%s: %+v, the event has %q %q", name, again, out.Signature, out.SignatureNotes)
			}
		}
	}
}

func TestTextsAreBoundedAndValid(t *testing.T) {
	n := &notes{}
	at, past := strings.Repeat("ä", maxTextBytes/2), strings.Repeat("ä", maxTextBytes/2)+"x"
	if got := n.text(at); got != at || len(n.list) != 0 {
		t.Errorf("at the limit: %d bytes, notes %v", len(got), n.list)
	}
	if got := n.text(past); got != at {
		t.Errorf("past the limit: %d bytes", len(got))
	}
	if got := n.text("a" + past); len(got) != maxTextBytes-1 { // not in the middle of a letter
		t.Errorf("between letters: %d bytes", len(got))
	}
	if got := n.text("a\xffb"); got != "a\uFFFDb" {
		t.Errorf("%q", got)
	}
	if len(n.list) != 1 {
		t.Errorf("notes %v", n.list)
	}
}

func TestNotesAreBounded(t *testing.T) {
	n := &notes{}
	for i := range maxNotes + 10 {
		n.add(schema.StageDump, "code", i)
	}
	if len(n.list) != maxNotes || n.list[maxNotes-1].Code != schema.NoteNotesCapped || n.list[maxNotes-2].Code != "code" {
		t.Errorf("%d notes, the last %+v", len(n.list), n.list[len(n.list)-1])
	}
}

// What is too large is left out step by step, and said so.
func TestLargeEventsAreMadeToFit(t *testing.T) {
	big := strings.Repeat("x", 4000)
	for name, tc := range map[string]struct {
		fill  func(p *schema.ProcessedCrash)
		check func(p *schema.ProcessedCrash) bool
	}{
		"nothing": {func(*schema.ProcessedCrash) {}, func(p *schema.ProcessedCrash) bool { return !has(p, schema.NoteEventShrunk) }},
		"threads": {
			func(p *schema.ProcessedCrash) {
				for range 2000 {
					p.Threads = append(p.Threads, schema.Thread{Frames: []schema.Frame{{Function: big}, {Function: big}}})
				}
			},
			func(p *schema.ProcessedCrash) bool {
				return len(p.Threads) == 2001 && p.Threads[7].Frames == nil && len(p.Threads[0].Frames) == 1 && has(p, schema.NoteEventShrunk)
			},
		},
		"annotations in the dump": {
			func(p *schema.ProcessedCrash) {
				for range 2000 {
					p.CrashpadAnnotations = append(p.CrashpadAnnotations, schema.CrashpadAnnotation{Value: big})
				}
			},
			func(p *schema.ProcessedCrash) bool { return p.CrashpadAnnotations == nil && len(p.Annotations) == 2 },
		},
		"everything": {
			func(p *schema.ProcessedCrash) {
				for range 2000 {
					p.CrashpadAnnotations = append(p.CrashpadAnnotations, schema.CrashpadAnnotation{Value: big})
					p.Annotations = append(p.Annotations, schema.Annotation{Name: "n", Value: big})
					p.Modules = append(p.Modules, schema.Module{Path: big})
					p.Threads[0].Frames = append(p.Threads[0].Frames, schema.Frame{Function: big})
				}
			},
			func(p *schema.ProcessedCrash) bool {
				return len(p.Annotations) == 1 && p.Modules == nil && len(p.Threads[0].Frames) == 32
			},
		},
		"names of threads": {
			func(p *schema.ProcessedCrash) {
				for range maxThreads - 1 {
					p.Threads = append(p.Threads, schema.Thread{Name: big})
				}
			},
			func(p *schema.ProcessedCrash) bool {
				return len(p.Threads) == maxThreads && p.Threads[7].Name == "" && len(p.Threads[0].Frames) == 1 && has(p, schema.NoteEventShrunk)
			},
		},
		"all that an event can hold": {
			func(p *schema.ProcessedCrash) {
				text, long := strings.Repeat("ä", maxTextBytes/2), strings.Repeat("ä", maxLongTextBytes/2)
				frame := schema.Frame{Module: text, Function: text, File: text}
				for range maxInlines {
					frame.Inlines = append(frame.Inlines, schema.Inline{Function: text, File: text})
				}
				for range maxUnloadedHits {
					frame.Unloaded = append(frame.Unloaded, schema.UnloadedHit{Module: text})
				}
				p.Threads = make([]schema.Thread, maxThreads)
				for i := range p.Threads {
					p.Threads[i] = schema.Thread{Name: text, LastError: &text, Frames: make([]schema.Frame, 1)}
				}
				for range 2 * maxFramesShrunk {
					p.Threads[0].Frames = append(p.Threads[0].Frames, frame)
				}
				for range shrunkAnnotations + 1 { // of a registry that somebody else wrote
					p.Annotations = append(p.Annotations, schema.Annotation{Name: text, Value: long, Public: true})
				}
				for range maxDumps {
					p.Dumps = append(p.Dumps, schema.DumpSummary{Name: text})
				}
				p.System = schema.System{OS: text, OSVersion: text, CPUArch: text, CPUInfo: text}
				p.Crash.Reason, p.ThrottleRule = text, text
			},
			func(p *schema.ProcessedCrash) bool {
				return len(p.Threads) == maxThreads && len(p.Threads[0].Frames) == maxFramesShrunk && len(p.Annotations) == shrunkAnnotations
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &schema.ProcessedCrash{
				Annotations: []schema.Annotation{{Name: "Version", Value: "1", Public: true}, {Name: "URL", Value: "u"}},
				Threads:     []schema.Thread{{Frames: []schema.Frame{{Function: "crashed here"}}}},
			}
			p.Crash.CrashingThread = new(int32(0))
			tc.fill(p)
			n := &notes{}
			fit(p, n)
			p.Notes = n.list
			b, err := schema.Encode(p)
			if err != nil || len(b) > schema.MaxProcessedBytes {
				t.Errorf("%d bytes, %v", len(b), err)
			}
			if !tc.check(p) {
				t.Errorf("%d threads, %d annotations, %d modules, notes %+v", len(p.Threads), len(p.Annotations), len(p.Modules), p.Notes)
			}
		})
	}
}

// A dump of long thread names alone once made an event that no topic takes.
func TestEveryDumpMakesAnEventThatFits(t *testing.T) {
	b := minidumptest.New(minidump.CPUAMD64, minidump.Linux)
	for id := range uint32(3000) {
		b.ThreadWithoutStack(id, minidumptest.Regs{"rip": 0x1000}).ThreadName(id, strings.Repeat("n", 4000))
	}
	in := input(b.Bytes())
	in.Raw.Notes = []string{"annotation_twice", "Jane wrote this", strings.Repeat("n", maxCodeBytes+1)}
	for i := range maxDumps + 1 {
		in.Raw.Dumps = append(in.Raw.Dumps, schema.Dump{Name: fmt.Sprint("d", i)})
	}
	out := process(t, newProcessor(t), in)
	value, err := schema.Encode(out)
	if err != nil || len(value) > schema.MaxProcessedBytes {
		t.Fatalf("an event of %d bytes, %v", len(value), err)
	}
	for _, code := range []string{schema.NoteEventShrunk, schema.NoteThreadsCapped, schema.NoteDumpsCapped, schema.NoteAnnotationTwice, schema.NoteCodeUnknown} {
		if !has(out, code) {
			t.Errorf("no note %s", code)
		}
	}
	if len(out.Dumps) != maxDumps || bytes.Contains(value, []byte("Jane")) {
		t.Errorf("%d dumps", len(out.Dumps))
	}
}

func FuzzProcess(f *testing.F) {
	f.Add(sample(f, "orchard-null.dmp"))
	f.Add(sample(f, "orchard-wild-jump.dmp"))
	p := newProcessor(f)
	f.Fuzz(func(t *testing.T, dump []byte) {
		in := input(dump)
		out, err := p.Process(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := schema.Encode(out); err != nil || len(b) > schema.MaxProcessedBytes {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
	})
}

func BenchmarkProcess(b *testing.B) {
	p := newProcessor(b)
	for _, name := range []string{"orchard-null.dmp", "orchard-overflow.dmp", "tidepool-unwrap.dmp"} {
		b.Run(strings.TrimSuffix(name, ".dmp"), func(b *testing.B) {
			in := input(sample(b, name))
			b.ReportAllocs()
			b.SetBytes(int64(len(in.Dump)))
			for b.Loop() {
				if _, err := p.Process(b.Context(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWorkers runs Process on as many goroutines as -cpu says, with one
// cache. "spin" does work that shares nothing: what the machine gives that many.
func BenchmarkWorkers(b *testing.B) {
	p := newProcessor(b)
	in := input(sample(b, "tidepool-unwrap.dmp"))
	b.Run("process", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := p.Process(b.Context(), in); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("spin", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			v := uint64(1)
			for pb.Next() {
				for range 100_000 {
					v = v*6364136223846793005 + 1
				}
			}
			runtime.KeepAlive(v)
		})
	})
}
