package signature

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/internal/reference"
)

// socorro is the ruleset of Socorro's lists, with every switch off.
func socorro(t testing.TB) *Ruleset {
	t.Helper()
	r, err := FromFS(os.DirFS(reference.Path(t, "siglists")))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// vector is what siggen answered.
type vector struct {
	CrashData json.RawMessage `json:"crash_data"`
	Signature string          `json:"signature"`
	Notes     []string        `json:"notes"`
	Proto     string          `json:"proto_signature"`
}

func vectors(t testing.TB, file string) []vector {
	t.Helper()
	f, err := os.Open(reference.Path(t, "vectors", "signature", file+".jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(zip)
	lines.Buffer(nil, 1<<20)
	var out []vector
	for lines.Scan() {
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	if err := lines.Err(); err != nil || len(out) == 0 {
		t.Fatalf("%s: %d vectors: %v", file, len(out), err)
	}
	return out
}

// withoutValues cuts what siggen quotes behind "Rule failed": notes are public.
func withoutValues(notes []string) []string {
	var out []string
	for _, n := range notes {
		if i := strings.Index(n, "Rule failed"); i >= 0 {
			n = n[:i+len("Rule failed")]
		}
		out = append(out, n)
	}
	return out
}

func TestSiggenGivesTheSame(t *testing.T) {
	r := socorro(t)
	for _, file := range []string{"corners", "strings", "fuzz"} {
		t.Run(file, func(t *testing.T) {
			shown, all := 0, vectors(t, file)
			for _, v := range all {
				c, err := ParseCrash(v.CrashData)
				if err != nil {
					t.Fatalf("%v: %s", err, v.CrashData)
				}
				var got Result
				want := Result{Signature: v.Signature, ProtoSignature: v.Proto, Notes: withoutValues(v.Notes)}
				for range 3 { // the second time it is kept, and from then on found
					got = r.Generate(c)
					if diff := cmp.Diff(want, got); diff != "" {
						if shown++; shown <= 5 {
							t.Errorf("%.3000s\n(-want +got)\n%s", v.CrashData, diff)
						}
						break
					}
				}
				if explained := r.Explain(c); explained.Signature != got.Signature || explained.ProtoSignature != got.ProtoSignature {
					t.Errorf("explained: %q, generated: %q", explained.Signature, got.Signature)
				}
			}
			t.Logf("%d of %d as siggen", len(all)-shown, len(all))
		})
	}
}
