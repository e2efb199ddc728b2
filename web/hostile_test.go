package web_test

import (
	"encoding/csv"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"aftershock/ask"
	"aftershock/internal/spreadsheet"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// evil are the texts that crashes say: script and markup for each place of a page, addresses that run,
// marks that turn text round, bytes that are none, formulas, and ends of what texts stand in.
var evil = []string{
	`<script>document.title='owned'</script>`, `"><img src=x onerror=document.title='owned'>`, `'><svg onload=document.title='owned'>`, `</title></textarea></style></script><script>alert(1)</script>`, `<iframe src="javascript:alert(1)">`, `<base href="https://evil.test/">`, `<meta http-equiv=refresh content="0;url=https://evil.test/">`, `<style>*{width:99999px}</style>`, `<!--`, `]]>`,
	`javascript:alert(1)`, "java\tscript:alert(1)", `data:text/html,<script>alert(1)</script>`, `//evil.test/x`, `/\evil.test`, `https://evil.test/?x=1&y="`, `git:evil.test/x:javascript:alert(1):1`,
	"\u202egnp.exe", "\u2066\u2067\u2068abc\u202b", "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 | \u05e2\u05d1\u05e8", "a\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307", "\u200b\u200d\ufeff", "a\x00b\xff\xfe", "\xed\xa0\x80", "\x1b[31mred\x07",
	`=cmd|' /C calc'!A0`, `+1+cmd`, `-2+3+cmd`, `@SUM(1)`, "\t=1", "\r=1", `＝1+1`,
	`{{.}}{{template "head" .}}`, `${7*7}#{7*7}%s%n%x`, `' OR 1=1 -- `, `{p0:String}`, "`; DROP TABLE x", "[x](javascript:alert(1))", "![x](https://evil.test/x.png)", "```\n# x", "| a | b |", `!=x`, "!=a\n!=b", `__null__`, `../../../etc/passwd`, `%2e%2e%2f`, `\\evil\share`, strings.Repeat("W", 3000), strings.Repeat("<b>", 300),
}

// long is a name of 100 kB without a place to break it.
var long = strings.Repeat("Ä<", 33_400)

// keptTexts are fields whose texts the tables, or what makes rows, take no others for.
var keptTexts = []string{"CrashID", "ContentHash", "RegistryHash", "RulesetHash", "SHA256", "Kind", "Topic"}

// poison gives every text of a value another one.
func poison(v reflect.Value, name string, next func() string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem(), name, next)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				poison(v.Field(i), f.Name, next)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i), name, next)
		}
	case reflect.String:
		if !slices.Contains(keptTexts, name) && v.CanSet() {
			v.SetString(next())
		}
	default:
	}
}

// poisoned are generated crashes whose every text is evil. Names of annotations stay, since it is they
// that choose the columns.
func poisoned(t *testing.T, count int) []*schema.ProcessedCrash {
	t.Helper()
	all := generated(t, count)
	for i, c := range all {
		n := i
		next := func() string {
			n++
			return evil[n%len(evil)]
		}
		var names []string
		for _, a := range c.Annotations {
			names = append(names, a.Name)
		}
		poison(reflect.ValueOf(c), "", next)
		for j := range c.Annotations {
			c.Annotations[j].Name = names[j]
		}
		c.Signature = evil[i%len(evil)]
		if i%400 == 0 {
			c.Signature, c.Crash.Reason = long, long
			if len(c.Modules) > 0 {
				c.Modules[0].Filename = long
			}
		}
	}
	return all
}

// hostile is a site of 2,000 such crashes, with bugs of the same kind.
func hostile(t *testing.T) (s *httptest.Server, db *clickhouse.DB, all []*schema.ProcessedCrash) {
	t.Helper()
	all = poisoned(t, 2000)
	s, db = site(t, all...)
	var bugs []clickhouse.Bug
	for i, text := range evil {
		bugs = append(bugs, clickhouse.Bug{Signature: all[i].Signature, Bug: text, URL: text, Summary: text, State: text})
	}
	if _, err := db.LoadBugs(t.Context(), bugs, true, now); err != nil {
		t.Fatal(err)
	}
	return s, db, all
}

// wideSearch shows much of each crash.
var wideSearch = "/search?" + url.Values{"date": {">=90d"}, "_columns": {"crash_id,signature,product,version,reason,stack.function,stack.file,modules.filename,annotations,build_id,os,cpu_info"}, "_facets": {"product", "stack.function", "reason"}, "_aggs.product": {"os"}, "_results_number": {"60"}}.Encode()

// Whatever 2,000 crashes say, it stays a text.
func TestHostileCrashes(t *testing.T) {
	s, db, all := hostile(t)
	t.Run("exports", func(t *testing.T) { hostileInExports(t, s, db, all) })
	t.Run("browser", func(t *testing.T) { hostileInABrowser(t, s, all) })
}

// hostileInABrowser: in a browser nothing of it runs, leads anywhere that it chose, or is
// wider than the window.
func hostileInABrowser(t *testing.T, s *httptest.Server, all []*schema.ProcessedCrash) {
	t.Helper()
	ctx, _ := chromium(t)
	var heard complaints
	if err := chromedp.Listen(ctx, heard.hear); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, func(e any) {
		if d, ok := e.(*page.EventJavascriptDialogOpening); ok {
			t.Errorf("a dialog: %s", d.Message)
		}
	}); err != nil {
		t.Fatal(err)
	}
	at := []string{"/", "/top?from=90d", "/top?from=90d&tab=startup", "/text?text=script", wideSearch, "/compare?a_from=90d&b_from=1d", "/missing?from=90d", "/health", "/questions/reports?from=90d&signature=" + url.QueryEscape(evil[0]), "/questions/bugs"}
	for i, tab := range []string{"", "reports", "builds", "distributions", "stacks", "more", "history"} {
		at = append(at, "/signature?"+url.Values{"signature": {evil[i]}, "from": {"90d"}, "tab": {tab}}.Encode())
	}
	for i := 1; i <= 8; i++ {
		at = append(at, "/crash/"+all[i*5].CrashID)
	}
	at = append(at, "/crash/"+all[400].CrashID)
	const links = `[...document.querySelectorAll('a, form, area, base, iframe, object, script:not(head > script[src^="/static/"]), img, meta[http-equiv]')].filter(e =>
		!['A', 'FORM'].includes(e.tagName) || e.tagName === 'A' && (!['http:', 'https:'].includes(e.protocol) || e.host !== location.host && e.rel !== 'external') || e.tagName === 'FORM' && new URL(e.action, location).host !== location.host
	).map(e => e.outerHTML.slice(0, 200))`
	for i, at := range at {
		if status, _, body := get(t, s.URL+at); status != 200 {
			t.Errorf("%.200s: %d %.2000s", at, status, body)
		}
		width := int64(390)
		if i%4 == 1 {
			width = 1440
		}
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(s.URL+at)); err != nil {
			t.Fatalf("%.200s: %v", at, err)
		}
		if wide, err := chromedp.Run(ctx, chromedp.Evaluate[int64]("document.documentElement.scrollWidth")); err != nil || wide > width {
			t.Errorf("%.200s: %d pixels wide of %d, %v", at, wide, width, err)
		}
		if title, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.title")); err != nil || !strings.HasSuffix(title, " · Aftershock") {
			t.Errorf("%.200s: the title is %.100q, %v", at, title, err)
		}
		found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](links))
		if err != nil || len(found) > 0 {
			t.Errorf("%.200s: %q, %v", at, found, err)
		}
		for _, text := range heard.taken() {
			t.Errorf("%.200s: %.400s", at, text)
		}
	}
}

// hostileInExports: twins and exports are what they say they are: JSON, tables without formulas, Markdown
// without markup, and a whole Parquet file.
func hostileInExports(t *testing.T, s *httptest.Server, db *clickhouse.DB, all []*schema.ProcessedCrash) {
	t.Helper()
	search := strings.TrimPrefix(wideSearch, "/search")
	unsafe := func(where, text string) {
		t.Helper()
		rows := csv.NewReader(strings.NewReader(text))
		rows.FieldsPerRecord = -1
		cells, quoted := 0, 0
		for {
			row, err := rows.Read()
			if err != nil {
				if err.Error() != "EOF" {
					t.Errorf("%s: %v", where, err)
				}
				break
			}
			for _, cell := range row {
				cells++
				if strings.HasPrefix(cell, "'") {
					quoted++
				}
				if spreadsheet.Formula(cell) && strings.Trim(cell, "0123456789.eE+-") != "" {
					t.Errorf("%s: a formula: %.100q", where, cell)
				}
			}
		}
		if cells < 100 || quoted == 0 {
			t.Errorf("%s: %d cells, %d of them quoted", where, cells, quoted)
		}
	}
	for _, at := range []string{"/top.csv?from=90d", "/search.csv" + search, "/questions/bugs.csv", "/questions/top-crashers.csv?from=90d"} {
		status, head, body := get(t, s.URL+at)
		if status != 200 || !strings.HasPrefix(head.Get("Content-Type"), "text/csv") {
			t.Fatalf("%.100s: %d", at, status)
		}
		unsafe(at[:10], body)
	}
	q, _ := ask.Find("top-crashers")
	values, err := q.Values(map[string]string{"from": "90d", "limit": "1000"}, now)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := q.CSV(t.Context(), db, values, &out); err != nil {
		t.Fatal(err)
	}
	unsafe("query", out.String())
	for _, at := range []string{"/top.json?from=90d", "/search.json" + search, "/api/SuperSearch/" + search, "/crash/" + all[3].CrashID + ".json", "/api/ProcessedCrash/?crash_id=" + all[4].CrashID, "/api/RawCrash/?crash_id=" + all[400].CrashID, "/questions/bugs.json"} {
		status, head, body := get(t, s.URL+at)
		if status != 200 || !json.Valid([]byte(body)) || head.Get("Content-Type") != "application/json" || head.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%.100s: %d %s", at, status, head)
		}
	}
	markup := regexp.MustCompile(`(?m)(^|[^\\` + "`" + `])<[a-zA-Z/!]|[^\\]\]\(javascript:`)
	for _, at := range []string{"/top.md?from=90d", "/search.md" + search, "/questions/bugs.md"} {
		if status, _, body := get(t, s.URL+at); status != 200 || markup.MatchString(body) || !strings.Contains(body, "script") {
			t.Errorf("%.100s: %d %.200q", at, status, markup.FindString(body))
		}
	}
	status, _, body := get(t, s.URL+"/search.parquet"+search)
	if status != 200 || !strings.HasPrefix(body, "PAR1") || !strings.HasSuffix(body, "PAR1") {
		t.Errorf("%d, %d bytes of Parquet", status, len(body))
	}
}
