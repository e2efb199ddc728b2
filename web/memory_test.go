package web_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"aftershock/access"
	"aftershock/sinks/clickhouse"
	"aftershock/web"
)

// A page is made of answers to another look at it, until somebody reloads it, asks as a program or
// the answers are old; who asks some seconds later asks the same.
func TestReloadsSeeWhatThereIs(t *testing.T) {
	_, db := site(t, generated(t, 5)...)
	var later atomic.Int64
	h, err := web.New(web.Options{DB: db, Remember: time.Minute, Now: func() time.Time { return now.Add(time.Second + time.Duration(later.Load())) }, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	load := func(bug string) {
		t.Helper()
		if _, err := db.LoadBugs(t.Context(), []clickhouse.Bug{{Signature: "s", Bug: bug, Summary: "it is about s"}}, true, now); err != nil {
			t.Fatal(err)
		}
	}
	// bug is the one that the signature's page has.
	bug := func(at, head string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+at, nil)
		if err != nil {
			t.Fatal(err)
		}
		if head != "" {
			r.Header.Set("Cache-Control", head)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v", at, res.StatusCode, err)
		}
		for _, one := range []string{"first-bug", "second-bug", "third-bug"} {
			if strings.Contains(string(text), one) {
				return one
			}
		}
		return ""
	}
	const page = "/signature?signature=s"
	load("first-bug")
	if got := bug(page, ""); got != "first-bug" {
		t.Fatalf("%q", got)
	}
	load("second-bug")
	later.Store(int64(30 * time.Second))
	for _, c := range []struct{ name, at, head, want string }{
		{"again", page, "", "first-bug"},
		{"its twin", "/signature.json?signature=s", "", "first-bug"},
		{"a program", "/api/Bugs/?signatures=s", "", "second-bug"},
		{"again, after a program", page, "", "first-bug"},
		{"reloaded", page, "max-age=0", "second-bug"},
		{"after somebody reloaded", page, "", "second-bug"},
	} {
		if got := bug(c.at, c.head); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	load("third-bug")
	if got := bug(page, "no-cache"); got != "third-bug" {
		t.Errorf("past all caches: %q", got)
	}
	load("first-bug")
	later.Store(int64(2 * time.Minute))
	if got := bug(page, ""); got != "first-bug" {
		t.Errorf("old: %q", got)
	}
}

// A promotion that another process made is seen a second later.
func TestAPromotionIsSeenWithinASecond(t *testing.T) {
	c := generated(t, 1)[0]
	_, db := site(t, c)
	var later atomic.Int64
	h, err := web.New(web.Options{DB: db, Remember: time.Hour, Now: func() time.Time { return now.Add(time.Duration(later.Load())) }, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	status := func() int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/crash/"+c.CrashID, nil))
		return w.Code
	}
	if got := status(); got != http.StatusOK {
		t.Fatal(got)
	}
	hidden := seen(2)
	hidden.Epoch = 2
	if err := db.Activate(t.Context(), hidden); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		later time.Duration
		want  int
	}{{time.Second - 1, http.StatusOK}, {time.Second, http.StatusNotFound}} {
		later.Store(int64(c.later))
		if got := status(); got != c.want {
			t.Errorf("after %v: %d, want %d", c.later, got, c.want)
		}
	}
}

// What is protected is asked each time, also where it is of the same tables as what is public; and who
// may not see it is not shown what somebody else has seen.
func TestWhatIsProtectedIsNotRemembered(t *testing.T) {
	c := secretive(t)
	_, db := site(t, c)
	h := newHouse(t, db)
	jane := h.browser(t).login("jane")
	page, values, search := "/crash/"+c.CrashID, "/crash/"+c.CrashID+"/protected", "/search.json?date=%3E%3D2000-01-01&_columns=comments&comments="+url.QueryEscape("~canary")
	for _, at := range []string{page, values, search} {
		if a := jane.get(at); a.status != http.StatusOK || at != page && len(leaks(a.body)) == 0 {
			t.Fatalf("%s: %d %.300s", at, a.status, a.body)
		}
	}
	for _, at := range []string{page, values, search} {
		for who, b := range map[string]*browser{"the public": h.browser(t), "joe": h.browser(t).login("joe")} {
			if a := b.get(at); len(leaks(a.body)) > 0 || a.status == http.StatusOK && at != page {
				t.Errorf("%s as %s, after jane: %d, %v", at, who, a.status, leaks(a.body))
			}
		}
	}
	for _, table := range []string{"aftershock.crash_rows", "aftershock_protected.crash_rows"} {
		if err := db.Exec(t.Context(), clickhouse.Limits{}, "TRUNCATE TABLE "+table); err != nil {
			t.Fatal(err)
		}
	}
	if a := jane.get(page); a.status != http.StatusOK {
		t.Errorf("%s, which is remembered: %d", page, a.status)
	}
	if a := jane.get(values); a.status != http.StatusNotFound {
		t.Errorf("%s, which is not there now: %d", values, a.status)
	}
	if a := jane.get(search); a.status != http.StatusOK || len(leaks(a.body)) > 0 {
		t.Errorf("%s of what is not there now: %d, %v", search, a.status, leaks(a.body))
	}
}

// A list of bugs is forgotten also where loading it has failed: some of it may be there.
func TestAListThatFailedMakesPagesForget(t *testing.T) {
	_, db := site(t, generated(t, 5)...)
	fails := func(ctx context.Context, all []clickhouse.Bug, replace bool) (int, error) {
		_, err := db.LoadBugs(ctx, all, replace, time.Now())
		return 0, errors.Join(err, errors.New("its answer did not come"))
	}
	h := newHouse(t, db, func(o *web.Options) {
		o.LoadBugs, o.Now = fails, func() time.Time { return now }
	})
	b, loader := h.browser(t), tokenOf(t, h, access.Bugs)
	const page = "/signature?signature=s"
	if a := b.get(page); a.status != http.StatusOK || strings.Contains(a.body, "first-bug") {
		t.Fatalf("%d %.300s", a.status, a.body)
	}
	if a := pushed(t, h, loader, "", "signature,bug\ns,first-bug\n"); a.status < http.StatusInternalServerError {
		t.Fatalf("%+v", a)
	}
	if a := b.get(page); !strings.Contains(a.body, "first-bug") {
		t.Errorf("remembers what was before the list: %d", a.status)
	}
}
