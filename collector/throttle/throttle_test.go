package throttle

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func rulesOf(t testing.TB, text string) *Rules {
	t.Helper()
	r, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// shipped are the rules of a file in docs.
func shipped(t testing.TB, name string) *Rules {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "throttle", name))
	if err != nil {
		t.Fatal(err)
	}
	return rulesOf(t, string(text))
}

// of is a report with annotations, name and value in turn.
func of(pairs ...string) Report {
	rep := Report{Annotations: map[string]string{}, CrashID: "00000000-0000-4000-8000-000000261122", Received: noon}
	for pair := range slices.Chunk(pairs, 2) {
		rep.Annotations[pair[0]] = pair[1]
	}
	return rep
}

// decide is what one condition makes of a report.
func decide(t *testing.T, when string, rep Report) Decision {
	t.Helper()
	return rulesOf(t, fmt.Sprintf("rules:\n- {name: it, when: %q, result: reject}\n- {name: rest, result: accept}", when)).Decide(rep)
}

func TestConditions(t *testing.T) {
	rep := of("ProductName", "Acme", "Version", "52.1", "Empty", "", "BuildID", "20241121093000", "Env", `{"os":{"name":"NT","build":9600,"load":1.5,"big":1e400}}`)
	rep.Dump = Dump{Present: true, Size: 4096, Kind: KindMinidump}
	for when, want := range map[string]bool{
		`annotation.ProductName == "Acme"`:                                           true,
		`annotation["ProductName"] == "Acme"`:                                        true,
		`annotation.ProductName == "acme"`:                                           false,
		`annotation.Missing == ""`:                                                   true,
		`annotation.Missing != "x"`:                                                  true,
		`!(annotation.Missing in ["a", "b"])`:                                        true,
		`has(annotation.Missing)`:                                                    false,
		`has(annotation.Empty)`:                                                      true,
		`"Empty" in annotation && !("Missing" in annotation)`:                        true,
		`annotation.Version.matches("^5[2-9][.]")`:                                   true,
		`annotation.ProductName.lowerAscii() == "acme"`:                              true,
		`annotation.exists(name, name == "BuildID")`:                                 true,
		`size(annotation) == 5`:                                                      true,
		`date(annotation.BuildID) < now - duration("17520h")`:                        true, // 731 days and a half
		`date(annotation.BuildID) < now - duration("17568h")`:                        false,
		`date(annotation.Version) < now`:                                             false, // no date: it cannot be told
		`!(date(annotation.Version) < now)`:                                          false, // nor this
		`date("20151301000000") < now`:                                               false,
		`json(annotation.Env).os.build == 9600`:                                      true,
		`json(annotation.Env).os.load > 1.4 && json(annotation.Env).os.load < 1.6`:   true,
		`type(json(annotation.Env).os.build) == int`:                                 true,
		`type(json(annotation.Env).os.load) == int`:                                  false,
		`json(annotation.Env).os.big == "1e400"`:                                     true,
		`json(annotation.Env).os.missing == 1`:                                       false,
		`has(json(annotation.Env).os.name)`:                                          true,
		`has(json(annotation.Env).os.missing)`:                                       false,
		`json(annotation.ProductName).os == 1`:                                       false,
		`json("{} {}") == json("{}")`:                                                false,
		`cel.bind(os, json(annotation.Env).os, os.name == "NT" && os.build == 9600)`: true,
		`dump.present && dump.size == 4096 && dump.kind == "minidump"`:               true,
		`now == timestamp("2026-11-22T12:00:00Z")`:                                   true,
		`json("true")`: true,
		`json("1")`:    false, // neither true nor false
		`annotation.Missing == "x" || annotation.ProductName == "Acme"`: true,
	} {
		if got := decide(t, when, rep).Rule == "it"; got != want {
			t.Errorf("%s holds: %v", when, got)
		}
	}
}

func TestWhatCannotBeToldIsNamed(t *testing.T) {
	for when, want := range map[string][]string{
		`json(annotation.A).x == 1`:        {"it"},
		`json("1")`:                        {"it"},
		`date("x") < now`:                  {"it"},
		`annotation.A == annotation.B`:     nil,
		`json(annotation.A) == json("{}")`: nil,
		`annotation.A == "a" || json("")`:  {"it"},
	} {
		if d := decide(t, when, of("A", "{}")); !slices.Equal(d.Failed, want) {
			t.Errorf("%s: %q failed", when, d.Failed)
		}
	}
}

// What a condition sees of a value is bounded: it would take a pattern long.
func TestConditionsSeeTheBeginningOfAValue(t *testing.T) {
	for end, want := range map[int]bool{maxSeenBytes: true, maxSeenBytes + 1: false} {
		value := strings.Repeat("a", end-1) + "b"
		if got := decide(t, `annotation.A.endsWith("b")`, of("A", value)).Rule == "it"; got != want {
			t.Errorf("the %d. byte is seen: %v", end, got)
		}
	}
}

// A loop within a loop within a loop over what a sender decides does not end the door.
func TestLoopsAreBounded(t *testing.T) {
	when := `annotation.all(a, annotation.all(b, annotation.all(c, a + b + c != "x")))`
	few, many := of("A", "1", "B", "2"), of()
	for n := range 800 {
		many.Annotations[fmt.Sprint("A", n)] = "x"
	}
	if d := decide(t, when, few); d.Rule != "it" || d.Failed != nil {
		t.Errorf("few: %+v", d)
	}
	if d := decide(t, when, many); d.Rule != "rest" || !slices.Equal(d.Failed, []string{"it"}) {
		t.Errorf("many: %+v", d)
	}
}

func TestTheFirstResultThatIsNotContinueHolds(t *testing.T) {
	r := rulesOf(t, `
rules:
- {name: a, when: 'annotation.X == "a"', result: continue}
- {name: b, when: 'annotation.X in ["a", "b"]', result: defer}
- {name: c, when: 'annotation.X == "c"', result: fake-accept}
- {name: rest, result: reject}`)
	for x, want := range map[string]Decision{
		"a": {Rule: "b", Result: Defer, Rate: 1},
		"b": {Rule: "b", Result: Defer, Rate: 1},
		"c": {Rule: "c", Result: FakeAccept, Rate: 1},
		"d": {Rule: "rest", Result: Reject, Rate: 1},
	} {
		if got := r.Decide(of("X", x)); got.Rule != want.Rule || got.Result != want.Result || got.Rate != want.Rate || got.Failed != nil {
			t.Errorf("%s: %+v, want %+v", x, got, want)
		}
	}
}

// A tenth of a quarter is accepted, and weighs 40; the rest of the quarter is deferred.
func TestPercentagesAreKeptAndDoNotDependOnEachOther(t *testing.T) {
	r := rulesOf(t, `
rules:
- {name: quarter, percent: 25, result: continue, else: reject}
- {name: tenth, percent: 10, result: accept, else: defer}`)
	const n = 100_000
	counts, sent := map[Result]int{}, 0.0
	for range n {
		rep := of()
		rep.CrashID = uuid.NewString()
		d := r.Decide(rep)
		if again := r.Decide(rep); again.Rule != d.Rule || again.Result != d.Result || again.Rate != d.Rate {
			t.Fatalf("%s: %+v, and again %+v", rep.CrashID, d, again)
		}
		counts[d.Result]++
		if want := map[Result]float64{Accept: 0.025, Defer: 0.225, Reject: 0.75}[d.Result]; math.Abs(d.Rate-want) > 1e-12 {
			t.Fatalf("%s has rate %g, want %g", d.Result, d.Rate, want)
		}
		if d.Result == Accept {
			sent += 1 / d.Rate
		}
	}
	for result, share := range map[Result]float64{Accept: 0.025, Defer: 0.225, Reject: 0.75} {
		if sigma := math.Sqrt(n * share * (1 - share)); math.Abs(float64(counts[result])-n*share) > 3.5*sigma {
			t.Errorf("%s: %d of %d, want %g of them", result, counts[result], n, share)
		}
	}
	if sigma := 40 * math.Sqrt(n*0.025*0.975); math.Abs(sent-n) > 3.5*sigma {
		t.Errorf("the weights tell of %g reports, %d were sent", sent, n)
	}
}

func TestSamplesAreDrawnFromTheRandomPartOfTheID(t *testing.T) {
	id := uuid.NewString()
	deferred := id[:29] + "1" + "261122"
	if drawn("a", id) != drawn("a", deferred) {
		t.Error("digit and day change the sample")
	}
	if drawn("a", id) == drawn("b", id) {
		t.Error("two rules draw the same")
	}
	if drawn("a", "short") >= 1 {
		t.Error("a sample beyond 1")
	}
	for percent, want := range map[int]Result{0: Reject, 100: Accept} {
		r := rulesOf(t, fmt.Sprintf("rules: [{name: a, percent: %d, result: accept, else: reject}]", percent))
		for range 1000 {
			rep := of()
			if rep.CrashID = uuid.NewString(); r.Decide(rep).Result != want {
				t.Fatalf("%d %%: %s", percent, r.Decide(rep).Result)
			}
		}
	}
}

func TestRulesThatMakeNoSenseAreRefusedAndNamed(t *testing.T) {
	long := strings.Repeat("x", maxConditionBytes-len(`annotation.A == ""`))
	many := func(n int) string {
		var b strings.Builder
		b.WriteString("rules:\n")
		for i := range n {
			fmt.Fprintf(&b, "- {name: r%d, result: accept}\n", i)
		}
		return b.String()
	}
	for text, want := range map[string]string{
		"":                                   "there are no rules",
		"rules: []":                          "there are no rules",
		"rule: []":                           "field rule not found",
		"rules: [a]":                         "line 1: want a rule",
		"rules: [{name: A, result: accept}]": "rule A: want a name",
		"rules: [{result: accept}]":          "rule without a name: want a name",
		"rules: [{name: a}]":                 `rule a: result "": want`,
		"rules: [{name: a, result: maybe}]":  `result "maybe": want`,
		"rules: [{name: a, result: accept, wen: 'true'}]":                                                             `a rule has no "wen"`,
		"rules: [{name: a, result: accept, else: reject}]":                                                            "there is no percent",
		"rules: [{name: a, result: accept, percent: 10}]":                                                             `else "": want`,
		"rules: [{name: a, result: accept, percent: 101, else: reject}]":                                              "percent 101: want 0 to 100",
		"rules: [{name: a, result: accept, percent: -1, else: reject}]":                                               "percent -1: want 0 to 100",
		"rules: [{name: a, result: accept, percent: .nan, else: reject}]":                                             "percent NaN: want 0 to 100",
		"rules: [{name: a, result: continue}]":                                                                        "is the last one and does not decide",
		"rules: [{name: a, when: 'true', result: accept}]":                                                            "is the last one and does not decide",
		"rules: [{name: a, percent: 5, result: accept, else: continue}]":                                              "is the last one and does not decide",
		"rules:\n- {name: a, result: accept}\n- {name: a, result: accept}":                                            "line 3: rule a stands in line 2 already",
		"rules:\n- {name: a, when: 'annotation.X ==', result: accept}\n- {name: b, result: accept}":                   "line 2: rule a: when: ERROR: 1:16",
		"rules:\n- {name: a, when: 'annotation.X', result: accept}\n- {name: b, result: accept}":                      "it is string, want true or false",
		"rules:\n- {name: a, when: 'anotation.X == 1', result: accept}\n- {name: b, result: accept}":                  "undeclared reference to 'anotation'",
		"rules:\n- {name: a, when: 'has(now)', result: accept}\n- {name: b, result: accept}":                          "has wants a field",
		"rules:\n- {name: a, when: 'dump.size == \"1\"', result: accept}\n- {name: b, result: accept}":                "no matching overload",
		"rules: [{name: a, result: accept}]\n---\nrules: []":                                                          "one YAML document",
		"rules:\n- {name: a, when: 'annotation.A == \"" + long + "\"', result: accept}\n- {name: b, result: accept}":  "",
		"rules:\n- {name: a, when: 'annotation.A == \"" + long + "x\"', result: accept}\n- {name: b, result: accept}": "when: want at most",
		"rules: [{name: " + strings.Repeat("a", 64) + ", result: accept}]":                                            "",
		"rules: [{name: " + strings.Repeat("a", 65) + ", result: accept}]":                                            "want a name",
		"rules: [{name: a, result: accept, why: " + strings.Repeat("a", maxWhyBytes) + "}]":                           "",
		"rules: [{name: a, result: accept, why: " + strings.Repeat("a", maxWhyBytes+1) + "}]":                         "why: want at most",
		many(maxRules):     "",
		many(maxRules + 1): "there are 1001 rules",
		"rules: [{name: a, result: accept}] #" + strings.Repeat("x", MaxBytes-36): "",
		"rules: [{name: a, result: accept}] #" + strings.Repeat("x", MaxBytes-35): "want at most",
	} {
		_, err := Parse([]byte(text))
		if name := text[:min(len(text), 120)]; want == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		} else if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// All that is wrong is told at once.
func TestEveryBadRuleIsNamed(t *testing.T) {
	_, err := Parse([]byte("rules:\n- {name: a, result: x}\n- {name: b, when: '1', result: accept}\n- {name: c, result: accept}"))
	if err == nil || !strings.Contains(err.Error(), "line 2: rule a") || !strings.Contains(err.Error(), "line 3: rule b") {
		t.Error(err)
	}
}

func TestRulesAreKnownByTheirText(t *testing.T) {
	a, b := rulesOf(t, "rules: [{name: a, result: accept}]"), rulesOf(t, "rules: [{name: b, result: accept}]")
	if a.Hash() == b.Hash() || len(a.Hash()) != 64 || len(a.Names()) != 1 {
		t.Error(a.Hash(), b.Hash(), a.Names())
	}
}

func TestAcceptAllIsTheFileThatShips(t *testing.T) {
	for _, r := range []*Rules{AcceptAll(), shipped(t, "accept-all.yaml")} {
		if d := r.Decide(of()); len(r.Names()) != 1 || d.Rule != "accept_everything" || d.Result != Accept || d.Rate != 1 {
			t.Errorf("%d rules, %+v", len(r.Names()), d)
		}
	}
}

func TestMozillasRules(t *testing.T) {
	old := func(days int) string { return noon.AddDate(0, 0, -days).Format("20060102150405") }
	for _, tc := range []struct {
		rule string
		rate float64 // 0 for any
		sent []string
	}{
		{"has_old_buildid", 1, []string{"BuildID", old(731), "ProductName", "Firefox"}},
		{"has_old_buildid", 1, []string{"BuildID", old(730), "ProductName", "Firefox"}}, // its midnight is earlier
		{"accept_everything", 1, []string{"BuildID", old(729), "ProductName", "Firefox"}},
		{"accept_everything", 1, []string{"BuildID", "20151301000000", "ProductName", "Firefox"}},
		{"accept_everything", 1, []string{"BuildID", "2015010100000", "ProductName", "Firefox"}},
		{"has_hangid_and_browser", 1, []string{"HangID", "", "ProductName", "Firefox"}},
		{"has_hangid_and_browser", 1, []string{"HangID", "h", "ProcessType", "browser"}},
		{"is_background", 1, []string{"HangID", "h", "ProcessType", "plugin", "ProductName", "Firefox"}},
		{"infobar_is_true", 1, []string{"ProductName", "Firefox", "SubmittedFromInfobar", "true", "Version", "59.0", "BuildID", "20171225"}},
		{"accept_everything", 1, []string{"ProductName", "Firefox", "SubmittedFromInfobar", "true", "Version", "59.0", "BuildID", "20171226"}},
		{"accept_everything", 1, []string{"ProductName", "Firefox", "SubmittedFromInfobar", "true", "Version", "51.0", "BuildID", "0"}},
		{"accept_everything", 1, []string{"ProductName", "Firefox", "SubmittedFromInfobar", "true", "Version", "520.0", "BuildID", "0"}},
		{"accept_everything", 1, []string{"ProductName", "Firefox", "SubmittedFromInfobar", "true", "Version", "55.0"}},
		{"b2g", 1, []string{"ProductName", "B2g"}},
		{"unsupported_product", 1, nil},
		{"unsupported_product", 1, []string{"ProductName", "firefox"}},
		{"accept_everything", 1, []string{"ProductName", "Firefox Enterprise"}},
		{"unsupported_packagename", 1, []string{"ProductName", "Fenix"}},
		{"unsupported_packagename", 1, []string{"ProductName", "Focus", "Android_PackageName", "org.mozilla.fenix"}},
		{"accept_everything", 1, []string{"ProductName", "Focus", "Android_PackageName", "org.mozilla.klar"}},
		{"accept_everything", 1, []string{"ProductName", "ReferenceBrowser", "Android_PackageName", "org.mozilla.reference.browser"}},
		{"throttleable_0", 1, []string{"ProductName", "Firefox", "Throttleable", "0", "ReleaseChannel", "release"}},
		{"has_comments", 1, []string{"ProductName", "Firefox", "Comments", ""}},
		{"has_phc", 1, []string{"ProductName", "Firefox", "PHCKind", "FreedPage", "ReleaseChannel", "release"}},
		{"is_alpha_beta_esr", 1, []string{"ProductName", "Firefox", "ReleaseChannel", "esr", "TelemetryEnvironment", `[]`}},
		{"is_alpha_beta_esr", 1, []string{"ProductName", "Firefox", "ReleaseChannel", "esr", "TelemetryEnvironment", `{"system":{"os":{"name":"Windows_NT","windowsBuildNumber":9601}}}`}},
		{"is_alpha_beta_esr", 1, []string{"ProductName", "Firefox", "ReleaseChannel", "esr", "TelemetryEnvironment", `{"system":{"os":{"name":"Windows_NT","windowsBuildNumber":"9600"}}}`}},
		{"is_alpha_beta_esr", 1, []string{"ProductName", "Firefox", "ReleaseChannel", "esr", "TelemetryEnvironment", `{"system":{"os":{"name":"Windows_NT","windowsBuildNumber":0}}}`}},
		{"is_nightly", 1, []string{"ProductName", "Firefox", "ReleaseChannel", "nightly-try"}},
		{"is_firefox_desktop", 0, []string{"ProductName", "Firefox", "ReleaseChannel", "release"}},
		{"is_firefox_desktop", 0, []string{"ProductName", "Firefox", "ReleaseChannel", "release", "ProcessType", "content"}},
	} {
		if d := shipped(t, "mozilla.yaml").Decide(of(tc.sent...)); d.Rule != tc.rule || tc.rate != 0 && d.Rate != tc.rate {
			t.Errorf("%q: %+v, want %s", tc.sent, d, tc.rule)
		}
	}
}

// Percentages that Mozilla's rules pass one after the other are multiplied.
func TestMozillasSamples(t *testing.T) {
	r := shipped(t, "mozilla.yaml")
	unsupported := `{"system":{"os":{"name":"Windows_NT","windowsBuildNumber":9600}}}`
	for name, tc := range map[string]struct {
		share float64
		sent  []string
	}{
		"release":           {0.1, []string{"ProductName", "Firefox", "ReleaseChannel", "release"}},
		"shutdown, nightly": {0.1, []string{"ProductName", "Firefox", "ReleaseChannel", "nightly", "ipc_channel_error", "ShutDownKill"}},
		"shutdown, release": {0.01, []string{"ProductName", "Firefox", "ReleaseChannel", "release", "ipc_channel_error", "ShutDownKill"}},
		"old Windows, esr":  {0.25, []string{"ProductName", "Firefox", "ReleaseChannel", "esr", "TelemetryEnvironment", unsupported}},
	} {
		const n = 20_000
		kept := 0
		for range n {
			rep := of(tc.sent...)
			rep.CrashID = uuid.NewString()
			if d := r.Decide(rep); d.Result == Accept {
				if kept++; math.Abs(d.Rate-tc.share) > 1e-12 {
					t.Fatalf("%s: rate %g, want %g", name, d.Rate, tc.share)
				}
			}
		}
		if sigma := math.Sqrt(n * tc.share * (1 - tc.share)); math.Abs(float64(kept)-n*tc.share) > 3.5*sigma {
			t.Errorf("%s: %d of %d kept, want %g of them", name, kept, n, tc.share)
		}
	}
}

// An archive knows which rule let a crash in, and not by which share.
func TestTheShareOfARuleIsKnownByItsName(t *testing.T) {
	mozilla := shipped(t, "mozilla.yaml")
	own := rulesOf(t, `
rules:
- {name: odd, when: json(annotation.X) == 1, result: reject}
- {name: rest_of, when: 'annotation.X == "a"', percent: 75, result: reject, else: continue}
- {name: half, when: 'annotation.X in ["a", "b"]', percent: 40, result: defer, else: accept}
- {name: gone, when: 'annotation.X == "c"', result: reject}
- {name: rest, result: accept}`)
	for _, tc := range []struct {
		rules *Rules
		rule  string
		share float64
		known bool
		sent  []string
	}{
		{mozilla, "is_nightly", 1, true, []string{"ProductName", "Firefox", "ReleaseChannel", "nightly"}},
		{mozilla, "is_nightly", 0.1, true, []string{"ProductName", "Firefox", "ReleaseChannel", "nightly", "ipc_channel_error", "ShutDownKill"}},
		{mozilla, "is_firefox_desktop", 0.1, true, []string{"ProductName", "Firefox", "ReleaseChannel", "release"}},
		{mozilla, "is_firefox_desktop", 0.01, true, []string{"ProductName", "Firefox", "ReleaseChannel", "release", "ipc_channel_error", "ShutDownKill"}},
		{mozilla, "is_nightly", 0, false, []string{"ProductName", "Nope", "ReleaseChannel", "nightly"}}, // another rule decides before
		{mozilla, "no_such_rule", 0, false, []string{"ProductName", "Firefox"}},
		{mozilla, "is_shutdownkill", 0, false, []string{"ProductName", "Firefox", "ReleaseChannel", "nightly", "ipc_channel_error", "ShutDownKill"}}, // it accepts nothing
		{own, "half", 0.25 * 0.6, true, []string{"X", "a"}},
		{own, "half", 0.6, true, []string{"X", "b"}},
		{own, "rest", 0, false, []string{"X", "b"}},
		{own, "rest", 0, false, []string{"X", "c"}},
		{own, "rest", 1, true, []string{"X", "d"}},
	} {
		if share, known := tc.rules.Share(of(tc.sent...), tc.rule); known != tc.known || math.Abs(share-tc.share) > 1e-12 {
			t.Errorf("%s of %q: %g, %v", tc.rule, tc.sent, share, known)
		}
	}
}

func BenchmarkMozillasRules(b *testing.B) {
	r := shipped(b, "mozilla.yaml")
	rep := of("ProductName", "Firefox", "ReleaseChannel", "release", "Version", "150.0", "BuildID", "20261001093000", "ProcessType", "content")
	for i := range 40 {
		rep.Annotations[fmt.Sprint("Annotation", i)] = "some value"
	}
	b.ReportAllocs()
	for b.Loop() {
		r.Decide(rep)
	}
}
