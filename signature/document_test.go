package signature

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const walkJSON = `{"status":"OK","crashing_thread":{"frames":[{"function":"copy"}]},
	"threads":[{"frames":[{"function":"a"}]},{"frames":[{"function":"b"}],"last_error_value":"L"}],
	"crash_info":{"type":"SIGSEGV","crashing_thread":1,"possible_bit_flips":[{"confidence":0.25},{"confidence":0.925},{"confidence":7.5},{"confidence":null}]},
	"system_info":{"os":"Linux","cpu_arch":"amd64"}}`

func TestDocumentsOfEveryKind(t *testing.T) {
	threads := []Thread{{Frames: []Frame{{Function: "a", language: otherLanguage}}}, {LastError: "L", Frames: []Frame{{Function: "b", language: otherLanguage}}}}
	for name, c := range map[string]struct {
		document string
		want     *Crash
	}{
		"a stackwalker's": {walkJSON, &Crash{OS: "Linux", Reason: "SIGSEGV", CrashingThread: new(1), BitFlipPercent: 92, Threads: threads}},
		"a processed crash": {
			`{"crashing_thread":7,"reason":"copy","os":"copy","threads":[],"hang":1,"json_dump":` + walkJSON + `,"oom_allocation_size":5}`,
			&Crash{OS: "Linux", Reason: "SIGSEGV", CrashingThread: new(1), BitFlipPercent: 92, Threads: threads, Hang: new("1"), OOMAllocationSize: new(int64(5))},
		},
		"a processed crash without a dump": {`{"crashing_thread":7,"reason":"copy","json_dump":null,"hang":1}`, &Crash{Hang: new("1")}},
		"crash data":                       {`{"crashing_thread":7,"reason":"R","os":"O","threads":[]}`, &Crash{CrashingThread: new(7), Reason: "R", OS: "O"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseDocument([]byte(c.document))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(Crash{}, Thread{}, Frame{}, Inline{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	for _, bad := range []string{"", "[]", "{", `{"crash_info":{"type":`} {
		if _, err := ParseDocument([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// siggen's crash data has no such members: they change nothing.
func TestParseCrashIgnoresAStackwalkersMembers(t *testing.T) {
	c, err := ParseCrash([]byte(walkJSON))
	if err != nil {
		t.Fatal(err)
	}
	if c.Reason != "" || c.OS != "" {
		t.Errorf("crash data has no crash_info: %+v", c)
	}
}
