package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"aftershock/ask"
)

// Failure is a crash that could not be processed, and when that was.
type Failure struct {
	CrashID string
	At      time.Time
}

const (
	// maxFailures are looked at.
	maxFailures = 10_000
	// missingOnPage are on a page, as Crash Stats has it.
	missingOnPage = 1000
)

// failuresKept is how long they are not looked for again: whoever asks reads a topic.
const failuresKept = 20 * time.Second

// failures are the newest, as they were looked for last.
type failures struct {
	mu  sync.Mutex
	at  time.Time
	all []Failure
}

// newest are a copy of them. One looks at a time.
func (f *failures) newest(ctx context.Context, look func(context.Context, int) ([]Failure, error), now time.Time) ([]Failure, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if since := now.Sub(f.at); f.at.IsZero() || since < 0 || since >= failuresKept {
		all, err := look(ctx, maxFailures)
		if err != nil {
			return nil, err
		}
		f.at, f.all = now, all
	}
	return slices.Clone(f.all), nil
}

// missing is one of the API's.
type missing struct {
	CrashID   string `json:"crash_id"`
	Processed bool   `json:"is_processed"`
	Created   string `json:"created"`
}

// apiMissing is a page of the crashes that could not be processed, each once.
func (h *Handler) apiMissing(r *http.Request, q url.Values) (any, error) {
	if h.o.Failures == nil {
		return nil, &apiError{http.StatusServiceUnavailable, "what could not be processed is not known here: up's pages know it"}
	}
	page := 1
	if text := q.Get("page"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, &apiError{http.StatusBadRequest, "page: want a number from 1"}
		}
		page = n
	}
	all, err := h.failures.newest(r.Context(), h.o.Failures, h.o.Now())
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b Failure) int { return b.At.Compare(a.At) })
	seen := map[string]bool{}
	var ids []string
	var results []missing
	for _, f := range all {
		id, ok := crashID(f.CrashID)
		if !ok || seen[id] {
			continue
		}
		seen[id] = true
		ids = append(ids, id)
		results = append(results, missing{CrashID: id, Created: f.At.UTC().Format(time.RFC3339)})
	}
	count := len(results)
	from := (min(page, count/missingOnPage+2) - 1) * missingOnPage
	to := min(from+missingOnPage, count)
	from = min(from, count)
	results, ids = results[from:to], ids[from:to]
	if len(ids) > 0 {
		there, err := ask.Processed(r.Context(), h.o.DB, ids)
		if err != nil {
			return nil, err
		}
		for i := range results {
			results[i].Processed = there[results[i].CrashID]
		}
	}
	out := map[string]any{"results": results, "count": count, "next": nil, "previous": nil}
	if len(results) == 0 {
		out["results"] = []missing{}
	}
	link := func(n int) string { return strings.TrimSuffix(r.URL.Path, "?") + "?page=" + strconv.Itoa(n) }
	if to < count {
		out["next"] = link(page + 1)
	}
	if page > 1 {
		out["previous"] = link(page - 1)
	}
	return out, nil
}
