package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"aftershock/minidump"
	"aftershock/processor"
	"aftershock/processor/pingstack/pingtest"
	"aftershock/schema"
	"aftershock/symbolcache"
)

// pingOf is the ping of a dump, as a client sends it that has a walker.
func pingOf(t *testing.T, path string, s pingtest.Spelling, members map[string]any) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := symbolcache.New(symbolcache.Options{Dir: t.TempDir(), Sources: []symbolcache.Source{symbolcache.Dir(sampleSymbols)}})
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	stack, err := pingtest.Stack(data, func(m *minidump.Module) symbolcache.Lookup { return cache.Get(t.Context(), processor.SymbolKey(m)) }, s)
	if err != nil {
		t.Fatal(err)
	}
	ping := map[string]any{"document_id": uuid.NewString(), "os": "Linux", "channel": "release", "stack_traces": json.RawMessage(stack)}
	maps.Copy(ping, members)
	text, err := json.Marshal(ping)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// ping sends one and returns its crash id.
func (u *upProcess) ping(body []byte) string {
	u.t.Helper()
	res, err := testClient.Post("http://"+u.collector+"/ping", "application/json", bytes.NewReader(body))
	if err != nil {
		u.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	id, ok := strings.CutPrefix(strings.TrimSpace(string(answer)), "CrashID=bp-")
	if err != nil || !ok || res.StatusCode != http.StatusOK {
		u.t.Fatalf("%d %q, %v", res.StatusCode, answer, err)
	}
	return id
}

// column waits until a view has that many rows, and returns a column of them by crash id.
func (u *upProcess) column(view, column string, want int) map[string]string {
	u.t.Helper()
	var out map[string]string
	eventually(u.t, 2*time.Minute, func() error {
		text, err := u.query("SELECT crash_id, " + column + " FROM " + view + " FORMAT TSVRaw")
		if err != nil {
			return err
		}
		out = map[string]string{}
		for line := range strings.Lines(text) {
			id, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			out[id] = value
		}
		if rows := strings.Count(text, "\n"); rows != want || len(out) != want {
			return fmt.Errorf("%d rows of %d crashes in %s, want %d", rows, len(out), view, want)
		}
		return nil
	})
	return out
}

// queryOfDocs is the first SQL of a page.
func queryOfDocs(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	sql := regexp.MustCompile(`(?s)\n    SELECT .*?\n\n`).FindString(string(text))
	if sql == "" {
		t.Fatalf("%s has no query", page)
	}
	return sql
}

// Pings go through the same processor and rules as reports, and are never counted with
// them: the same crash has the same signature in both.
func TestPingsBesideReports(t *testing.T) {
	t.Parallel()
	u := startUp(t, "--symbols", sampleSymbols)
	spellings := []pingtest.Spelling{pingtest.Desktop, pingtest.Android, pingtest.Legacy}
	dumps := samples(t)
	ofPing := map[string]string{} // crash id of a ping → of its report
	var reports []string
	for i, dump := range dumps {
		report := u.submit("--annotation", "ReleaseChannel=release", dump)[0]
		reports = append(reports, report)
		for n := range 1 + i%2 {
			body := pingOf(t, dump, spellings[(i+n)%len(spellings)], map[string]any{"secret": "canary-ping", "client_id": "canary-client", "moz_crash_reason": "canary-reason", "crash_type": "canary-type"})
			id := u.ping(body)
			if again := u.ping(body); again != id {
				t.Errorf("sent again it is %s, and not %s", again, id)
			}
			ofPing[id] = report
		}
	}
	signatures := u.column("crashes", "signature", len(reports))
	pings := u.column("pings", "signature", len(ofPing))
	for id, report := range ofPing {
		if pings[id] != signatures[report] || pings[id] == "" {
			t.Errorf("the ping %s has the signature %q, its report %q", id, pings[id], signatures[report])
		}
	}
	for table, want := range map[string]int{"aftershock.crash_rows": len(reports), "aftershock_protected.crash_rows": len(reports), "aftershock.ping_rows": len(ofPing), "aftershock_protected.ping_rows": len(ofPing), "aftershock_protected.pings": len(ofPing)} {
		u.column(table, "day", want)
	}
	kinds := map[string]int{}
	eventually(t, time.Minute, func() error {
		published := u.telemetry()
		clear(kinds)
		for id, c := range published {
			kinds[c.Kind]++
			if (c.Kind == schema.KindPing) != (ofPing[id] != "") {
				t.Errorf("%s is published as %s", id, c.Kind)
			}
		}
		if kinds[schema.KindPing] != len(ofPing) || kinds[schema.KindReport] != len(reports) {
			return fmt.Errorf("published are %v, want %d reports and %d pings", kinds, len(reports), len(ofPing))
		}
		return nil
	})
	for place, text := range u.publicPlaces(nil) {
		if i := strings.Index(text, "canary"); i >= 0 {
			t.Errorf("%s holds %.40q", place, text[i:])
		}
	}

	// What the documentation asks.
	text, err := u.query(strings.NewReplacer("{from:DateTime64(3, 'UTC')}", "now() - INTERVAL 1 DAY", "{to:DateTime64(3, 'UTC')}", "now() + INTERVAL 1 DAY", "{channel:String}", "'release'").Replace(queryOfDocs(t, "pings.md")) + " FORMAT TSVRaw")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][2]int{}
	for _, signature := range pings {
		n := want[signature]
		want[signature] = [2]int{n[0], n[1] + 1}
	}
	for _, signature := range signatures {
		n := want[signature]
		want[signature] = [2]int{n[0] + 1, n[1]}
	}
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if n := want[f[0]]; len(f) != 5 || f[1] != fmt.Sprint(n[0]) || f[2] != fmt.Sprint(n[1]) || f[3] != f[1] || f[4] != f[2] {
			t.Errorf("the query says %q, want %v", f, n)
		}
		delete(want, f[0])
	}
	if len(want) > 0 {
		t.Errorf("the query does not name %v", want)
	}

	// A replay makes pings anew, too, and each of them is asked for as a crash is.
	u.mustReplay("start", "--ruleset", "default")
	u.caughtUp(2)
	u.mustReplay("promote", "2")
	versions := u.column("pings", "signature_version", len(ofPing))
	if n := slices.Sorted(maps.Values(versions)); n[0] != "2" {
		t.Errorf("pings are seen in versions %v", n)
	}
	var id string
	for id = range ofPing {
		break
	}
	if out, errs, code := u.verb("reprocess", id, "--brokers", u.kafka); code != 0 {
		t.Fatalf("reprocess: %s%s", out, errs)
	}
	eventually(t, time.Minute, func() error {
		if got := u.column("pings", "revision", len(ofPing))[id]; got == "0" {
			return fmt.Errorf("revision %s", got)
		}
		return nil
	})
	if out, errs, code := u.verb("get", id, "--brokers", u.kafka); code != 0 || !regexp.MustCompile(`(?m)^kind +ping$`).MatchString(out) {
		t.Errorf("get: %d %s%s", code, out, errs)
	}
	u.column("crashes", "signature", len(reports))
	u.whole()
}
