package web

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// moments is how far the times of pages lie apart, so that who opens a page after another asks the
// same questions.
const moments = time.Minute

// looksApart is how long pages go without looking whether a promotion has changed what is seen.
const looksApart = time.Second

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
	h.follow(r.Context())
	asked := r.Header.Get("Cache-Control")
	return r.WithContext(h.memory.In(r.Context(), strings.Contains(asked, "no-cache") || strings.Contains(asked, "max-age=0")))
}

// follow makes the memory forget what was before a promotion of the command line or of another process.
// Where the tables do not say what is seen, the next look is as far away.
func (h *Handler) follow(ctx context.Context) {
	now, last := h.o.Now().UnixNano(), h.looked.Load()
	if now-last < int64(looksApart) || !h.looked.CompareAndSwap(last, now) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, looksApart)
	defer cancel()
	if epoch, err := h.o.DB.Epoch(ctx); err == nil {
		h.memory.Follow(epoch)
	}
}
