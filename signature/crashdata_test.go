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
