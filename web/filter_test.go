package web_test

import (
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var withoutLink = regexp.MustCompile(`href="([^"]*)" title="Without these"`)

// withoutLinks are the links of a page that leave a value of a field out.
func withoutLinks(page, field string) (links, values []string) {
	seen := map[string]bool{}
	for _, m := range withoutLink.FindAllStringSubmatch(page, -1) {
		link := html.UnescapeString(m[1])
		u, err := url.Parse(link)
		if err != nil || seen[link] {
			continue
		}
		given := u.Query()[field]
		if len(given) == 0 || !strings.HasPrefix(given[len(given)-1], "!=") {
			continue
		}
		seen[link] = true
		links, values = append(links, link), append(values, strings.TrimPrefix(given[len(given)-1], "!="))
	}
	return links, values
}

// A click on a value's minus leads to the same page without the crashes that have it, one value
// after the other, and what is left out can be taken back.
func TestAClickLeavesAValueOut(t *testing.T) {
	all := generated(t, 800)
	s, _ := site(t, all...)
	const at = "/top?from=28d&tab=startup"
	twin := func(link string) []map[string]string {
		return section(t, s.URL+strings.Replace(link, "/top?", "/top.json?", 1))
	}
	left := func(rows []map[string]string, out ...string) string {
		var kept []map[string]string
		for _, row := range rows {
			if !strings.Contains("\n"+strings.Join(out, "\n")+"\n", "\n"+row["product"]+"\n") {
				kept = append(kept, row)
			}
		}
		text, _ := json.Marshal(kept)
		return string(text)
	}
	whole := twin(at)
	_, _, page := get(t, s.URL+at)
	links, values := withoutLinks(page, "product")
	if len(links) < 2 {
		t.Fatalf("%d links: %.2000s", len(links), page)
	}
	for i, link := range links {
		if got, want := left(twin(link)), left(whole, values[i]); got != want {
			t.Errorf("%s: %s, want %s", link, got, want)
		}
	}
	_, _, page = get(t, s.URL+links[0])
	if !strings.Contains(page, "Left out: product "+html.EscapeString(values[0])) || !strings.Contains(page, `type="hidden" name="product" value="!=`+html.EscapeString(values[0])) {
		t.Errorf("it is not said what is left out: %.3000s", page)
	}
	next, more := withoutLinks(page, "product")
	if got, want := left(twin(next[0])), left(whole, values[0], more[0]); got != want || !strings.Contains(next[0], "tab=startup") {
		t.Errorf("%s: %s, want %s", next[0], got, want)
	}
	back := regexp.MustCompile(`href="([^"]*)" title="Not any more"`).FindStringSubmatch(page)
	if back == nil || left(twin(html.UnescapeString(back[1]))) != left(whole) {
		t.Errorf("it cannot be taken back: %q", back)
	}
}

// What is left out is left out on a signature's page, of the crashes around one, and in the
// searches that numbers lead to.
func TestWhatIsLeftOutGoesAlong(t *testing.T) {
	all := generated(t, 800)
	s, _ := site(t, all...)
	counts := map[string]map[string]int{}
	for _, c := range all {
		if counts[c.Signature] == nil {
			counts[c.Signature] = map[string]int{}
		}
		counts[c.Signature][c.System.OS]++
	}
	checked := 0
	for _, signature := range slices.Sorted(maps.Keys(counts)) {
		by := counts[signature]
		if len(by) < 2 || by[""] > 0 || checked == 3 { // no link leaves out what has no system
			continue
		}
		checked++
		total := 0
		for _, n := range by {
			total += n
		}
		for os, n := range by {
			q := url.Values{"signature": {signature}, "from": {"90d"}, "os": {"!=" + os}}
			status, _, body := get(t, s.URL+"/signature.json?"+q.Encode())
			var twin struct {
				Sections []struct {
					Question string
					Rows     []map[string]string
				}
			}
			if err := json.Unmarshal([]byte(body), &twin); err != nil || status != 200 {
				t.Fatalf("%d %v %.300s", status, err, body)
			}
			days := 0
			for _, of := range twin.Sections {
				for _, row := range of.Rows {
					if of.Question == "days" {
						k, _ := strconv.Atoi(row["crashes"])
						days += k
					}
				}
			}
			if days != total-n {
				t.Errorf("%s without %s: %d crashes, want %d", signature, os, days, total-n)
			}
			q.Set("tab", "distributions")
			_, _, page := get(t, s.URL+"/signature?"+q.Encode())
			links, values := withoutLinks(page, "cpu_arch")
			if len(links) == 0 {
				t.Fatalf("no distribution leaves a value out: %.3000s", page)
			}
			_, _, text := get(t, s.URL+strings.Replace(links[0], "/search?", "/search.json?", 1))
			var found struct{ Total int }
			want := 0
			for _, c := range all {
				if c.Signature == signature && c.System.OS != os && c.System.CPUArch != values[0] {
					want++
				}
			}
			if err := json.Unmarshal([]byte(text), &found); err != nil || found.Total != want {
				t.Errorf("%s: %d, want %d: %.200s", links[0], found.Total, want, text)
			}
		}
	}
	if checked == 0 {
		t.Fatal("no signature has crashes of two systems")
	}
	c := all[0]
	_, _, page := get(t, s.URL+"/crash/"+c.CrashID)
	links, _ := withoutLinks(page, "os")
	if len(links) != 1 || links[0] != "/top?os="+url.QueryEscape("!="+c.System.OS) {
		t.Errorf("a crash leaves out %q", links)
	}
	_, _, page = get(t, s.URL+"/crash/"+c.CrashID+"?from=90d&os="+url.QueryEscape("!=none")+"&os="+url.QueryEscape("!=nobody"))
	if want := fmt.Sprint(counts[c.Signature][c.System.OS]); counts[c.Signature][c.System.OS] > 1 && !strings.Contains(page, "(not none, not nobody, last 90d)") {
		t.Errorf("no place among %s: %.1500s", want, page)
	}
}
