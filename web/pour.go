package web

import (
	"net/http"
)

// poured is a page that its reader sees while it is made: parts of a template, one after the other.
// What has been written cannot be taken back, so that a failure is told in what follows.
type poured struct {
	h    *Handler
	w    http.ResponseWriter
	v    view
	over bool // its client is gone, or a part could not be made
}

// pour begins a page.
func (h *Handler) pour(w http.ResponseWriter, r *http.Request, v view) *poured {
	v.Account = h.account(r)
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Accel-Buffering", "no") // what proxies hold back, nobody sees
	return &poured{h: h, w: w, v: v}
}

// write makes a part, and sends it.
func (p *poured) write(part string, body any) {
	if p.over {
		return
	}
	p.v.Body = body
	if err := p.h.templates.ExecuteTemplate(p.w, part, p.v); err != nil {
		p.over = true
		return
	}
	p.over = http.NewResponseController(p.w).Flush() != nil
}
