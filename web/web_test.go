package web_test

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"aftershock/ask"
	"aftershock/generate"
	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
	"aftershock/sinks/clickhouse/clickhousetest"
	"aftershock/web"
)

func TestMain(m *testing.M) {
	clickhousetest.Main()
	os.Exit(m.Run())
}

// now is when the tests look: at the end of the generated crashes.
var now = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)

func seen(version int32) schema.Activation {
	return schema.Activation{Epoch: 1, Ranges: []schema.ActiveRange{{From: schema.TimeBegin, To: schema.TimeEnd, SignatureVersion: version}}}
}

// site is a server of pages over tables with these crashes.
func site(t *testing.T, crashes ...*schema.ProcessedCrash) (*httptest.Server, *clickhouse.DB) {
	t.Helper()
	db := clickhousetest.Open(t, clickhousetest.ServeTables(t))
	var rows []sinks.Row
	for i, c := range crashes {
		rows = append(rows, sinks.Row{Processed: c, Position: schema.Position{Topic: schema.ProcessedTopic(c.SignatureVersion), Offset: int64(i)}})
	}
	if err := db.Write(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	if err := db.Activate(t.Context(), seen(1)); err != nil {
		t.Fatal(err)
	}
	return served(t, db, 0), db
}

// served are the pages of a database, which remember what they were told for so long.
func served(t *testing.T, db *clickhouse.DB, remember time.Duration) *httptest.Server {
	t.Helper()
	h, err := web.New(web.Options{DB: db, Remember: remember, Now: func() time.Time { return now }, Log: zerolog.New(zerolog.NewTestWriter(t))})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func generated(t *testing.T, count int) (all []*schema.ProcessedCrash) {
	t.Helper()
	g, err := generate.New(generate.Options{Count: count, Seed: 17, Until: now})
	if err != nil {
		t.Fatal(err)
	}
	for c := range g.All() {
		all = append(all, c)
	}
	return all
}

// get is an answer, whatever its status; redirects are not followed.
func get(t *testing.T, target string) (status int, head http.Header, body string) {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Get(target)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

var href = regexp.MustCompile(`(?:href|action)="([^"]*)"`)

// script is the one that pages have, by the digest that their policy lets them run.
var script = regexp.MustCompile(`<script src="/static/[0-9a-f]{12}\.js" integrity="sha256-[^"]*" defer></script>`)

// Every link of every page leads to a page, as deep as two steps go, and no page takes anything
// from others.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	_, db := site(t, generated(t, 400)...)
	s := served(t, db, time.Hour)
	seen, next := map[string]bool{}, []string{"/", "/top?product=Orchard", "/text?text=render", "/search?date=%3E%3D28d&_facets=os&_aggs.product=stack.function&_histogram.date=product", "/api/", "/nothing"}
	for range 2 {
		var found []string
		for _, at := range next {
			kind := strings.SplitN(at, "?", 2)[0] // one of a kind is enough, and some more
			if seen[at] || seen[kind] && len(seen) > 150 {
				continue
			}
			seen[at], seen[kind] = true, true
			status, head, body := get(t, s.URL+at)
			if status != http.StatusOK && status != http.StatusSeeOther && at != "/nothing" {
				t.Errorf("%s: %d %.300s", at, status, body)
			}
			if at == "/nothing" && (status != http.StatusNotFound || !strings.Contains(body, "no such page")) {
				t.Errorf("%d %s", status, body)
			}
			if policy := head.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
				t.Errorf("%s: %s", at, policy)
			}
			if !strings.HasPrefix(head.Get("Content-Type"), "text/html") {
				continue
			}
			if len(body) > 120<<10 {
				t.Logf("%s has %d bytes", at, len(body))
			}
			for _, m := range href.FindAllStringSubmatch(body, -1) {
				to := html.UnescapeString(m[1])
				if !strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "#") {
					t.Errorf("%s leads to %s", at, to)
				} else if to[0] == '/' {
					found = append(found, to)
				}
			}
			ours := len(script.FindAllString(body, -1))
			if ours > 1 || ours == 0 && status != http.StatusSeeOther || strings.Count(body, "<script") != ours || strings.Contains(body, "style=") || strings.Contains(body, "onclick") {
				t.Errorf("%s runs or styles something by itself", at)
			}
		}
		next = found
	}
	if len(seen) < 40 {
		t.Errorf("%d pages", len(seen))
	}
}

// What a page shows is what the question answers.
func TestPagesShowTheAnswers(t *testing.T) {
	s, db := site(t, generated(t, 400)...)
	q, _ := ask.Find("top-crashers")
	values, err := q.Values(map[string]string{"from": "28d", "limit": "100"}, now)
	if err != nil {
		t.Fatal(err)
	}
	want, err := q.Ask(t.Context(), db, values)
	if err != nil || len(want.Rows) < 10 {
		t.Fatal(err)
	}
	status, _, body := get(t, s.URL+"/top.json?from=28d")
	var twin struct {
		Sections []struct{ Rows []map[string]string }
	}
	if err := json.Unmarshal([]byte(body), &twin); err != nil || status != 200 || len(twin.Sections) != 1 || len(twin.Sections[0].Rows) != len(want.Rows) {
		t.Fatalf("%d %v %.300s", status, err, body)
	}
	_, _, page := get(t, s.URL+"/top?from=28d")
	for i, row := range want.Rows {
		for n, c := range want.Columns {
			if got := twin.Sections[0].Rows[i][c.Name]; got != row[n] {
				t.Errorf("row %d %s: %q, want %q", i, c.Name, got, row[n])
			}
			if !strings.Contains(page, ">"+html.EscapeString(row[n])+"<") && row[n] != "" && !strings.Contains(page, ">"+row[n]+"</span>") {
				t.Errorf("row %d: %q is not on the page", i, row[n])
			}
		}
	}
	_, head, csv := get(t, s.URL+"/top.csv?from=28d")
	if lines := strings.Split(strings.TrimSpace(csv), "\n"); len(lines) != len(want.Rows)+1 || !strings.HasPrefix(head.Get("Content-Type"), "text/csv") {
		t.Errorf("%d lines of CSV", len(lines))
	}
	if _, _, md := get(t, s.URL+"/top.md?from=28d"); !strings.Contains(md, "| signature |") {
		t.Errorf("%.200s", md)
	}
}

// A crash's page has all of its public row, and says what it lacks.
func TestACrashHasAPage(t *testing.T) {
	all := generated(t, 50)
	all[0].Modules[0].Symbols = "found_lossy"
	unseen := *all[1]
	unseen.CrashID, unseen.SignatureVersion = "0bba929f-8721-460c-8e70-a43c90260930", 2
	s, _ := site(t, append(all, &unseen)...)
	c := all[0]
	for _, id := range []string{c.CrashID, "bp-" + c.CrashID, strings.ToUpper(c.CrashID)} {
		status, head, _ := get(t, s.URL+"/find?text="+url.QueryEscape(" "+id+" "))
		if status != http.StatusSeeOther || head.Get("Location") != "/crash/"+c.CrashID {
			t.Errorf("%s: %d %s", id, status, head.Get("Location"))
		}
	}
	status, _, page := get(t, s.URL+"/crash/"+c.CrashID)
	if status != 200 || !strings.Contains(page, html.EscapeString(c.Signature)) {
		t.Fatalf("%d %.500s", status, page)
	}
	if lossy := "The symbols of " + html.EscapeString(c.Modules[0].Filename); !strings.Contains(page, lossy) {
		t.Errorf("no %q on the page", lossy)
	}
	_, _, text := get(t, s.URL+"/crash/"+c.CrashID+".json")
	var row map[string]any
	if err := json.Unmarshal([]byte(text), &row); err != nil || row["signature"] != c.Signature || row["crash_id"] != c.CrashID {
		t.Errorf("%v %.300s", err, text)
	}
	for _, f := range c.Threads[*c.Crash.CrashingThread].Frames {
		if f.Function != "" && !strings.Contains(page, html.EscapeString(f.Function)) {
			t.Errorf("%s is not on the page", f.Function)
		}
	}
	for at, want := range map[string]int{
		"/crash/" + unseen.CrashID: 404, "/crash/0bba929f-8721-460c-8e70-a43c90260931": 404, "/crash/x": 404, "/crash/" + c.CrashID + ".csv": 404, "/crash/" + c.CrashID + ".md": 200,
		"/top?from=yesterday": 400, "/questions/comments": 404, "/questions/x": 404, "/questions/reports": 200, "/top?limit=x": 400,
	} {
		if status, _, body := get(t, s.URL+at); status != want {
			t.Errorf("%s: %d %.400s", at, status, body)
		}
	}
	res, err := http.Post(s.URL+"/top", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("%s", res.Status)
	}
}

// Whatever crashes say is text on every page and in every twin.
func TestHostileTextsStayTexts(t *testing.T) {
	evil := []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `javascript:alert(1)`, "=cmd|' /C calc'!A0", "\u202egnp.exe", "a\x00b\xff", strings.Repeat("Ä", 50_000), "{{.}}", "[x](javascript:alert(1))", "```\n# x"}
	all := generated(t, len(evil))
	for i, text := range evil {
		c := all[i]
		c.Signature = strings.ToValidUTF8(text, "\ufffd")
		thread := &c.Threads[*c.Crash.CrashingThread]
		thread.Frames[0].Function, thread.Frames[0].Module, thread.Frames[0].File = c.Signature, c.Signature, c.Signature
		c.Crash.Reason = c.Signature
	}
	s, _ := site(t, all...)
	at := []string{"/", "/top?from=28d", "/top.md?from=28d", "/top.csv?from=28d"}
	for i := range evil {
		at = append(at, "/crash/"+all[i].CrashID, "/crash/"+all[i].CrashID+".md", "/signature?from=28d&tab=reports&signature="+url.QueryEscape(all[i].Signature), "/text?text="+url.QueryEscape(evil[i]), "/find?text="+url.QueryEscape(evil[i]))
	}
	for _, at := range at {
		if len(at) > 10_000 {
			continue // no server takes such an address
		}
		status, head, body := get(t, s.URL+at)
		if status >= 500 {
			t.Errorf("%.100s: %d", at, status)
		}
		switch kind := head.Get("Content-Type"); {
		case strings.HasPrefix(kind, "text/html"):
			for _, bad := range []string{"<script>alert", "<img src=x", `href="javascript:`, `href="//`} {
				if strings.Contains(body, bad) {
					t.Errorf("%.100s holds %s", at, bad)
				}
			}
		case strings.HasPrefix(kind, "text/csv"):
			if strings.Contains(body, "\n=cmd") || strings.Contains(body, `"=cmd`) {
				t.Errorf("%.100s holds a formula", at)
			}
		}
		if to := head.Get("Location"); to != "" && !strings.HasPrefix(to, "/text?") && !strings.HasPrefix(to, "/crash/") {
			t.Errorf("%.100s leads to %.100s", at, to)
		}
	}
}

// A page says what to do when the tables are away.
func TestTablesThatAreAway(t *testing.T) {
	db, err := clickhouse.Open("http://127.0.0.1:1", schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	h, err := web.New(web.Options{DB: db, Now: time.Now, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"/", "/top", "/crash/0bba929f-8721-460c-8e70-a43c90261122", "/top.csv", "/search", "/search.csv", "/search.parquet", "/search.json"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, at, nil))
		if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "Try again") {
			t.Errorf("%s: %d %s", at, w.Code, fmt.Sprint(w.Body))
		}
	}
}
