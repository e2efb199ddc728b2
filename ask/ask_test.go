package ask_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aftershock/ask"
	"aftershock/generate"
	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
	"aftershock/sinks/clickhouse/clickhousetest"
)

func TestMain(m *testing.M) {
	clickhousetest.Main()
	os.Exit(m.Run())
}

// now is when the tests ask: at the end of the generated crashes.
var now = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)

// crashes are what the tables hold.
func crashes(t testing.TB, count int) *generate.Crashes {
	t.Helper()
	c, err := generate.New(generate.Options{Count: count, Seed: 15})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// row is the sink's row of a crash.
func row(c *schema.ProcessedCrash, offset int64) sinks.Row {
	return sinks.Row{Processed: c, Position: schema.Position{Topic: schema.ProcessedTopic(c.SignatureVersion), Offset: offset}}
}

// fill stores generated crashes, and makes their version seen.
func fill(t testing.TB, db *clickhouse.DB, all *generate.Crashes) {
	t.Helper()
	var rows []sinks.Row
	for c := range all.All() {
		if rows = append(rows, row(c, int64(len(rows)))); len(rows) == 2000 {
			if err := db.Write(t.Context(), rows); err != nil {
				t.Fatal(err)
			}
			rows = rows[:0]
		}
	}
	if err := db.Write(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	see(t, db, 1, 1)
}

// see makes a version the one that is seen.
func see(t testing.TB, db *clickhouse.DB, epoch int64, version int32) {
	t.Helper()
	if err := db.Activate(t.Context(), schema.Activation{Epoch: epoch, Ranges: []schema.ActiveRange{{From: schema.TimeBegin, To: schema.TimeEnd, SignatureVersion: version}}}); err != nil {
		t.Fatal(err)
	}
}

// given are parameters that find something among the generated crashes.
func given(all *generate.Crashes) map[string]map[string]string {
	signatures, builds, functions, modules, missing, frames := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	for c := range all.All() {
		signatures[c.Signature]++
		for _, a := range c.Annotations {
			if a.Name == "BuildID" {
				builds[a.Value]++
			}
		}
		if i := c.Crash.CrashingThread; i != nil {
			for _, f := range c.Threads[*i].Frames {
				functions[f.Function]++
				frames[f.Module+"!"+f.Function]++
			}
		}
		for _, m := range c.Facts.ModulesInStack {
			modules[m]++
		}
		for _, m := range c.Facts.MissingSymbols {
			missing[m]++
		}
	}
	delete(functions, "")
	most := func(of map[string]int) []string {
		return slices.SortedFunc(maps.Keys(of), func(a, b string) int {
			if of[a] != of[b] {
				return of[b] - of[a]
			}
			return strings.Compare(a, b)
		})
	}
	top, b := most(signatures)[0], most(builds)[:2]
	slices.Sort(b)
	s := func(more ...string) map[string]string {
		out := map[string]string{"signature": top}
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	return map[string]map[string]string{
		"top-by-build": {"build_from": b[0], "build_to": b[1]}, "signature-platforms": s(), "uptime": s(), "days": s("by", "os"), "first-seen": {"since": "20d"}, "reports": s("limit", "7"), "facet": {"by": "os_pretty_version"},
		"search": {"text": most(functions)[0][:6]}, "function": {"function": most(functions)[0]}, "any-thread": {"frame": most(frames)[0]}, "module": {"module": most(modules)[0]}, "missing-symbols-crashes": {"module": most(missing)[0]}, "correlations": s("least", "2"), "builds": s(), "comments": s(),
		"version-moves": {"old": "1", "new": "2"}, "crash-free-sessions": {"product": "Orchard"}, "regressions": {"old": b[0], "new": b[1], "least": "2"}, "hardware-clusters": s("least", "1"), "first-bad-build": s(), "spikes": {"deviations": "2"}, "states": {"back_days": "2", "back_least": "1", "rising_least": "2", "rising_times": "1.5"},
		"bad-hardware": {"least": "2"}, "freshness": {"since": "2d"},
	}
}

// tables are a server with everything that questions ask of, and the parameters that find
// something there.
func tables(t *testing.T, count int) (db, public *clickhouse.DB, parameters map[string]map[string]string) {
	t.Helper()
	url, analysts := clickhousetest.ServeAnalysts(t)
	db = clickhousetest.Open(t, url)
	all := crashes(t, count)
	fill(t, db, all)
	var moved []sinks.Row
	for i := range 500 {
		moved = append(moved, row(all.InVersion(i, 2), int64(i)))
	}
	if err := db.Write(t.Context(), moved); err != nil {
		t.Fatal(err)
	}
	parameters = given(all)
	if _, err := db.LoadBugs(t.Context(), []clickhouse.Bug{{Signature: parameters["builds"]["signature"], Bug: "1", Summary: "It crashes.", State: "open"}}, true, now); err != nil {
		t.Fatal(err)
	}
	if err := db.Conn().Exec(t.Context(), "INSERT INTO aftershock.sessions (day, product, version, channel, os, sessions, users) SELECT DISTINCT day, product, version, '', '', 100000, 1000 FROM aftershock.crash_rows"); err != nil {
		t.Fatal(err)
	}
	public, err := clickhouse.Open(analysts, schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = public.Close() }) // the server ends with it
	return db, public, parameters
}

// Every question is answered at the address for analysts, but for those that say they need a
// grant; and every one of them has rows among crashes that are as in the field.
func TestQuestionsAreAnswered(t *testing.T) {
	db, public, parameters := tables(t, 6000)
	for _, q := range ask.Queries() {
		values, err := q.Values(parameters[q.Name], now)
		if err != nil {
			t.Errorf("%s: %v", q.Name, err)
			continue
		}
		a, err := q.Ask(t.Context(), public, values)
		if q.Protected {
			if err == nil {
				t.Errorf("%s: analysts read what is protected", q.Name)
			}
			a, err = q.Ask(t.Context(), db, values)
		}
		if err != nil {
			t.Errorf("%s: %v", q.Name, err)
			continue
		}
		if len(a.Rows) == 0 {
			t.Errorf("%s: no rows", q.Name)
			continue
		}
		for _, name := range []string{q.Chart.Label, q.Chart.Value} {
			if name != "" && !slices.ContainsFunc(a.Columns, func(c ask.Column) bool { return c.Name == name }) {
				t.Errorf("%s: its chart has no column %s", q.Name, name)
			}
		}
		if testing.Verbose() {
			var out strings.Builder
			a.Rows = a.Rows[:min(len(a.Rows), 5)]
			if err := a.WriteTable(&out, q, 40); err != nil {
				t.Error(err)
			}
			fmt.Println(q.Name + "\n" + out.String())
		}
	}
}

// Times are UTC at a server that stands elsewhere: the question says so itself.
func TestTimesAreUTCAtEveryServer(t *testing.T) {
	url, analysts := clickhousetest.ServeAnalysts(t)
	db := clickhousetest.Open(t, url)
	for _, from := range []*clickhouse.DB{db, clickhousetest.Open(t, analysts)} {
		a, err := ask.Query{SQL: "SELECT getSetting('session_timezone') AS zone"}.Ask(t.Context(), from, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([][]string{{"UTC"}}, a.Rows); d != "" {
			t.Error(d)
		}
	}
}

// A field that crashes cannot be parted by is an error, and not another field.
func TestAnUnknownFieldIsRefused(t *testing.T) {
	url, analysts := clickhousetest.ServeAnalysts(t)
	fill(t, clickhousetest.Open(t, url), crashes(t, 100))
	public := clickhousetest.Open(t, analysts)
	for _, name := range []string{"facet", "days"} {
		for by, known := range map[string]bool{"os": true, "address": false} {
			q, _ := ask.Find(name)
			values, err := q.Values(map[string]string{"by": by}, now)
			if err != nil {
				t.Fatal(err)
			}
			_, err = q.Ask(t.Context(), public, values)
			if known && err != nil || !known && (err == nil || !strings.Contains(err.Error(), "by: want one of version")) {
				t.Errorf("%s by %s: %v", name, by, err)
			}
		}
	}
}

// docs/queries.md is made of the files, with what some generated crashes answer: run with
// -update after a change. What they answer is not compared.
func TestQuestionsAreDocumented(t *testing.T) {
	const path = "../docs/queries.md"
	var db *clickhouse.DB
	var parameters map[string]map[string]string
	if *update {
		db, _, parameters = tables(t, 20_000)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, `# Questions

Made by %[1]smake generate%[1]s from %[1]sask/queries%[1]s. Each is one statement with parameters, for every client:

    aftershock query list
    aftershock query top-crashers --param product=Orchard --param from=14d          # a table; --format csv, json or markdown
    aftershock query top-crashers --param product=Orchard --sql | clickhouse-client --multiquery

They ask %[1]sup%[1]s's address for analysts (127.0.0.1:8124), or the ClickHouse of %[1]s--clickhouse-url%[1]s. A time is a date in UTC, a time of RFC 3339, %[1]snow%[1]s, or how long ago it was
(%[1]s36h%[1]s, %[1]s7d%[1]s). All see the signature version that is active. *crashes* counts what was kept; *estimated* weighs each crash with 1 / throttle_rate, and so says how many there
were. Ranks and shares go by what was kept: where the door takes a sample of one kind of crashes alone, they compare only within that kind. The answers below are of generated crashes (%[1]saftershock generate crashes%[1]s).

Bugs come in with %[1]saftershock bugs import FILE|URL%[1]s (CSV with the columns signature, bug, url, summary, state); numbers of sessions by INSERT into %[1]saftershock.sessions%[1]s
(day, product, version, channel, os, sessions, users), as often as they are counted anew.
`, "`")
	for _, q := range ask.Queries() {
		fmt.Fprintf(&out, "\n## %d. %s\n\n%s\n\n", q.Number, q.Name, q.Doc)
		fmt.Fprintf(&out, "| parameter | type | default | is |\n| --- | --- | --- | --- |\n")
		for _, p := range q.Params {
			fallback := "`" + p.Default + "`"
			switch {
			case p.Required:
				fallback = "must be given"
			case p.Default == "":
				fallback = ""
			}
			fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", p.Name, p.Type, fallback, p.Doc)
		}
		fmt.Fprintf(&out, "\n```sql\n%s\n```\n", q.SQL)
		if !*update {
			continue
		}
		values, err := q.Values(parameters[q.Name], now)
		if err != nil {
			t.Fatal(err)
		}
		a, err := q.Ask(t.Context(), db, values)
		if err != nil {
			t.Fatal(err)
		}
		a.Rows = a.Rows[:min(len(a.Rows), 6)]
		out.WriteString("\n```text\n")
		if err := a.WriteTable(&out, q, 36); err != nil {
			t.Fatal(err)
		}
		out.WriteString("```\n")
	}
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	plain := regexp.MustCompile("(?s)\n```text\n.*?```\n").ReplaceAll(have, nil)
	if d := cmp.Diff(string(plain), out.String()); d != "" {
		t.Errorf("docs/queries.md is not of today: run make generate\n%s", d)
	}
}

var update = flag.Bool("update", false, "write docs/queries.md")
