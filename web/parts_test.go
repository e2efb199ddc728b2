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
	"time"

	"aftershock/schema"
)

// section is the rows of a page's JSON twin.
func section(t *testing.T, at string) []map[string]string {
	t.Helper()
	status, _, body := get(t, at)
	var twin struct {
		Sections []struct{ Rows []map[string]string }
	}
	if err := json.Unmarshal([]byte(body), &twin); err != nil || status != 200 || len(twin.Sections) != 1 {
		t.Fatalf("%s: %d %v %.300s", at, status, err, body)
	}
	return twin.Sections[0].Rows
}

func annotation(c *schema.ProcessedCrash, name string) string {
	for _, a := range c.Annotations {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

// What differs between two products is what counting says, and what both have alike is no
// difference.
func TestCompareCounts(t *testing.T) {
	all := generated(t, 2000)
	s, _ := site(t, all...)
	products := map[string]int{}
	for _, c := range all {
		products[annotation(c, "ProductName")]++
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(products)) {
		if products[name] > 100 {
			names = append(names, name)
		}
	}
	if len(names) < 2 {
		t.Fatalf("%v", products)
	}
	a, b := names[0], names[1]
	rows := section(t, s.URL+"/compare.json?"+url.Values{"a_product": {a}, "b_product": {b}, "a_from": {"90d"}, "b_from": {"90d"}}.Encode())
	if len(rows) == 0 {
		t.Fatal("two products are alike in all")
	}
	seen := 0
	for _, row := range rows {
		if row["field"] != "channel" && row["field"] != "version" {
			continue
		}
		seen++
		inA, inB := 0, 0
		for _, c := range all {
			name := map[string]string{"channel": "ReleaseChannel", "version": "Version"}[row["field"]]
			if annotation(c, name) != row["value"] {
				continue
			}
			switch annotation(c, "ProductName") {
			case a:
				inA++
			case b:
				inB++
			}
		}
		if row["in_a"] != fmt.Sprint(inA) || row["in_b"] != fmt.Sprint(inB) {
			t.Errorf("%s %s: %s and %s, want %d and %d", row["field"], row["value"], row["in_a"], row["in_b"], inA, inB)
		}
		low, _ := strconv.ParseFloat(row["at_least"], 64)
		high, _ := strconv.ParseFloat(row["at_most"], 64)
		difference, _ := strconv.ParseFloat(row["difference"], 64)
		if want := 100 * (float64(inB)/float64(products[b]) - float64(inA)/float64(products[a])); difference < want-0.06 || difference > want+0.06 || low > difference || high < difference || low < 0 && high > 0 {
			t.Errorf("%s %s: %s (%s to %s), want %.2f", row["field"], row["value"], row["difference"], row["at_least"], row["at_most"], want)
		}
	}
	if seen == 0 {
		t.Error("no channel or version differs")
	}
	_, _, page := get(t, s.URL+"/compare?"+url.Values{"a_product": {a}, "b_product": {b}, "a_from": {"90d"}, "b_from": {"90d"}}.Encode())
	if want := fmt.Sprintf("%d crashes on the one side, %d on the other", products[a], products[b]); !strings.Contains(page, want) {
		t.Errorf("no %q", want)
	}
	if rows := section(t, s.URL+"/compare.json?"+url.Values{"a_product": {a}, "b_product": {a}, "a_from": {"90d"}, "b_from": {"90d"}}.Encode()); len(rows) != 0 {
		t.Errorf("a product differs from itself: %v", rows)
	}
	for at, want := range map[string]int{"/compare": 200, "/compare?a_from=x": 400, "/compare?a_product=" + strings.Repeat("x", 5000): 400, "/compare?a_product=none": 200} {
		if status, _, _ := get(t, s.URL+at); status != want {
			t.Errorf("%.40s: %d, want %d", at, status, want)
		}
	}
}

// The tree of a signature's stacks, its distributions and the crashes around one count what
// there is.
func TestPartsOfASignatureCount(t *testing.T) {
	var all []*schema.ProcessedCrash
	add := func(n int, stack ...string) {
		for range n {
			c := stacked(t, stack...)
			c.ReceivedAt = now.Add(-time.Duration(len(all)+1) * time.Minute)
			c.Signature, c.ProtoSignature = "one", strings.Join(stack, " | ")
			all = append(all, c)
		}
	}
	add(6, "a", "b", "c")
	add(3, "a", "b", "d, with a comma")
	add(1, "e")
	s, _ := site(t, all...)
	_, _, page := get(t, s.URL+"/signature?signature=one&tab=stacks")
	for _, want := range []string{"<b>90 %</b> a", "<b>90 %</b> b", "<b>60 %</b> c", "<b>30 %</b> d, with a comma", "<b>10 %</b> e"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in %s", want, page)
		}
	}
	if _, _, page := get(t, s.URL+"/signature?signature=one&tab=distributions"); !regexp.MustCompile(`>Linux</a>[^/]*<a [^>]*>−</a></td><td class="n">10</td>`).MatchString(page) {
		t.Errorf("%s", page)
	}
	_, _, page = get(t, s.URL+"/crash/"+all[4].CrashID)
	for _, want := range []string{"crash 6 of 10 (last 28 days)", "/crash/" + all[3].CrashID + `" rel="next"`, "/crash/" + all[5].CrashID + `" rel="prev"`, "/crash/" + all[0].CrashID + `" rel="last"`, "/crash/" + all[9].CrashID + `" rel="first"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in %.3000s", want, page)
		}
	}
	for _, other := range []string{"?os=Windows+NT", "?from=0h"} { // the crash is not among those
		if _, _, page := get(t, s.URL+"/crash/"+all[4].CrashID+other); strings.Contains(page, `aria-label="Crashes of this signature"`) {
			t.Errorf("%s: it has a place", other)
		}
	}
	if _, _, page = get(t, s.URL+"/crash/"+all[4].CrashID+"?os=Linux&from=1d"); !strings.Contains(page, "(Linux, last 24 hours)") || !strings.Contains(page, all[3].CrashID+"?from=1d&amp;os=Linux") {
		t.Errorf("the filter does not go along: %.2000s", page)
	}
}

// A number leads to the search for the crashes that it counts, and to no others.
func TestNumbersLeadToTheCrashesBehindThem(t *testing.T) {
	s, _ := site(t, generated(t, 600)...)
	number := regexp.MustCompile(`<td class="n">(?:<svg.*?</svg> <span class="beside">)?<a href="(/search\?[^"]*)">([0-9]+)</a>`)
	followed := 0
	for _, at := range []string{"/top?from=28d", "/top?from=7d&os=Windows+NT", "/top?from=28d&tab=installs&product=Orchard", "/top?tab=rising&from=3d", "/?from=28d&new_least=1&back_least=1&new_days=28"} {
		_, _, page := get(t, s.URL+at)
		found := number.FindAllStringSubmatch(page, 6)
		if len(found) == 0 {
			t.Errorf("%s: no number leads anywhere", at)
		}
		for _, m := range found {
			link := html.UnescapeString(m[1])
			_, _, text := get(t, s.URL+strings.Replace(link, "/search?", "/search.json?", 1))
			var result struct{ Total int }
			if err := json.Unmarshal([]byte(text), &result); err != nil || fmt.Sprint(result.Total) != m[2] {
				t.Errorf("%s: %s leads to %d: %s", at, m[2], result.Total, link)
			}
			followed++
		}
	}
	if followed < 20 {
		t.Errorf("%d numbers", followed)
	}
}

// Each part of a signature's page answers.
func TestEveryPartOfASignatureAnswers(t *testing.T) {
	all := generated(t, 100)
	s, _ := site(t, all...)
	for _, tab := range []string{"", "reports", "builds", "distributions", "stacks", "more", "history"} {
		at := "/signature?" + url.Values{"signature": {all[0].Signature}, "from": {"90d"}, "tab": {tab}}.Encode()
		if status, _, page := get(t, s.URL+at); status != 200 || !strings.Contains(page, `aria-current="true"`) {
			t.Errorf("%s: %d %.700s", at, status, page)
		}
	}
	if _, _, page := get(t, s.URL+"/signature?"+url.Values{"signature": {all[0].Signature}, "tab": {"history"}}.Encode()); !strings.Contains(page, "as long as it is known") || !strings.Contains(page, "What was visible") {
		t.Errorf("%.3000s", page)
	}
}
