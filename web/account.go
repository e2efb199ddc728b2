package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"aftershock/access"
	"aftershock/internal/forwarded"
	"aftershock/schema"
)

// maxFormBytes of what a form sends.
const maxFormBytes = 64 << 10

// loginTime bounds logins at a provider, which is asked up to three times.
const loginTime = 40 * time.Second

// routeAccount are the pages of who looks. There are none without a login.
func (h *Handler) routeAccount() {
	l := h.o.Login
	if l == nil {
		return
	}
	h.mux.HandleFunc("GET /login", h.login)
	if l.Users != nil {
		h.mux.HandleFunc("POST /login", h.enter)
	}
	if l.OIDC != nil {
		h.mux.HandleFunc("GET /login/leave", h.leave)
		h.mux.HandleFunc("GET "+access.OIDCPath, h.back)
	}
	h.mux.HandleFunc("POST /logout", h.logout)
	h.mux.HandleFunc("GET /me", h.me)
	h.mux.HandleFunc("POST /me/tokens", h.makeToken)
	h.mux.HandleFunc("POST /me/tokens/remove", h.removeToken)
}

// loginForm is what the page of the login gets.
type loginForm struct {
	Next, Name  string
	Users, OIDC bool
	Refused     string
}

func (h *Handler) login(w http.ResponseWriter, r *http.Request) {
	private(w)
	next := local(r.URL.Query().Get("next"))
	if access.From(r.Context()) != nil {
		http.Redirect(w, r, next, http.StatusSeeOther) //nolint:gosec // a path of ours: local
		return
	}
	h.loginPage(w, r, http.StatusOK, loginForm{Next: next})
}

func (h *Handler) loginPage(w http.ResponseWriter, r *http.Request, status int, f loginForm) {
	f.Users, f.OIDC = h.o.Login.Users != nil, h.o.Login.OIDC != nil
	h.show(w, r, status, "login.html", view{Title: "Log in", At: "/login", Body: f})
}

// form reads what a form sent.
func (h *Handler) form(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	private(w)
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	if err := r.ParseForm(); err != nil {
		h.fail(w, r, http.StatusBadRequest, "This form cannot be read.", "Go back, and send it again.")
		return nil, false
	}
	return r.PostForm, true
}

// enter lets in who knows a password. An answer tells nothing of whether there is such a name.
func (h *Handler) enter(w http.ResponseWriter, r *http.Request) {
	form, ok := h.form(w, r)
	if !ok {
		return
	}
	name, next := form.Get("name"), local(form.Get("next"))
	s, known, err := h.o.Login.Enter(name, form.Get("password"), forwarded.Address(r, h.o.Proxies))
	switch {
	case errors.Is(err, access.ErrAttempts):
		h.o.Metrics.login("limited")
		w.Header().Set("Retry-After", "900")
		h.loginPage(w, r, http.StatusTooManyRequests, loginForm{Next: next, Name: name, Refused: "Too many logins failed with this name, or from this address. Try again in a quarter of an hour."})
		return
	case errors.Is(err, access.ErrBusy):
		h.o.Metrics.login("limited")
		h.loginPage(w, r, http.StatusServiceUnavailable, loginForm{Next: next, Name: name, Refused: "Many log in at once. Try again in a moment."})
		return
	case err != nil:
		h.o.Log.Error().Err(err).Msg("users not readable")
		h.fail(w, r, http.StatusServiceUnavailable, "Nobody can be let in now.", "The log of the server says why.")
		return
	case s == nil:
		h.o.Metrics.login("refused")
		e := schema.AuditEvent{What: schema.AuditLoginRefused}
		if known { // what stands there otherwise can be a password
			e.Who, e.By = name, "password"
		}
		// Whose session sends this is another matter.
		if h.keep(w, r.WithContext(access.With(r.Context(), nil)), e) {
			h.loginPage(w, r, http.StatusForbidden, loginForm{Next: next, Name: name, Refused: "There is no such name with this password."})
		}
		return
	}
	h.begin(w, r, s, "password", next)
}

// begin gives a browser its session, a new one at each login.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, s *access.Session, by, next string) {
	if !h.keep(w, r, schema.AuditEvent{What: schema.AuditLogin, Who: s.Name, By: by}) {
		return
	}
	cookie, err := h.o.Login.Cookie(s)
	if err != nil {
		h.o.Log.Error().Err(err).Msg("session not sealed")
		h.fail(w, r, http.StatusInternalServerError, "There can be no session for you.", "The log of the server says why.")
		return
	}
	if old := session(r); old != nil {
		h.o.Login.End(old)
	}
	h.o.Metrics.login("done")
	http.SetCookie(w, cookie)
	http.Redirect(w, r, local(next), http.StatusSeeOther)
}

// leave sends a browser to the provider.
func (h *Handler) leave(w http.ResponseWriter, r *http.Request) {
	private(w)
	to, cookie, err := h.o.Login.Leave(r.Context(), local(r.URL.Query().Get("next")))
	if err != nil {
		h.o.Log.Error().Err(err).Msg("provider of logins not reached")
		h.fail(w, r, http.StatusServiceUnavailable, "Who you are is known elsewhere, and nobody answers there.", "Try again; the log of the server says why.")
		return
	}
	http.SetCookie(w, cookie)
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // the provider that the flags name
}

// back lets in who comes back from the provider.
func (h *Handler) back(w http.ResponseWriter, r *http.Request) {
	private(w)
	s, next, none, err := h.o.Login.Return(r)
	http.SetCookie(w, none)
	switch {
	case errors.Is(err, access.ErrNotBack):
		h.o.Metrics.login("refused")
		h.fail(w, r, http.StatusForbidden, "This login did not begin in this browser, or took too long.", "Begin again, at /login.")
	case err != nil:
		h.o.Metrics.login("failed")
		h.o.Log.Warn().Err(err).Msg("login at the provider failed")
		h.fail(w, r, http.StatusForbidden, "The provider did not let you in.", "Begin again, at /login; the log of the server says why.")
	default:
		h.begin(w, r, s, "oidc", next)
	}
}

// logout ends a session, whatever else works.
func (h *Handler) logout(w http.ResponseWriter, r *http.Request) {
	private(w)
	if s := session(r); s != nil {
		h.o.Login.End(s)
		if err := h.audit(r, schema.AuditEvent{What: schema.AuditLogout}); err != nil {
			h.o.Log.Warn().Err(err).Msg("logout not kept")
		}
	}
	http.SetCookie(w, h.o.Login.NoCookie())
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// mine is what the page of a viewer gets.
type mine struct {
	Name, By string
	Roles    []roleDoc
	Auditor  bool
	Tokens   bool // they can have some
	Have     []tokenRow
	Secret   string // of a token that was just made
	Refused  string
	Days     int
	Saves    bool // they can save something
	Made     string
	Searches []access.Saved
	Links    []access.Saved
	Lists    []savedList
}

// savedList is a list with its signatures as a form has them.
type savedList struct{ ID, Name, Text string }

type roleDoc struct{ Name, Doc string }

type tokenRow struct {
	ID, Note, Roles, Until string
	Over                   bool
}

// known is the viewer of a request, or leads to the login.
func (h *Handler) known(w http.ResponseWriter, r *http.Request) *access.Viewer {
	private(w)
	v := access.From(r.Context())
	if v == nil {
		http.Redirect(w, r, "/login?next=/me", http.StatusSeeOther)
	}
	return v
}

func (h *Handler) me(w http.ResponseWriter, r *http.Request) {
	if v := h.known(w, r); v != nil {
		h.mine(w, r, v, http.StatusOK, mine{})
	}
}

// mine shows the page of a viewer.
func (h *Handler) mine(w http.ResponseWriter, r *http.Request, v *access.Viewer, status int, m mine) {
	m.Name, m.By, m.Auditor, m.Days = v.Name, v.By, v.Can(access.Auditor), int(access.MaxTokenLife/(24*time.Hour))
	for _, role := range v.Roles {
		m.Roles = append(m.Roles, roleDoc{string(role), roleDocs[role]})
	}
	if owner, err := h.owner(r, v); err != nil {
		h.failed(w, r, err)
		return
	} else if owner != nil {
		tokens, err := h.o.Login.Tokens.Of(*owner)
		if err != nil {
			h.failed(w, r, err)
			return
		}
		m.Tokens = true
		for i := range tokens {
			t := &tokens[i]
			m.Have = append(m.Have, tokenRow{t.ID, t.Note, access.RoleNames(t.Roles), t.Expires.Format(time.DateOnly), t.Expired(h.o.Now())})
		}
	}
	if s := h.saver(r); s != nil {
		saved, err := s.of()
		if err != nil {
			h.failed(w, r, err)
			return
		}
		m.Saves = true
		for i := range saved {
			switch one := saved[i]; one.Kind {
			case access.SavedSearch:
				m.Searches = append(m.Searches, one)
			case access.SavedLink:
				m.Links = append(m.Links, one)
			case access.SavedList:
				m.Lists = append(m.Lists, savedList{one.ID, one.Name, strings.Join(one.Signatures, "\n")})
			}
		}
	}
	h.show(w, r, status, "me.html", view{Title: v.Name, At: "/me", Body: m})
}

// owner is the user that a viewer is, if they can have tokens: they are in the file, and said who
// they are by a password, not by a token.
func (h *Handler) owner(r *http.Request, v *access.Viewer) (*access.User, error) {
	l, s := h.o.Login, session(r)
	if l.Tokens == nil || l.Users == nil || s == nil || s.Foreign {
		return nil, nil //nolint:nilnil // nobody
	}
	return l.Users.Find(v.Name)
}

// ownerOf is owner of a request that changes their tokens, or answers why there is none.
func (h *Handler) ownerOf(w http.ResponseWriter, r *http.Request) (*access.Viewer, *access.User) {
	v := h.known(w, r)
	if v == nil {
		return nil, nil
	}
	owner, err := h.owner(r, v)
	switch {
	case err != nil:
		h.failed(w, r, err)
	case owner == nil:
		h.fail(w, r, http.StatusForbidden, "Tokens are for users of this server's own file, who have logged in by their password.", "")
	}
	return v, owner
}

func (h *Handler) makeToken(w http.ResponseWriter, r *http.Request) {
	v, owner := h.ownerOf(w, r)
	if owner == nil {
		return
	}
	form, ok := h.form(w, r)
	if !ok {
		return
	}
	days, err := strconv.ParseUint(form.Get("days"), 10, 16)
	if err != nil {
		days = 0 // which is refused with the limits
	}
	roles := make([]access.Role, len(form["roles"]))
	for i, name := range form["roles"] {
		roles[i] = access.Role(name)
	}
	slices.Sort(roles)
	token, secret, err := h.o.Login.Tokens.NewToken(*owner, form.Get("note"), slices.Compact(roles), time.Duration(days)*24*time.Hour)
	if err == nil {
		if !h.keep(w, r, schema.AuditEvent{What: schema.AuditTokenMade, Subject: token.ID}) {
			return
		}
		err = h.o.Login.Tokens.Add(token)
	}
	var refused *access.TokenError
	switch {
	case errors.As(err, &refused):
		h.mine(w, r, v, http.StatusBadRequest, mine{Refused: refused.Text})
	case err != nil:
		h.failed(w, r, err)
	default:
		h.mine(w, r, v, http.StatusOK, mine{Secret: secret})
	}
}

func (h *Handler) removeToken(w http.ResponseWriter, r *http.Request) {
	_, owner := h.ownerOf(w, r)
	if owner == nil {
		return
	}
	form, ok := h.form(w, r)
	if !ok {
		return
	}
	id := form.Get("id")
	switch err := h.o.Login.Tokens.Remove(owner.Name, id); {
	case errors.Is(err, access.ErrNoToken):
		h.fail(w, r, http.StatusNotFound, "You have no such token.", "/me has those that you have.")
		return
	case err != nil:
		h.failed(w, r, err)
		return
	}
	// It is gone, whether that can be kept or not: less was shown than before.
	if err := h.audit(r, schema.AuditEvent{What: schema.AuditTokenRemoved, Subject: id}); err != nil {
		h.o.Log.Warn().Err(err).Msg("removal of a token not kept")
	}
	http.Redirect(w, r, "/me", http.StatusSeeOther)
}

// patience is how long an answer to a pattern may take.
func patience(pattern string) time.Duration {
	switch pattern {
	case dumpPattern:
		return dumpTime
	case "GET " + access.OIDCPath:
		return loginTime
	case "GET /search.csv", "GET /search.parquet":
		return exportTime
	}
	return queryTime
}

// withPatience is a request with that time.
func withPatience(r *http.Request, pattern string) (*http.Request, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(r.Context(), patience(pattern))
	return r.WithContext(ctx), cancel
}
