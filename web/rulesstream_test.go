package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"aftershock/replay"
	"aftershock/schema"
)

// flushed is a response that remembers what had been sent at each flush.
type flushed struct {
	*httptest.ResponseRecorder
	at []int
}

func (f *flushed) Flush() { f.at = append(f.at, f.Body.Len()) }

// A trial sends its page while the sample is signed: its head first, then an example of each change
// with what both rulesets decide of the frames that they do not agree on, then the result.
func TestTrialsAreStreamed(t *testing.T) {
	a, b := stacked(t, "abort", "helper", "f"), stacked(t, "abort", "helper", "g")
	s := rulesSite(t, true, a, b, stacked(t, "abort", "helper", "g"), stacked(t, "x"))
	form := url.Values{"version": {"1"}, "do": {"try"}, "file:prefix_signature_re.txt": {"abort\r\nhelper\r\n"}}
	r := httptest.NewRequest(http.MethodPost, "/rules/try", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := &flushed{ResponseRecorder: httptest.NewRecorder()}
	s.Config.Handler.ServeHTTP(w, r)
	page := w.Body.String()
	if w.Code != http.StatusOK || len(w.at) != 4 || w.at[3] != len(page) {
		t.Fatalf("%d, flushed at %v of %d: %.3000s", w.Code, w.at, len(page), page)
	}
	head, rows, rest := page[:w.at[0]], page[w.at[0]:w.at[2]], page[w.at[2]:]
	if !strings.Contains(head, "<h1>Try rules</h1>") || strings.Contains(head, "/crash/") || !strings.Contains(rest, "3 of 4 sampled crashes") || !strings.Contains(rest, "</html>") {
		t.Errorf("%s\n---\n%s", head, rest)
	}
	for _, want := range []string{
		"<td>abort | helper</td><td>abort | helper | f</td>", "<td>abort | helper</td><td>abort | helper | g</td>",
		"<li>1 <code>helper</code><br>now: taken, the last<br>yours: taken, and on: a prefix (prefix_signature_re.txt:2: helper)</li>",
		"<li>2 <code>f</code><br>now: not looked at<br>yours: taken, the last</li>", "1 frame alike", "/crash/" + a.CrashID,
	} {
		if !strings.Contains(rows, want) {
			t.Errorf("no %q in %s", want, rows)
		}
	}
	if strings.Count(rows, "<tr>") != 2 {
		t.Errorf("not an example of each: %s", rows)
	}
}

// There are as many examples as there may be, and not one more.
func TestHowManyExamplesOfATrial(t *testing.T) {
	var all []*schema.ProcessedCrash
	for i := range replay.MaxPlanExamples + 1 {
		all = append(all, stacked(t, "abort", "helper", "f<b>"+strings.Repeat("x", i)))
	}
	for n, want := range map[int]int{replay.MaxPlanExamples: replay.MaxPlanExamples, replay.MaxPlanExamples + 1: replay.MaxPlanExamples} {
		s := rulesSite(t, true, all[:n]...)
		status, page := post(t, s.URL+"/rules/try", "", url.Values{"version": {"1"}, "do": {"try"}, "file:prefix_signature_re.txt": {"abort\nhelper\n"}})
		if got := strings.Count(page, `<tr><td><a href="/crash/`); status != 200 || got != want || !strings.Contains(page, fmt.Sprintf("%d of %d sampled", n, n)) {
			t.Errorf("%d kinds: %d, %d examples, want %d", n, status, got, want)
		}
		if strings.Contains(page, "f<b>") {
			t.Error("markup of a crash")
		}
	}
}
