package bugs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aftershock/bugs"
	"aftershock/sinks/clickhouse"
)

func say(w io.Writer, text string) { io.WriteString(w, text) } //nolint:errcheck,gosec // its client may be gone

// bugzilla answers as one does: bugs that somebody may not see are not in the answer of a search by
// ids, and fields that were not asked for neither.
func bugzilla(t *testing.T, asked *[]int) string {
	t.Helper()
	known := map[string][3]string{"1": {"NEW", "", "It crashes"}, "2": {"RESOLVED", "FIXED", "Crash in [@ a | b]"}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/bz/rest/bug" || r.Method != http.MethodGet || r.URL.Query().Get("include_fields") != "id,status,resolution,summary" {
			http.Error(w, `{"error":true,"code":32000,"message":"none"}`, http.StatusNotFound)
			return
		}
		ids := strings.Split(r.URL.Query().Get("id"), ",")
		*asked = append(*asked, len(ids))
		found := []map[string]any{}
		for _, id := range ids {
			if b, ok := known[id]; ok {
				number, _ := strconv.Atoi(id)
				found = append(found, map[string]any{"id": number, "status": b[0], "resolution": b[1], "summary": b[2]})
			}
		}
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		text, _ := json.Marshal(map[string]any{"bugs": found, "faults": []any{}})
		say(w, string(text))
	}))
	t.Cleanup(s.Close)
	return s.URL + "/bz/"
}

// github answers as the API does, and takes so many requests before it refuses more.
func github(t *testing.T, takes int) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		if takes--; takes < 0 {
			w.Header().Set("X-RateLimit-Remaining", "0")
			w.WriteHeader(http.StatusForbidden)
			say(w, `{"message":"API rate limit exceeded","documentation_url":"https://docs.github.com/"}`)
			return
		}
		if r.Header.Get("Accept") != "application/vnd.github+json" || r.Header.Get("User-Agent") == "" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		switch r.URL.Path {
		case "/repos/orchard/app/issues/7":
			say(w, `{"number":7,"title":"Crash on start","state":"open","state_reason":null,"html_url":"https://github.test/orchard/app/issues/7","user":{"login":"x"}}`)
		case "/repos/orchard/app/issues/8":
			say(w, `{"number":8,"title":"Crash at exit","state":"closed","state_reason":"not_planned","html_url":"https://github.test/orchard/app/issues/8"}`)
		case "/repos/orchard/app/issues/9":
			w.WriteHeader(http.StatusGone)
			say(w, `{"message":"This issue was deleted"}`)
		default:
			w.WriteHeader(http.StatusNotFound)
			say(w, `{"message":"Not Found"}`)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/repos/orchard/app"
}

// table is one in memory.
type table struct {
	bugs  []clickhouse.Bug
	loads int
}

func (t *table) Bugs(context.Context) ([]clickhouse.Bug, error) { return t.bugs, nil }

func (t *table) LoadBugs(_ context.Context, all []clickhouse.Bug, _ bool, _ time.Time) (int, error) {
	t.loads++
	for _, b := range all {
		i := slices.IndexFunc(t.bugs, func(old clickhouse.Bug) bool { return old.Signature == b.Signature && old.Bug == b.Bug })
		t.bugs[i] = b
	}
	return 0, nil
}

// How bugs stand comes from their trackers, and from no other; what they do not tell of stays.
func TestBugsAreFollowed(t *testing.T) {
	var asked []int
	bz, err := bugs.NewBugzilla(bugzilla(t, &asked))
	if err != nil {
		t.Fatal(err)
	}
	gh, err := bugs.NewGitHub(github(t, 100), "")
	if err != nil {
		t.Fatal(err)
	}
	tb := &table{bugs: []clickhouse.Bug{
		{Signature: "a", Bug: "1", State: "open"},
		{Signature: "b", Bug: "1", State: "NEW", Summary: "It crashes", URL: "https://own.test/1"},
		{Signature: "a", Bug: "2"},
		{Signature: "a", Bug: "3", State: "secret", Summary: "stays"},
		{Signature: "a", Bug: "orchard/app#7"},
		{Signature: "a", Bug: "orchard/app#8"},
		{Signature: "a", Bug: "orchard/app#9", State: "stays"},
		{Signature: "a", Bug: "orchard/other#7", State: "stays"},
		{Signature: "a", Bug: "../../x#1", State: "stays"},
	}}
	want := slices.Clone(tb.bugs)
	want[0].State, want[0].Summary, want[0].URL = "NEW", "It crashes", strings.TrimSuffix(bzURL(bz), "/")+"/show_bug.cgi?id=1"
	want[2].State, want[2].Summary, want[2].URL = "RESOLVED FIXED", "Crash in [@ a | b]", strings.TrimSuffix(bzURL(bz), "/")+"/show_bug.cgi?id=2"
	want[4].State, want[4].Summary, want[4].URL = "open", "Crash on start", "https://github.test/orchard/app/issues/7"
	want[5].State, want[5].Summary, want[5].URL = "closed not_planned", "Crash at exit", "https://github.test/orchard/app/issues/8"
	told, changed, err := bugs.Follow(t.Context(), tb, []bugs.Tracker{bz, gh}, time.Now())
	if err != nil || told != 4 || changed != 4 {
		t.Errorf("%d told, %d changed, %v", told, changed, err)
	}
	if d := cmp.Diff(want, tb.bugs); d != "" {
		t.Error(d)
	}
	if told, changed, err := bugs.Follow(t.Context(), tb, []bugs.Tracker{bz, gh}, time.Now()); err != nil || told != 4 || changed != 0 || tb.loads != 1 {
		t.Errorf("again: %d told, %d changed, %d loads, %v", told, changed, tb.loads, err)
	}
}

// bzURL is the address that a Bugzilla tells its bugs by.
func bzURL(b *bugs.Bugzilla) string {
	all, _ := b.States(context.Background(), []string{"1"})
	at, _, _ := strings.Cut(all[0].URL, "/show_bug")
	return at
}

// A Bugzilla is asked for a hundred bugs at once, and not for one more.
func TestBugzillaIsAskedForManyAtOnce(t *testing.T) {
	var asked []int
	bz, err := bugs.NewBugzilla(bugzilla(t, &asked))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i := range 201 {
		ids = append(ids, fmt.Sprint(i+1))
	}
	if all, err := bz.States(t.Context(), ids); err != nil || len(all) != 2 || !slices.Equal(asked, []int{100, 100, 1}) {
		t.Errorf("%v: %v, %v", asked, all, err)
	}
}

// What was told before a tracker refuses is kept, and the refusal is told.
func TestWhatWasToldBeforeARefusalIsKept(t *testing.T) {
	gh, err := bugs.NewGitHub(github(t, 1), "")
	if err != nil {
		t.Fatal(err)
	}
	tb := &table{bugs: []clickhouse.Bug{{Signature: "a", Bug: "orchard/app#7"}, {Signature: "a", Bug: "orchard/app#8"}}}
	told, changed, err := bugs.Follow(t.Context(), tb, []bugs.Tracker{gh}, time.Now())
	if err == nil || !strings.Contains(err.Error(), "403") || !strings.Contains(err.Error(), "after 1 of 2") || told != 1 || changed != 1 || tb.bugs[0].State != "open" {
		t.Errorf("%d %d %v %v", told, changed, err, tb.bugs)
	}
}

// A tracker that says something else, or too much, changes nothing.
func TestTrackersThatAreNone(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter){
		"html":     func(w http.ResponseWriter) { say(w, "<html>") },
		"away":     func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
		"too much": func(w http.ResponseWriter) { say(w, `{"bugs":[],"x":"`+strings.Repeat("x", 8<<20)+`"}`) },
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
		bz, err := bugs.NewBugzilla(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		tb := &table{bugs: []clickhouse.Bug{{Signature: "a", Bug: "1", State: "stays"}}}
		if _, _, err := bugs.Follow(t.Context(), tb, []bugs.Tracker{bz}, time.Now()); err == nil || tb.loads != 0 {
			t.Errorf("%s: %v, %d loads", name, err, tb.loads)
		}
		s.Close()
	}
	for address, want := range map[string]bool{"https://bugs.test": true, "http://bugs.test": false, "https://me@bugs.test": false, "https://bugs.test/?x=1": false, "file:///etc/passwd": false, "": false} {
		if _, err := bugs.NewBugzilla(address); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
	for address, want := range map[string]bool{"https://api.github.com/repos/a/b": true, "https://git.test/api/v3/repos/a/b/": true, "https://api.github.com/repos/a": false, "https://api.github.com/repos/a/b/issues": false, "http://api.github.com/repos/a/b": false} {
		if _, err := bugs.NewGitHub(address, ""); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
	gh, _ := bugs.NewGitHub("https://api.github.com/repos/a/b", "")
	bz, _ := bugs.NewBugzilla("https://bugs.test")
	for bug, want := range map[string][2]bool{"1": {true, false}, "999999999": {true, false}, "1000000000": {false, false}, "01": {false, false}, "a/b#1": {false, true}, "a/b#x": {false, false}, "a/b#1/../../c": {false, false}, "1,2": {false, false}, "": {false, false}} {
		if bz.Has(bug) != want[0] || gh.Has(bug) != want[1] {
			t.Errorf("%q: %v %v", bug, bz.Has(bug), gh.Has(bug))
		}
	}
	if _, _, err := bugs.Follow(t.Context(), &broken{}, nil, time.Now()); err == nil {
		t.Error("a table that is away")
	}
}

type broken struct{ table }

func (*broken) Bugs(context.Context) ([]clickhouse.Bug, error) { return nil, errors.New("away") }
