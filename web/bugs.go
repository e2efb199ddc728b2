package web

import (
	"net/http"
	"net/url"

	"aftershock/access"
	"aftershock/ask"
	"aftershock/bugs"
	"aftershock/replay"
	"aftershock/schema"
)

// apiBugsImport loads a list of bugs that is sent, once it is kept who does.
func (h *Handler) apiBugsImport(r *http.Request, q url.Values) (any, error) {
	if h.o.LoadBugs == nil {
		return nil, &apiError{http.StatusNotFound, "bugs are not loaded here: aftershock bugs import does"}
	}
	if replace := q.Get("replace"); replace != "" && replace != "0" && replace != "1" {
		return nil, &apiError{http.StatusBadRequest, "replace: want 0 or 1"}
	}
	select {
	case h.loading <- struct{}{}:
		defer func() { <-h.loading }()
	default:
		return nil, &apiError{http.StatusServiceUnavailable, "somebody loads bugs at the moment"}
	}
	all, err := bugs.ReadCSV(r.Body, bugs.MaxPushed)
	switch {
	case err != nil:
		return nil, &apiError{http.StatusBadRequest, err.Error()}
	case len(all) == 0 && q.Get("replace") == "1":
		return nil, &apiError{http.StatusBadRequest, "there are no bugs in it: with replace all would go"}
	}
	if err := h.audit(r, schema.AuditEvent{What: schema.AuditBugs, Role: string(access.Bugs), Count: int64(len(all))}); err != nil {
		return nil, err
	}
	removed, err := h.o.LoadBugs(r.Context(), all, q.Get("replace") == "1")
	h.memory.Forget() // also if it failed: some may be there
	if err != nil {
		return nil, err
	}
	return map[string]int{"loaded": len(all), "removed": removed}, nil
}

// inheritedQuery is how bugs of names that a signature had are told of beside questions'.
var inheritedQuery = ask.Query{
	Name: "inherited-bugs", SQL: ask.BugsOfNames.SQL(),
	Doc: "Bugs that are about a name whose crashes a promotion gave this signature, most of them: they are about these crashes still. old_signature is the name that the bug was filed for.",
}

// inherited are the bugs of the names that a signature had; nil where there are none.
func (h *Handler) inherited(r *http.Request, signature string, f filter) (*answered, error) {
	before, err := replay.Ancestors(r.Context(), h.o.DB, lineageLimits, []string{signature})
	names := before[signature]
	if err != nil || len(names) == 0 {
		return nil, err
	}
	values := map[string]string{"signatures": ask.List(names)}
	a, err := ask.BugsOfNames.Ask(r.Context(), h.o.DB, values)
	if err != nil || len(a.Rows) == 0 {
		return nil, err
	}
	out := answered{Title: "Bugs of what it was called", Doc: inheritedQuery.Doc, SQL: inheritedQuery.SQL, Query: inheritedQuery, Given: values, Answer: a, Table: tableOf(inheritedQuery, a, nil, f)}
	h.o.Trackers.link(&out.Table, a)
	return &out, nil
}
