package web_test

import (
	"encoding/csv"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// What the form sends becomes the search's address, which is the whole of it.
func TestTheFormBecomesAnAddress(t *testing.T) {
	s, _ := site(t, generated(t, 300)...)
	status, head, _ := get(t, s.URL+"/search?"+url.Values{
		"_field": {"date", "signature", "os", "startup_crash", ""}, "_operator": {">=", "~", "", "!__true__", ""}, "_value": {"28d", "a&b=c<script>", "!=Linux", "", ""},
		"_facets": {" version "}, "_columns": {""}, "_sort": {"-date"}, "_cursor": {"x"},
	}.Encode())
	want := url.Values{"date": {">=28d"}, "signature": {"~a&b=c<script>"}, "os": {"!=Linux"}, "startup_crash": {"!__true__"}, "_facets": {" version "}, "_sort": {"-date"}}
	if status != http.StatusSeeOther || head.Get("Location") != "/search?"+want.Encode() {
		t.Fatalf("%d %s", status, head.Get("Location"))
	}
	status, _, page := get(t, s.URL+head.Get("Location"))
	if status != 200 || !strings.Contains(page, `value="a&amp;b=c&lt;script&gt;"`) || strings.Contains(page, "c<script") || strings.Count(page, "<script") > 1 {
		t.Errorf("%d %.300s", status, page)
	}
	status, head, _ = get(t, s.URL+"/search?text=render")
	if status != http.StatusSeeOther || head.Get("Location") != "/text?text=render" {
		t.Errorf("%d %s", status, head.Get("Location"))
	}
}

var total = regexp.MustCompile(`<p class="doc">(\d+) crashes`)

// Each value of a facet leads to as many crashes as it says, and its minus to the others.
func TestFacetsFilter(t *testing.T) {
	s, _ := site(t, generated(t, 300)...)
	const at = "/search?date=%3E%3D60d&_facets=channel+moz_crash_reason+_histogram.uptime&_histogram_interval.uptime=3600&_facets_size=3&_aggs.product=stack.module"
	_, _, page := get(t, s.URL+at)
	all := total.FindStringSubmatch(page)[1]
	row := regexp.MustCompile(`<tr>((?:<td>.*?</td>)+)<td class="n">(\d+)</td><td class="n">\d+</td>`)
	link := regexp.MustCompile(`href="([^"]*)"`)
	followed := 0
	for _, m := range row.FindAllStringSubmatch(page, -1) {
		cells := strings.Split(m[1], "</td>")
		links := link.FindAllStringSubmatch(cells[len(cells)-2], -1)
		if len(links) == 0 {
			t.Errorf("no link in %s", m[1])
			continue
		}
		if followed++; followed > 12 {
			break
		}
		for i, l := range links {
			_, _, there := get(t, s.URL+html.UnescapeString(l[1]))
			found := total.FindStringSubmatch(there)
			if found == nil {
				t.Fatalf("%s: %.300s", l[1], there)
			}
			if i == 0 && found[1] != m[2] {
				t.Errorf("%s: %s crashes, want %s", l[1], found[1], m[2])
			}
			if i == 1 && atoi(found[1])+atoi(m[2]) < atoi(all) {
				t.Errorf("%s: %s crashes without %s of %s", l[1], found[1], m[2], all)
			}
		}
	}
	if followed < 8 {
		t.Errorf("%d buckets", followed)
	}
}

func atoi(s string) (n int) {
	for _, c := range s {
		n = 10*n + int(c-'0')
	}
	return n
}

// Pages are turned by links, and an export has all of them, with no formula in it.
func TestASearchIsTurnedAndExported(t *testing.T) {
	all := generated(t, 130)
	all[3].Signature = "=cmd|' /C calc'!A0"
	s, _ := site(t, all...)
	at, pages := "/search?date=%3E%3D60d&_sort=product&_columns=crash_id+signature+stack.function&_facets=", 0
	next := regexp.MustCompile(`<a href="([^"]*)" rel="next"`)
	seen := map[string]bool{}
	for at != "" {
		_, _, page := get(t, s.URL+at)
		for _, m := range regexp.MustCompile(`href="/crash/([^"]*)"`).FindAllStringSubmatch(page, -1) {
			seen[m[1]] = true
		}
		at = ""
		if m := next.FindStringSubmatch(page); m != nil {
			at = html.UnescapeString(m[1])
		}
		if pages++; pages > 5 {
			t.Fatal("no end")
		}
	}
	if len(seen) != 130 || pages != 3 {
		t.Errorf("%d crashes on %d pages", len(seen), pages)
	}
	const query = "?date=%3E%3D60d&_columns=crash_id+signature+stack.function&_results_number=10"
	status, head, text := get(t, s.URL+"/search.csv"+query)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || status != 200 || len(rows) != 131 || head.Get("Content-Type") != "text/csv; charset=utf-8" || rows[0][2] != "stack.function" {
		t.Errorf("%d %v: %d rows", status, err, len(rows))
	}
	if !strings.Contains(text, "'=cmd") || strings.Contains(text, "\n=") || strings.Contains(text, ",=") {
		t.Error("a formula in CSV")
	}
	status, _, text = get(t, s.URL+"/search.parquet"+query)
	if status != 200 || !strings.HasPrefix(text, "PAR1") || !strings.HasSuffix(text, "PAR1") {
		t.Errorf("%d, %d bytes of Parquet", status, len(text))
	}
	if _, _, md := get(t, s.URL+"/search.md"+query); !strings.Contains(md, "| crash_id | signature | stack.function |") {
		t.Errorf("%.300s", md)
	}
	var twin struct {
		Total int
		Hits  []map[string]any
		Next  string
	}
	_, _, text = get(t, s.URL+"/search.json"+query)
	if err := json.Unmarshal([]byte(text), &twin); err != nil || twin.Total != 130 || len(twin.Hits) != 10 || twin.Next == "" {
		t.Errorf("%v %.300s", err, text)
	}
	for _, at := range []string{"/search?url=x", "/search.csv?url=x", "/search.parquet?_columns=url", "/search.json?_sort=url", "/search.md?_facets=url", "/search?signature=@("} {
		if status, head, body := get(t, s.URL+at); status != http.StatusBadRequest || !strings.HasPrefix(head.Get("Content-Type"), "text/html") || head.Get("Content-Disposition") != "" {
			t.Errorf("%s: %d %.200s", at, status, body)
		}
	}
}

// Whatever crashes and addresses say is text in a search as well, and a cell stays small.
func TestHostileSearchesStayTexts(t *testing.T) {
	evil := []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `javascript:alert(1)`, "\u202egnp.exe", strings.Repeat("Ä", 50_000), "{{.}}", "a\nb"}
	all := generated(t, len(evil))
	for i, text := range evil {
		all[i].Signature, all[i].Crash.Reason = text, text
		thread := &all[i].Threads[*all[i].Crash.CrashingThread]
		thread.Frames[0].Function = text
	}
	s, _ := site(t, all...)
	at := []string{"/search?date=%3E%3D90d&_facets=signature,reason,stack.function&_aggs.signature=reason&_columns=signature,stack.function,reason,annotations", "/search.md?date=%3E%3D90d"}
	for _, text := range evil {
		if len(text) < 4000 {
			for _, op := range []string{"=", "~", "!", "@", ""} {
				at = append(at, "/search?"+url.Values{"signature": {op + text}, "date": {">=90d"}}.Encode())
			}
			at = append(at, "/search?"+url.Values{text: {text}}.Encode(), "/search?"+url.Values{"_sort": {text}}.Encode(), "/search?"+url.Values{"_cursor": {text}}.Encode())
		}
	}
	for _, at := range at {
		status, _, body := get(t, s.URL+at)
		if status >= 500 {
			t.Errorf("%.100s: %d", at, status)
		}
		for _, bad := range []string{"<script>alert", "<img src=x", `href="javascript:`, `href="//`} {
			if strings.Contains(body, bad) && !strings.HasPrefix(at, "/search.md") {
				t.Errorf("%.100s holds %s", at, bad)
			}
		}
		if strings.Contains(body, strings.Repeat("Ä", 300)) && !strings.HasPrefix(at, "/search.md") {
			t.Errorf("%.100s has a long cell", at)
		}
	}
}

// A page has no more links than a browser can take; its twins have all.
func TestASearchThatIsTooMuchForAPage(t *testing.T) {
	s, _ := site(t, generated(t, 30)...)
	long := func(n int) string {
		return "_results_number=1&product=" + strings.Repeat("x", n-len("_results_number=1&product="))
	}
	for query, want := range map[string]int{
		long(2048): 200, long(2049): 400, "_columns=product,version,os,channel,reason&_results_number=1000": 200, "_columns=product,version,os,channel,reason,build_id&_results_number=834": 400, "_columns=*&_results_number=1000": 400,
	} {
		if status, _, page := get(t, s.URL+"/search?"+query); status != want {
			t.Errorf("%.80s: %d, want %d: %.300s", query, status, want, page)
		}
		if status, _, page := get(t, s.URL+"/search.json?"+query); status != 200 {
			t.Errorf("%.80s: %d: %.300s", query, status, page)
		}
	}
}
