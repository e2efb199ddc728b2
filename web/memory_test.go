package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

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
