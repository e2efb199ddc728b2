package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"aftershock/schema"
)

// canaries are what of the crash is protected.
var canaries = []string{"canary-url", "canary-comment", "canary-thread", "canary-path", "0xcafecanary", "canary-crashpad", "canary-assertion"}

// secretive is a crash with something in each kind of protected field.
func secretive(t *testing.T) *schema.ProcessedCrash {
	t.Helper()
	c := generated(t, 1)[0]
	c.Annotations = slices.DeleteFunc(c.Annotations, func(a schema.Annotation) bool { return a.Name == "URL" || a.Name == "Comments" })
	c.Annotations = append(c.Annotations, schema.Annotation{Name: "URL", Value: "https://canary-url/?x=<b>"}, schema.Annotation{Name: "Comments", Value: "canary-comment"})
	slices.SortFunc(c.Annotations, func(a, b schema.Annotation) int { return strings.Compare(a.Name, b.Name) })
	address, assertion := "0xcafecanary", "canary-assertion"
	c.Crash.Address = &address
	if c.ProtectedFacts == nil {
		c.ProtectedFacts = &schema.ProtectedFacts{}
	}
	c.ProtectedFacts.Assertion = &assertion
	c.Threads[0].Name = "canary-thread"
	c.Modules[0].Path = "/home/canary-path/x.so"
	c.CrashpadAnnotations = append(c.CrashpadAnnotations, schema.CrashpadAnnotation{Module: "x", Name: "y", Value: "canary-crashpad"})
	return c
}

func leaks(body string) (found []string) {
	for _, canary := range append(canaries, "canary-memory") {
		if strings.Contains(body, canary) {
			found = append(found, canary)
		}
	}
	return found
}

// Every page of what is protected, as whoever asks for it.
func TestWhatIsProtectedIsForWhoHasTheRole(t *testing.T) {
	c := secretive(t)
	_, db := site(t, c)
	h := newHouse(t, db)
	crash := "/crash/" + c.CrashID
	comments := "/questions/comments"
	asked := "?from=3650d&signature=" + url.QueryEscape(c.Signature)
	public, joe, jane := h.browser(t), h.browser(t).login("joe"), h.browser(t).login("jane")
	h.ledger.told()
	for _, tc := range []struct {
		at                string
		public, joe, jane int
		shows             []string
		told              string
	}{
		{crash, 200, 200, 200, nil, ""},
		{crash + ".json", 200, 200, 200, nil, ""},
		{crash + "/protected", 303, 403, 200, canaries, "protected jane " + c.CrashID},
		{crash + "/protected.json", 303, 403, 200, canaries, "protected jane " + c.CrashID},
		{crash + "/dump", 303, 403, 200, []string{"canary-memory"}, "dump jane " + c.CrashID},
		{crash + "/dump?name=upload_file_minidump", 303, 403, 200, []string{"canary-memory"}, "dump jane " + c.CrashID},
		{crash + "/dump?name=other", 303, 403, 404, nil, ""},
		{crash + "/dump?name=..%2f..%2fkey", 303, 403, 404, nil, ""},
		{"/audit", 303, 403, 200, nil, "audit jane"},
		{comments, 404, 404, 200, nil, ""},
		{comments + asked, 404, 404, 200, []string{"canary-comment", "canary-url"}, "question jane comments"},
		{comments + ".json" + asked, 404, 404, 200, []string{"canary-comment", "canary-url"}, "question jane comments"},
		{comments + ".csv" + asked, 404, 404, 200, []string{"canary-comment", "canary-url"}, "question jane comments"},
		{comments + ".md" + asked, 404, 404, 200, []string{"canary-comment", "canary-url"}, "question jane comments"},
		{crash + "/../protected", 301, 301, 301, nil, ""},
		{crash + "%2fprotected", 404, 404, 404, nil, ""},
		{crash + "/protected/", 404, 404, 404, nil, ""},
		{crash + "/protected.md", 404, 404, 404, nil, ""},
		{crash + "%00/protected", 404, 404, 404, nil, ""},
		{"/crash/x/protected", 404, 404, 404, nil, ""},
		{"/crash/../crash/" + c.CrashID + "/protected", 301, 301, 301, nil, ""},
		{"/crash/%2e%2e/protected", 404, 404, 404, nil, ""},
		{"//crash/" + c.CrashID + "/protected", 301, 301, 301, nil, ""},
		{"/crash/" + strings.ToUpper(c.CrashID) + "/protected", 303, 403, 200, canaries, "protected jane " + c.CrashID},
		{"/crash/0bba929f-8721-460c-8e70-a43c90260930/protected", 303, 403, 404, nil, ""},
	} {
		for who, b := range map[string]*browser{"public": public, "joe": joe, "jane": jane} {
			want := map[string]int{"public": tc.public, "joe": tc.joe, "jane": tc.jane}[who]
			a := b.get(tc.at)
			told := h.ledger.told()
			if a.status == http.StatusTemporaryRedirect { // either is fine
				a.status = http.StatusMovedPermanently
			}
			if a.status != want {
				t.Errorf("%s as %s: %d, want %d: %.300s", tc.at, who, a.status, want, a.body)
				continue
			}
			var shows []string
			if who == "jane" {
				shows = tc.shows
			}
			for _, canary := range leaks(a.body) {
				if !slices.Contains(shows, canary) {
					t.Errorf("%s as %s shows %s", tc.at, who, canary)
				}
			}
			for _, canary := range shows {
				if !strings.Contains(a.body, canary) {
					t.Errorf("%s as %s does not show %s", tc.at, who, canary)
				}
			}
			wantTold := ""
			switch {
			case who == "jane":
				wantTold = tc.told
			case want == http.StatusForbidden:
				about, _, _ := strings.Cut(strings.TrimPrefix(tc.at, "/crash/"), "/") // nothing of /audit
				wantTold = strings.TrimSpace("denied joe " + strings.ToLower(about))
			}
			if got := strings.Join(told, ", "); got != wantTold {
				t.Errorf("%s as %s: told %q, want %q", tc.at, who, got, wantTold)
			}
			if cache := a.head.Get("Cache-Control"); (len(shows) > 0 || tc.at == "/audit") && cache != "no-store" {
				t.Errorf("%s as %s: %s", tc.at, who, cache)
			}
			switch {
			case want == http.StatusForbidden && !strings.Contains(a.body, "needs the role"):
				t.Errorf("%s: %s", tc.at, a.body)
			case want == http.StatusSeeOther && a.head.Get("Location") != "/login?next="+url.QueryEscape(tc.at):
				t.Errorf("%s leads to %s", tc.at, a.head.Get("Location"))
			}
		}
		if a := public.get(tc.at, "Accept", "*/*"); tc.public == http.StatusSeeOther && a.status != http.StatusUnauthorized {
			t.Errorf("%s as a script: %d", tc.at, a.status)
		}
	}
	if a := jane.get("/questions"); !strings.Contains(a.body, "/questions/comments") {
		t.Error("jane does not see what she may ask")
	}
	if a := joe.get("/questions"); strings.Contains(a.body, "/questions/comments") {
		t.Error("joe sees what he may not ask")
	}
	if a := jane.get(crash); !strings.Contains(a.body, crash+"/protected") || !strings.Contains(a.body, crash+"/dump") {
		t.Error("nothing leads jane to what she may see")
	}
	if a := joe.get(crash); strings.Contains(a.body, crash+"/protected") {
		t.Error("joe is led to what he may not see")
	}
	var row map[string]any
	if err := json.Unmarshal([]byte(jane.get(crash+"/protected.json").body), &row); err != nil || row["address"] != "0xcafecanary" {
		t.Errorf("%v %v", err, row["address"])
	}
}

// Where it cannot be kept who sees something, nothing is shown.
func TestNothingIsShownThatCannotBeKept(t *testing.T) {
	c := secretive(t)
	_, db := site(t, c)
	h := newHouse(t, db)
	jane, joe := h.browser(t).login("jane"), h.browser(t).login("joe")
	if a := jane.get("/crash/" + c.CrashID + "/protected"); a.status != http.StatusOK || len(leaks(a.body)) != len(canaries) {
		t.Fatalf("%d %v", a.status, leaks(a.body))
	}
	h.ledger.set(true)
	asked := "?from=3650d&signature=" + url.QueryEscape(c.Signature)
	for _, at := range []string{
		"/crash/" + c.CrashID + "/protected", "/crash/" + c.CrashID + "/protected.json", "/crash/" + c.CrashID + "/dump", "/audit",
		"/questions/comments" + asked, "/questions/comments.json" + asked, "/questions/comments.csv" + asked, "/questions/comments.md" + asked,
	} {
		a := jane.get(at)
		if found := leaks(a.body); a.status != http.StatusServiceUnavailable || found != nil || strings.Contains(a.body, ">login<") {
			t.Errorf("%s: %d shows %v", at, a.status, found)
		}
		if !strings.HasPrefix(at, "/questions") {
			if a := joe.get(at); a.status != http.StatusServiceUnavailable {
				t.Errorf("%s as joe: %d", at, a.status)
			}
		}
	}
	if a := jane.get("/crash/" + c.CrashID); a.status != http.StatusOK {
		t.Errorf("what is public is not shown: %d", a.status)
	}
}

// The audit shows who saw what, by whom and of what.
func TestTheAuditIsShown(t *testing.T) {
	c := secretive(t)
	_, db := site(t, c)
	h := newHouse(t, db)
	jane, joe := h.browser(t).login("jane"), h.browser(t).login("joe")
	jane.get("/crash/" + c.CrashID + "/protected")
	joe.get("/crash/" + c.CrashID + "/dump")
	rows := func(at string) int { return strings.Count(jane.get(at).body, "<tr>") - 1 }
	if got := rows("/audit"); got != 4 {
		t.Errorf("%d events", got)
	}
	if got := rows("/audit?who=joe"); got != 2 {
		t.Errorf("%d events of joe", got)
	}
	if got := rows("/audit?subject=" + c.CrashID); got != 2 {
		t.Errorf("%d events of the crash", got)
	}
	if a := jane.get("/audit?who=nobody"); !strings.Contains(a.body, "Nothing like that") || a.status != http.StatusOK {
		t.Errorf("%+v", a)
	}
	if found := leaks(jane.get("/audit").body); found != nil {
		t.Errorf("the audit holds %v", found)
	}
}
