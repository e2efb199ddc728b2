package web_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"aftershock/access"
)

var shortLinks = regexp.MustCompile(`href="(/s/[0-9a-f]+)"`)

// keepAs saves a page as somebody, and returns the short link of it.
func (b *browser) keepAs(at string) string {
	b.t.Helper()
	a := b.post("/me/keep", url.Values{"path": {at}, "do": {"link"}})
	m := shortLinks.FindStringSubmatch(a.body)
	if a.status != http.StatusOK || m == nil {
		b.t.Fatalf("%s: %d %.2000s", at, a.status, a.body)
	}
	return m[1]
}

// A page is saved by its viewer, for themselves; a short link to it is for everybody, until they
// remove it.
func TestAPageIsKept(t *testing.T) {
	_, db := site(t, generated(t, 50)...)
	h := newHouse(t, db)
	joe, jane, public := h.browser(t).login("joe"), h.browser(t).login("jane"), h.browser(t)
	const at = "/search?os=%3DLinux&_facets=version"
	page := joe.get(at)
	if !strings.Contains(page.body, `name="path" value="`+html.EscapeString(at)+`"`) || strings.Contains(public.get(at).body, "Keep this page") {
		t.Errorf("%d: who may keep a page: %.300s", page.status, page.body)
	}
	if a := joe.post("/me/keep", url.Values{"path": {at}, "name": {" mine <b> "}, "do": {"search"}}); a.status != http.StatusSeeOther {
		t.Fatalf("%+v", a)
	}
	link := joe.keepAs(at)
	if again := joe.keepAs(at); again != link {
		t.Errorf("%s, and then %s", link, again)
	}
	if me := joe.get("/me").body; !strings.Contains(me, `<a href="`+html.EscapeString(at)+`">mine &lt;b&gt;</a>`) || !strings.Contains(me, link) {
		t.Errorf("%.4000s", me)
	}
	if me := jane.get("/me").body; strings.Contains(me, "mine") || strings.Contains(me, link) {
		t.Error("jane sees what joe has saved")
	}
	if a := public.get(link); a.status != http.StatusSeeOther || a.head.Get("Location") != at {
		t.Errorf("%+v", a)
	}
	id := strings.TrimPrefix(link, "/s/")
	if a := jane.post("/me/saved/remove", url.Values{"id": {id}}); a.status != http.StatusNotFound {
		t.Errorf("jane removes joe's: %d", a.status)
	}
	if a := public.post("/me/saved/remove", url.Values{"id": {id}}); a.status != http.StatusSeeOther || a.head.Get("Location") != "/login?next=/me" {
		t.Errorf("anybody removes it: %+v", a)
	}
	if a := joe.post("/me/saved/remove", url.Values{"id": {id}}); a.status != http.StatusSeeOther {
		t.Errorf("%+v", a)
	}
	if a := public.get(link); a.status != http.StatusNotFound {
		t.Errorf("%+v", a)
	}
}

// A short link leads to a page of ours, whatever somebody says, and writes into the file.
func TestShortLinksLeadToNobodyElse(t *testing.T) {
	h := newHouse(t, away(t))
	joe := h.browser(t).login("joe")
	link := joe.keepAs("/top")
	for _, at := range []string{
		"", "top", "https://evil.test/", "//evil.test/", "/\\evil.test", "/%5cevil.test/../..", "/\t/evil.test", "javascript:alert(1)", "/top\r\nLocation: https://evil.test", "/login?next=/top", "/logout", "/me", "/me/tokens", "/audit", link, "/nothing", "/crash/../top",
		"/search?x=" + strings.Repeat("a", access.MaxSavedPath),
	} {
		for _, do := range []string{"link", "search"} {
			if a := joe.post("/me/keep", url.Values{"path": {at}, "name": {"x"}, "do": {do}}); a.status != http.StatusBadRequest {
				t.Errorf("%.60q as %s: %d", at, do, a.status)
			}
		}
	}
	for _, at := range []string{"//evil.test/", "/\\evil.test", "/login?next=/top", "/nothing"} {
		s, err := h.keep.Save(access.Saved{Owner: "x", Kind: access.SavedLink, Path: at})
		if err != nil {
			t.Fatal(err)
		}
		if a := joe.get("/s/" + s.ID); a.status != http.StatusNotFound || a.head.Get("Location") != "" {
			t.Errorf("%s: %+v", at, a)
		}
	}
	token := jane(t, h)
	if a := h.browser(t).post("/me/keep", url.Values{"path": {"/top"}, "do": {"link"}}, "Auth-Token", token); a.status != http.StatusForbidden {
		t.Errorf("a token saves: %d", a.status)
	}
	if a := joe.post("/me/keep", url.Values{"path": {"/top"}, "do": {"link"}}, "Sec-Fetch-Site", "cross-site"); a.status != http.StatusForbidden {
		t.Errorf("a page of somebody else saves: %d", a.status)
	}
}

// jane is a token of hers.
func jane(t *testing.T, h *house) string {
	t.Helper()
	a := h.browser(t).login("jane").post("/me/tokens", url.Values{"note": {"x"}, "days": {"1"}})
	m := regexp.MustCompile(`aftershock_[0-9a-f]+`).FindString(a.body)
	if m == "" {
		t.Fatalf("%+v", a)
	}
	return m
}

// Rankings leave a list out, and say how much, for everybody who has its id.
func TestRankingsLeaveAListOut(t *testing.T) {
	all := generated(t, 600)
	_, db := site(t, all...)
	h := newHouse(t, db)
	joe, public := h.browser(t).login("joe"), h.browser(t)
	counts := map[string]int{}
	for _, c := range all {
		counts[c.Signature]++
	}
	type rows struct {
		Sections []struct {
			Question string
			Rows     []map[string]string
		}
	}
	ask := func(b *browser, at string) (r rows) {
		t.Helper()
		if a := b.get(at); a.status != 200 || json.Unmarshal([]byte(a.body), &r) != nil {
			t.Fatalf("%s: %d %.500s", at, a.status, a.body)
		}
		return r
	}
	whole := ask(public, "/top.json?from=90d")
	first, second := whole.Sections[0].Rows[0]["signature"], whole.Sections[0].Rows[1]["signature"]
	if a := joe.post("/me/lists", url.Values{"name": {"known"}, "signatures": {first + "\r\nnowhere\r\n\r\n"}}); a.status != http.StatusSeeOther {
		t.Fatalf("%+v", a)
	}
	if a := joe.post("/me/lists/add", url.Values{"name": {"known"}, "signature": {second}}); a.status != http.StatusSeeOther {
		t.Fatalf("%+v", a)
	}
	m := regexp.MustCompile(`/top\?without=([0-9a-f]+)`).FindStringSubmatch(joe.get("/me").body)
	if m == nil {
		t.Fatal("no list at /me")
	}
	says := fmt.Sprintf("%d crashes of 2 signatures are left out: those of the list known.", counts[first]+counts[second])
	for _, tab := range []string{"", "installs", "startup", "rising"} {
		at := "?" + url.Values{"from": {"90d"}, "without": {m[1]}, "tab": {tab}}.Encode()
		for _, b := range []*browser{joe, public} {
			got := ask(b, "/top.json"+at)
			if len(got.Sections) != 2 || got.Sections[1].Question != "left-out" || got.Sections[1].Rows[0]["crashes"] != fmt.Sprint(counts[first]+counts[second]) || got.Sections[1].Rows[0]["signatures"] != "2" {
				t.Errorf("%s: %v", tab, got.Sections)
			}
			total := 0.0
			for _, row := range got.Sections[0].Rows {
				if row["signature"] == first || row["signature"] == second || strings.Contains(row["signatures"], first) {
					t.Errorf("%s: it is there: %v", tab, row)
				}
				var share float64
				if _, err := fmt.Sscan(row["percent"], &share); err != nil && tab == "" {
					t.Error(err)
				}
				total += share
			}
			if tab == "" && (total < 99 || total > 101) {
				t.Errorf("shares are %v %% together", total)
			}
			if page := b.get("/top" + at).body; !strings.Contains(page, says) || !strings.Contains(page, `<option value="`+m[1]+`" selected>known</option>`) {
				t.Errorf("%s: no %q in %.3000s", tab, says, page)
			}
		}
	}
	morning := public.get("/?new_least=1&from=90d&without=" + m[1])
	if morning.status != 200 || strings.Contains(morning.body, ">"+html.EscapeString(first)+"</a>") || !strings.Contains(morning.body, says) || !strings.Contains(morning.body, "without="+m[1]) {
		t.Errorf("%d %.3000s", morning.status, morning.body)
	}
	if a := public.get("/signature?without=" + m[1] + "&signature=" + url.QueryEscape(first)); a.status != 200 || !strings.Contains(a.body, "without="+m[1]) {
		t.Errorf("the list does not go along: %d", a.status)
	}
	if a := joe.get("/signature?signature=" + url.QueryEscape(first)); !strings.Contains(a.body, `action="/me/lists/add"`) || !strings.Contains(a.body, `<option value="known">`) {
		t.Errorf("%.3000s", a.body)
	}
	for _, at := range []string{"/top?without=000000000000", "/?without=" + strings.Repeat("a", 5000), "/top.json?without='", "/questions/top-crashers?without=x"} {
		if a := public.get(at); a.status != http.StatusBadRequest {
			t.Errorf("%.40s: %d", at, a.status)
		}
	}
}

// What is protected does not come out by what is saved: a short link to a search of a protected field
// is refused as that of one that there is not, whoever wants it, and one in the file leads nowhere. What
// somebody saved for themselves tells them what they may see.
func TestLinksToProtectedFieldsTellNothing(t *testing.T) {
	_, db := site(t, secretive(t))
	h := newHouse(t, db)
	jane, joe := h.browser(t).login("jane"), h.browser(t).login("joe")
	for _, place := range []string{"/search?%s=~canary", "/search?_facets=%s", "/search?_columns=%s", "/search?_sort=%s", "/search.json?%s=~canary", "/search.csv?%s=~canary", "/search.parquet?_columns=%s", "/search?_field=%s&_operator=~&_value=canary"} {
		for _, b := range []*browser{jane, joe} {
			refused := func(field string) answer {
				a := b.post("/me/keep", url.Values{"path": {fmt.Sprintf(place, field)}, "do": {"link"}})
				a.body = strings.ReplaceAll(a.body, field, "FIELD")
				return a
			}
			secret, none := refused("comments"), refused("nothingness")
			if secret.status != http.StatusBadRequest || none.status != secret.status || none.body != secret.body {
				t.Errorf("%s: %d and %d:\n%.2000s\n%.2000s", place, secret.status, none.status, secret.body, none.body)
			}
		}
		s, err := h.keep.Save(access.Saved{Owner: "x", Kind: access.SavedLink, Path: fmt.Sprintf(place, "comments")})
		if err != nil {
			t.Fatal(err)
		}
		if a := jane.get("/s/" + s.ID); a.status != http.StatusNotFound {
			t.Errorf("%s: %+v", place, a)
		}
	}
	const at = "/search?comments=~canary&_columns=crash_id,comments"
	if page := jane.get(at); page.status != 200 || strings.Contains(page.body, "Short link") || !strings.Contains(page.body, "Keep this page") {
		t.Errorf("%d %.2000s", page.status, page.body)
	}
	for _, b := range []*browser{jane, joe} {
		if a := b.post("/me/keep", url.Values{"path": {at}, "name": {"mine"}, "do": {"search"}}); a.status != http.StatusSeeOther {
			t.Fatalf("%+v", a)
		}
	}
	if a := joe.get(at); a.status != http.StatusBadRequest || len(leaks(a.body)) > 0 && !strings.Contains(at, "canary") {
		t.Errorf("%+v", a)
	}
}
