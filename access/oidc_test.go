package access_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
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
)

var b64 = base64.RawURLEncoding

// provider is one in this process, whose viewer has the claims.
type provider struct {
	*httptest.Server
	key    *rsa.PrivateKey
	signs  *rsa.PrivateKey // with what it signs: not always its own
	clock  *clock
	claims map[string]any
	nonce  string // of the last who came
	asked  url.Values
	code   int // of the answer to a code
}

func newProvider(t *testing.T, c *clock) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{key: key, signs: key, clock: c, code: http.StatusOK}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"issuer": p.URL, "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"keys": []any{map[string]any{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", "n": b64.EncodeToString(key.N.Bytes()), "e": "AQAB"}}})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		challenge := sha256.Sum256([]byte(r.Form.Get("code_verifier")))
		if p.code != http.StatusOK || r.Form.Get("code") != "the-code" || b64.EncodeToString(challenge[:]) != p.asked.Get("code_challenge") {
			w.WriteHeader(http.StatusBadRequest)
			answer(w, map[string]any{"error": "invalid_grant", "error_description": "canary-code"})
			return
		}
		answer(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": p.token(t)})
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	p.claims = map[string]any{"sub": "0815", "aud": "pages", "iss": p.URL, "email": "jane@example.com", "email_verified": true, "groups": []string{"staff", "crash-viewers"}}
	return p
}

// token is a signed one of its viewer.
func (p *provider) token(t *testing.T) string {
	t.Helper()
	claims := map[string]any{"nonce": p.nonce, "iat": p.clock.now().Unix(), "exp": p.clock.now().Add(time.Minute).Unix()}
	for name, v := range p.claims {
		claims[name] = v
	}
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	text := b64.EncodeToString([]byte(`{"alg":"RS256","kid":"1"}`)) + "." + b64.EncodeToString(body)
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.signs, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + b64.EncodeToString(signature)
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
	to, c, err := l.Leave(t.Context(), "/crash/x")
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	p.asked = at.Query()
	p.nonce = p.asked.Get("nonce")
	if !strings.HasPrefix(to, p.URL+"/auth?") || p.asked.Get("redirect_uri") != "https://crash.example"+access.OIDCPath || p.asked.Get("code_challenge_method") != "S256" || strings.Contains(to, "secret") {
		t.Errorf("%s", to)
	}
	r := httptest.NewRequest(http.MethodGet, access.OIDCPath+"?code=the-code&state="+p.asked.Get("state"), nil)
	r.AddCookie(c)
	return r
}

func TestViewersOfAProvider(t *testing.T) {
	p := newProvider(t, newClock())
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

func TestClaimsGiveNamesAndRoles(t *testing.T) {
	p := newProvider(t, newClock())
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
			p.claims[claim] = v
		}
		l := p.login(t)
		s, _, _, err := l.Return(p.leave(t, l))
		if err != nil || s.Name != tc.who || !slices.Equal(s.Roles, tc.roles) {
			t.Errorf("%s: %+v %v", name, s, err)
		}
		p.claims["email_verified"] = true
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
		"other key":      func(p *provider, _ *access.Login, r *http.Request) *http.Request { p.signs = other; return r },
		"other nonce":    func(p *provider, _ *access.Login, r *http.Request) *http.Request { p.nonce = "x"; return r },
		"other audience": func(p *provider, _ *access.Login, r *http.Request) *http.Request { p.claims["aud"] = "mail"; return r },
		"other issuer": func(p *provider, _ *access.Login, r *http.Request) *http.Request {
			p.claims["iss"] = "https://x"
			return r
		},
		"expired": func(p *provider, _ *access.Login, r *http.Request) *http.Request {
			p.claims["exp"] = p.clock.now().Add(-time.Minute).Unix()
			return r
		},
		"long name": func(p *provider, _ *access.Login, r *http.Request) *http.Request {
			p.claims["email"] = strings.Repeat("x", 200)
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
		p := newProvider(t, newClock())
		l := p.login(t)
		s, next, _, err := l.Return(change(p, l, p.leave(t, l)))
		if err == nil || s != nil || next != "" {
			t.Errorf("%s: %+v %v", name, s, err)
		}
		if err != nil && (strings.Contains(err.Error(), "canary-code") || strings.Contains(err.Error(), "the-code")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A provider that is away when the pages start is asked again.
func TestAProviderThatIsAway(t *testing.T) {
	p := newProvider(t, newClock())
	p.Close()
	l := p.login(t)
	if _, _, err := l.Leave(t.Context(), "/"); err == nil || errors.Is(err, access.ErrNotBack) {
		t.Error(err)
	}
}
