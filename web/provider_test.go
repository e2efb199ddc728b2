package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"aftershock/access"
	"aftershock/access/accesstest"
	"aftershock/web"
)

// Viewers of a provider come in by its word, and by the browser that they had left with.
func TestViewersOfAProviderLogIn(t *testing.T) {
	p := accesstest.NewProvider(t, time.Now)
	seal, err := access.OpenSeal(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Server: httptest.NewUnstartedServer(nil), ledger: &ledger{}}
	at := "http://" + h.Listener.Addr().String()
	h.Config.Handler, err = web.New(web.Options{
		DB: away(t), Protected: away(t), Audit: h.ledger, Now: time.Now, Log: zerolog.Nop(),
		Login: access.NewLogin(access.LoginOptions{Seal: seal, Now: time.Now, OIDC: access.NewOIDC(access.OIDCOptions{
			Issuer: p.URL, ClientID: "pages", URL: at, GroupsClaim: "groups", Groups: map[access.Role][]string{access.Protected: {"crash-viewers"}},
		})}),
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Start()
	t.Cleanup(h.Close)
	if a := h.browser(t).get("/login?next=/top"); !strings.Contains(a.body, `href="/login/leave?next=%2ftop"`) || strings.Contains(a.body, "password") {
		t.Errorf("%+v", a)
	}
	if a := h.browser(t).post("/login", url.Values{"name": {"jane"}, "password": {password}}); a.status != http.StatusMethodNotAllowed {
		t.Errorf("a password is taken: %d", a.status)
	}
	// away goes to the provider and is where that sends the browser, a path of the pages.
	away := func(b *browser, next string) string {
		t.Helper()
		left := b.get("/login/leave?next=" + url.QueryEscape(next))
		if left.status != http.StatusSeeOther || !strings.HasPrefix(left.head.Get("Location"), p.URL+"/auth?") || left.head.Get("Cache-Control") != "no-store" {
			t.Fatalf("%+v", left)
		}
		res, err := b.client.Get(left.head.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		back, ok := strings.CutPrefix(res.Header.Get("Location"), at)
		if !ok {
			t.Fatal(res.Header.Get("Location"))
		}
		return back
	}
	jane := h.browser(t)
	back := away(jane, "/top")
	if a := h.browser(t).get(back); a.status != http.StatusForbidden || strings.Contains(a.head.Get("Set-Cookie"), "session=") {
		t.Errorf("another browser comes in: %+v", a)
	}
	// The way back begins at another site, and says so.
	if a := jane.get(back, "Sec-Fetch-Site", "cross-site"); a.status != http.StatusSeeOther || a.head.Get("Location") != "/top" {
		t.Fatalf("%+v", a)
	}
	me := jane.get("/me")
	if me.status != http.StatusOK || !strings.Contains(me.body, "<h1>oidc:jane@example.com") || !strings.Contains(me.body, "<dt>protected</dt>") || strings.Contains(me.body, "<dt>dumps</dt>") || strings.Contains(me.body, "Make a token") {
		t.Errorf("%+v", me)
	}
	if a := jane.post("/me/tokens", url.Values{"note": {"x"}, "days": {"1"}}); a.status != http.StatusForbidden {
		t.Errorf("a token of whom nobody can be asked: %d", a.status)
	}
	if a := jane.get(back); a.status != http.StatusForbidden {
		t.Errorf("one way back leads in twice: %d", a.status)
	}
	if a := jane.get("/audit"); a.status != http.StatusForbidden || !strings.Contains(a.body, "needs the role auditor") {
		t.Errorf("%+v", a)
	}
	if told := strings.Join(h.ledger.told(), ", "); told != "login oidc:jane@example.com, denied oidc:jane@example.com" {
		t.Error(told)
	}
	for _, next := range []string{"//evil.test", `/\evil.test`, "https://evil.test"} {
		b := h.browser(t)
		if a := b.get(away(b, next)); a.head.Get("Location") != "/" {
			t.Errorf("%s leads to %s", next, a.head.Get("Location"))
		}
	}
	h.ledger.set(true)
	b := h.browser(t)
	if a := b.get(away(b, "/")); a.status != http.StatusServiceUnavailable || b.cookie() != "" {
		t.Errorf("somebody comes in, and that is not kept: %+v", a)
	}
	h.ledger.set(false)
	p.Claims["aud"] = "mail"
	b = h.browser(t)
	if a := b.get(away(b, "/")); a.status != http.StatusForbidden || b.cookie() != "" {
		t.Errorf("a token of others is taken: %+v", a)
	}
}
