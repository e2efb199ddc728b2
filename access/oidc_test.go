package access_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aftershock/access"
	"aftershock/access/accesstest"
)

// provider is one with the clock of the pages.
type provider struct {
	*accesstest.Provider
	clock *clock
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	c := newClock()
	return &provider{accesstest.NewProvider(t, c.now), c}
}

func (p *provider) login(t *testing.T) *access.Login {
	t.Helper()
	seal, err := access.OpenSeal(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	return access.NewLogin(access.LoginOptions{Seal: seal, Secure: true, Now: p.clock.now, OIDC: access.NewOIDC(access.OIDCOptions{
		Issuer: p.URL, ClientID: "pages", ClientSecret: "secret", URL: "https://crash.example", GroupsClaim: "groups",
		Groups: map[access.Role][]string{access.Protected: {"crash-viewers"}, access.Dumps: {"admins", "dump-viewers"}},
	})})
}

// leave goes to the provider, and is the request that it sends back.
func (p *provider) leave(t *testing.T, l *access.Login) *http.Request {
	t.Helper()
	return p.leaveFor(t, l, "/crash/x")
}

func (p *provider) leaveFor(t *testing.T, l *access.Login, next string) *http.Request {
	t.Helper()
	to, c, err := l.Leave(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	p.Asked = at.Query()
	if !strings.HasPrefix(to, p.URL+"/auth?") || p.Asked.Get("redirect_uri") != "https://crash.example"+access.OIDCPath || p.Asked.Get("code_challenge_method") != "S256" || strings.Contains(to, "secret") {
		t.Errorf("%s", to)
	}
	r := httptest.NewRequest(http.MethodGet, access.OIDCPath+"?code=the-code&state="+p.Asked.Get("state"), nil)
	r.AddCookie(c)
	return r
}

func TestViewersOfAProvider(t *testing.T) {
	p := newProvider(t)
	l := p.login(t)
	s, next, none, err := l.Return(p.leave(t, l))
	if err != nil || next != "/crash/x" || none.MaxAge >= 0 {
		t.Fatal(next, none, err)
	}
	c, err := l.Cookie(s)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(c)
	v, _, err := l.Viewer(r)
	if err != nil || v.Name != "oidc:jane@example.com" || !slices.Equal(v.Roles, []access.Role{access.Protected}) {
		t.Errorf("%+v %v", v, err)
	}
	p.clock.pass(access.SessionLife)
	if v, _, _ := l.Viewer(r); v != nil {
		t.Error("the session goes on")
	}
}

func TestWhereALoginLeadsHasALength(t *testing.T) {
	p := newProvider(t)
	l := p.login(t)
	for n, kept := range map[int]bool{access.MaxNext: true, access.MaxNext + 1: false} {
		r := p.leaveFor(t, l, "/"+strings.Repeat("x", n-1))
		if _, next, _, err := l.Return(r); err != nil || (len(next) == n) != kept || !kept && next != "" {
			t.Errorf("%d bytes: %d are left, %v", n, len(next), err)
		}
	}
}

func TestClaimsGiveNamesAndRoles(t *testing.T) {
	p := newProvider(t)
	for name, tc := range map[string]struct {
		claims map[string]any
		who    string
		roles  []access.Role
	}{
		"no groups":        {map[string]any{"groups": nil}, "oidc:jane@example.com", nil},
		"one group":        {map[string]any{"groups": "dump-viewers"}, "oidc:jane@example.com", []access.Role{access.Dumps}},
		"both":             {map[string]any{"groups": []string{"admins", "crash-viewers"}}, "oidc:jane@example.com", []access.Role{access.Protected, access.Dumps}},
		"other case":       {map[string]any{"groups": []string{"Admins"}}, "oidc:jane@example.com", nil},
		"role's own name":  {map[string]any{"groups": []string{"dumps", "operator"}}, "oidc:jane@example.com", nil},
		"odd groups":       {map[string]any{"groups": []any{"admins", 7}}, "oidc:jane@example.com", nil},
		"not verified":     {map[string]any{"groups": nil, "email_verified": false}, "oidc:0815", nil},
		"says nothing":     {map[string]any{"groups": nil, "email_verified": nil}, "oidc:0815", nil},
		"last that counts": {map[string]any{"groups": append(make([]string, access.MaxOIDCGroups-1), "admins")}, "oidc:jane@example.com", []access.Role{access.Dumps}},
		"one too many":     {map[string]any{"groups": append(make([]string, access.MaxOIDCGroups), "admins")}, "oidc:jane@example.com", nil},
	} {
		for claim, v := range tc.claims {
			p.Claims[claim] = v
		}
		l := p.login(t)
		s, _, _, err := l.Return(p.leave(t, l))
		if err != nil || s.Name != tc.who || !slices.Equal(s.Roles, tc.roles) {
			t.Errorf("%s: %+v %v", name, s, err)
		}
		p.Claims["email_verified"] = true
	}
}

func TestLoginsOfAProviderThatAreNone(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(p *provider, l *access.Login, r *http.Request) *http.Request{
		"no cookie": func(_ *provider, _ *access.Login, r *http.Request) *http.Request { r.Header.Del("Cookie"); return r },
		"other browser": func(p *provider, l *access.Login, r *http.Request) *http.Request {
			r.Header.Set("Cookie", p.leave(t, l).Header.Get("Cookie"))
			return r
		},
		"no state": func(_ *provider, _ *access.Login, r *http.Request) *http.Request {
			r.URL.RawQuery = "code=the-code"
			return r
		},
		"other code": func(_ *provider, _ *access.Login, r *http.Request) *http.Request {
			r.URL.RawQuery += "x"
			r.URL.RawQuery = strings.Replace(strings.TrimSuffix(r.URL.RawQuery, "x"), "the-code", "other", 1)
			return r
		},
		"refused": func(_ *provider, _ *access.Login, r *http.Request) *http.Request {
			r.URL.RawQuery += "&error=access_denied"
			return r
		},
		"too late": func(p *provider, _ *access.Login, r *http.Request) *http.Request {
			p.clock.pass(10 * time.Minute)
			return r
		},
		"other key":      func(p *provider, _ *access.Login, r *http.Request) *http.Request { p.Signs = other; return r },
		"other nonce":    func(p *provider, _ *access.Login, r *http.Request) *http.Request { p.Asked.Set("nonce", "x"); return r },
		"other audience": func(p *provider, _ *access.Login, r *http.Request) *http.Request { p.Claims["aud"] = "mail"; return r },
		"other issuer": func(p *provider, _ *access.Login, r *http.Request) *http.Request {
			p.Claims["iss"] = "https://x"
			return r
		},
		"expired": func(p *provider, _ *access.Login, r *http.Request) *http.Request {
			p.Claims["exp"] = p.clock.now().Add(-time.Minute).Unix()
			return r
		},
		"long name": func(p *provider, _ *access.Login, r *http.Request) *http.Request {
			p.Claims["email"] = strings.Repeat("x", 200)
			return r
		},
		"a session": func(p *provider, l *access.Login, r *http.Request) *http.Request {
			s, _, _, err := l.Return(p.leave(t, l))
			if err != nil {
				t.Fatal(err)
			}
			c, err := l.Cookie(s)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Cookie", "__Host-aftershock-oidc="+c.Value)
			return r
		},
	} {
		p := newProvider(t)
		l := p.login(t)
		s, next, _, err := l.Return(change(p, l, p.leave(t, l)))
		if err == nil || s != nil || next != "" {
			t.Errorf("%s: %+v %v", name, s, err)
		}
		if err != nil && (strings.Contains(err.Error(), accesstest.Canary) || strings.Contains(err.Error(), accesstest.Code)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A provider that is away when the pages start is asked again.
func TestAProviderThatIsAway(t *testing.T) {
	p := newProvider(t)
	p.Close()
	l := p.login(t)
	if _, _, err := l.Leave(t.Context(), "/"); err == nil || errors.Is(err, access.ErrNotBack) {
		t.Error(err)
	}
}
