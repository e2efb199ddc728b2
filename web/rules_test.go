package web_test

import (
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/access"
	"aftershock/replay"
	"aftershock/schema"
	"aftershock/signature"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse/clickhousetest"
	"aftershock/stream/streamtest"
	"aftershock/web"
)

// rulesSite is a server of pages that know the versions: 1, which is seen, and 2. The crashes
// have been processed by version 1. Whoever sends the header Role has that role.
func rulesSite(t *testing.T, tryRules bool, crashes ...*schema.ProcessedCrash) *httptest.Server {
	t.Helper()
	rules := func(prefixes string) (*signature.Ruleset, []schema.RulesetFile) {
		r, err := signature.FromFiles(map[string]string{"prefix_signature_re.txt": prefixes})
		if err != nil {
			t.Fatal(err)
		}
		return r, []schema.RulesetFile{{Name: "prefix_signature_re.txt", Text: prefixes}}
	}
	one, oneFiles := rules("abort\n")
	two, twoFiles := rules("abort\nhelper\n")
	k, _ := streamtest.Broker(t, 1, schema.TopicVersions, schema.TopicRulesets, schema.ProcessedTopic(1), schema.ProcessedTopic(2), schema.TopicRaw, schema.TopicReprocess, schema.TopicSymbols)
	event, err := schema.Encode(&schema.VersionEvent{
		At:         now,
		Versions:   []schema.SignatureVersion{{Number: 1, State: schema.StateLive, RulesetHash: one.Hash(), Ruleset: oneFiles, ProcessVersion: 2, Source: schema.SourceRaw}, {Number: 2, State: schema.StateLive, RulesetHash: two.Hash(), Ruleset: twoFiles, ProcessVersion: 2, Source: schema.SourceRaw}},
		Activation: seen(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	records := []*kgo.Record{{Topic: schema.TopicVersions, Value: event}}
	var rows []sinks.Row
	for i, c := range crashes {
		if c.Signature == "" {
			c.Signature = one.Generate(signature.FromProcessed(c)).Signature
		}
		value, err := schema.Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, &kgo.Record{Topic: schema.ProcessedTopic(1), Key: []byte(c.CrashID), Value: value})
		next := *c
		next.SignatureVersion, next.Signature = 2, two.Generate(signature.FromProcessed(c)).Signature
		at := schema.Position{Topic: schema.ProcessedTopic(1), Offset: int64(i)}
		rows = append(rows, sinks.Row{Processed: c, Position: at}, sinks.Row{Processed: &next, Position: schema.Position{Topic: schema.ProcessedTopic(2), Offset: int64(i)}})
	}
	streamtest.Put(t, k, records...)
	db := clickhousetest.Open(t, clickhousetest.ServeTables(t))
	if err := db.Write(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	if err := db.Activate(t.Context(), seen(1)); err != nil {
		t.Fatal(err)
	}
	h, err := web.New(web.Options{
		DB: db, Now: func() time.Time { return now }, Log: zerolog.New(zerolog.NewTestWriter(t)), TryRules: tryRules,
		Why:      &replay.Explainer{Kafka: k, Versions: streamtest.Following(t, k)},
		Operator: &replay.Operator{Kafka: k, DB: db, Now: func() time.Time { return now }, Log: zerolog.Nop()},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if role := r.Header.Get("Role"); role != "" {
			r = r.WithContext(access.With(r.Context(), &access.Viewer{Name: "jane", Roles: []access.Role{access.Role(role)}}))
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// stacked is a processed crash with a stack.
func stacked(t *testing.T, functions ...string) *schema.ProcessedCrash {
	t.Helper()
	c := generated(t, 1)[0]
	c.CrashID = schema.NewCrashID(now.Add(-time.Hour), 0)
	c.ReceivedAt = now.Add(-time.Hour)
	thread := &c.Threads[*c.Crash.CrashingThread]
	thread.Frames = nil
	for _, f := range functions {
		thread.Frames = append(thread.Frames, schema.Frame{Module: "app", Function: f})
	}
	c.Crash.Reason, c.System.OS, c.Signature = "SIGSEGV", "Linux", "" // rulesSite signs it
	return c
}

// post sends a form as somebody with a role, and is the answer.
func post(t *testing.T, target, role string, form url.Values) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if role != "" {
		req.Header.Set("Role", role)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// A crash's page says why, by the rules of the row's own version, and where another's part.
func TestACrashSaysWhy(t *testing.T) {
	c := stacked(t, "abort", "helper", "f")
	s := rulesSite(t, true, c)
	_, _, page := get(t, s.URL+"/crash/"+c.CrashID+"?under=2")
	for _, want := range []string{
		"taken, and on: a prefix", "prefix_signature_re.txt:1: abort", "taken, the last", "Under version 2 it would be <b>abort | helper | f</b>", "They part at step 2",
		"prefix_signature_re.txt:2: helper", "version 2</a>", html.EscapeString("/rules/try?file=irrelevant_signature_re.txt&line=helper"),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q on the page", want)
		}
	}
	if strings.Count(page, "this page") != 1 {
		t.Error("not one version is the page's")
	}
}

// A row that the rules of its version do not give is never explained by something else.
func TestWhyNeverContradictsTheRow(t *testing.T) {
	c := stacked(t, "abort", "helper")
	c.Signature = "of another build"
	s := rulesSite(t, true, c)
	_, _, page := get(t, s.URL+"/crash/"+c.CrashID)
	if strings.Contains(page, "taken, the last") || !strings.Contains(page, "which is not what the row has") {
		t.Errorf("%s", page)
	}
}

// Rules that somebody edits are tried on the crashes, and only shown.
func TestRulesAreTried(t *testing.T) {
	s := rulesSite(t, false, stacked(t, "abort", "helper", "f"), stacked(t, "abort", "helper", "g"), stacked(t, "abort", "helper", "g"), stacked(t, "f"))
	form := url.Values{"version": {"1"}, "file:prefix_signature_re.txt": {"abort\r\nhelper\r\n"}, "do": {"try"}}
	status, page := post(t, s.URL+"/rules/try", "rules", form)
	for _, want := range []string{"3 of 4 sampled crashes", "75 % (30 to 95)", "abort | helper | f", "new: <code>prefix_signature_re.txt:2: helper</code>", "crashes move: 3 of 4", "&#43;helper"} {
		if status != 200 || !strings.Contains(page, want) {
			t.Errorf("%d: no %q in %.3000s", status, want, page)
		}
	}
	if strings.Contains(page, "Start as a version") {
		t.Error("who may try may start")
	}
	form.Set("do", "patch")
	if status, text := post(t, s.URL+"/rules/try", "rules", form); status != 200 || text != "--- a/prefix_signature_re.txt\n+++ b/prefix_signature_re.txt\n@@ -1 +1,2 @@\n abort\n+helper\n" {
		t.Errorf("%d %q", status, text)
	}
	form.Set("file:prefix_signature_re.txt", "helper")
	if status, text := post(t, s.URL+"/rules/try", "rules", form); status != 200 || text != "--- a/prefix_signature_re.txt\n+++ b/prefix_signature_re.txt\n@@ -1 +1 @@\n-abort\n+helper\n\\ No newline at end of file\n" {
		t.Errorf("%d %q", status, text)
	}
	form.Set("do", "try")
	form.Set("file:prefix_signature_re.txt", "abort\n(")
	if status, page := post(t, s.URL+"/rules/try", "rules", form); status != http.StatusUnprocessableEntity || !strings.Contains(page, "prefix_signature_re.txt:2: ") || !strings.Contains(page, "abort\n(</textarea>") {
		t.Errorf("%d %.2000s", status, page)
	}
	form.Set("file:other.txt", "x")
	if status, _ := post(t, s.URL+"/rules/try", "rules", form); status != http.StatusUnprocessableEntity {
		t.Errorf("a file that no ruleset has: %d", status)
	}
}

// Nobody does what their roles do not let them, and no page of somebody else does it for them.
func TestWhoMayWhatWithRules(t *testing.T) {
	s := rulesSite(t, false, stacked(t, "abort", "f"))
	try := url.Values{"version": {"1"}, "do": {"try"}}
	start := url.Values{"version": {"1"}, "do": {"start"}, "file:prefix_signature_re.txt": {"f\n"}}
	flip := url.Values{"epoch": {"1"}}
	for _, tc := range []struct {
		at    string
		form  url.Values
		role  string
		wants int
	}{
		{"/rules/try", try, "", 403},
		{"/rules/try", try, "protected", 403},
		{"/rules/try", try, "operator", 403},
		{"/rules/try", try, "rules", 200},
		{"/rules/try", start, "", 403},
		{"/rules/try", start, "rules", 403},
		{"/replay/2/promote", flip, "", 403},
		{"/replay/2/promote", flip, "rules", 403},
		{"/replay/1/rollback", flip, "dumps", 403},
		{"/replay/2/promote", url.Values{"epoch": {"7"}}, "operator", 409},
		{"/replay/2/promote", url.Values{}, "operator", 400},
		{"/replay/x/promote", flip, "operator", 400},
	} {
		if status, page := post(t, s.URL+tc.at, tc.role, tc.form); status != tc.wants {
			t.Errorf("%s %v as %q: %d, want %d: %.600s", tc.at, tc.form, tc.role, status, tc.wants, page)
		}
	}
	req, err := http.NewRequest(http.MethodPost, s.URL+"/rules/try", strings.NewReader(try.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Role", "rules")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("another site's page: %s", res.Status)
	}
	if status, _, _ := get(t, s.URL+"/rules/try"); status != http.StatusForbidden {
		t.Errorf("the editor: %d", status)
	}
}

// What two versions make of the crashes is on the page of the one that is not seen.
func TestVersionsHavePages(t *testing.T) {
	s := rulesSite(t, true, stacked(t, "abort", "helper", "f"), stacked(t, "abort", "helper", "f"), stacked(t, "g"))
	_, _, page := get(t, s.URL+"/replay/2")
	for _, want := range []string{"<dd>2, 66.7 %</dd>", "abort | helper | f", "<svg viewBox", `<path class="band"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in %s", want, page)
		}
	}
	if strings.Contains(page, "<button>Promote") {
		t.Error("the public may promote")
	}
	for at, want := range map[string]int{"/replay": 200, "/replay/1": 200, "/replay/9": 404, "/replay/x": 404, "/rules": 200, "/rules?version=2": 200, "/rules?version=9": 404, "/rules?version=x": 400, "/rules/try?file=prefix_signature_re.txt&line=g": 200, "/rules/try?file=x&line=g": 400, "/rules/try?file=prefix_signature_re.txt&line=" + strings.Repeat("x", 4<<10): 200, "/rules/try?file=prefix_signature_re.txt&line=" + strings.Repeat("x", 4<<10+1): 400} {
		if status, _, page := get(t, s.URL+at); status != want {
			t.Errorf("%.60s: %d, want %d: %.600s", at, status, want, page)
		}
	}
}

// One trial runs at a time, and others are told so.
func TestOneTrialAtATime(t *testing.T) {
	s := rulesSite(t, true, stacked(t, "abort", "f"))
	body, feed := io.Pipe()
	held := make(chan error, 1)
	go func() {
		req, err := http.NewRequest(http.MethodPost, s.URL+"/rules/try", body)
		if err == nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			var res *http.Response
			if res, err = http.DefaultClient.Do(req); err == nil {
				_, err = io.Copy(io.Discard, res.Body) // to the end of the trial
				res.Body.Close()
			}
		}
		held <- err
	}()
	if _, err := feed.Write([]byte("version=1&do=")); err != nil {
		t.Fatal(err)
	}
	try := url.Values{"version": {"1"}, "do": {"try"}}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if status, page := post(t, s.URL+"/rules/try", "", try); status == http.StatusServiceUnavailable && strings.Contains(page, "Somebody tries rules") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a second trial runs")
		}
	}
	feed.Close()
	if err := <-held; err != nil {
		t.Error(err)
	}
	if status, _ := post(t, s.URL+"/rules/try", "", try); status != http.StatusOK {
		t.Errorf("%d", status)
	}
}
