package signature

import (
	"math"
	"strings"
	"testing"
)

func TestFramesOfWholeModules(t *testing.T) {
	for frame, want := range map[string]bool{
		"a.dll": true, "A.DLL": true, ".dll": true, "libx.so": true, ".so": true, "so": false, "libx.so.1": false, "XUL": true, "XULx": false, "<name omitted>": true,
		"<unknown in a": true, "(unloaded a.dll": false, "dll": false, "": false, "f": false,
	} {
		if got := isWholeModule(frame); got != want {
			t.Errorf("%q: %v", frame, got)
		}
	}
}

// Where in a source tree a file lies, in the forms that symbols have it.
func TestPathsOfSourceFiles(t *testing.T) {
	for file, want := range map[string]string{
		"git:github.com/x:src/a.rs:0123": "src/a.rs", "c:/x/a.rs": "/x/a.rs", "/x/a.rs": "/x/a.rs", "a.rs": "", "a:b:c": "", "a:b:c:d:e": "", "": "",
	} {
		if got := sourcePath(file); got != want {
			t.Errorf("%q: %q, want %q", file, got, want)
		}
	}
	for file, want := range map[string]language{"/x/a.rs": rustLanguage, "a.rs": otherLanguage, "/x/a.rs.c": otherLanguage, "": otherLanguage, "git:r:a.rs:1": rustLanguage} {
		if got := languageOf(file); got != want {
			t.Errorf("%q is in the language %d", file, got)
		}
	}
	for file, want := range map[string]string{"a": "a", "/x/a/": "a", `c:\x/y\a\`: "a", `x/y\a/b`: "a/b", "": "", "/": ""} {
		if got := baseName(file); got != want {
			t.Errorf("%q: %q, want %q", file, got, want)
		}
	}
}

func TestAddressesOutsideModules(t *testing.T) {
	for offset, want := range map[string]struct{ plain, coarse string }{
		"": {"", ""}, "0x0": {"@0x0", "@0x0"}, "0xffff": {"@0xffff", "@0xffff"}, "0x00000000ffff": {"@0xffff", "@0xffff"},
		"0x10000": {"@0x10000", unmapped}, "zz": {"@zz", unmapped}, "-1": {"@-0x1", "@-0x1"},
	} {
		for on, want := range map[bool]string{false: want.plain, true: want.coarse} {
			r := Ruleset{switches: switches{coarseAddresses: on}}
			if got := r.address(offset); got != want {
				t.Errorf("%q, coarse %v: %q, want %q", offset, on, got, want)
			}
		}
	}
}

func TestThreadsAreCountedFromEitherEnd(t *testing.T) {
	c := Crash{Threads: []Thread{{LastError: "0"}, {LastError: "1"}}}
	for index, want := range map[int]string{0: "0", 1: "1", 2: "", -1: "1", -2: "0", -3: ""} {
		c.CrashingThread = &index
		if got := c.crashed().LastError; got != want {
			t.Errorf("thread %d is %q", index, got)
		}
		if (c.thread(index) == nil) != (want == "") {
			t.Errorf("thread %d is there: %v", index, c.thread(index))
		}
	}
}

// Functions' names as compilers write them, at their corners.
func TestCornersOfFunctionNames(t *testing.T) {
	for function, want := range map[string]string{
		"f":                             "f",
		"static int f(int, int)":        "f",
		"f (int)":                       "f ",
		"f ":                            "f",
		"void ns::f<a b>(c d) const":    "ns::f<T>",
		"f(int) const &":                "f",
		"f(int)&&":                      "f",
		"void (*f(int))(char)":          "void ",
		"a)b":                           "a)b",
		"a(b":                           "a",
		"f(a)(b)":                       "f",
		"A::operator()(int)":            "A::operator()",
		"A::operator<(A)":               "A::operator<",
		"(anonymous namespace)::f(int)": "(anonymous namespace)::f",
		"`anonymous namespace'::f(int)": "(anonymous namespace)::f",
		"f(int) [clone .cold]":          "f ",
		"a::$_1::$_2::b":                "a::$::$_2::b",
		"IPC::ParamTraits<a<b>>::Read":  "IPC::ParamTraits<a<T>>::Read",
		"IPC::ParamTraits<":             "IPC::ParamTraits<>",
		"<name omitted>":                "<name omitted>",
		"<A as B>::c":                   "<A as B>::c",
		"a<b<c>d>e<f>":                  "a<T>e<T>",
		"a>b<c":                         "a>b<T>",
		"int *f , g":                    "g",
	} {
		if got := named(plainLists(t), function, ""); got != want {
			t.Errorf("%q: %q, want %q", function, got, want)
		}
	}
	for s, want := range map[string]string{
		"a::h0123abcd": "a", "a::h": "a::h", "a::h0g": "a::h0g", "a": "a", "a::hAF09": "a", "::h0": "", "a::h1::b": "a::h1::b", "a::h1::h2": "a::h1",
	} {
		if got := dropRustHash(s); got != want {
			t.Errorf("%q without its hash: %q, want %q", s, got, want)
		}
	}
	for s, want := range map[string]string{
		"a *": "a*", "a &b": "a&b", "a ,b": "a, b", "a,b": "a, b", "a, b": "a, b", "a,": "a, ", "a  *": "a *", "a b": "a b", "a, *b": "a, *b", ",": ", ", " *": "*", "a ": "a ", "a*, ": "a*, ",
	} {
		if got := fixSpaces(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

// Results are kept up to sizes that bound the memory of all together.
func TestCachesAreBounded(t *testing.T) {
	for name, tc := range map[string]struct{ is, want int }{
		"names": {cachedNames, 16384}, "bytes of a name": {maxCachedName, 1024}, "results": {cachedResults, 16384}, "bytes of a result": {maxCachedResult, 2048}, "frames": {maxFrames, 40},
	} {
		if tc.is != tc.want {
			t.Errorf("%s: %d, want %d", name, tc.is, tc.want)
		}
	}
	c := newCache()
	if c.names.Entries() != cachedNames || c.results.Entries() != cachedResults {
		t.Errorf("room for %d names and %d results", c.names.Entries(), c.results.Entries())
	}
	for n, kept := range map[int]bool{1024: true, 1025: false} {
		for _, tc := range []struct {
			key  nameKey
			name name
		}{{nameKey{text: strings.Repeat("k", n)}, name{text: "n"}}, {nameKey{text: "k" + strings.Repeat("x", n%7)}, name{text: strings.Repeat("n", n)}}} {
			for range 2 { // what comes a second time is kept
				if got := c.putName(tc.key, tc.name); got.text != tc.name.text {
					t.Errorf("another name of %d bytes", n)
				}
			}
			if got := c.name(tc.key); (got != nil) != kept {
				t.Errorf("a key of %d and a name of %d bytes: kept %v", len(tc.key.text), len(tc.name.text), got != nil)
			}
		}
	}
	for n, kept := range map[int]bool{2048: true, 2049: false} {
		for field, r := range map[string]Result{"a proto-signature": {ProtoSignature: strings.Repeat("p", n)}, "a note": {Notes: []string{"a", strings.Repeat("n", n)}}} {
			crash := stackOf(field, strings.Repeat("x", n%7+1))
			key, ok := c.key(crash)
			if !ok {
				t.Fatal("no key")
			}
			for range 2 {
				c.putResult(key, r)
			}
			if got := c.result(key, crash); (got != nil) != kept {
				t.Errorf("%s of %d bytes: kept %v", field, n, got != nil)
			}
		}
	}
}

// Each half of a key tells what was mixed, and in which order.
func TestBothHalvesOfAKeyTellWhatWasMixed(t *testing.T) {
	var seen [2]map[uint64]bool
	for half := range seen {
		seen[half] = map[uint64]bool{}
	}
	for a := range uint64(50) {
		for b := range uint64(50) {
			var k resultKey
			k.mix(a << 40)
			k.mix(b << 40)
			for half, v := range k {
				if seen[half][v] {
					t.Fatalf("half %d of %d and %d is another's", half, a, b)
				}
				seen[half][v] = true
			}
		}
	}
	var zero, empty resultKey
	if zero.mix(0); zero == empty {
		t.Error("a hash of 0 leaves no trace")
	}
	crash := stackOf("f")
	keys := map[resultKey]bool{}
	for index := range 3 {
		crash.CrashingThread = &index
		keys[empty.ofThread(crash)] = true
	}
	if len(keys) != 3 || keys[empty] {
		t.Error("keys of threads are not their own")
	}
}

// A crash with values that no key can tell apart has none, however deep they lie; those of
// frames that no signature looks at do not count.
func TestCrashesOfOddValuesHaveNoKey(t *testing.T) {
	c := newCache()
	full := func() *Crash { return stackOf(strings.Fields(strings.Repeat("f ", maxFrames))...) }
	for name, tc := range map[string]struct {
		change func(c *Crash)
		want   bool
	}{
		"plain":            {func(*Crash) {}, true},
		"a field":          {func(c *Crash) { c.unreadable = abortField }, false},
		"an exception":     {func(c *Crash) { c.JavaException = new(JavaException) }, false},
		"a thread":         {func(c *Crash) { c.Threads[0].unreadable = true }, false},
		"the last frame":   {func(c *Crash) { c.Threads[0].Frames[maxFrames-1].unreadable = true }, false},
		"an inlined call":  {func(c *Crash) { c.Threads[0].Frames[0].Inlines = []Inline{{unreadable: true}} }, false},
		"the frame behind": {func(c *Crash) { c.Threads[0].Frames = append(c.Threads[0].Frames, Frame{}, Frame{}) }, true},
		"inlined, too deep": {func(c *Crash) {
			c.Threads[0].Frames = append(c.Threads[0].Frames, Frame{Inlines: []Inline{{unreadable: true}}})
		}, true},
		"another thread": {func(c *Crash) { c.Threads = append(c.Threads, Thread{unreadable: true}) }, true},
	} {
		crash := full()
		tc.change(crash)
		if _, ok := c.key(crash); ok != tc.want {
			t.Errorf("%s: %v", name, ok)
		}
	}
	if _, ok := (*cache)(nil).key(full()); ok {
		t.Error("a cache that is none has a key")
	}
}

func TestPiecesOfSignaturesAtTheirLimits(t *testing.T) {
	for n, want := range map[int]string{0: "", 1: "é", 2: "éa", 3: "éa", math.MaxInt: "éa"} {
		if got := firstRunes("éa", n); got != want {
			t.Errorf("%d of them: %q, want %q", n, got, want)
		}
	}
	for s, want := range map[string]string{"a~ b": "a~ b", "a\x1fb\x7f": "ab", "é": "", "": ""} {
		if got := visible(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
	for _, tc := range []struct{ a, b, want string }{{"a", "b", "a-b"}, {"", "b", "b"}, {"a", "", "a"}, {"", "", ""}} {
		if got := joinFilled("-", tc.a, tc.b); got != tc.want {
			t.Errorf("%q and %q: %q", tc.a, tc.b, got)
		}
	}
	for text, want := range map[string]bool{"ERROR_COMMITMENT_LIMIT": true, "ERROR_NOT_ENOUGH_MEMORY": true, "": false, "ERROR_ACCESS_DENIED": false} {
		if noMemory(text) != want {
			t.Errorf("%s: want %v", text, want)
		}
	}
}

// What a client calls a Java exception, word by word.
func TestWordsOfJavaExceptions(t *testing.T) {
	long := strings.Repeat("a", maxJavaLine-len("at .B.c(B.java)"))
	for line, want := range map[string]bool{
		"at a.B.c(B.java)": true, "at a.B.c(B.java:7)": true, "at a.Bc.c(C.java)": true, "at a.Bcd.c(C.java)": false, "at a.Bcd$1.c(Bcd.java)": true, "at a.Bcd.c(Bc.java)": false,
		"at a.MainKt.c(Main.kt)": true, "at a.MainKx.c(Main.kt)": false, "at a.Main.c(Main.exe)": false, "at a.B.c(Native Method)": true, "at a.B.c(Unknown Source)": true,
		"at a.B.c(SourceFile)": true, "at a.B.c(my secret)": false, "at a.B.C(B.java)": true, "at a.B.Cd(B.java)": false, "a.B.c(B.java)": false, "": false,
		"at " + long + ".B.c(B.java)": true, "at " + long + "a.B.c(B.java)": false,
	} {
		if got := isFrame(line); got != want {
			t.Errorf("%.40q: %v", line, got)
		}
	}
	class := strings.Repeat("a", maxJavaLine-2) + ".E"
	for trace, want := range map[string]string{
		class: class + ":", "a" + class: "", "\r\n\na.E: x": "a.E:", "E": "", "SomeError": "SomeError:", "a.E\n\tat a.B.c(B.java)\n\tat x": "a.E:",
		"a.E\n\tat a.B.c(B.java)\n\tat a.B.d(B.java)": "a.E:\nat a.B.c(B.java)", "a.E\n at a.B.c(B.java)": "a.E:",
		"a.E\n\tat a.B.c(B.java)\nSuppressed: x\nmore": "a.E:\nat a.B.c(B.java)", "a.E\nCaused by: x": "a.E:",
	} {
		if got := codeOfTrace(trace); got != want {
			t.Errorf("%.40q: %.60q, want %.60q", trace, got, want)
		}
	}
	exception := func(module, class string) string {
		return `{"exception":{"values":[{"stacktrace":{"module":"` + module + `","type":"` + class + `"}}]}}`
	}
	for _, tc := range []struct {
		module, class string
		fine          bool
	}{
		{"a.b", "C", true},
		{"", "SomeError", true},
		{"", "C", false},
		{"", "secret words", false},
		{"a.b", "secret words", false},
		{"secret words", "C", false},
		{"a", "C" + strings.Repeat("d", maxJavaLine-2), true},
		{"a", "C" + strings.Repeat("d", maxJavaLine-1), false},
	} {
		if got := codeOfException(exception(tc.module, tc.class)); (got.unreadable == javaFine) != tc.fine {
			t.Errorf("%q, %.20q: %+v", tc.module, tc.class, got)
		}
	}
	if got := matching(javaClass, strings.Repeat("a", maxJavaLine-1)+"."); got != "" {
		t.Error("a class of no name")
	}
	for n, want := range map[int]int{maxJavaLine: maxJavaLine, maxJavaLine + 1: 0} {
		if got := matching(javaMethod, strings.Repeat("a", n)); len(got) != want {
			t.Errorf("a method of %d letters: %d", n, len(got))
		}
	}
	for name, want := range map[string]bool{"JavaStackTrace": true, "JavaException": true, "AbortMessage": false, "": false} {
		if Reads(name) != want {
			t.Errorf("%s: want %v", name, want)
		}
	}
}
