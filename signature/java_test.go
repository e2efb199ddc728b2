package signature

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJavaStackTrace(t *testing.T) {
	r := plainLists(t)
	const line1, line2 = "SignatureGenerationRule: JavaSignatureTool: stack trace line 1 is not in the expected format", "SignatureGenerationRule: JavaSignatureTool: stack trace line 2 is missing"
	for trace, c := range map[string]struct {
		want  string
		notes []string
	}{
		"java.lang.RuntimeException: foo@abcdef12\n\tat a.b.C.d(C.java:12)\nCaused by: x": {"java.lang.RuntimeException: foo@<addr>: at a.b.C.d(C.java)", nil},
		"E: x@abcdef1234567890\n\tat a.b(C.java:1)":                                       {"E: x@<addr>34567890 at a.b(C.java)", nil},
		"E\n\tat a.b.C.d(C.kt:12)":                                                        {"E: at a.b.C.d(C.kt:12)", []string{line1}},
		"E: a\u2028b\n\tat c":                                                             {"E: a b", nil},
		"malformed":                                                                       {"malformed", []string{line1, line2}},
		"E: a\n\n":                                                                        {"E: a", []string{"SignatureGenerationRule: JavaSignatureTool: stack trace line 2 is empty"}},
		"  E  :  d  \r\n  at x(Y.java:1)  ":                                               {"E: d at x(Y.java)", nil},
		"\n":                                                                              {"", []string{line1, line2}},
	} {
		got := r.Generate(&Crash{JavaStackTrace: trace, Threads: stackOf("native").Threads})
		if diff := cmp.Diff(Result{Signature: c.want, Notes: c.notes}, got); diff != "" {
			t.Errorf("%q (-want +got)\n%s", trace, diff)
		}
	}
}

func TestJavaException(t *testing.T) {
	r := plainLists(t)
	for name, c := range map[string]struct {
		exception JavaException
		want      string
	}{
		"with a frame":          {JavaException{"java.io", "IOException", []JavaFrame{{"a.B", "c", "B.kt"}, {"x", "y", "z"}}, 0}, "java.io.IOException: at a.B.c(B.kt)"},
		"without a file":        {JavaException{"m", "T", []JavaFrame{{"a", "f", ""}}, 0}, "m.T: at a.f"},
		"without a function":    {JavaException{"m", "T", []JavaFrame{{"a", "", "x.kt"}}, 0}, "m.T: at a(x.kt)"},
		"with an unknown frame": {JavaException{"m", "T", []JavaFrame{{"", "", "x.kt"}}, 0}, "m.T: at unknown"},
		"without frames":        {JavaException{"m", "T", nil, 0}, "m.T"},
		"without a module":      {JavaException{"", "T", nil, 0}, "T"},
	} {
		if got := r.Generate(&Crash{JavaException: &c.exception}).Signature; got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
