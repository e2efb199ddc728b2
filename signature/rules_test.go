package signature

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
)

// When memory is exhausted, by each sign of it alone.
func TestSignsOfWantOfMemory(t *testing.T) {
	r := plainLists(t)
	for name, tc := range map[string]struct {
		change func(c *Crash)
		want   string
	}{
		"none":                   {func(*Crash) {}, "foo"},
		"a size of 0":            {func(c *Crash) { c.OOMAllocationSize = new(int64(0)) }, "foo"},
		"a size":                 {func(c *Crash) { c.OOMAllocationSize = new(int64(1)) }, "OOM | small"},
		"by Windows, committed":  {func(c *Crash) { c.Threads[0].LastError = "ERROR_COMMITMENT_LIMIT" }, "OOM | unknown | foo"},
		"by Windows, memory":     {func(c *Crash) { c.Threads[0].LastError = "ERROR_NOT_ENOUGH_MEMORY" }, "OOM | unknown | foo"},
		"by Windows, other":      {func(c *Crash) { c.Threads[0].LastError = "ERROR_SUCCESS" }, "foo"},
		"by the reason, fatal":   {func(c *Crash) { c.Reason = "STATUS_FATAL_MEMORY_EXHAUSTION" }, "OOM | unknown | foo"},
		"by the reason":          {func(c *Crash) { c.Reason = "STATUS_NO_MEMORY" }, "OOM | unknown | foo"},
		"by the reason, other":   {func(c *Crash) { c.Reason = "STATUS_OK" }, "foo"},
		"by a script":            {func(c *Crash) { c.JSLargeAllocationFailure = "Reporting" }, "OOM | large | foo"},
		"by a script, recovered": {func(c *Crash) { c.JSLargeAllocationFailure = "Recovered" }, "foo"},
		"a script and a size":    {func(c *Crash) { c.JSLargeAllocationFailure, c.OOMAllocationSize = "Reporting", new(int64(1)) }, "OOM | large | foo"},
		"NS_ABORT_OOM":           {func(c *Crash) { c.Threads = stackOf("NS_ABORT_OOM").Threads }, "OOM | unknown | NS_ABORT_OOM"},
		"mozalloc_handle_oom":    {func(c *Crash) { c.Threads = stackOf("mozalloc_handle_oom").Threads }, "OOM | unknown | mozalloc_handle_oom"},
		"a size of 0, by name":   {func(c *Crash) { c.Threads, c.OOMAllocationSize = stackOf("NS_ABORT_OOM").Threads, new(int64(0)) }, "OOM | small"},
		"a thread that is none": {func(c *Crash) {
			c.Threads, c.JavaStackTrace = []Thread{{unreadable: true, noObject: true}}, "E: foo\n\tat x"
		}, "E: foo at x"},
	} {
		crash := stackOf("foo")
		tc.change(crash)
		got := r.Generate(crash)
		if got.Signature != tc.want {
			t.Errorf("%s: %q, want %q", name, got.Signature, tc.want)
		}
		if failed := slices.Contains(got.Notes, "OOMSignature: Rule failed"); failed != (name == "a thread that is none") {
			t.Errorf("%s: %q", name, got.Notes)
		}
	}
}

func TestAFontsNameIsCutOutOfItsParentheses(t *testing.T) {
	const why = "unable to find a usable font"
	for message, want := range map[string]string{
		why + "(Arial) now": why + " now", why + "(a) (b) now": why + " now", why + " ( now": why + " ( now", why + " ) now": why + " ) now", "(Arial)": "(Arial)", "(Arial) " + why: why,
	} {
		crash := stackOf("f")
		crash.AbortMessage = message
		if got := plainLists(t).Generate(crash).Signature; got != "Abort | "+want+" | f" {
			t.Errorf("%q: %q", message, got)
		}
	}
}

func TestAShutdownSaysWhatItWaitedFor(t *testing.T) {
	const prefix = "SignatureShutdownTimeout: Error parsing AsyncShutdownTimeout: "
	for document, want := range map[string]string{
		`{"phase":"p","conditions":["b","a"]}`:       "p | a,b",
		`{"phase":"p","conditions":[]}`:              "p | (none)",
		`{"phase":"p"}`:                              "p | (none)",
		`{"phase":7,"conditions":null}`:              "(unknown) | (none)",
		`{"conditions":0}`:                           "(unknown) | (none)",
		`{"phase":"p","conditions":"ba"}`:            "p | a,b",
		`{"phase":"p","conditions":{"b":1,"a":2}}`:   "p | a,b",
		`{"phase":"p","conditions":[{"name":"n"}]}`:  "p | n",
		`{"phase":"p","conditions":[{"other":"n"}]}`: "p | UNKNOWN",
		`{"phase":"p","conditions":["a",{}]}`:        "p | UNKNOWN",
		`{"phase":"p","conditions":1}`:               "",
		`{"phase":"p","conditions":true}`:            "",
		"[]":                                         "",
	} {
		crash := stackOf("f")
		crash.AsyncShutdownTimeout = document
		got := plainLists(t).Generate(crash)
		if want != "" {
			want = "AsyncShutdownTimeout | " + want
		} else {
			want = "f"
		}
		unknown := slices.ContainsFunc(got.Notes, func(n string) bool { return n == prefix+"'name'" })
		if got.Signature != want || unknown != strings.Contains(want, "UNKNOWN") {
			t.Errorf("%s: %q, %q", document, got.Signature, got.Notes)
		}
	}
}

// The watchdog's signature is that of the first thread, or stays when that has none.
func TestAWatchdogWithoutAFirstThreadFails(t *testing.T) {
	crash := stackOf("first")
	crash.Threads = append(crash.Threads, stackOf("RunWatchdog").Threads...)
	crash.CrashingThread = new(1)
	for unreadable, want := range map[bool]string{false: "shutdownhang | first", true: "RunWatchdog"} {
		crash.Threads[0].unreadable = unreadable
		got := plainLists(t).Generate(crash)
		if got.Signature != want || slices.Contains(got.Notes, "SignatureRunWatchDog: Rule failed") != unreadable {
			t.Errorf("unreadable %v: %q, %q", unreadable, got.Signature, got.Notes)
		}
		if *crash.CrashingThread != 1 {
			t.Error("the crash itself changed")
		}
	}
}

func TestALongJavaMessageIsLeftOut(t *testing.T) {
	const note = "SignatureGenerationRule: JavaSignatureTool: dropped Java exception description due to length"
	for n, want := range map[int]bool{MaxRunes: true, MaxRunes + 1: false} {
		message := strings.Repeat("é", n-len("E:  at x"))
		got := plainLists(t).generate(&Crash{JavaStackTrace: "E: " + message + "\n\tat x"})
		if kept := !slices.Contains(got.result.Notes, note); kept != want {
			t.Errorf("a signature of %d letters: %q", n, got.result.Notes)
		}
	}
}

// A stack is a recursion when at most four calls stand on a cycle of at most eight, and all
// that a signature looks at is that.
func TestRecursionsAtTheirLimits(t *testing.T) {
	on := switchedOn(t, "recursion")
	stack := func(leaves, cycle, all int) *Crash {
		var frames []string
		for i := range leaves {
			frames = append(frames, "leaf"+string(rune('a'+i)))
		}
		for i := len(frames); i < all; i++ {
			frames = append(frames, "f"+string(rune('a'+(i-leaves)%cycle)))
		}
		return stackOf(frames...)
	}
	for name, tc := range map[string]struct {
		crash *Crash
		want  bool
	}{
		"one function":            {stack(0, 1, maxFrames), true},
		"eight":                   {stack(0, 8, maxFrames), true},
		"nine":                    {stack(0, 9, maxFrames), false},
		"below four leaves":       {stack(4, 2, maxFrames), true},
		"below five":              {stack(5, 2, maxFrames), false},
		"eight below four leaves": {stack(4, 8, maxFrames), true},
		"a frame less":            {stack(0, 1, maxFrames-1), false},
		"a frame more":            {stack(0, 1, maxFrames+1), true},
	} {
		if got := on.Generate(tc.crash).Signature; strings.HasPrefix(got, "recursion | ") != tc.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	crash := stack(0, 3, maxFrames)
	crash.Threads[0].Frames[maxFrames-1].Function = "end"
	if got := on.Generate(crash).Signature; strings.HasPrefix(got, "recursion") {
		t.Errorf("one that ends otherwise: %q", got)
	}
}

// The literals of a line are an index: so many, or none.
func TestBeginningsAreBounded(t *testing.T) {
	for expr, want := range map[string]int{
		"[!-`]x": 64, "[!-a]x": 1, "[!-_]|xy": 64, "[!-`]|xy": 1, "[a-h][a-h]": 64, "[a-h][a-i]": 8, "[\\x7f]": 1, "[\\x7f\\x{80}]": 1, "(?:ab)+": 1, "a?": 2, "a$b": 1, "(?:a|b$)c": 2,
	} {
		if got := beginnings(parse(expr)); len(got) != want {
			t.Errorf("%s: %d, want %d: %+v", expr, len(got), want, got)
		}
	}
	for expr, want := range map[string]string{"abc": "abc", "a.*bcd": "bcd", "(abc)+d": "abc", "(?i)abc": "", "ab|cd": "", ".*": "", "ab.*cd": "ab", "x?yz": "yz"} {
		if got := longestLiteral(parse(expr)); got != want {
			t.Errorf("every match of %s has %q, want %q", expr, got, want)
		}
	}
}

// Names can expand without end.
func TestDemangledNamesAreBounded(t *testing.T) {
	for n, want := range map[int]int{1000: 1002, 20_000: 1 << 14} {
		if _, got := demangled(cpp, fmt.Sprintf("_Z%d%sv", n, strings.Repeat("x", n))); len(got) != want {
			t.Errorf("a name of %d letters has %d, want %d", n, len(got), want)
		}
	}
}

func TestStepsInWords(t *testing.T) {
	line := ListLine{"f.txt", 7, "x"}
	for want, s := range map[string]Step{
		`frame 2 "a" cuts off what is above it (f.txt:7: x)`:                   {Kind: StepSentinel, Frame: 2, Text: "a", Line: line},
		`frame 2 "a" skipped (f.txt:7: x)`:                                     {Kind: StepIrrelevant, Frame: 2, Text: "a", Line: line},
		`frame 2 "a" skipped: the same module again`:                           {Kind: StepRepeated, Frame: 2, Text: "a"},
		`frame 2 "a" taken, and on (f.txt:7: x)`:                               {Kind: StepPrefix, Frame: 2, Text: "a", Line: line},
		`frame 2 "a" taken, the last: no line calls it irrelevant or a prefix`: {Kind: StepLast, Frame: 2, Text: "a"},
		`the stack is "a" again and again`:                                     {Kind: StepRecursion, Text: "a"},
		`R put "b | " in front`:                                                {Kind: StepRule, Rule: "R", Before: "a", After: "b | a"},
		`R appended " | b"`:                                                    {Kind: StepRule, Rule: "R", Before: "a", After: "a | b"},
		`R made it "b"`:                                                        {Kind: StepRule, Rule: "R", Before: "a", After: "b"},
		`R made it "c"`:                                                        {Kind: StepRule, Rule: "R", After: "c"},
	} {
		if got := s.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestBitFlipsOfADocument(t *testing.T) {
	for flips, want := range map[string]int32{
		`[]`: 0, `null`: 0, `[{"confidence":1.0}]`: 100, `[{"confidence":1.01}]`: 0, `[{"confidence":1}]`: 0, `[{"confidence":0.5},{"confidence":0.25}]`: 50, `[{"confidence":-0.5}]`: 0, `["x"]`: 0, `"x"`: 0,
	} {
		for _, document := range []string{`{"possible_bit_flips":` + flips + `}`, `{"crash_info":{"possible_bit_flips":` + flips + `}}`} {
			c, err := ParseDocument([]byte(document))
			if err != nil || c.BitFlipPercent != want {
				t.Errorf("%s: %d, %v", document, c.BitFlipPercent, err)
			}
		}
	}
	for document, want := range map[string]int{ // threads of the stackwalker's, or beside
		`{"threads":[{}],"crash_info":{}}`: 1, `{"threads":[{}],"json_dump":{"threads":[{},{}]}}`: 2, `{"threads":[{}],"json_dump":{"threads":[]}}`: 1, `{"threads":[{}],"system_info":7}`: 1,
	} {
		c, err := ParseDocument([]byte(document))
		if err != nil || len(c.Threads) != want {
			t.Errorf("%s: %d threads, %v", document, len(c.Threads), err)
		}
	}
}

// Of a processed crash what can be signed again is read, and no more.
func TestOfAProcessedCrashTheThreadsThatCountAreRead(t *testing.T) {
	thread := func(f string) schema.Thread {
		return schema.Thread{LastError: &f, Frames: []schema.Frame{{
			Function: f, Module: "m", ModuleOffset: "0x1", Offset: "0x2", File: "a.rs", Line: 7,
			Inlines: []schema.Inline{{Function: "in", File: "/b.rs", Line: 8}}, Unloaded: []schema.UnloadedHit{{Module: "u"}, {Module: "v"}},
		}}}
	}
	p := &schema.ProcessedCrash{
		DumpStatus: "S", System: schema.System{OS: "O"}, Crash: schema.CrashInfo{Reason: "R", CrashingThread: new(int32(2)), BitFlipPercent: new(int32(93))},
		Threads: []schema.Thread{thread("0"), thread("1"), thread("2"), thread("3")},
	}
	c := FromProcessed(p)
	for i, want := range []string{"0", "", "2", ""} {
		if c.Threads[i].LastError != want || (len(c.Threads[i].Frames) == 1) != (want != "") {
			t.Errorf("thread %d: %+v", i, c.Threads[i])
		}
	}
	want := Frame{
		Function: "2", Module: "m", ModuleOffset: "0x1", Offset: "0x2", File: "a.rs", Line: 7, language: otherLanguage, Unloaded: "u",
		Inlines: []Inline{{Function: "in", File: "/b.rs", Line: 8, language: rustLanguage}},
	}
	if d := cmp.Diff(want, c.Threads[2].Frames[0], cmp.AllowUnexported(Frame{}, Inline{})); d != "" {
		t.Error(d)
	}
	if c.OS != "O" || c.Reason != "R" || c.DumpStatus != "S" || c.BitFlipPercent != 93 || *c.CrashingThread != 2 {
		t.Errorf("%+v", c)
	}
	p.Crash.CrashingThread, p.DumpStatus = nil, schema.DumpOK
	if c := FromProcessed(p); c.CrashingThread != nil || len(c.Threads[0].Frames) != 1 || len(c.Threads[2].Frames) != 0 || c.DumpStatus != "" {
		t.Errorf("no thread that crashed: %+v", c)
	}
}
