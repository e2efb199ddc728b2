// Package accesstest gives tests an OpenID Connect provider.
package accesstest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// Code is the one that the provider takes; Canary stands in what it says of others.
const (
	Code   = "the-code"
	Canary = "canary-code"
)

var b64 = base64.RawURLEncoding

// Provider is one in this process, whose viewer has the claims.
type Provider struct {
	*httptest.Server
	Claims map[string]any
	// Asked is what the last viewer came with. Where nobody comes, a test says it.
	Asked url.Values
	// Signs is the key with which it signs; its own, unless a test says otherwise.
	Signs *rsa.PrivateKey

	now func() time.Time
}

// NewProvider is one that lives as long as the test, whose clients are called "pages".
func NewProvider(t testing.TB, now func() time.Time) *Provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &Provider{Signs: key, now: now}
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
	mux.HandleFunc("/auth", func(w http.ResponseWriter, r *http.Request) {
		p.Asked = r.URL.Query()
		back := url.Values{"code": {Code}, "state": {p.Asked.Get("state")}}
		http.Redirect(w, r, p.Asked.Get("redirect_uri")+"?"+back.Encode(), http.StatusSeeOther)
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		challenge := sha256.Sum256([]byte(r.Form.Get("code_verifier")))
		if r.Form.Get("code") != Code || b64.EncodeToString(challenge[:]) != p.Asked.Get("code_challenge") {
			w.WriteHeader(http.StatusBadRequest)
			answer(w, map[string]any{"error": "invalid_grant", "error_description": Canary})
			return
		}
		answer(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": p.token(t)})
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	p.Claims = map[string]any{"sub": "0815", "aud": "pages", "iss": p.URL, "email": "jane@example.com", "email_verified": true, "groups": []string{"staff", "crash-viewers"}}
	return p
}

// token is a signed one of its viewer.
func (p *Provider) token(t testing.TB) string {
	t.Helper()
	claims := map[string]any{"nonce": p.Asked.Get("nonce"), "iat": p.now().Unix(), "exp": p.now().Add(time.Minute).Unix()}
	for name, v := range p.Claims {
		claims[name] = v
	}
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	text := b64.EncodeToString([]byte(`{"alg":"RS256","kid":"1"}`)) + "." + b64.EncodeToString(body)
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.Signs, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + b64.EncodeToString(signature)
}
