package symbolserver

import (
	"context"
	"net/http"
	"sync"
	"time"
)

const (
	// checkTime is how long looking at the store may take.
	checkTime = 5 * time.Second
	// checkAge is how old an answer may be: who asks often does not ask the store.
	checkAge = 2 * time.Second
)

// heartbeat keeps the newest answer, and lets one ask at a time.
type heartbeat struct {
	mu   sync.Mutex
	at   time.Time
	well bool
}

// dockerflow answers what Mozilla's services answer.
func (s *Server) dockerflow(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	status, text := http.StatusOK, ""
	switch r.URL.Path {
	case "/__version__":
		if text = string(s.o.Version); text == "" {
			text = "{}"
		}
	case "/__heartbeat__":
		text = `{"status":"ok","checks":{"store":"ok"}}`
		if !s.storeWell(r.Context()) {
			status, text = http.StatusServiceUnavailable, `{"status":"error","checks":{"store":"error"}}`
		}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	if r.Method == http.MethodGet {
		w.Write([]byte(text)) //nolint:errcheck,gosec // the client left
	}
}

// storeWell looks at the store; what ails it only the log tells.
func (s *Server) storeWell(ctx context.Context) bool {
	h := &s.beat
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at.IsZero() || time.Since(h.at) > checkAge {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTime) // it is the next one's answer, too
		defer cancel()
		err := s.o.Store.Check(ctx)
		if err != nil {
			s.failed(-1, "", err)
		}
		h.at, h.well = time.Now(), err == nil
	}
	return h.well
}
