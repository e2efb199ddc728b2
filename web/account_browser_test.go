package web_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// Somebody logs in with a real browser, whose forms must be taken and whose reader of screens
// must be told all.
func TestLoggingInWithABrowser(t *testing.T) {
	ctx, axe := chromium(t)
	c := secretive(t)
	_, db := site(t, c)
	h := newHouse(t, db)
	var heard complaints
	if err := chromedp.Listen(ctx, heard.hear); err != nil {
		t.Fatal(err)
	}
	look := func(name string, shows ...string) {
		t.Helper()
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[any](axe+"; 0")); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](violations, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, text := range append(found, heard.taken()...) {
			if !strings.Contains(text, "status of 4") {
				t.Errorf("%s: %s", name, text)
			}
		}
		body, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.pathname + document.body.innerHTML"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, text := range shows {
			if !strings.Contains(body, text) {
				t.Errorf("%s: no %q: %.2000s", name, text, body)
			}
		}
	}
	do := func(actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	at := h.URL + "/crash/" + c.CrashID + "/protected"
	do(chromedp.Navigate(at))
	look("login", "/login", `type="password"`)
	do(chromedp.SendKeys(`input[name=name]`, "jane"), chromedp.SendKeys(`input[name=password]`, "wrong"), chromedp.Click(`form[action="/login"] button`), chromedp.WaitVisible(`.failure`))
	look("wrong password", "There is no such name with this password")
	do(chromedp.SendKeys(`input[name=password]`, password), chromedp.Click(`form[action="/login"] button`), chromedp.WaitVisible(`a[href="/me"]`))
	look("protected values", "/crash/"+c.CrashID+"/protected", "canary-comment")
	do(chromedp.Navigate(h.URL+"/me"), chromedp.SendKeys(`input[name=note]`, "nightly"), chromedp.Click(`input[value=dumps]`), chromedp.Click(`form[action="/me/tokens"] button`), chromedp.WaitVisible(`form[action="/me/tokens/remove"]`))
	look("me", "Your new token", "aftershock_", "nightly")
	do(chromedp.Navigate(h.URL+"/signature?from=3650d&signature="+url.QueryEscape(c.Signature)), chromedp.SendKeys(`form[action="/me/lists/add"] input[name=name]`, "known"))
	look("a signature to be left out", "Leave it out of rankings")
	do(chromedp.Click(`form[action="/me/lists/add"] button`), chromedp.WaitVisible(`form[action="/me/lists"]`), chromedp.Click(`#lists details summary`), chromedp.Click(`#lists a[href^="/top?without="]`), chromedp.WaitVisible(`.under`), chromedp.Click(`.keep summary`))
	look("rankings without a list", "are left out: those of the list known")
	do(chromedp.Click(`.keep button[value=link]`), chromedp.WaitVisible(`a[href^="/s/"]`))
	look("kept", "Your short link", "Lists of signatures")
	do(chromedp.Click(`a[href^="/s/"]`), chromedp.WaitVisible(`.under`))
	look("by the short link", "/top")
	do(chromedp.Navigate(h.URL + "/audit"))
	look("audit", "token_made", c.CrashID)
	do(chromedp.Navigate(h.URL+"/me"), chromedp.Click(`form[action="/logout"] button`), chromedp.WaitVisible(`a[href="/login"]`))
	do(chromedp.Navigate(at))
	look("logged out", "/login")
}
