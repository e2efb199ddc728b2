package web

import (
	"net/http"

	"aftershock/access"
	"aftershock/schema"
)

func (h *Handler) routeAgain() {
	if h.o.Reprocess != nil {
		h.mux.HandleFunc("POST /crash/{id}/again", h.again)
	}
}

// mayAgain tells whether the viewer may have crashes processed again.
func (h *Handler) mayAgain(r *http.Request) bool {
	return h.o.Reprocess != nil && access.From(r.Context()).Can(access.Operator)
}

// again has a crash processed again, with the symbols that there are now, and leads back to it.
func (h *Handler) again(w http.ResponseWriter, r *http.Request) {
	id, ok := h.pathID(w, r)
	if !ok || !h.needs(w, r, h.mayAgain(r), access.Operator) {
		return
	}
	if h.o.Login != nil && !h.keep(w, r, schema.AuditEvent{What: schema.AuditAgain, Role: string(access.Operator), Subject: id, Count: 1}) {
		return
	}
	if err := h.o.Reprocess(r.Context(), []string{id}); err != nil {
		h.o.Log.Warn().Err(err).Str("crash_id", id).Msg("crash not asked for again")
		h.fail(w, r, http.StatusServiceUnavailable, "The crash was not asked for: "+err.Error(), "Try again, or ask with aftershock reprocess.")
		return
	}
	http.Redirect(w, r, "/crash/"+id+"?again", http.StatusSeeOther)
}
