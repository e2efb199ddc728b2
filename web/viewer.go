package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"aftershock/access"
	"aftershock/ask"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// account is what every template gets of who looks.
type account struct {
	On               bool // there is a login
	Viewer           *access.Viewer
	Protected, Dumps bool // what of a crash the viewer may see here
}

func (h *Handler) account(r *http.Request) account {
	v := access.From(r.Context())
	return account{On: h.o.Login != nil, Viewer: v, Protected: h.o.Protected != nil && v.Can(access.Protected), Dumps: h.o.Dumps != nil && v.Can(access.Dumps)}
}

type sessionKey struct{}

// session is by which the viewer of a request is known; nil of whoever bears a token.
func session(r *http.Request) *access.Session {
	s, _ := r.Context().Value(sessionKey{}).(*access.Session)
	return s
}

// admit finds out who a request is of. Whoever shows something that is none is told so, and does
// not see what the public sees.
func (h *Handler) admit(w http.ResponseWriter, r *http.Request) (*http.Request, bool) {
	if h.o.Login == nil {
		return r, true
	}
	w.Header().Add("Vary", "Cookie, Authorization, Auth-Token")
	v, s, err := h.o.Login.Viewer(r)
	switch {
	case errors.Is(err, access.ErrToken):
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		if strings.HasPrefix(r.URL.Path, "/api/") {
			sendError(w, r, &apiError{http.StatusUnauthorized, "the token is none, has expired, or is of somebody who is gone"})
			return nil, false
		}
		h.fail(w, r, http.StatusUnauthorized, "The token is none, has expired, or is of somebody who is gone.", "/me makes another one.")
		return nil, false
	case err != nil:
		h.o.Log.Error().Err(err).Msg("viewers not known")
		h.fail(w, r, http.StatusServiceUnavailable, "Nobody can be known now.", "The log of the server says why. What is public can be seen without a cookie and a token.")
		return nil, false
	case v == nil:
		return r, true
	}
	return r.WithContext(context.WithValue(access.With(r.Context(), v), sessionKey{}, s)), true
}

// roleDocs are what roles let one do.
var roleDocs = map[access.Role]string{
	access.Protected: "see the protected values of crashes: URLs, comments, addresses, annotations, all threads; and ask questions of them",
	access.Dumps:     "download the dumps of crashes, with the memory in them",
	access.Rules:     "try rules on crashes",
	access.Operator:  "start, promote and roll back versions, and have crashes made again",
	access.Auditor:   "see who saw what",
	access.Bugs:      "load which bugs are about which signatures",
}

// allowed is the viewer of a request if they have a role. Whoever has not said who they are is
// led to where they can; who lacks the role is told, and that is kept. subject is what it is about.
func (h *Handler) allowed(w http.ResponseWriter, r *http.Request, role access.Role, subject string) bool {
	private(w)
	v := access.From(r.Context())
	switch {
	case v.Can(role):
		return true
	case v == nil && !strings.Contains(r.Header.Get("Accept"), "text/html"): // no person in a browser
		w.Header().Set("WWW-Authenticate", "Bearer")
		h.fail(w, r, http.StatusUnauthorized, fmt.Sprintf("This needs the role %s.", role), "Send a token that has it, as Auth-Token.")
	case v == nil:
		http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
	default:
		if err := h.denied(r, role, subject); err != nil {
			h.failed(w, r, err)
			return false
		}
		h.fail(w, r, http.StatusForbidden, fmt.Sprintf("This needs the role %s, which lets one %s.", role, roleDocs[role]), "Who looks after the users of these pages gives it.")
	}
	return false
}

// private keeps an answer out of every cache.
func private(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }

// auditError is that who sees something could not be kept, so that nothing may be shown.
type auditError struct{ err error }

func (e *auditError) Error() string { return "audit: " + e.err.Error() }
func (e *auditError) Unwrap() error { return e.err }

// audit keeps an event of the viewer of a request; what is protected is shown afterwards.
func (h *Handler) audit(r *http.Request, e schema.AuditEvent) error {
	if h.o.Audit == nil {
		return &auditError{errors.New("there is none")}
	}
	if v := access.From(r.Context()); v != nil && e.Who == "" {
		e.Who, e.By = v.Name, v.By
	}
	e.At = h.o.Now().UTC()
	err := h.o.Audit.Keep(r.Context(), &e)
	h.o.Metrics.kept(err)
	if err != nil {
		return &auditError{err}
	}
	return nil
}

// keep is audit, or the answer that it failed.
func (h *Handler) keep(w http.ResponseWriter, r *http.Request, e schema.AuditEvent) bool {
	err := h.audit(r, e)
	if err != nil {
		h.failed(w, r, err)
	}
	return err == nil
}

// tables are those that a question may be asked of: of the protected ones by who has the role
// alone.
func (h *Handler) tables(r *http.Request, q ask.Query) (*clickhouse.DB, error) {
	if !q.Protected {
		return h.o.DB, nil
	}
	if !h.mayAsk(r, q) {
		return nil, fmt.Errorf("%s: its viewer may not ask it", q.Name) // no page does: they look before
	}
	return h.o.Protected, nil
}

// mayAsk tells whether a question is there for the viewer of a request.
func (h *Handler) mayAsk(r *http.Request, q ask.Query) bool {
	return !q.Protected || h.o.Protected != nil && access.From(r.Context()).Can(access.Protected)
}

// local is where a login leads to: a path of these pages, and nothing else.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.Contains(next, `\`) {
		return "/"
	}
	return next
}
