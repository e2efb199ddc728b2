package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// transferred is a page as it goes over the wire to who accepts a coding.
func transferred(t *testing.T, target, accepted string) (head http.Header, body []byte) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", accepted) // by hand, so that the transport does not undo it
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	return res.Header, body
}

// inflated is what was compressed.
func inflated(t *testing.T, body []byte) string {
	t.Helper()
	gz, err := gzip.NewReader(strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(gz)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Texts go by gzip to who asks for it, and are the same.
func TestTextsAreCompressed(t *testing.T) {
	s, _ := site(t, generated(t, 40)...)
	for _, at := range []string{"/docs/fields", "/top", "/top.csv", "/top.json", "/top.md", "/search.csv", "/nothing"} {
		plainHead, plain := transferred(t, s.URL+at, "identity")
		head, body := transferred(t, s.URL+at, "br, gzip;q=0.5")
		if plainHead.Get("Content-Encoding") != "" || head.Get("Content-Encoding") != "gzip" || head.Get("Vary") != "Accept-Encoding" || plainHead.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %v, %v", at, plainHead, head)
			continue
		}
		if got := inflated(t, body); got != string(plain) {
			t.Errorf("%s is another when it is compressed: %.200s, not %.200s", at, got, plain)
		}
	}
	for _, accepted := range []string{"", "br", "gzip;q=0", "GZIP ; q=0.000", "xgzip"} {
		if head, _ := transferred(t, s.URL+"/top", accepted); head.Get("Content-Encoding") != "" {
			t.Errorf("compressed for who accepts %q", accepted)
		}
	}
	if head, _ := transferred(t, s.URL+"/search.parquet", "gzip"); head.Get("Content-Encoding") != "" {
		t.Error("what is compressed already is compressed")
	}
}

// What is protected is not compressed: its length would tell of it beside what a request says.
func TestWhatIsProtectedIsNotCompressed(t *testing.T) {
	c := secretive(t)
	_, db := site(t, c)
	b := newHouse(t, db).browser(t).login("jane")
	for _, at := range []string{"/crash/" + c.CrashID + "/protected", "/me", "/audit", "/search?url=~canary"} {
		if a := b.get(at, "Accept-Encoding", "gzip"); a.status != http.StatusOK || a.head.Get("Content-Encoding") != "" {
			t.Errorf("%s: %d, %v", at, a.status, a.head)
		}
	}
	if a := b.get("/top", "Accept-Encoding", "gzip"); a.head.Get("Content-Encoding") != "gzip" {
		t.Errorf("/top: %v", a.head)
	}
}

// maxPageBytes is what a page may weigh that a browser has nothing of, and maxAgainBytes what one
// may of which it has the style sheet and the script. A page that a reader has made large, by
// asking for more than the search shows by itself, may weigh as much as a first one.
const (
	maxPageBytes  = 120_000
	maxAgainBytes = 30_000
)

// Pages are light, as transferred to who accepts gzip, as all browsers do.
func TestPagesAreLight(t *testing.T) {
	all := generated(t, 3000)
	s, _ := site(t, all...)
	parts := 0
	_, page := transferred(t, s.URL+"/", "identity")
	for _, m := range staticPath.FindAllString(string(page), -1) {
		_, body := transferred(t, s.URL+m, "gzip")
		parts += len(body)
	}
	if parts == 0 || parts > 20_000 {
		t.Errorf("style sheet and script have %d bytes", parts)
	}
	most := map[string]int{
		"/search?date=%3E%3D28d&_facets=os&_aggs.product=stack.function&_histogram.date=product": maxPageBytes,
		"/search?date=%3E%3D28d&_facets=os+signature+reason+version&_facets_size=100":            maxPageBytes,
	}
	for _, at := range []string{"/", "/top", "/text?text=render", "/search", "/compare?a_from=28d&b_from=1d", "/missing", "/health", "/questions", "/docs/fields", "/docs/design", "/api/", "/crash/" + all[2999].CrashID} {
		most[at] = maxAgainBytes
	}
	for _, tab := range []string{"", "reports", "builds", "distributions", "stacks", "more", "history"} {
		most["/signature?"+url.Values{"signature": {all[0].Signature}, "tab": {tab}}.Encode()] = maxAgainBytes
	}
	for at, most := range most {
		head, body := transferred(t, s.URL+at, "gzip")
		if head.Get("Content-Encoding") != "gzip" || len(body) > most || len(body)+parts > maxPageBytes {
			t.Errorf("%s has %d bytes, and %d beside it", at, len(body), parts)
		}
		t.Logf("%6d of %7d bytes: %s", len(body), len(inflated(t, body)), at)
	}
}

// staticPath is that of a file which all pages take along.
var staticPath = regexp.MustCompile(`/static/[0-9a-f]{12}\.(css|js)`)
