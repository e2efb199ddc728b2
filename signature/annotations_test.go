package signature

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
)

// processedWith is a processed crash of one frame with annotations, as the
// registry classifies them.
func processedWith(annotations ...string) *schema.ProcessedCrash {
	p := &schema.ProcessedCrash{DumpStatus: schema.DumpOK, Threads: []schema.Thread{{Frames: []schema.Frame{{Function: "native"}}}}}
	for pair := range slices.Chunk(annotations, 2) {
		name, value := pair[0], pair[1]
		p.Annotations = append(p.Annotations, schema.Annotation{Name: name, Value: value, Public: schema.DefaultRegistry.Public(name, value)})
	}
	return p
}

var classAlone = []string{"SignatureGenerationRule: JavaSignatureTool: stack trace line 2 is missing"}

const ignoredJava = "SignatureGenerationRule: Java exception not in expected format, ignored"

func TestPublicAnnotationsFeedTheRules(t *testing.T) {
	exception := func(class, message, module, function, file string) string {
		return `{"exception":{"values":[{"stacktrace":{"type":"` + class + `","module":"` + module + `","value":"` + message +
			`","frames":[{"module":"a.B","function":"` + function + `","filename":"` + file + `"}]}}]}}`
	}
	for name, c := range map[string]struct {
		annotations []string
		signature   string
		notes       []string
	}{
		"out of memory":              {[]string{"OOMAllocationSize", "9000000"}, "OOM | large | native", nil},
		"a size that is no number":   {[]string{"OOMAllocationSize", "9000000 secret"}, "native", nil},
		"a large script":             {[]string{"JSLargeAllocationFailure", "Reporting"}, "OOM | large | native", nil},
		"a message":                  {[]string{"IPCMessageName", "PContent::Msg_Init"}, "native | IPC_Message_Name=PContent::Msg_Init", nil},
		"a message that is no name":  {[]string{"IPCMessageName", "https://example.org/?secret"}, "native", nil},
		"a hang":                     {[]string{"Hang", "1"}, "hang: 1 | native", nil},
		"no hang":                    {[]string{"Hang", "0"}, "native", nil},
		"an abort message":           {[]string{"AbortMessage", "secret"}, "native", nil},
		"a shutdown":                 {[]string{"AsyncShutdownTimeout", `{"phase":"secret"}`}, "native", nil},
		"a Java stack":               {[]string{"JavaStackTrace", "a.E: secret\n\tat a.B.c(B.java:7)\n\tat a.D.e(D.java)\nCaused by: b.F: secret"}, "a.E: at a.B.c(B.java)", nil},
		"a message of lines":         {[]string{"JavaStackTrace", "a.E: secret\nmore secret\n\tat a.B.c(B.java:7)"}, "a.E", classAlone},
		"a message like a frame":     {[]string{"JavaStackTrace", "a.E: secret\n\tat hunter2.password_of.x(y.java)\n\tat a.B.c(B.java:7)"}, "a.E", classAlone},
		"text behind a frame":        {[]string{"JavaStackTrace", "a.E: secret\n\tat a.B.c(B.java:7)\nsecret\n\tat a.B.c(B.java:7)"}, "a.E", classAlone},
		"a frame in another file":    {[]string{"JavaStackTrace", "a.E: secret\n\tat a.Hunter.two(Secret.java:7)"}, "a.E", classAlone},
		"an empty line, a frame":     {[]string{"JavaStackTrace", "a.E: secret\n\n\tat a.B.c(B.java:7)"}, "a.E", classAlone},
		"a host for a class":         {[]string{"JavaStackTrace", "db01.internal.corp.example\n\tat a.B.c(B.java:7)"}, "native", []string{ignoredJava}},
		"a word for a class":         {[]string{"JavaStackTrace", "Hunter2\n\tat a.B.c(B.java:7)"}, "native", []string{ignoredJava}},
		"an error in no package":     {[]string{"JavaStackTrace", "OutOfMemoryError\n\tat a.B.c(B.java:7)"}, "OutOfMemoryError: at a.B.c(B.java)", nil},
		"Kotlin outside classes":     {[]string{"JavaStackTrace", "a.E\n\tat a.MainKt.main(Main.kt)"}, "a.E: at a.MainKt.main(Main.kt)", nil},
		"shortened names":            {[]string{"JavaStackTrace", "a.E\n\tat a.b.c.d(SourceFile:3)\n\t... 3 more"}, "a.E: at a.b.c.d(SourceFile:3)", nil},
		"a text for a JSON type":     {[]string{"JavaException", exception("hunter2", "", "a", "c", "B.java")}, "native", []string{ignoredJava}},
		"a Java stack of a module":   {[]string{"JavaStackTrace", "a.E\n\tat app//a.B$1.<init>(B.kt:7)"}, "a.E: at app//a.B$1.<init>(B.kt:7)", nil},
		"a Java stack, native":       {[]string{"JavaStackTrace", "a.E: x\n\tat a.B.c(Native Method)"}, "a.E: at a.B.c(Native Method)", nil},
		"a Java class alone":         {[]string{"JavaStackTrace", "a.E: secret"}, "a.E", classAlone},
		"a sentence for a class":     {[]string{"JavaStackTrace", "my secret: x\n\tat a.B.c(B.java:7)"}, "native", []string{ignoredJava}},
		"a sentence for a method":    {[]string{"JavaStackTrace", "a.E: x\n\tat home, my secret (B.java:7)"}, "a.E", classAlone},
		"a Java exception":           {[]string{"JavaException", exception("E", "secret", "a", "c", "B.java")}, "a.E: at a.B.c(B.java)", nil},
		"a sentence for a type":      {[]string{"JavaException", exception("my secret", "", "a", "c", "B.java")}, "native", []string{ignoredJava}},
		"a sentence for a function":  {[]string{"JavaException", exception("E", "", "a", "my secret", "my secret")}, "a.E: at a.B", nil},
		"no JSON":                    {[]string{"JavaException", "secret"}, "native", []string{ignoredJava}},
		"nothing where a trace was":  {[]string{"JavaStackTrace", ""}, "native", nil},
		"an annotation nobody knows": {[]string{"ipc_channel_error", "secret"}, "native", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := plainLists(t).Generate(FromProcessed(processedWith(c.annotations...)))
			if got.Signature != c.signature {
				t.Errorf("got %q, want %q", got.Signature, c.signature)
			}
			if diff := cmp.Diff(c.notes, got.Notes); diff != "" {
				t.Errorf("notes (-want +got)\n%s", diff)
			}
			if strings.Contains(got.Signature+got.ProtoSignature+strings.Join(got.Notes, ""), "secret") {
				t.Error("a private value is public")
			}
		})
	}
}

// A Java exception that is none is said so when there is nothing else to sign.
func TestJavaWithoutDump(t *testing.T) {
	for annotation, want := range map[string]string{
		"JavaStackTrace": "EMPTY: Java stack trace not in expected format; NoMinidump",
		"JavaException":  "EMPTY: Java exception not in expected format; NoMinidump",
	} {
		p := processedWith(annotation, "a secret")
		p.Threads, p.DumpStatus = nil, "NoMinidump"
		if got := plainLists(t).Generate(FromProcessed(p)).Signature; got != want {
			t.Errorf("%s: got %q, want %q", annotation, got, want)
		}
	}
}

// FuzzJava: whatever a client calls a Java exception, only words of code come out.
func FuzzJava(f *testing.F) {
	f.Add("a.E: m\n\tat a.B.c(B.java:7)\nCaused by: x")
	f.Add(`{"exception":{"values":[{"stacktrace":{"type":"E","module":"m","frames":[{"module":"a","function":"f","filename":"x.kt"}]}}]}}`)
	f.Fuzz(func(t *testing.T, value string) {
		if code := codeOfTrace(value); strings.Count(code, "\n") > 1 || strings.Contains(code, "  ") || len(code) > 2048 {
			t.Errorf("%q of %q", code, value)
		}
		e := codeOfException(value)
		for _, s := range []string{e.Module, e.Type} {
			if e.unreadable == javaFine && strings.ContainsAny(s, " \n:/") {
				t.Errorf("%q of %q", s, value)
			}
		}
		plainLists(t).Generate(&Crash{JavaException: e})
	})
}
