package access

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Login says who requests are of, and lets viewers in. It is safe for concurrent use.
type Login struct {
	LoginOptions
	attempts *attempts
	ended    ended
}

// LoginOptions of a Login.
type LoginOptions struct {
	Users  *Users  // nil: there is no file of users
	Tokens *Tokens // nil: there are no tokens
	OIDC   *OIDC   // nil: there is no provider
	Keep   *Keep   // nil: nobody can save anything
	Seal   *Seal
	// Secure: browsers come by https, and send cookies no other way.
	Secure bool
	Now    func() time.Time
}

// NewLogin lets in whom the options say.
func NewLogin(o LoginOptions) *Login { return &Login{LoginOptions: o, attempts: newAttempts()} }

// ErrToken says that a request bears a token that is none, or of no use any more.
var ErrToken = errors.New("the token is none, has expired, or its owner is gone")

// ErrAttempts says that there were too many logins that failed.
var ErrAttempts = fmt.Errorf("too many logins failed with this name, or from this address: try again in %v", attemptTime)

// Viewer is whom a request is of, and the session by which it is known; both are nil for the
// public, and the session of who bears a token. What a viewer may is looked up each time.
func (l *Login) Viewer(r *http.Request) (*Viewer, *Session, error) {
	if sent, given := tokenOf(r); given {
		v, err := l.bearer(sent)
		return v, nil, err
	}
	cookie, err := r.Cookie(l.cookieName(purposeSession))
	if err != nil {
		return nil, nil, nil //nolint:nilerr // there is none
	}
	var s Session
	if !l.Seal.open(purposeSession, cookie.Value, &s) || s.over(l.Now()) || l.ended.has(s.ID) {
		return nil, nil, nil
	}
	roles := s.Roles
	switch {
	case s.Foreign && l.OIDC == nil:
		return nil, nil, nil
	case !s.Foreign:
		user, err := l.user(s.Name)
		if err != nil {
			return nil, nil, err
		}
		if user == nil || s.Hold != user.hold() {
			return nil, nil, nil
		}
		roles = user.Roles
	}
	return &Viewer{Name: s.Name, Roles: roles, By: "session"}, &s, nil
}

func (l *Login) user(name string) (*User, error) {
	if l.Users == nil {
		return nil, nil //nolint:nilnil // nobody
	}
	return l.Users.Find(name)
}

// tokenOf is the token that a request bears, in either of two headers.
func tokenOf(r *http.Request) (sent string, given bool) {
	if sent := r.Header.Get("Auth-Token"); sent != "" {
		return sent, true
	}
	kind, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(sent), strings.EqualFold(kind, "Bearer")
}

// bearer is who bears a token: its owner, with those of its roles that the owner has now.
func (l *Login) bearer(sent string) (*Viewer, error) {
	if l.Tokens == nil || l.Users == nil {
		return nil, ErrToken
	}
	token, err := l.Tokens.Find(sent)
	if err != nil {
		return nil, err
	}
	if token == nil {
		return nil, ErrToken
	}
	owner, err := l.Users.Find(token.Owner)
	if err != nil {
		return nil, err
	}
	if owner == nil || !token.of(*owner) {
		return nil, ErrToken
	}
	var roles []Role
	for _, r := range token.Roles {
		if slices.Contains(owner.Roles, r) {
			roles = append(roles, r)
		}
	}
	return &Viewer{Name: owner.Name, Roles: roles, By: "token " + token.ID}, nil
}

// Enter is a new session for a name and password, or nil. known tells whether there is such a
// name: that is for the audit, and not for who tries.
func (l *Login) Enter(name, password string, from netip.Addr) (s *Session, known bool, err error) {
	if l.Users == nil {
		return nil, false, nil
	}
	if !l.attempts.take(name, from, l.Now()) {
		return nil, false, ErrAttempts
	}
	user, err := l.Users.Check(name, password)
	if err != nil { // nothing was guessed
		l.attempts.passed(name, from)
		return nil, false, err
	}
	if user == nil {
		found, err := l.Users.Find(name)
		return nil, found != nil, err
	}
	l.attempts.passed(name, from)
	session := newSession(user.Name, l.Now())
	session.Hold = user.hold()
	return &session, true, nil
}

// End lets a session be of no use any more.
func (l *Login) End(s *Session) { l.ended.add(s, l.Now()) }

// cookieName: a browser takes a name that begins with __Host- from this very host alone, by
// https, so that no other host of the domain can put a cookie in its place.
func (l *Login) cookieName(purpose string) string {
	if l.Secure {
		return "__Host-aftershock-" + purpose
	}
	return "aftershock-" + purpose
}

// Cookie is what a browser keeps of a session.
func (l *Login) Cookie(s *Session) (*http.Cookie, error) {
	return l.cookie(purposeSession, s, s.Issued.Add(SessionLife).Sub(l.Now()))
}

// NoCookie is what lets a browser forget a session.
func (l *Login) NoCookie() *http.Cookie { return l.noCookie(purposeSession) }

func (l *Login) cookie(purpose string, value any, life time.Duration) (*http.Cookie, error) {
	sealed, err := l.Seal.seal(purpose, value)
	if err != nil {
		return nil, err
	}
	c := l.noCookie(purpose) //nolint:gosec // it has all three
	c.Value, c.MaxAge = sealed, max(int(life/time.Second), 1)
	return c, nil
}

func (l *Login) noCookie(purpose string) *http.Cookie {
	return &http.Cookie{Name: l.cookieName(purpose), Path: "/", MaxAge: -1, HttpOnly: true, Secure: l.Secure, SameSite: http.SameSiteLaxMode} //nolint:gosec // it has all three
}
