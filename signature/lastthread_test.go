package signature

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/internal/reference"
)

// TestStacksOfOtherThreads has what siggen 2.2.20241029 answers where the thread
// that crashed is counted from the end, and where the watchdog's rule asks for
// the first thread's stack: what that lacks stays as it was.
func TestStacksOfOtherThreads(t *testing.T) {
	r, err := FromFS(os.DirFS(reference.Path(t, "siglists")))
	if err != nil {
		t.Fatal(err)
	}
	const empty = "SignatureGenerationRule: CSignatureTool: no frame data for crashing thread ("
	for text, want := range map[string]Result{
		`{"crashing_thread":-1,"threads":[{"frames":[{"function":"a"}]},{"frames":[{"function":"b"}]}]}`:     {Signature: "b", ProtoSignature: "b"},
		`{"crashing_thread":" -1 ","threads":[{"frames":[{"function":"a"}]},{"frames":[{"function":"b"}]}]}`: {Signature: "b", ProtoSignature: "b"},
		`{"crashing_thread":-2,"threads":[{"frames":[{"function":"a"}]},{"frames":[{"function":"b"}]}]}`:     {Signature: "a", ProtoSignature: "a"},
		`{"crashing_thread":-3,"threads":[{"frames":[{"function":"a"}]},{"frames":[{"function":"b"}]}]}`: {
			Signature: "EMPTY: no frame data available", Notes: []string{empty + "-3)"},
		},
		`{"crashing_thread":-1,"threads":[{"frames":[]},{"frames":[{"function":"RunWatchdog"}]}]}`: {
			Signature: "shutdownhang | EMPTY: no frame data available", ProtoSignature: "RunWatchdog", Notes: []string{empty + "0)"},
		},
		`{"crashing_thread":1,"threads":[{"frames":[]},{"frames":[{"function":"RunWatchdog"}]}]}`: {
			Signature: "shutdownhang | EMPTY: no frame data available", ProtoSignature: "RunWatchdog", Notes: []string{empty + "0)"},
		},
		`{"crashing_thread":-1,"threads":[{"frames":[{"function":"a"}]},{"frames":[{"function":"RunWatchdog"}]}]}`: {
			Signature: "shutdownhang | a", ProtoSignature: "a",
		},
		`{"crashing_thread":-1,"threads":[{"frames":[],"last_error_value":"x"},"x"],"java_stack_trace":"a.E: m\n\tat b"}`: {
			Signature: "a.E: m at b", Notes: []string{"OOMSignature: Rule failed"},
		},
		`{"crashing_thread":-1,"threads":[null],"java_stack_trace":"a.E: m\n\tat b","reason":"STATUS_NO_MEMORY"}`: {Signature: "OOM | unknown | a.E: m at b"},
		`{"crashing_thread":-1,"threads":["x"],"java_stack_trace":"a.E: m\n\tat b","oom_allocation_size":5}`:      {Signature: "OOM | small"},
		`{"crashing_thread":-1,"threads":["x"],"java_stack_trace":"a.E: NS_ABORT_OOM\n\tat b"}`:                   {Signature: "OOM | unknown | a.E: NS_ABORT_OOM at b"},
	} {
		c, err := ParseCrash([]byte(text))
		if err != nil {
			t.Fatal(text, err)
		}
		for range 3 { // the second time it is kept, and from then on found
			if diff := cmp.Diff(want, r.Generate(c)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", text, diff)
				break
			}
		}
	}
}
