package web

import (
	"net/http"
	"sync"
	"time"

	"aftershock/access"
	"aftershock/schema"
)

// denials are what viewers were denied lately. One a minute is kept of each viewer and role: who
// asks again and again would push all else out of what the page of the audit reads.
type denials struct {
	mu   sync.Mutex
	last map[denial]time.Time
}

type denial struct {
	viewer string
	role   access.Role
}

const (
	denialTime = time.Minute
	maxDenials = 10_000
)

// lately tells whether the same was kept within the minute.
func (d *denials) lately(of denial, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, ok := d.last[of]
	return ok && now.Sub(at) < denialTime
}

func (d *denials) kept(of denial, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil || len(d.last) >= maxDenials {
		d.last = map[denial]time.Time{}
	}
	d.last[of] = now
}

// denied keeps that a viewer lacked a role.
func (h *Handler) denied(r *http.Request, role access.Role, subject string) error {
	of := denial{role: role}
	if v := access.From(r.Context()); v != nil {
		of.viewer = v.Name
	}
	if h.denials.lately(of, h.o.Now()) {
		return nil
	}
	err := h.audit(r, schema.AuditEvent{What: schema.AuditDenied, Role: string(role), Subject: subject})
	if err == nil {
		h.denials.kept(of, h.o.Now())
	}
	return err
}
