package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"aftershock/access"
	"aftershock/ask"
	"aftershock/schema"
)

// Dumps finds dumps of crashes.
type Dumps interface {
	// Dump is the original bytes of a crash's dump, the main one if the name is empty. The error
	// wraps ErrNoDump when there is none.
	Dump(ctx context.Context, crashID, name string) ([]byte, error)
}

// ErrNoDump says that there is no such crash any more, or no such dump of it.
var ErrNoDump = errors.New("no such dump")

const (
	// dumpTime bounds finding a dump and sending it.
	dumpTime    = 10 * time.Minute
	dumpPattern = "GET /crash/{id}/dump"
	// dumpsAtOnce bounds the memory for dumps: each is held whole, so that one that is damaged is
	// not sent.
	dumpsAtOnce = 2
)

// Audit pages read so many events, and show so many of those that are asked for.
const (
	maxAuditRead  = 5000
	maxAuditShown = 200
)

// routeProtected are the pages of what is protected, as far as this server has it.
func (h *Handler) routeProtected() {
	if h.o.Login == nil {
		return
	}
	if h.o.Protected != nil {
		h.mux.HandleFunc("GET /crash/{id}/protected", h.crashProtected)
		h.mux.HandleFunc("GET /crash/{id}/protected.json", h.crashProtected)
	}
	if h.o.Dumps != nil {
		h.mux.HandleFunc(dumpPattern, h.dump)
	}
	h.mux.HandleFunc("GET /audit", h.audited)
}

// protectedCrash is what the template of a crash's protected values gets.
type protectedCrash struct {
	ID          string
	Facts       []fact
	Annotations []fact
	Threads     []thread
	Lists       []list // columns that are lists of equal length, by what is before their dot
	Dumps       bool
}

type thread struct {
	Name, End string
	Frames    []string
}

type list struct {
	Name    string
	Columns []string
	Rows    [][]string
}

// pathID is the crash id of a path.
func (h *Handler) pathID(w http.ResponseWriter, r *http.Request) (string, bool) {
	id, ok := crashID(r.PathValue("id"))
	if !ok {
		h.fail(w, r, http.StatusNotFound, "That is no crash id.", "One looks like 0bba929f-8721-460c-8e70-a43c90261122, with bp- in front of it or without.")
	}
	return id, ok
}

// crashProtected shows what of a crash is protected, once it is kept who sees it.
func (h *Handler) crashProtected(w http.ResponseWriter, r *http.Request) {
	id, ok := h.pathID(w, r)
	if !ok || !h.allowed(w, r, access.Protected, id) {
		return
	}
	row, err := ask.CrashProtected(r.Context(), h.o.Protected, id)
	switch {
	case err != nil:
		h.failed(w, r, err)
		return
	case row == nil:
		h.fail(w, r, http.StatusNotFound, "There is nothing protected of a crash with this id.", "It is not processed yet, or too old.")
		return
	}
	if !h.keep(w, r, schema.AuditEvent{What: schema.AuditProtected, Role: string(access.Protected), Subject: id, Count: 1}) {
		return
	}
	if _, twin := twinOf(r.URL.Path); twin == "json" {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(row) //nolint:errcheck,gosec // its client may be gone
		return
	}
	at := "/crash/" + id + "/protected"
	c := protectedOf(id, row)
	c.Dumps = h.account(r).Dumps
	h.show(w, r, http.StatusOK, "protected.html", view{Title: "Protected values of " + id, At: at, Body: c, Private: true, Twins: []link{{at + ".json", "JSON"}}})
}

// protectedOf takes a protected row apart.
func protectedOf(id string, row ask.Row) *protectedCrash {
	c := &protectedCrash{ID: id}
	groups := map[string][]string{}
	var names []string
	for name := range row {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		of, column, dotted := strings.Cut(name, ".")
		value := ask.Shown(row[name])
		switch {
		case dotted:
			groups[of] = append(groups[of], column)
		case value == "" || name == "crash_id" || name == "annotations" || strings.HasPrefix(name, "raw_") || strings.HasPrefix(name, "processed_"):
		default:
			c.Facts = append(c.Facts, fact{Name: name, Value: value})
		}
	}
	annotations := map[string]string{}
	json.Unmarshal(row["annotations"], &annotations) //nolint:errcheck,gosec // an object of texts, or there are none
	for name, value := range annotations {
		c.Annotations = append(c.Annotations, fact{Name: name, Value: value})
	}
	slices.SortFunc(c.Annotations, func(a, b fact) int { return strings.Compare(a.Name, b.Name) })
	c.Threads = threadsOf(row)
	for _, name := range names {
		of, _, dotted := strings.Cut(name, ".")
		if !dotted || of == "threads" || groups[of] == nil {
			continue
		}
		l := list{Name: strings.ReplaceAll(of, "_", " "), Columns: groups[of]}
		var full []string
		for _, column := range groups[of] {
			full = append(full, of+"."+column)
		}
		if l.Rows = columns(row, full...); len(l.Rows) > 0 {
			c.Lists = append(c.Lists, l)
		}
		delete(groups, of)
	}
	return c
}

func threadsOf(row ask.Row) (all []thread) {
	var stacks [][]string
	json.Unmarshal(row["threads.stack"], &stacks) //nolint:errcheck,gosec // lists of texts, or there are none
	for i, v := range columns(row, "threads.thread_id", "threads.name", "threads.end") {
		t := thread{Name: strings.TrimSpace(v[0] + " " + v[1]), End: v[2]}
		if i < len(stacks) {
			t.Frames = stacks[i]
		}
		all = append(all, t)
	}
	return all
}

// dump sends a dump, once it is kept who gets it.
func (h *Handler) dump(w http.ResponseWriter, r *http.Request) {
	id, ok := h.pathID(w, r)
	if !ok || !h.allowed(w, r, access.Dumps, id) {
		return
	}
	name, file := r.URL.Query().Get("name"), id
	if name != "" {
		file += "-" + name
	}
	if len(name) > schema.MaxDumpName || strings.Trim(name, dumpNameLetters) != "" {
		h.fail(w, r, http.StatusNotFound, "That is no name of a dump.", "The protected values of the crash have those there are.")
		return
	}
	select {
	case h.dumping <- struct{}{}:
		defer func() { <-h.dumping }()
	case <-r.Context().Done():
		h.fail(w, r, http.StatusServiceUnavailable, "Too many dumps are under way.", "Try again.")
		return
	}
	data, err := h.o.Dumps.Dump(r.Context(), id, name)
	switch {
	case errors.Is(err, ErrNoDump):
		h.fail(w, r, http.StatusNotFound, "There is no such dump of this crash.", "It is too old, came without one, or its dump has another name: the protected values of the crash have them.")
		return
	case err != nil:
		h.o.Log.Warn().Err(err).Str("crash_id", id).Msg("dump not found")
		h.fail(w, r, http.StatusServiceUnavailable, "The dump cannot be had now.", "Try again; the log of the server says why.")
		return
	}
	if !h.keep(w, r, schema.AuditEvent{What: schema.AuditDump, Role: string(access.Dumps), Subject: id, Count: int64(len(data))}) {
		return
	}
	head := w.Header()
	head.Set("Content-Type", "application/octet-stream")
	head.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.dmp"`, file))
	head.Set("Content-Length", fmt.Sprint(len(data)))
	if r.Method != http.MethodHead {
		w.Write(data) //nolint:errcheck,gosec // its client may be gone
	}
}

// dumpNameLetters are those that names of dumps are made of.
const dumpNameLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

// auditLog is what the page of the audit gets.
type auditLog struct {
	Who, Subject string
	Events       []schema.AuditEvent
	Read         int
}

// audited shows who saw what, and keeps that somebody saw it.
func (h *Handler) audited(w http.ResponseWriter, r *http.Request) {
	if !h.allowed(w, r, access.Auditor, "") {
		return
	}
	events, err := h.o.Audit.Newest(r.Context(), maxAuditRead)
	if err != nil {
		h.o.Log.Warn().Err(err).Msg("audit not readable")
		h.fail(w, r, http.StatusServiceUnavailable, "The audit cannot be read now.", "Try again; the log of the server says why.")
		return
	}
	l := auditLog{Who: r.URL.Query().Get("who"), Subject: r.URL.Query().Get("subject"), Read: len(events)}
	for _, e := range events {
		if (l.Who == "" || e.Who == l.Who) && (l.Subject == "" || e.Subject == l.Subject) && len(l.Events) < maxAuditShown {
			l.Events = append(l.Events, e)
		}
	}
	if h.keep(w, r, schema.AuditEvent{What: schema.AuditAudit, Role: string(access.Auditor), Count: int64(len(l.Events))}) {
		h.show(w, r, http.StatusOK, "audit.html", view{Title: "Who saw what", At: "/audit", Body: l, Private: true})
	}
}
