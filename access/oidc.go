package access

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Limits of what a provider is asked, and answers.
const (
	oidcTime      = 10 * time.Second // of an answer
	oidcLoginTime = 10 * time.Minute // between leaving for the provider and coming back
	maxOIDCBytes  = 1 << 20          // of an answer
	maxOIDCName   = 200
	MaxOIDCGroups = 1000 // of a viewer
	MaxNext       = 1000 // bytes of where a login leads
)

// OIDCPath is where a provider sends its viewers back to.
const OIDCPath = "/login/oidc"

// OIDCOptions say which provider, and what its groups may.
type OIDCOptions struct {
	Issuer, ClientID, ClientSecret string
	// URL is that of the pages, as browsers know it.
	URL string
	// GroupsClaim is the claim with the groups of a viewer.
	GroupsClaim string
	// Groups are the groups that have a role.
	Groups map[Role][]string
}

// OIDC lets viewers of a provider in. It is safe for concurrent use.
type OIDC struct {
	o      OIDCOptions
	client *http.Client

	mu       sync.Mutex
	provider *oidc.Provider // once it has answered
}

// NewOIDC asks nobody yet: a provider may be away when the pages start.
func NewOIDC(o OIDCOptions) *OIDC {
	return &OIDC{o: o, client: &http.Client{Timeout: oidcTime, Transport: boundedBodies{http.DefaultTransport}}}
}

// boundedBodies cuts answers that are longer than any of a provider.
type boundedBodies struct{ next http.RoundTripper }

func (b boundedBodies) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxOIDCBytes), res.Body}
	}
	return res, err
}

// asked is what has to come back from the provider. It lies in a sealed cookie meanwhile.
type asked struct {
	State, Nonce, Verifier, Next string
	Begun                        time.Time
}

// config is how to speak with the provider, which is asked until it has answered once.
func (p *OIDC) config(ctx context.Context) (*oauth2.Config, *oidc.Provider, error) {
	p.mu.Lock()
	provider := p.provider
	p.mu.Unlock()
	if provider == nil {
		var err error
		if provider, err = oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.o.Issuer); err != nil {
			return nil, nil, fmt.Errorf("oidc: %w", err)
		}
		p.mu.Lock()
		p.provider = provider
		p.mu.Unlock()
	}
	return &oauth2.Config{
		ClientID: p.o.ClientID, ClientSecret: p.o.ClientSecret, Endpoint: provider.Endpoint(),
		RedirectURL: p.o.URL + OIDCPath, Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
	}, provider, nil
}

// Leave is where a browser goes to say who its viewer is, and the cookie that it takes there and
// back. next is where it goes afterwards.
func (l *Login) Leave(ctx context.Context, next string) (to string, c *http.Cookie, err error) {
	config, _, err := l.OIDC.config(ctx)
	if err != nil {
		return "", nil, err
	}
	if len(next) > MaxNext {
		next = ""
	}
	a := asked{random(16), random(16), oauth2.GenerateVerifier(), next, l.Now().UTC()}
	if c, err = l.cookie(purposeOIDC, a, oidcLoginTime); err != nil {
		return "", nil, err
	}
	return config.AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), c, nil
}

// ErrNotBack says that what came back from the provider is not what this browser had left for.
var ErrNotBack = errors.New("this login did not begin in this browser, or took too long: begin again")

// Return is a new session of who comes back from the provider, and where they go; none lets the
// browser forget what it had left with.
func (l *Login) Return(r *http.Request) (s *Session, next string, none *http.Cookie, err error) {
	none = l.noCookie(purposeOIDC)
	cookie, err := r.Cookie(none.Name)
	if err != nil {
		return nil, "", none, ErrNotBack
	}
	var a asked
	query := r.URL.Query()
	if !l.Seal.open(purposeOIDC, cookie.Value, &a) || l.Now().Sub(a.Begun) >= oidcLoginTime ||
		subtle.ConstantTimeCompare([]byte(a.State), []byte(query.Get("state"))) != 1 {
		return nil, "", none, ErrNotBack
	}
	if query.Get("error") != "" {
		return nil, "", none, fmt.Errorf("oidc: the provider refused: %.100q", query.Get("error"))
	}
	name, roles, err := l.OIDC.viewer(r.Context(), query, a, l.Now)
	if err != nil {
		return nil, "", none, err
	}
	session := newSession(name, l.Now())
	session.Foreign, session.Roles = true, roles
	return &session, a.Next, none, nil
}

// viewer is whom a provider says that a code is of.
func (p *OIDC) viewer(ctx context.Context, query url.Values, a asked, now func() time.Time) (name string, roles []Role, err error) {
	config, provider, err := p.config(ctx)
	if err != nil {
		return "", nil, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	answer, err := config.Exchange(ctx, query.Get("code"), oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return "", nil, fmt.Errorf("oidc: %w", withoutBody(err))
	}
	raw, ok := answer.Extra("id_token").(string)
	if !ok {
		return "", nil, errors.New("oidc: the provider's answer has no id_token")
	}
	token, err := provider.Verifier(&oidc.Config{ClientID: p.o.ClientID, Now: now}).Verify(ctx, raw)
	if err != nil {
		return "", nil, fmt.Errorf("oidc: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(a.Nonce)) != 1 {
		return "", nil, ErrNotBack
	}
	var claims map[string]json.RawMessage
	if err := token.Claims(&claims); err != nil {
		return "", nil, fmt.Errorf("oidc: %w", err)
	}
	name = "oidc:" + token.Subject
	var email string
	var verified bool
	if json.Unmarshal(claims["email"], &email) == nil && json.Unmarshal(claims["email_verified"], &verified) == nil && verified && email != "" {
		name = "oidc:" + email
	}
	if len(name) > maxOIDCName {
		return "", nil, fmt.Errorf("oidc: a name of more than %d bytes", maxOIDCName)
	}
	return name, p.rolesOf(claims[p.o.GroupsClaim]), nil
}

// withoutBody keeps what a provider wrote beside its error code out of logs: it is its, and may
// repeat what it was sent.
func withoutBody(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return fmt.Errorf("the provider refused the code: %.100q", refused.ErrorCode)
	}
	return err
}

// rolesOf are those that a groups claim, a list or one name, gives.
func (p *OIDC) rolesOf(claim json.RawMessage) (roles []Role) {
	var groups []string
	if json.Unmarshal(claim, &groups) != nil {
		var one string
		if json.Unmarshal(claim, &one) != nil {
			return nil
		}
		groups = []string{one}
	}
	if len(groups) > MaxOIDCGroups {
		groups = groups[:MaxOIDCGroups]
	}
	for _, r := range Roles {
		if slices.ContainsFunc(p.o.Groups[r], func(g string) bool { return slices.Contains(groups, g) }) {
			roles = append(roles, r)
		}
	}
	return roles
}
