package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"aftershock/access"
	"aftershock/ask"
	"aftershock/web"
)

// A raw crash has its protected annotations for who has the role, once it is kept that they see them;
// for everybody else it is the public one.
func TestRawCrashesForWhoHasTheRole(t *testing.T) {
	c := secretive(t)
	_, db := site(t, c)
	h := newHouse(t, db)
	at := "/api/RawCrash/?crash_id=" + c.CrashID
	raw := func(token string) (answer, map[string]any) {
		t.Helper()
		a := h.browser(t).get(at, "Auth-Token", token)
		v := map[string]any{}
		if err := json.Unmarshal([]byte(a.body), &v); err != nil {
			t.Fatalf("%v %+v", err, a)
		}
		return a, v
	}
	with, without := tokenOf(t, h, access.Protected), tokenOf(t, h, access.Dumps)
	h.ledger.told()
	public := h.browser(t).get(at)
	if a, _ := raw(without); public.status != 200 || a.status != 200 || a.body != public.body || len(leaks(public.body)) > 0 || len(h.ledger.told()) > 0 {
		t.Errorf("%+v\n%+v", public, a)
	}
	a, v := raw(with)
	if a.status != 200 || v["Comments"] != "canary-comment" || v["URL"] != "https://canary-url/?x=<b>" || v["ProductName"] == nil || a.head.Get("Cache-Control") != "no-store" || a.head.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%+v", a)
	}
	if told := strings.Join(h.ledger.told(), ", "); told != "protected jane "+c.CrashID {
		t.Error(told)
	}
	h.ledger.set(true)
	if a, _ := raw(with); a.status != http.StatusServiceUnavailable || len(leaks(a.body)) > 0 {
		t.Errorf("without the audit: %+v", a)
	}
}

// Who has the role searches every protected field: it finds the crash that has a value and no other,
// and it is kept, by the names of the fields, before an answer leaves.
func TestProtectedFieldsAreSearched(t *testing.T) {
	c := secretive(t)
	all := generated(t, 60)
	kept := all[:0]
	for _, other := range all {
		if other.CrashID != c.CrashID {
			kept = append(kept, other)
		}
	}
	_, db := site(t, append(kept, c)...)
	h := newHouse(t, db)
	jane, joe := h.browser(t).login("jane"), h.browser(t).login("joe")
	h.ledger.told()
	q := url.Values{"comments": {"=canary-comment"}, "date": {">=3650d"}, "_columns": {"crash_id", "comments", "url", "product"}, "_facets": {"url", "product"}, "_sort": {"-url"}}.Encode()
	for _, at := range []string{"/search", "/search.json", "/search.csv", "/search.md", "/search.parquet", "/api/SuperSearch/"} {
		a := jane.get(at + "?" + q)
		if a.status != 200 || !strings.Contains(a.body, c.CrashID) || len(leaks(a.body)) < 2 || a.head.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %q %s %.300s", at, a.status, leaks(a.body), a.head, a.body)
		}
		if told := strings.Join(h.ledger.told(), "; "); told != "question jane search: url, comments" && told != "question jane search: comments, url" {
			t.Errorf("%s: %q", at, told)
		}
		if a := joe.get(at + "?" + q); a.status != http.StatusBadRequest || strings.Contains(a.body, c.CrashID) {
			t.Errorf("%s as joe: %+v", at, a)
		}
		h.ledger.set(true)
		if a := jane.get(at + "?" + q); a.status != http.StatusServiceUnavailable || strings.Contains(a.body, c.CrashID) {
			t.Errorf("%s without the audit: %d %.300s", at, a.status, a.body)
		}
		h.ledger.set(false)
	}
	var protected []ask.Field
	for _, f := range ask.Protected().Fields() {
		if f.Protected {
			protected = append(protected, f)
		}
	}
	if len(protected) < 50 {
		t.Errorf("%d fields", len(protected))
	}
	found := func(q url.Values) (total, hits int) {
		t.Helper()
		q.Set("date", ">=3650d")
		a := jane.get("/api/SuperSearch/?" + q.Encode())
		var v struct {
			Total int
			Hits  []map[string]any
		}
		if err := json.Unmarshal([]byte(a.body), &v); err != nil || a.status != 200 {
			t.Errorf("%v: %d %v %.500s", q, a.status, err, a.body)
		}
		return v.Total, len(v.Hits)
	}
	for some := range slices.Chunk(protected, 12) { // shown, counted and sorted by
		q := url.Values{"_columns": {"crash_id"}}
		for _, f := range some {
			q["_columns"], q["_facets"] = append(q["_columns"], f.Name), append(q["_facets"], f.Name)
			if !f.List && len(q["_sort"]) < 4 {
				q["_sort"] = append(q["_sort"], "-"+f.Name)
			}
		}
		if total, hits := found(q); total != len(kept)+1 || hits != total {
			t.Errorf("%v: %d and %d", q, total, hits)
		}
	}
	for _, f := range protected { // filtered by
		have, _ := found(url.Values{f.Name: {"!__null__"}, "_facets": {""}, "_results_number": {"0"}})
		none, _ := found(url.Values{f.Name: {"__null__"}, "_facets": {""}, "_results_number": {"0"}})
		if have+none != len(kept)+1 {
			t.Errorf("%s: %d have a value, %d have none, of %d", f.Name, have, none, len(kept)+1)
		}
	}
	var fields map[string]struct {
		Needed []string `json:"permissions_needed"`
	}
	if a := jane.get("/api/SuperSearchFields/"); json.Unmarshal([]byte(a.body), &fields) != nil || len(fields["comments"].Needed) != 1 || fields["comments"].Needed[0] != "protected" || len(fields["product"].Needed) != 0 {
		t.Errorf("%.500s", a.body)
	}
	if a := joe.get("/api/SuperSearchFields/"); strings.Contains(a.body, `"comments"`) {
		t.Error("joe sees that there is a field comments to search")
	}
}

// What could not be processed is told, each once, the newest first, page by page, and whether it is
// there now.
func TestMissingProcessedCrashes(t *testing.T) {
	all := generated(t, 5)
	_, db := site(t, all...)
	id := func(i int) string { return fmt.Sprintf("0bba929f-8721-460c-8e70-%06d260930", i) }
	for _, count := range []int{0, 999, 1000, 1001} {
		looked := 0
		h, err := web.New(web.Options{DB: db, Now: func() time.Time { return now }, Log: zerolog.Nop(), Failures: func(context.Context, int) (out []web.Failure, err error) {
			looked++
			for i := range count {
				out = append(out, web.Failure{CrashID: id(i), At: now.Add(-time.Duration(i) * time.Second)})
			}
			if count > 0 {
				out[0].CrashID = all[0].CrashID
				out = append(out, web.Failure{CrashID: all[0].CrashID, At: now.Add(-time.Hour)}, web.Failure{CrashID: "x'--", At: now})
			}
			return out, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		type page struct {
			Results []struct {
				CrashID   string `json:"crash_id"`
				Processed bool   `json:"is_processed"`
				Created   time.Time
			}
			Count          int
			Next, Previous *string
		}
		asked := func(query string) (p page) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/MissingProcessedCrash/"+query, nil))
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 200 || p.Results == nil {
				t.Fatalf("%d %v %s", w.Code, err, w.Body)
			}
			return p
		}
		first := asked("")
		if first.Count != count || len(first.Results) != min(count, 1000) || (first.Next != nil) != (count > 1000) || first.Previous != nil {
			t.Errorf("%d: %d of %d, next %v", count, len(first.Results), first.Count, first.Next)
		}
		if count > 1 && (first.Results[0].CrashID != all[0].CrashID || !first.Results[0].Processed || first.Results[1].Processed || first.Results[1].Created.After(first.Results[0].Created)) {
			t.Errorf("%+v", first.Results[:2])
		}
		second := asked("?page=2")
		if len(second.Results) != max(count-1000, 0) || second.Next != nil || *second.Previous != "/api/MissingProcessedCrash/?page=1" {
			t.Errorf("%d: %+v", count, second)
		}
		if far := asked("?page=999999999"); len(far.Results) != 0 || far.Next != nil || looked != 1 {
			t.Errorf("%d: %+v, looked %d times", count, far, looked)
		}
	}
	h, err := web.New(web.Options{DB: db, Now: func() time.Time { return now }, Log: zerolog.Nop(), Failures: func(context.Context, int) ([]web.Failure, error) { return nil, errors.New("away") }})
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]int{"": 503, "?page=0": 400, "?page=x": 400} {
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/MissingProcessedCrash/"+at, nil)); w.Code != want {
			t.Errorf("%s: %d, want %d", at, w.Code, want)
		}
	}
}
