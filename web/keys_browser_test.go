package web_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"aftershock/schema"
)

// keyboard is somebody in a browser without a mouse.
type keyboard struct {
	t   *testing.T
	ctx context.Context
}

func (k keyboard) open(at string) {
	k.t.Helper()
	if err := chromedp.Do(k.ctx, chromedp.Navigate(at)); err != nil {
		k.t.Fatal(err)
	}
}

func (k keyboard) press(keys ...string) {
	k.t.Helper()
	for _, key := range keys {
		if len(key) > 1 || key < " " {
			if err := chromedp.Do(k.ctx, chromedp.KeyEvent(key)); err != nil {
				k.t.Fatal(err)
			}
			continue
		}
		// As a keyboard does it: what a page takes for itself is not typed.
		for _, event := range []input.DispatchKeyEventParams{{Type: input.DispatchKeyEventTypeKeyDown, Key: key, Text: key}, {Type: input.DispatchKeyEventTypeKeyUp, Key: key}} {
			if _, err := chromedp.Call(k.ctx, input.DispatchKeyEvent, event); err != nil {
				k.t.Fatal(err)
			}
		}
	}
}

// tell is what the page says of itself.
func (k keyboard) tell(expression string) string {
	k.t.Helper()
	text, err := chromedp.Run(k.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		k.t.Fatal(err)
	}
	return text
}

func (k keyboard) is(expression, want string) {
	k.t.Helper()
	if got := k.tell(expression); got != want {
		k.t.Errorf("%s: %q, want %q", expression, got, want)
	}
}

// until waits for a page, whole, of which something holds.
func (k keyboard) until(expression string) {
	k.t.Helper()
	for range 1000 { // longer than a page has to answer
		// A page that goes while it is asked is none.
		whole, err := chromedp.Run(k.ctx, chromedp.Evaluate[bool](`document.readyState == "complete" && (`+expression+`)`))
		if err == nil && whole {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	k.t.Fatalf("not %s, at %s", expression, k.tell("location"))
}

// enter follows the link that has the focus, to a page at a path that begins so.
func (k keyboard) enter(path string) {
	k.t.Helper()
	k.press(kb.Enter)
	k.until(`location.pathname.startsWith("` + path + `")`)
}

// tab goes on until a link that begins so has the focus.
func (k keyboard) tab(href string) {
	k.t.Helper()
	for range 1000 { // longer than a page has to answer
		k.press(kb.Tab)
		if strings.HasPrefix(k.tell(`document.activeElement.getAttribute("href")`), href) {
			return
		}
	}
	k.t.Fatalf("no way to %s by Tab, at %s", href, k.tell("location"))
}

// Keys do what the help says, and nothing where somebody types, or does not want them.
func TestKeys(t *testing.T) {
	ctx, axe := chromium(t)
	all := generated(t, 300)
	s, _ := site(t, all...)
	var heard complaints
	if err := chromedp.Listen(ctx, heard.hear); err != nil {
		t.Fatal(err)
	}
	k := keyboard{t, ctx}
	k.open(s.URL + "/top")
	k.press("j")
	first := k.tell(`document.activeElement.href`)
	k.is(`document.activeElement == document.querySelector('main tbody a[href^="/signature?"]')`, "true")
	k.press("j")
	if second := k.tell(`document.activeElement.href`); second == first || !strings.Contains(second, "/signature?") {
		t.Errorf("j leads from %s to %s", first, second)
	}
	k.press("k", "k")
	k.is(`document.activeElement.href`, first)

	k.press("/")
	k.is(`document.activeElement.id`, "find")
	k.press("j", "?")
	k.is(`document.activeElement.value`, "j?") // which somebody types
	k.press(kb.Tab)                            // to the button

	k.press("?")
	k.is(`document.querySelector("dialog").open + " " + document.querySelector("dialog").contains(document.activeElement)`, "true true")
	for _, key := range []string{"/", "j", "k", "?", "Enter"} {
		k.is(`Array.from(document.querySelectorAll("dialog kbd")).some(k => k.textContent == "`+key+`")`, "true")
	}
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[any](axe+"; 0")); err != nil {
		t.Fatal(err)
	}
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](violations, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range append(found, heard.taken()...) {
		t.Errorf("the help: %s", text)
	}
	k.press(" ") // the switch has the focus first
	k.press(kb.Escape)
	k.is(`document.querySelector("dialog").open + " " + document.activeElement.textContent`, "false Find")
	k.press("j")
	k.is(`document.activeElement.textContent`, "Find") // they are off
	k.open(s.URL + "/top")
	k.press("?")
	k.is(`document.querySelector("dialog").open`, "false") // on other pages as well
	for _, text := range heard.taken() {
		t.Error(text)
	}
}

// On a crash's page j and k go through the crashes of its signature, within the filter.
func TestKeysGoThroughCrashes(t *testing.T) {
	ctx, _ := chromium(t)
	var all []*schema.ProcessedCrash
	for range 3 {
		c := stacked(t, "f")
		c.Signature = "f"
		all = append(all, c)
	}
	s, _ := site(t, all...)
	k := keyboard{t, ctx}
	k.open(s.URL + "/signature?tab=reports&os=Linux&signature=f")
	k.press("j")
	k.enter("/crash/")
	k.is(`document.querySelector(".around").textContent.includes("Linux")`, "true")
	there := func(rel string) string {
		return k.tell(`(document.querySelector(".around [rel=` + rel + `]") || {}).pathname`)
	}
	for range 3 { // to one end
		if next := there("next"); next != "undefined" {
			k.press("j")
			k.until(`location.pathname == "` + next + `"`)
		}
	}
	k.is(`document.querySelector(".around").textContent.includes("crash 3 of 3")`, "true")
	before := there("prev")
	k.press("k")
	k.until(`location.pathname == "` + before + `"`)
}

// From the first page to a dump there is a way without a mouse.
func TestADumpByKeys(t *testing.T) {
	ctx, _ := chromium(t)
	c := secretive(t)
	_, db := site(t, c)
	h := newHouse(t, db)
	k := keyboard{t, ctx}
	k.open(h.URL + "/login")
	if err := chromedp.Do(ctx, chromedp.Focus(`input[name=name]`)); err != nil {
		t.Fatal(err)
	}
	k.press("jane", kb.Tab, password, kb.Enter)
	k.until(`!!document.querySelector('a[href="/me"]')`)
	k.open(h.URL + "/?from=3650d")
	k.press("j")
	k.is(`new URL(document.activeElement.href).searchParams.get("signature")`, c.Signature)
	k.enter("/signature")
	k.tab("/crash/")
	k.enter("/crash/")
	k.tab("/crash/" + c.CrashID + "/dump")
	k.press(kb.Enter)
	for range 1000 {
		if strings.Contains(strings.Join(h.ledger.told(), "\n"), "dump") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("nobody has had a dump: %v", h.ledger.told())
}

// Times are the reader's, with UTC at hand; who wants has UTC.
func TestTimesInTheReadersZone(t *testing.T) {
	ctx, _ := chromium(t)
	c := stacked(t, "f") // an hour before now, in October
	c.Signature = "f"
	s, _ := site(t, c)
	if _, err := chromedp.Call(ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Australia/Adelaide"}); err != nil {
		t.Fatal(err)
	}
	k := keyboard{t, ctx}
	for _, at := range []string{"/crash/" + c.CrashID, "/search", "/signature?signature=f&tab=reports"} {
		k.open(s.URL + at + "")
		k.is(`Array.from(document.querySelectorAll("time")).some(t => t.textContent.startsWith("2026-10-01 08:30:00") && t.title.startsWith("2026-09-30 23:00:00") && t.title.endsWith(" UTC"))`, "true")
		k.is(`document.querySelector("footer").textContent.includes("Australia/Adelaide")`, "true")
	}
	if err := chromedp.Do(ctx, chromedp.Click(`#zone button`)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		k.is(`Array.from(document.querySelectorAll("time")).every(t => !t.textContent.startsWith("2026-10-01 08:30:00") && t.title == "")`, "true")
		k.open(s.URL + "/search?" + url.Values{"signature": {"=f"}}.Encode())
	}
}
