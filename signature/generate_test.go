package signature

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// plainLists are a few lines of each list, with every switch off.
func plainLists(t testing.TB) *Ruleset {
	return with(t, map[string]string{
		irrelevantFile:  "raise\n@0x[0-9a-f]{2,}\nskip",
		prefixFile:      "abort\nmem\n@0x0\n.*\\.so\nXUL",
		lineNumbersFile: "huge",
		sentinelsFile:   "_sigtramp",
	})
}

func TestRulesInTheirOrder(t *testing.T) {
	r := plainLists(t)
	for name, c := range map[string]struct {
		crash     func(*Crash)
		signature string
		notes     []string
	}{
		"nothing": {func(*Crash) {}, "foo", nil},
		"every prefix": {func(c *Crash) {
			c.Reason, c.OOMAllocationSize, c.AbortMessage, c.IPCMessageName = "EXCEPTION_STACK_OVERFLOW", new(int64(9_999_999)), "m", "P::M"
		}, "stackoverflow | Abort | m | OOM | large | foo | IPC_Message_Name=P::M", nil},
		"no threads": {
			func(c *Crash) { c.Threads, c.DumpStatus = nil, "MissingThreadList" },
			"EMPTY: no frame data available; MissingThreadList",
			[]string{"SignatureGenerationRule: CSignatureTool: no frame data for crashing thread (0)"},
		},
		"bad disk":                  {func(c *Crash) { c.Reason = "EXCEPTION_IN_PAGE_ERROR_READ / STATUS_DEVICE_DATA_ERROR" }, "bad hardware | foo", nil},
		"memory, at the limit":      {func(c *Crash) { c.OOMAllocationSize = new(int64(262144)) }, "OOM | small", nil},
		"memory, past the limit":    {func(c *Crash) { c.OOMAllocationSize = new(int64(262145)) }, "OOM | large | foo", nil},
		"memory, by Windows":        {func(c *Crash) { c.Threads[0].LastError = "ERROR_COMMITMENT_LIMIT" }, "OOM | unknown | foo", nil},
		"memory, by a large script": {func(c *Crash) { c.JSLargeAllocationFailure = "Reporting" }, "OOM | large | foo", nil},
		"abort, the file only":      {func(c *Crash) { c.AbortMessage = "[1] ###!!! ABORT: file x.cpp:3" }, "Abort | foo", nil},
		"abort, the message":        {func(c *Crash) { c.AbortMessage = "[1] ###!!! ABORT: bo\u00e9o: file x.cpp:3" }, "Abort | boo | foo", nil},
		"abort, a font":             {func(c *Crash) { c.AbortMessage = "unable to find a usable font (Arial) now" }, "Abort | unable to find a usable font now | foo", nil},
		"abort, at the limit":       {func(c *Crash) { c.AbortMessage = strings.Repeat("a", 80) }, "Abort | " + strings.Repeat("a", 80) + " | foo", nil},
		"abort, past the limit":     {func(c *Crash) { c.AbortMessage = strings.Repeat("a", 81) }, "Abort | " + strings.Repeat("a", 77) + "... | foo", nil},
		"shutdown": {
			func(c *Crash) { c.AsyncShutdownTimeout = `{"phase":"p","conditions":[{"name":"b"},"a",3.0,null]}` },
			"AsyncShutdownTimeout | p | 3.0,None,a,b",
			[]string{`SignatureShutdownTimeout: Signature replaced with a Shutdown Timeout signature, was: "foo"`},
		},
		"shutdown, JSON that is none": {func(c *Crash) { c.AsyncShutdownTimeout = "{\"phase\":\n secret" }, "AsyncShutdownTimeout | UNKNOWN", []string{
			"SignatureShutdownTimeout: Error parsing AsyncShutdownTimeout: Expecting value: line 2 column 2 (char 11)",
			`SignatureShutdownTimeout: Signature replaced with a Shutdown Timeout signature, was: "foo"`,
		}},
		"shutdown, no object":   {func(c *Crash) { c.AsyncShutdownTimeout = "null" }, "foo", []string{"SignatureShutdownTimeout: Rule failed"}},
		"shutdown, nested deep": {func(c *Crash) { c.AsyncShutdownTimeout = strings.Repeat("[", 5000) }, "foo", []string{"SignatureShutdownTimeout: Rule failed"}},
		"IPC error": {
			func(c *Crash) {
				c.IPCChannelError = strings.Repeat("\u00e9", 99) + "xy"
				c.AdditionalDumps = []string{browserDump}
			},
			"IPCError-browser | x",
			[]string{"SignatureIPCChannelError: IPC Channel Error stomped on signature", "SigPrintableCharsOnly: unprintable characters removed"},
		},
		"hang, without a word": {func(c *Crash) { c.Hang = new("") }, "hang: | foo", nil},
		"watchdog": {func(c *Crash) {
			c.Threads = append(c.Threads, stackOf("mozilla::RunWatchdog(void*)").Threads...)
			c.CrashingThread, c.AbortMessage = new(1), "lost"
		}, "shutdownhang | foo", nil},
		"blanks and what cannot be seen": {func(c *Crash) { c.Threads = stackOf("(a  \tb)x\u00e9").Threads }, "x", []string{"SigPrintableCharsOnly: unprintable characters removed"}},
		"at the longest":                 {func(c *Crash) { c.Threads = stackOf(strings.Repeat("x", 255)).Threads }, strings.Repeat("x", 255), nil},
		"past the longest": {
			func(c *Crash) { c.Threads = stackOf(strings.Repeat("x", 256)).Threads }, strings.Repeat("x", 252) + "...",
			[]string{"SigTruncate: SigTrunc: signature truncated due to length"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			crash := stackOf("foo")
			c.crash(crash)
			got := r.Generate(crash)
			if diff := cmp.Diff(c.signature, got.Signature); diff != "" {
				t.Errorf("signature (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(c.notes, got.Notes); diff != "" {
				t.Errorf("notes (-want +got)\n%s", diff)
			}
		})
	}
}

func TestFramesOfASignature(t *testing.T) {
	r := plainLists(t)
	for name, c := range map[string]struct{ frames, want string }{
		"up to the first that is no prefix":      {"abort memcpy foo bar", "abort | memcpy | foo"},
		"irrelevant ones are skipped":            {"raise abort skip foo", "abort | foo"},
		"a sentinel cuts":                        {"foo _sigtramp bar", "_sigtramp"},
		"all irrelevant: the first":              {"raise skip", "raise"},
		"all irrelevant below a sentinel":        {"foo _sigtramp", "_sigtramp"},
		"a module again":                         {"libx.so libx.so XUL XUL foo", "libx.so | XUL | foo"},
		"a module again, with something between": {"libx.so skip libx.so foo", "libx.so | foo"},
		"a library with a version is not merged": {"libx.so.1 libx.so.1 foo", "libx.so.1 | libx.so.1 | foo"},
		"a function, again":                      {"abort abort foo", "abort | abort | foo"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := r.Generate(stackOf(strings.Fields(c.frames)...)).Signature; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAFrameIsNamedByTheBestThatIsKnown(t *testing.T) {
	r := plainLists(t)
	full := Frame{Function: "ns::f(int)", File: "hg:x.org/y:src/a.cpp:1", Line: 7, Module: "[Lib.DLL]", Unloaded: "U.dll", Offset: "0x00401000"}
	for name, c := range map[string]struct {
		frame func(*Frame)
		os    string
		want  string
	}{
		"function":            {func(*Frame) {}, "", "ns::f"},
		"source line":         {func(f *Frame) { f.Function = "" }, "", "a.cpp:1#7"},
		"source line, DOS":    {func(f *Frame) { f.Function, f.File = "", `c:\x/y\a.cpp\` }, "", "a.cpp#7"},
		"module":              {func(f *Frame) { f.Function, f.Line = "", 0 }, "", "Lib.DLL"},
		"module on Windows":   {func(f *Frame) { f.Function, f.Line = "", 0 }, "Windows NT", "lib.dll"},
		"unloaded module":     {func(f *Frame) { f.Function, f.File, f.Module = "", "", "" }, "", "(unloaded U.dll)"},
		"address":             {func(f *Frame) { *f = Frame{Offset: "0x00401000"} }, "", "@0x401000"},
		"address, no number":  {func(f *Frame) { *f = Frame{Offset: "zz"} }, "", "@zz"},
		"a line in the name":  {func(f *Frame) { f.Function = "huge(int)" }, "", "huge:7"},
		"no line in the name": {func(f *Frame) { f.Function, f.Line = "huge(int)", 0 }, "", "huge:None"},
		"Rust of old":         {func(f *Frame) { f.Function, f.File = "panic_fmt", "git:x:src/libcore/panicking.rs:1" }, "", "core::panicking::panic_fmt"},
		"Rust":                {func(f *Frame) { f.Function, f.File = "<A as B>::c<D>(e)::h0abc", "/x/y.rs" }, "", "<A as B>::c<T>"},
	} {
		t.Run(name, func(t *testing.T) {
			f := full
			c.frame(&f)
			crash := &Crash{OS: c.os, Threads: []Thread{{Frames: []Frame{f}}}}
			for range 2 { // made, and from the cache
				if got := r.Generate(crash).ProtoSignature; got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			}
		})
	}
}

func TestInlinedFunctionsComeFirstAndCount(t *testing.T) {
	r := plainLists(t)
	f := Frame{Function: "outer", Module: "m", Inlines: []Inline{{Function: "inner"}, {}, {Function: "huge", Line: 3}}}
	crash := &Crash{Threads: []Thread{{Frames: []Frame{f}}}}
	if got, want := r.Generate(crash).ProtoSignature, "inner | m | huge:3 | outer"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for range 30 {
		crash.Threads[0].Frames = append(crash.Threads[0].Frames, f)
	}
	if got := strings.Count(r.Generate(crash).ProtoSignature, " | ") + 1; got != maxFrames {
		t.Errorf("%d frames, want %d", got, maxFrames)
	}
}

// TestCachesDoNotChangeResults signs stacks that differ in one thing only.
func TestCachesDoNotChangeResults(t *testing.T) {
	r, plain := plainLists(t), plainLists(t)
	plain.cache = nil
	base := Frame{Function: "huge", File: "/a/b.cpp", Line: 1, Module: "M.dll", Offset: "0x10"}
	var all []*Crash
	add := func(os string, change func(*Frame)) {
		f := base
		change(&f)
		all = append(all, &Crash{OS: os, Threads: []Thread{{Frames: []Frame{f, {Function: "main"}}}}})
	}
	add("", func(*Frame) {})
	add("", func(f *Frame) { f.Line = 2 })
	add("", func(f *Frame) { f.Line = 0 })
	add("", func(f *Frame) { f.Line, f.lineText = 0, "7.5" })
	add("", func(f *Frame) { f.File = "/a/b.rs" })
	add("", func(f *Frame) { f.Function = "" })
	add("", func(f *Frame) { f.Function, f.File = "", "" })
	add("Windows NT", func(f *Frame) { f.Function, f.File = "", "" })
	add("", func(f *Frame) { f.Function, f.File, f.Module = "", "", "" })
	add("", func(f *Frame) { f.Function, f.File, f.Module, f.Unloaded = "", "", "", "M.dll" })
	add("", func(f *Frame) { f.Inlines = []Inline{{Function: "huge", Line: 9}} })
	add("", func(f *Frame) { f.Function, f.File = "panic", "git:r:src/libcore/panicking.rs:1" })
	add("", func(f *Frame) { f.Function, f.File = "panic", "git:r:src/libcore/other.rs:1" })
	for range 2 {
		for i, c := range all {
			if diff := cmp.Diff(plain.Generate(c), r.Generate(c)); diff != "" {
				t.Errorf("crash %d (-plain +cached)\n%s", i, diff)
			}
		}
	}
}

func TestGenerateIsSafeForConcurrentUse(t *testing.T) {
	r, plain := plainLists(t), plainLists(t)
	plain.cache = nil
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				c := stackOf("raise", fmt.Sprintf("ns::f%d(int)", (i*7+worker)%300), "main")
				if got, want := r.Generate(c).Signature, plain.Generate(c).Signature; got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
	wg.Wait()
}

func TestGenerateAllocatesOnlyItsResult(t *testing.T) {
	r, c := plainLists(t), stackOf("raise", "abort", "ns::foo(int, char const*)", "ns::bar<int>(int)")
	r.Generate(c)
	if n := testing.AllocsPerRun(100, func() { r.Generate(c) }); n > 1 {
		t.Errorf("%v allocations a signature, want at most 1", n)
	}
}

func TestWhyNamesEveryStep(t *testing.T) {
	c := stackOf("foo", "_sigtramp", "raise", "abort", "libx.so", "libx.so", "bar", "main")
	c.Reason = "EXCEPTION_STACK_OVERFLOW"
	r := with(t, map[string]string{
		irrelevantFile: "# signals\n_sig\nraise", prefixFile: "abort\n.*\\.so", sentinelsFile: "\n_sigtramp",
	})
	var got []string
	for _, s := range r.Explain(c).Why {
		got = append(got, s.String())
	}
	want := []string{
		`frame 1 "_sigtramp" cuts off what is above it (signature_sentinels.txt:2: _sigtramp)`,
		`frame 1 "_sigtramp" skipped (irrelevant_signature_re.txt:2: _sig)`,
		`frame 2 "raise" skipped (irrelevant_signature_re.txt:3: raise)`,
		`frame 3 "abort" taken, and on (prefix_signature_re.txt:1: abort)`,
		`frame 4 "libx.so" taken, and on (prefix_signature_re.txt:2: .*\.so)`,
		`frame 5 "libx.so" skipped: the same module again`,
		`frame 6 "bar" taken, the last: no line calls it irrelevant or a prefix`,
		`SignatureGenerationRule made it "abort | libx.so | bar"`,
		`StackOverflowSignature put "stackoverflow | " in front`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if r.Generate(c).Why != nil {
		t.Error("Generate explains")
	}
}

// What is kept of one crash is never taken for another's, also where two differ in
// nothing but which of the rare values they have.
func TestKeptResultsAreOfTheSameCrash(t *testing.T) {
	r := with(t, map[string]string{switchesFile: "bit_flips"})
	crashes := map[string]func(*Crash){
		"plain": func(*Crash) {}, "size 0": func(c *Crash) { c.OOMAllocationSize = new(int64(0)) }, "size 1": func(c *Crash) { c.OOMAllocationSize = new(int64(1)) },
		"large": func(c *Crash) { c.OOMAllocationSize = new(int64(smallAllocation + 1)) }, "bit flip": func(c *Crash) { c.BitFlipPercent = 100 },
		"hang": func(c *Crash) { c.Hang = new("x") }, "empty hang": func(c *Crash) { c.Hang = new("") }, "system": func(c *Crash) { c.OS = "x" },
		"reason": func(c *Crash) { c.Reason = "x" }, "abort": func(c *Crash) { c.AbortMessage = "x" }, "message": func(c *Crash) { c.IPCMessageName = "x" },
		"memory": func(c *Crash) { c.Threads[0].LastError = "ERROR_COMMITMENT_LIMIT" }, "trace": func(c *Crash) { c.JavaStackTrace = "x" },
	}
	for range 3 { // from the third time on all are kept
		for name, change := range crashes {
			crash := stackOf("foo")
			change(crash)
			if got, want := r.Generate(crash), r.Explain(crash); got.Signature != want.Signature {
				t.Errorf("%s: %q, made anew %q", name, got.Signature, want.Signature)
			}
		}
	}
	keys := map[resultKey]string{}
	for name, change := range crashes {
		crash := stackOf("foo")
		change(crash)
		key, ok := r.cache.key(crash)
		if other, same := keys[key]; !ok || same {
			t.Errorf("%s has the key of %s (%v)", name, other, ok)
		}
		keys[key] = name
	}
}
