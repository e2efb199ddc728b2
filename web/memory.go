package web

import (
	"net/http"
	"strings"
	"time"
)

// moments is how far the times of pages lie apart, so that who opens a page after another asks the
// same questions.
const moments = time.Minute

// now is the time that pages count from: where answers are remembered, the end of the minute that
// has begun.
func (h *Handler) now() time.Time {
	now := h.o.Now()
	if h.memory == nil {
		return now
	}
	return now.Add(moments - time.Nanosecond).Truncate(moments)
}

// remembering is a request whose page may be made of answers to another one. Who reloads a page
// wants to see what there is now, and so do programs.
func (h *Handler) remembering(r *http.Request) *http.Request {
	if h.memory == nil || strings.HasPrefix(r.URL.Path, "/api/") {
		return r
	}
	asked := r.Header.Get("Cache-Control")
	return r.WithContext(h.memory.In(r.Context(), strings.Contains(asked, "no-cache") || strings.Contains(asked, "max-age=0")))
}
