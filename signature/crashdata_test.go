package signature

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOddTypesFailOneRule holds crash data of types that its schema does not
// know to what siggen made of it.
func TestOddTypesFailOneRule(t *testing.T) {
	r := plainLists(t)
	const failed = ": Rule failed"
	for data, c := range map[string]struct{ want, rule string }{
		`{"threads":[{"frames":[{"function":5}]}]}`:                                          {"", stackRule},
		`{"threads":[{"frames":[{"function":[],"module":"m"}]}]}`:                            {"m", ""}, // siggen fails here
		`{"threads":[{"frames":[{"module":7}]}]}`:                                            {"", stackRule},
		`{"threads":[{"frames":[null]}]}`:                                                    {"", stackRule},
		`{"threads":[null]}`:                                                                 {"", stackRule},
		`{"threads":[{"frames":null}]}`:                                                      {"", stackRule},
		`{"threads":[{"frames":[{"inlines":[{}],"function":"f"}]}]}`:                         {"f", ""},
		`{"threads":[{"frames":[{"inlines":"a"}]}]}`:                                         {"", stackRule},
		`{"threads":[{"frames":[{"unloaded_modules":[{}]}]}]}`:                               {"(unloaded None)", ""},
		`{"threads":[{"frames":[{"file":"a/b","line":7.5}]}]}`:                               {"b#7.5", ""},
		`{"threads":[{"frames":[{"file":"a/b","line":"77"}]}]}`:                              {"b#77", ""},
		`{"threads":[{"frames":[{"function":"huge","line":0}]}]}`:                            {"huge:0", ""},
		`{"threads":[{"frames":[{"offset":5}]}]}`:                                            {"@0x5", ""}, // siggen: @5
		`{"threads":[{"frames":[{"offset":" 0x4_0 "},{"function":"x"}]}]}`:                   {"x", ""},
		`{"threads":[{"frames":[]},{"frames":[{"function":"b"}]}],"crashing_thread":"1"}`:    {"b", ""},
		`{"threads":[{"frames":[{"function":"a"}]}],"crashing_thread":"x"}`:                  {"a", ""},
		`{"threads":[{"frames":[{"function":"a"}]}],"oom_allocation_size":"abc"}`:            {"a", "OOMSignature"},
		`{"threads":[{"frames":[{"function":"a"}]}],"oom_allocation_size":" 1_0 "}`:          {"OOM | small", ""},
		`{"threads":[{"frames":[{"function":"a"}]}],"oom_allocation_size":NaN}`:              {"a", "OOMSignature"},
		`{"threads":[{"frames":[{"function":"a"}]}],"abort_message":5}`:                      {"a", "AbortSignature"},
		`{"threads":[{"frames":[{"function":"a"}]}],"abort_message":0}`:                      {"a", ""},
		`{"threads":[{"frames":[{"function":"a"}]}],"reason":true}`:                          {"a", "BadHardware"},
		`{"threads":[{"frames":[{"function":"a"}]}],"hang":{"a":[1,"b\n",1e22]}}`:            {`hang: {'a': [1, 'b\n', 1e+22]} | a`, ""},
		`{"threads":[{"frames":[{"function":"a"}]}],"ipc_channel_error":5}`:                  {"a", "SignatureIPCChannelError"},
		`{"threads":[{"frames":[{"function":"a"}]}],"ipc_message_name":true}`:                {"a | IPC_Message_Name=True", ""},
		`{"threads":[{"frames":[{"function":"a"}]}],"async_shutdown_timeout":{"phase":"q"}}`: {"a", "SignatureShutdownTimeout"},
		`{"java_exception":{"exception":{"values":[{"stacktrace":5}]}}}`:                     {"", stackRule},
	} {
		c2, err := ParseCrash([]byte(data))
		if err != nil {
			t.Errorf("%s: %v", data, err)
			continue
		}
		got := r.Generate(c2)
		if got.Signature != c.want {
			t.Errorf("%s: got %q, want %q", data, got.Signature, c.want)
		}
		var failures []string
		for _, n := range got.Notes {
			if rule, ok := strings.CutSuffix(n, failed); ok {
				failures = append(failures, rule)
			}
		}
		if want := strings.Fields(c.rule); strings.Join(want, " ") != strings.Join(failures, " ") {
			t.Errorf("%s: failed rules %v, want %v", data, failures, want)
		}
	}
}

func TestParseCrashReadsEveryField(t *testing.T) {
	got, err := ParseCrash([]byte(`{
		"os":"Windows NT","reason":"R","crashing_thread":1,"mdsw_status_string":"S","oom_allocation_size":5,"js_large_allocation_failure":"Reporting",
		"abort_message":"A","async_shutdown_timeout":"{}","ipc_channel_error":"E","ipc_message_name":"N","additional_minidumps":["a","b"],"hang":"ui",
		"java_stack_trace":"J","java_exception":{"exception":{"values":[{"stacktrace":{"type":"T","module":"m","frames":[{"module":"a","function":"f","filename":"x.kt"}]}}]}},
		"threads":[{"last_error_value":"L","frames":[{"module":"m","module_offset":"0x1","offset":"0x2","function":"f\u00e9","file":"x.c","line":3,
			"inlines":[{"function":"g","file":"y.c","line":4}],"unloaded_modules":[{"module":"u","offsets":["0x1"]},{"module":"w"}]}]}],
		"unknown":[{"a":[1,2.5,null,true,"x"]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Crash{
		OS: "Windows NT", Reason: "R", CrashingThread: new(1), DumpStatus: "S", OOMAllocationSize: new(int64(5)), JSLargeAllocationFailure: "Reporting",
		AbortMessage: "A", AsyncShutdownTimeout: "{}", IPCChannelError: "E", IPCMessageName: "N", AdditionalDumps: []string{"a", "b"}, Hang: new("ui"),
		JavaStackTrace: "J", JavaException: &JavaException{Type: "T", Module: "m", Frames: []JavaFrame{{"a", "f", "x.kt"}}},
		Threads: []Thread{{LastError: "L", Frames: []Frame{{
			Module: "m", ModuleOffset: "0x1", Offset: "0x2", Function: "fé", File: "x.c", Line: 3, language: otherLanguage,
			Inlines: []Inline{{Function: "g", File: "y.c", Line: 4, language: otherLanguage}}, Unloaded: "u",
		}}}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Crash{}, Thread{}, Frame{}, Inline{}, JavaException{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Python's int() of what stands there: a size that is none lets the rule fail, a thread that
// is none is the first.
func TestNumbersOfEveryType(t *testing.T) {
	const none = -1
	for value, want := range map[string]struct {
		size   int64 // none: there is none
		fails  bool
		thread int64
	}{
		"5": {5, false, 5}, "-5": {-5, false, -5}, "0": {0, false, 0}, "99999999999999999999": {1<<63 - 1, false, 1<<63 - 1},
		"5.7": {5, false, 5}, "0.5": {1, false, 0}, "-0.5": {1, false, 0}, "0.0": {0, false, 0}, "NaN": {none, true, 0}, "Infinity": {none, true, 0}, "-Infinity": {none, true, 0},
		`"5"`: {5, false, 5}, `" 5_0 "`: {50, false, 50}, `""`: {none, false, 0}, `"x"`: {none, true, 0},
		"true": {1, false, 1}, "false": {none, false, 0}, "null": {none, false, 0}, "[]": {none, false, 0}, "[1]": {none, false, 0}, "{}": {none, false, 0},
	} {
		c, err := ParseCrash([]byte(`{"oom_allocation_size":` + value + `}`))
		if err != nil {
			t.Fatalf("%s: %v", value, err)
		}
		size := int64(none)
		if c.OOMAllocationSize != nil {
			size = *c.OOMAllocationSize
		}
		if size != want.size || c.unreadable.has(oomField) != want.fails {
			t.Errorf("the size %s: %d, fails %v", value, size, c.unreadable.has(oomField))
		}
		if value == "NaN" || value == "Infinity" || value == "-Infinity" {
			continue // as the processor's machine makes a number of it
		}
		if c, err = ParseCrash([]byte(`{"crashing_thread":` + value + `}`)); err != nil || int64(*c.CrashingThread) != want.thread {
			t.Errorf("the thread %s: %d, %v", value, *c.CrashingThread, err)
		}
	}
}

// Of a stack as many frames are read as a signature looks at, and as many calls inlined
// into one.
func TestLongStacksAreReadAsFarAsTheyCount(t *testing.T) {
	list := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat(`{"function":"f"},`, n), ",") + "]" }
	for n, want := range map[int]int{0: 0, 39: 39, 40: 40, 41: 40} {
		c, err := ParseCrash([]byte(`{"threads":[{"frames":` + list(n) + `},{"frames":[{"inlines":` + list(n) + `}]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if got, inlined := len(c.Threads[0].Frames), len(c.Threads[1].Frames[0].Inlines); got != want || inlined != want {
			t.Errorf("%d frames: %d are read, and %d inlined ones", n, got, inlined)
		}
	}
}

// What stands where an object or a list should is none of it, and what is falsy is absent.
func TestShapesOfStacks(t *testing.T) {
	for data, want := range map[string]struct{ threads, unreadable, noObject bool }{
		`{"threads":[{"frames":[]}]}`:         {true, false, false},
		`{"threads":[{"frames":{}}]}`:         {true, false, false},
		`{"threads":[{"frames":{"a":1}}]}`:    {true, true, false},
		`{"threads":[{"frames":"a"}]}`:        {true, true, false},
		`{"threads":[null]}`:                  {true, true, false},
		`{"threads":[[]]}`:                    {true, true, false},
		`{"threads":["x"]}`:                   {true, true, true},
		`{"threads":{}}`:                      {},
		`{"threads":"x"}`:                     {},
		`{"threads":[{"other":[{"a":[1]}]}]}`: {true, false, false},
	} {
		c, err := ParseCrash([]byte(data))
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if (len(c.Threads) == 1) != want.threads || want.threads && (c.Threads[0].unreadable != want.unreadable || c.Threads[0].noObject != want.noObject) {
			t.Errorf("%s: %+v", data, c.Threads)
		}
	}
	for data, want := range map[string]struct {
		unreadable bool
		unloaded   string
	}{
		`"inlines":null`: {false, ""}, `"inlines":0`: {false, ""}, `"inlines":"x"`: {true, ""}, `"inlines":{"a":1}`: {true, ""}, `"inlines":[]`: {false, ""},
		`"unloaded_modules":null`: {false, ""}, `"unloaded_modules":1`: {true, ""}, `"unloaded_modules":[]`: {false, ""}, `"unloaded_modules":["x"]`: {true, ""},
		`"unloaded_modules":[{"module":"u"},"x"]`: {false, "u"}, `"unloaded_modules":[{"module":7}]`: {false, "7"}, `"function":null`: {false, ""}, `"function":1`: {true, ""},
	} {
		c, err := ParseCrash([]byte(`{"threads":[{"frames":[{` + data + `}]}]}`))
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if f := c.Threads[0].Frames[0]; f.unreadable != want.unreadable || f.Unloaded != want.unloaded {
			t.Errorf("%s: %+v", data, f)
		}
	}
}

func TestShapesOfJavaExceptions(t *testing.T) {
	stacktrace := func(s string) string { return `{"exception":{"values":[{"stacktrace":` + s + `}]}}` }
	for data, want := range map[string]*JavaException{
		"null": nil, "{}": nil, "0": nil,
		"1": {unreadable: javaShape}, `{"exception":1}`: {unreadable: javaShape}, `{"exception":{"values":[]}}`: {unreadable: javaShape}, stacktrace("null"): {unreadable: javaShape},
		stacktrace(`"x"`):                              {unreadable: javaValues},
		stacktrace(`{"a":1}`):                          {Type: "Unknown"},
		stacktrace(`{"type":7,"module":8}`):            {Type: "7", Module: "8"},
		stacktrace(`{"type":null,"module":0}`):         {Type: "None"},
		stacktrace(`{"frames":0,"type":"T"}`):          {Type: "T"},
		stacktrace(`{"frames":"x","type":"T"}`):        {Type: "T", unreadable: javaValues},
		stacktrace(`{"frames":["x",{}],"type":"T"}`):   {Type: "T", unreadable: javaValues},
		stacktrace(`{"frames":[{},"x"],"type":"T"}`):   {Type: "T", Frames: []JavaFrame{{}}},
		stacktrace(`{"frames":[{"module":1}]}`):        {Type: "Unknown", Frames: []JavaFrame{{}}, unreadable: javaValues},
		stacktrace(`{"frames":[{"module":0}]}`):        {Type: "Unknown", Frames: []JavaFrame{{}}},
		stacktrace(`{"frames":[{"filename":"a"},{}]}`): {Type: "Unknown", Frames: []JavaFrame{{File: "a"}}},
	} {
		c, err := ParseCrash([]byte(`{"java_exception":` + data + `}`))
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if d := cmp.Diff(want, c.JavaException, cmp.AllowUnexported(JavaException{})); d != "" {
			t.Errorf("%s: %s", data, d)
		}
	}
}

// Numbers end where Python's reader ends them, and never behind the text.
func TestNumbersThatBreakOff(t *testing.T) {
	for _, text := range []string{"1e", "1E+", "1.", "-", `{"uptime":1.}`, `{"uptime":1e`, `{"uptime":.5}`} {
		if _, err := ParseCrash([]byte(text)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
	if _, err := ParseCrash([]byte(`[1]`)); err == nil || !strings.Contains(err.Error(), "want an object") {
		t.Errorf("%v", err)
	}
}
