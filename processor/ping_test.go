package processor

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"aftershock/minidump"
	"aftershock/processor/pingstack"
	"aftershock/processor/pingstack/pingtest"
	"aftershock/schema"
	"aftershock/symbolcache"
)

// ping is a ping as it comes from a door.
func ping(stack string, annotations map[string]string) Input {
	in := input([]byte(stack))
	if stack == "" {
		in.Dump = nil
	}
	in.Raw.Kind, in.Raw.Annotations = schema.KindPing, annotations
	return in
}

// stackOf is the stack that a client makes of a sample's dump.
func stackOf(t testing.TB, p *Processor, name string, s pingtest.Spelling) string {
	t.Helper()
	stack, err := pingtest.Stack(sample(t, name), func(m *minidump.Module) symbolcache.Lookup { return p.Symbols.Find(t.Context(), SymbolKey(m)) }, s)
	if err != nil {
		t.Fatal(err)
	}
	return stack
}

// The same crash has the same signature, sent as a report or as a ping, in each of the
// spellings; and the same functions, files and lines.
func TestAPingIsSignedAsItsReport(t *testing.T) {
	p := newProcessor(t)
	for _, name := range samples(t) {
		t.Run(name, func(t *testing.T) {
			report := process(t, p, input(sample(t, name)))
			crashed := report.Threads[*report.Crash.CrashingThread]
			for _, s := range []pingtest.Spelling{pingtest.Desktop, pingtest.Android, pingtest.Legacy} {
				out := process(t, p, ping(stackOf(t, p, name, s), map[string]string{"os": "Linux"}))
				if out.Kind != schema.KindPing || out.DumpStatus != schema.DumpOK || out.Signature != report.Signature || out.ProtoSignature != report.ProtoSignature {
					t.Errorf("spelling %d: %s %s, signature %q, want %q", s, out.Kind, out.DumpStatus, out.Signature, report.Signature)
				}
				if out.Crash.Reason != report.Crash.Reason || *out.Crash.Address != *report.Crash.Address || out.System.OS != report.System.OS {
					t.Errorf("spelling %d: %s at %s on %s, want %s at %s on %s", s, out.Crash.Reason, *out.Crash.Address, out.System.OS, report.Crash.Reason, *report.Crash.Address, report.System.OS)
				}
				// The offsets are those of the return address.
				if d := cmp.Diff(crashed.Frames, out.Threads[0].Frames, cmpopts.IgnoreFields(schema.Frame{}, "Offset", "ModuleOffset", "FunctionOffset", "Probability")); d != "" {
					t.Errorf("spelling %d: %s", s, d)
				}
				if d := cmp.Diff(report.Modules, out.Modules, cmpopts.IgnoreFields(schema.Module{}, "Symbols", "SymbolsSHA256", "DebugID")); d != "" {
					t.Errorf("spelling %d: %s", s, d)
				}
			}
		})
	}
}

// A return address is looked up one before it, and shown as it is.
func TestAReturnAddressIsNamedByItsCall(t *testing.T) {
	p := withSymbols(t, map[string]string{"a.so": "FUNC 1000 10 0 first\nFUNC 1010 10 0 second\n"})
	frame := func(ip, trust string) string {
		return fmt.Sprintf(`{"ip":"%s","module_index":0,"trust":"%s"}`, ip, trust)
	}
	stack := func(frames ...string) string {
		return `{"modules":[{"base_address":"0x400000","end_address":"0x500000","filename":"/usr/lib/a.so","debug_file":"/usr/lib/a.so","debug_id":"000000000000000000000000000000010"}],"threads":[{"frames":[` + strings.Join(frames, ",") + `]}]}`
	}
	out := process(t, p, ping(stack(frame("0x401010", "context"), frame("0x401010", "cfi"), frame("0x401010", "scan"), frame("0x401010", "frame_pointer")), nil))
	var got []string
	for _, f := range out.Threads[0].Frames {
		got = append(got, fmt.Sprint(f.Trust, " ", f.Function, " ", f.Offset, " ", f.ModuleOffset, " ", f.FunctionOffset))
	}
	want := []string{
		"context second 0x00401010 0x00001010 0x00000000", "cfi first 0x00401010 0x00001010 0x00000010",
		"scan first 0x00401010 0x00001010 0x00000010", "frame_pointer first 0x00401010 0x00001010 0x00000010",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// The innermost frame without a trust is where the thread was.
	out = process(t, p, ping(stack(frame("0x401010", ""), frame("0x401010", "")), nil))
	if f := out.Threads[0].Frames; f[0].Function != "second" || f[1].Function != "first" || f[0].Trust != "non" {
		t.Errorf("%+v", f)
	}
}

const debugID = "000000000000000000000000000000010"

// withSymbols has symbol files by the names of modules, all of one debug id.
func withSymbols(t *testing.T, files map[string]string) *Processor {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name, debugID)
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		text = "MODULE Linux x86_64 " + debugID + " " + name + "\n" + text
		if err := os.WriteFile(filepath.Join(path, strings.TrimSuffix(name, ".pdb")+".sym"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := newProcessor(t)
	cache, err := symbolcache.New(symbolcache.Options{Dir: t.TempDir(), Sources: []symbolcache.Source{symbolcache.Dir(dir)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cache.Close(); err != nil {
			t.Error(err)
		}
	})
	p.Symbols.Find = cache.Get
	return p
}

func codes(out *schema.ProcessedCrash) string {
	var list []string
	for _, n := range out.Notes {
		list = append(list, fmt.Sprintf("%s/%d", n.Code, n.Index))
	}
	return strings.Join(list, " ")
}

// shown is the signature, or the stack that it is made of.
func shown(out *schema.ProcessedCrash) string {
	if out.ProtoSignature == "" {
		return out.Signature
	}
	return out.ProtoSignature
}

// What is wrong with a ping costs what is wrong, and says so.
func TestWhatIsWrongWithAPingCostsThatAlone(t *testing.T) {
	p := withSymbols(t, map[string]string{"a.so": "FUNC 1000 100 0 first\nFUNC 2000 100 0 second\n", "b.so": "FUNC 1000 100 0 third\n"})
	module := func(name, more string) string {
		return `{"base_address":"0x7f0000400000","end_address":"0x7f0000500000","filename":"` + name + `","debug_file":"` + name + `","debug_id":"` + debugID + `"` + more + `}`
	}
	two := `{"crash_type":"SIGSEGV / SEGV_MAPERR","modules":[` + module("a.so", "") + `,` + module("/data/app/~~x/lib/arm64/b.so", "") + `],"threads":[{"frames":[%s]}]}`
	good := `{"ip":"0x7f0000401010","module_index":0,"trust":"context"}`
	for name, tc := range map[string]struct {
		stack, status, shown, notes string
	}{
		"as it should be":                    {fmt.Sprintf(two, good), "OK", "first", ""},
		"no stack":                           {"", "NoStack", "EMPTY: no frame data available; NoStack", "dump_missing/-1"},
		"an empty object":                    {"{}", "NoStack", "EMPTY: no frame data available; NoStack", ""},
		"no JSON":                            {"stack", "MalformedStack", "EMPTY: no frame data available; MalformedStack", "stack_malformed/-1"},
		"cut":                                {fmt.Sprintf(two, good)[:strings.Index(two, "%s")+len(good)+1], "MalformedStack", "first", "stack_malformed/-1"},
		"a list":                             {"[1]", "MalformedStack", "EMPTY: no frame data available; MalformedStack", "stack_malformed/-1"},
		"threads are a number":               {`{"threads":7}`, "NoStack", "EMPTY: no frame data available; NoStack", ""},
		"a thread without frames":            {`{"threads":[{}]}`, "OK", "EMPTY: no frame data available", ""},
		"another thread than there is":       {`{"crash_thread":1,` + fmt.Sprintf(two, good)[1:], "OK", "first", "no_crashing_thread/-1"},
		"the second thread":                  {`{"crash_thread":1,"threads":[{"frames":[]},{"frames":[{"ip":"0x1","trust":"context"}]}]}`, "OK", "@0x1", ""},
		"a module that there is not":         {fmt.Sprintf(two, `{"ip":"0x7f0000401010","module_index":2,"trust":"context"},`+good), "OK", "@unmapped | first", "frame_malformed/-1"},
		"below its module":                   {fmt.Sprintf(two, `{"ip":"0x7f00003fffff","module_index":0,"trust":"context"},`+good), "OK", "@unmapped | first", "frame_malformed/-1"},
		"behind its module":                  {fmt.Sprintf(two, `{"ip":"0x7f0000500000","module_index":0,"trust":"context"},`+good), "OK", "@unmapped | first", "frame_malformed/-1"},
		"a return address at its start":      {fmt.Sprintf(two, `{"ip":"0x7f0000400000","module_index":0,"trust":"cfi"},`+good), "OK", "@unmapped | first", "frame_malformed/-1"},
		"no address":                         {fmt.Sprintf(two, `{"module_index":0},`+good), "OK", "first", "frame_malformed/-1"},
		"an address that is none":            {fmt.Sprintf(two, `{"ip":"0xzz","module_index":0},`+good), "OK", "first", "frame_malformed/-1"},
		"no module":                          {fmt.Sprintf(two, `{"ip":"0x10","module_index":null,"trust":"context"},`+good), "OK", "@0x10 | first", ""},
		"a module's path":                    {fmt.Sprintf(two, `{"ip":"0x7f0000401010","module_index":1,"trust":"context"}`), "OK", "third", ""},
		"frames left out by the client":      {fmt.Sprintf(two, good+`,{"omitted":7},{"ip":"0x7f0000402010","module_index":0,"trust":"cfi"}`), "OK", "first | second", "frames_capped/0"},
		"a reason that is none":              {strings.Replace(fmt.Sprintf(two, good), "SIGSEGV / SEGV_MAPERR", "jane@example.org", 1), "OK", "first", "reason_unknown/-1"},
		"a debug id that is none":            {`{"modules":[{"base_address":"0x400000","filename":"a.so","debug_file":"a.so","debug_id":"../../x"}],"threads":[{"frames":[{"ip":"0x401010","module_index":0,"trust":"context"}]}]}`, "OK", "a.so", "module_malformed/0"},
		"no debug id":                        {`{"modules":[{"base_address":"0x400000","filename":"a.so","debug_file":"a.so","debug_id":""}],"threads":[{"frames":[{"ip":"0x401010","module_index":0,"trust":"context"}]}]}`, "OK", "a.so", "module_malformed/0"},
		"a version that is none":             {fmt.Sprintf(`{"modules":[`+module("a.so", `,"version":"jane's"`)+`],"threads":[{"frames":[%s]}]}`, good), "OK", "first", "module_malformed/0"},
		"a module that ends first":           {`{"modules":[{"base_address":"0x400000","end_address":"0x3ff000","filename":"a.so"}],"threads":[{"frames":[{"ip":"0x401010","module_index":0,"trust":"context"}]}]}`, "OK", "@unmapped", "module_malformed/0 frame_malformed/-1"},
		"far behind a module without an end": {`{"modules":[{"base_address":"0x1000","filename":"a.so"}],"threads":[{"frames":[{"ip":"0x7fff12345678","module_index":0,"trust":"context"}]}]}`, "OK", "@unmapped", "module_malformed/0 frame_malformed/-1"},
		"a module at 0":                      {`{"modules":[{"base_address":"0x0","end_address":"0x10000000","filename":"a.so"}],"threads":[{"frames":[{"ip":"0x401010","module_index":0,"trust":"context"}]}]}`, "OK", "@unmapped", "module_malformed/0 frame_malformed/-1"},
		"an index that is none":              {fmt.Sprintf(two, `{"ip":"0x7f0000401010","module_index":"0","trust":"context"},`+good), "OK", "@unmapped | first", "frame_malformed/-1"},
		"a thread that is none":              {`{"crash_thread":"1",` + fmt.Sprintf(two, good)[1:], "OK", "first", "no_crashing_thread/-1"},
		"a module without addresses":         {`{"modules":[{"filename":"a.so"}],"threads":[{"frames":[{"ip":"0x401010","module_index":0,"trust":"context"}]}]}`, "OK", "@unmapped", "module_malformed/0 frame_malformed/-1"},
	} {
		out := process(t, p, ping(tc.stack, nil))
		if out.DumpStatus != tc.status || shown(out) != tc.shown || codes(out) != tc.notes {
			t.Errorf("%s: %s, %q, notes %s\nwant %s, %q, notes %s", name, out.DumpStatus, shown(out), codes(out), tc.status, tc.shown, tc.notes)
		}
		if strings.Contains(fmt.Sprint(out.Signature, out.Crash.Reason, out.Notes), "jane") || len(out.Modules) > 0 && strings.Contains(out.Modules[0].Version, "jane") {
			t.Errorf("%s: what the client says is shown: %+v", name, out)
		}
	}
}

// Firefox for Android sends a Java exception and no stack.
func TestAPingWithAJavaExceptionAlone(t *testing.T) {
	p := newProcessor(t)
	exception := `{"exception":{"values":[{"stacktrace":{"type":"IllegalStateException","module":"java.lang","frames":[{"module":"org.a.B","function":"c","filename":"B.kt"}]}}]}}`
	report := input(nil)
	report.Raw.Annotations = map[string]string{"JavaException": exception}
	want := process(t, p, report)
	for name, exception := range map[string]string{
		"as in reports": exception,
		"snake case":    `{"throwables":[{"message":"jane","type_name":"java.lang.IllegalStateException","stack":[{"file":"B.kt","line":7,"class_name":"org.a.B","method_name":"c","is_native":false},{"class_name":"org.a.D"}]},{"type_name":"java.lang.Error","stack":[]}]}`,
		"camel case":    `{"throwables":[{"typeName":"java.lang.IllegalStateException","stack":[{"file":"B.kt","className":"org.a.B","methodName":"c"}]}]}`,
		"older":         `{"messages":["java.lang.IllegalStateException: jane at home"],"stack":[{"file":"B.kt","class_name":"org.a.B","method_name":"c"}]}`,
	} {
		out := process(t, p, ping("", map[string]string{"os": "Android", "JavaException": exception}))
		if out.Signature != want.Signature || !strings.Contains(out.Signature, "org.a.B.c") || out.System.OS != "Android" {
			t.Errorf("%s: %q on %s, want %q", name, out.Signature, out.System.OS, want.Signature)
		}
	}
	for _, exception := range []string{`{"throwables":[]}`, `{"throwables":[7]}`, `{"throwables":[{"type_name":"jane at home"}]}`, `{"messages":["jane: was here"],"stack":7}`, `{"messages":[7]}`, `{"stack":[{"class_name":7}]}`, `[]`, `{}`} {
		out := process(t, p, ping("", map[string]string{"JavaException": exception}))
		if strings.Contains(out.Signature+out.ProtoSignature, "jane") || !strings.HasPrefix(out.Signature, "EMPTY: ") && !strings.HasPrefix(out.Signature, "Unknown") {
			t.Errorf("%s: %q", exception, out.Signature)
		}
	}
}

// Symbols that are found under another name say nothing of a module's own.
func TestAModuleIsCalledByTheNameThatItsSymbolsHave(t *testing.T) {
	p := withSymbols(t, map[string]string{"a.so": "FUNC 1000 100 0 first\n", "orchard": "FUNC 1000 100 0 second\n", "orchard.pdb": "FUNC 1000 100 0 third\n"})
	for file, want := range map[string][2]string{
		"/home/jane/secret of jane": {"a.so", mappedFile}, "/opt/a.so": {"a.so", "a.so"}, "/home/jane/orchard": {"orchard", "orchard"},
		"C:\\Users\\jane\\orchard.bin": {"orchard.pdb", "orchard.bin"}, "/home/j/?q=1": {"a.so", mappedFile},
	} {
		stack := fmt.Sprintf(`{"modules":[{"base_address":"0x400000","end_address":"0x500000","filename":%q,"debug_file":"%s","debug_id":"%s"}],"threads":[{"frames":[{"ip":"0x401010","module_index":0,"trust":"context"}]}]}`, file, want[0], debugID)
		out := process(t, p, ping(stack, nil))
		if got := out.Modules[0]; got.Filename != want[1] || got.Symbols != "found" || out.Threads[0].Frames[0].Function == "" {
			t.Errorf("%s: %+v", file, got)
		}
	}
}

// The limits of a stack are those of events: at a limit all is there, past it something is
// left out, and that is said.
func TestAStackIsCutAtItsLimits(t *testing.T) {
	p := newProcessor(t)
	p.Symbols.Find = func(context.Context, symbolcache.Key) symbolcache.Lookup {
		return symbolcache.Lookup{Outcome: symbolcache.Missing}
	}
	frames := func(n int) string {
		return `{"threads":[{"frames":[` + strings.TrimSuffix(strings.Repeat(`{"ip":"0x10"},`, n), ",") + `]}]}`
	}
	for n, kept := range map[int]int{maxCrashingFrames: maxCrashingFrames, maxCrashingFrames + 1: maxCrashingFrames} {
		out := process(t, p, ping(frames(n), nil))
		if got := out.Threads[0]; len(got.Frames) != kept || int(got.FrameCount) != n || (codes(out) == "frames_capped/0") != (n > kept) {
			t.Errorf("%d frames: %d of %d, notes %s", n, len(got.Frames), got.FrameCount, codes(out))
		}
	}
	for size, malformed := range map[int]bool{pingstack.MaxBytes: false, pingstack.MaxBytes + 1: true} {
		text := `{"threads":[{"frames":[{"ip":"0x10"}]}]}`
		out := process(t, p, ping(text+strings.Repeat(" ", size-len(text)), nil))
		if (out.DumpStatus == statusMalformedStack) != malformed || (codes(out) == "stack_malformed/-1") != malformed {
			t.Errorf("%d bytes: %s, notes %s", size, out.DumpStatus, codes(out))
		}
	}
}

// BenchmarkPing is a ping of a browser's size, 150 modules of which four are in the stack,
// with its symbols known: from the bytes of the stack to those of the event.
func BenchmarkPing(b *testing.B) {
	p := newProcessor(b)
	in := ping(browserStack(b, p), map[string]string{"os": "Linux", "ProductName": "orchard", "Version": "2.1.0"})
	b.SetBytes(int64(len(in.Dump)))
	for b.Loop() {
		out, err := p.Process(b.Context(), in)
		if err != nil || out.Signature == "" || len(out.Notes) > 0 {
			b.Fatal(out, err)
		}
		if _, err := schema.Encode(out); err != nil {
			b.Fatal(err)
		}
	}
}

// browserStack is a sample's stack with modules around it.
func browserStack(b *testing.B, p *Processor) string {
	b.Helper()
	var stack struct {
		Type    string           `json:"crash_type"`
		Address string           `json:"crash_address"`
		Modules []map[string]any `json:"modules"`
		Threads json.RawMessage  `json:"threads"`
	}
	if err := json.Unmarshal([]byte(stackOf(b, p, "orchard-qsort.dmp", pingtest.Desktop)), &stack); err != nil {
		b.Fatal(err)
	}
	for i := range 150 {
		name := fmt.Sprintf("libsomething%d.so.1", i)
		stack.Modules = append(stack.Modules, map[string]any{
			"base_address": fmt.Sprintf("0x%x", 0x10000+i<<16), "end_address": fmt.Sprintf("0x%x", 0x11000+i<<16), "filename": "/usr/lib/x86_64-linux-gnu/" + name,
			"code_id": fmt.Sprintf("%040x", i+1), "debug_file": name, "debug_id": fmt.Sprintf("%033X", i+1), "version": fmt.Sprintf("1.2.%d", i),
		})
	}
	text, err := json.Marshal(stack)
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}
