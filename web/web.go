// Package web has the pages: what people open to see what crashes.
//
// A page is a list of questions of package ask, asked with the filter that stands in its URL
// (filter.go), and shown as tables with a picture where a question has one (table.go, chart.go).
// Which page asks what is in pages.go; a crash is a page of its own kind (crash.go). Each has
// twins, as .json, .csv and .md (twins.go), and shows its statements.
//
// The pages have everything without a script, and ask nobody but us; what a script of ours adds is
// in static/reader.js: keys, and times in the reader's zone. They are made of what the database
// shows that they are given: the public one, for pages that everybody may see.
package web

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"aftershock/access"
	"aftershock/ask"
	"aftershock/replay"
	"aftershock/sinks/clickhouse"
)

//go:embed templates/*.html static/*
var files embed.FS

// Options of a Handler.
type Options struct {
	DB *clickhouse.DB
	// Login knows viewers and lets them in; nil: everybody is the public.
	Login *access.Login
	// Audit keeps who saw what. There is no Login without it.
	Audit access.Audit
	// Protected is the database that viewers with the role may ask for what is protected, and
	// Dumps where dumps are; nil: nobody may here. There is neither without a Login.
	Protected *clickhouse.DB
	Dumps     Dumps
	// Proxies are the networks of proxies whose X-Forwarded-For is believed.
	Proxies []netip.Prefix
	Metrics *Metrics // may be nil
	// Why tells why crashes have their signatures; nil for pages that do not say it.
	Why *replay.Explainer
	// Operator looks at versions, tries rules, and starts and promotes versions for viewers who
	// may; nil for pages that do not. It needs tables only to promote and to compare.
	Operator *replay.Operator
	// Begin is what a version that is begun from a page is made with, beside its rules.
	Begin replay.StartOptions
	// TryRules lets everybody try rules, where nobody can log in.
	TryRules bool
	// States are the thresholds of what is new, back, rising or quiet: parameters of the question
	// "states"; nil for its defaults.
	States map[string]string
	// Trackers say where bugs are looked at, and filed; nil for no links to them.
	Trackers *Trackers
	// SymbolsURL is where people download symbol files; empty for no links to them.
	SymbolsURL string
	// Reprocess has crashes processed again, for operators; nil where that is not done.
	Reprocess func(ctx context.Context, ids []string) error
	// LoadBugs stores which bugs are about which signatures, for viewers with the role; nil where
	// that is not done.
	LoadBugs func(ctx context.Context, all []clickhouse.Bug, replace bool) (removed int, err error)
	// Failures are about so many of the newest crashes that could not be processed; nil where they
	// are not known.
	Failures func(ctx context.Context, most int) ([]Failure, error)
	// APIRate bounds what one client asks of the API.
	APIRate Rate
	// Remember is how long answers of DB may be shown; 0: each page asks anew.
	Remember time.Duration
	// Now is the clock that times like 7d count from.
	Now func() time.Time
	Log zerolog.Logger
}

// Handler is an http.Handler. It is safe for concurrent use.
type Handler struct {
	o         Options
	mux       *http.ServeMux
	templates *template.Template
	policy    string // of what pages may have
	origin    *http.CrossOriginProtection
	dumping   chan struct{} // of each dump that is under way
	flips     flips
	denials   denials
	loading   chan struct{} // a slot for a list of bugs at a time
	planning  chan struct{} // a slot for each plan at a time
	rates     rates
	failures  failures
	memory    *ask.Memory
	looked    atomic.Int64 // when follow did last, in nanoseconds
}

// queryTime bounds what one page asks.
const queryTime = 20 * time.Second

// exportTime bounds an export.
const exportTime = time.Minute

// New returns a handler.
func New(o Options) (*Handler, error) {
	if o.Login != nil && o.Audit == nil || o.Login == nil && (o.Protected != nil || o.Dumps != nil) {
		return nil, errors.New("web: nobody logs in without an audit, and what is protected is for who has logged in")
	}
	if q, _ := ask.Find("states"); o.States != nil {
		if _, err := q.Values(o.States, o.Now()); err != nil {
			return nil, fmt.Errorf("thresholds of states: %w", err)
		}
	}
	h := &Handler{o: o, mux: http.NewServeMux(), origin: http.NewCrossOriginProtection(), dumping: make(chan struct{}, dumpsAtOnce), rates: rates{of: o.APIRate, now: o.Now}, planning: make(chan struct{}, plansAtOnce), loading: make(chan struct{}, 1)}
	if o.Protected == o.DB && o.DB != nil {
		h.o.Protected = o.DB.Apart() // what is protected is never remembered
	}
	h.memory = ask.NewMemory(o.DB, o.Remember, o.Now)
	h.flips.ctx, h.flips.cancel = context.WithCancel(context.Background())
	style, err := readStatic("style.css", "text/css; charset=utf-8")
	if err != nil {
		return nil, err
	}
	script, err := readStatic("reader.js", "text/javascript; charset=utf-8")
	if err != nil {
		return nil, err
	}
	h.policy = contentPolicy(script)
	h.templates, err = template.New("").Funcs(template.FuncMap{"style": func() static { return style }, "script": func() static { return script }, "pages": h.menu, "percentBar": func(percent int) int { return percent * barWidth / 100 }}).ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	h.mux.Handle("GET "+style.At, style)
	h.mux.Handle("GET "+script.At, script)
	h.mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { // browsers ask for one
		w.Header().Set("Cache-Control", "public, max-age=604800")
		w.WriteHeader(http.StatusNoContent)
	})
	h.routePages()
	h.routeCrash()
	h.routeCompare()
	h.routeDocs()
	h.routeRules()
	h.routeReplays()
	h.routeAgain()
	h.routeAccount()
	h.routeSaved()
	h.routeProtected()
	h.routeSearch()
	h.routeAPI()
	return h, nil
}

// menu is what every page begins with.
func (h *Handler) menu() []link {
	if h.o.Operator == nil {
		return menu
	}
	return slices.Concat(menu, []link{{"/replay", "Versions"}, {"/rules", "Rules"}})
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := compress(w, r)
	h.answer(c, r)
	c.end() // not of one that was broken off, which must not look whole
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", h.policy)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "same-origin")
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	_, pattern := h.mux.Handler(r)
	if pattern == "" && r.Method != http.MethodGet && r.Method != http.MethodHead {
		head.Set("Allow", "GET, HEAD")
		h.fail(w, r, http.StatusMethodNotAllowed, "This page is only for reading.", "")
		return
	}
	// Nothing changes on GET, and what changes something must come from a page of ours.
	if err := h.origin.Check(r); err != nil {
		h.fail(w, r, http.StatusForbidden, "This was sent by a page of somebody else.", "")
		return
	}
	r, ok := h.admit(w, r)
	if !ok {
		return
	}
	r, cancel := withPatience(r, pattern)
	defer cancel()
	h.mux.ServeHTTP(w, h.remembering(r))
}

// link is one of a menu.
type link struct{ Path, Name string }

// view is what every template gets.
type view struct {
	Title   string
	At      string // the page's path, for the menu
	Filter  filter
	Hidden  []hidden // what the filter's form keeps
	Filters bool     // whether the page goes by the filter
	Refresh int      // after how many seconds the page is asked for again; 0: never
	Twins   []link
	Lists   []listChoice // that the filter's form offers
	Body    any
	Private bool    // what is shown is protected
	Account account // set by show
	Here    string  // the page's own address, to be saved; empty: it is not. Set by show
}

// KeepName is what a page is saved as, unless somebody names it.
func (v view) KeepName() string {
	if len(v.Title) <= access.MaxSavedName {
		return v.Title
	}
	return strings.ToValidUTF8(v.Title[:access.MaxSavedName], "")
}

// hidden is a parameter that a form keeps.
type hidden struct{ Name, Value string }

// show renders a page, whole or not at all.
func (h *Handler) show(w http.ResponseWriter, r *http.Request, status int, name string, v view) {
	var page bytes.Buffer
	v.Account = h.account(r)
	if status == http.StatusOK {
		v.Here = h.savable(r)
	}
	if err := h.templates.ExecuteTemplate(&page, name, v); err != nil {
		h.o.Log.Error().Err(err).Str("page", name).Msg("page not rendered")
		http.Error(w, "This page could not be made; the log of the server says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	cached(w)
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(page.Bytes()) //nolint:errcheck,gosec // its client may be gone
	}
}

// cached lets a browser keep an answer for a moment, unless it is private.
func cached(w http.ResponseWriter) {
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "private, max-age=20")
	}
}

// failure is what an error's page says.
type failure struct{ What, Next string }

func (h *Handler) fail(w http.ResponseWriter, r *http.Request, status int, what, next string) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		sendError(w, r, &apiError{status, what})
		return
	}
	h.show(w, r, status, "failure.html", view{Title: http.StatusText(status), Body: failure{what, next}})
}

// failed answers for a question that was not answered.
func (h *Handler) failed(w http.ResponseWriter, r *http.Request, err error) {
	var bad *badValueError
	var unkept *auditError
	switch {
	case errors.As(err, &unkept):
		h.o.Log.Error().Err(err).Str("path", r.URL.Path).Msg("audit event not kept, so nothing is shown")
		h.fail(w, r, http.StatusServiceUnavailable, "It cannot be written down now who sees this, so it is not shown.", "Try again; the log of the server says why.")
	case errors.As(err, &bad):
		h.fail(w, r, http.StatusBadRequest, bad.text, "Go back, and change it in the filter.")
	case errors.Is(r.Context().Err(), context.DeadlineExceeded):
		h.fail(w, r, http.StatusServiceUnavailable, fmt.Sprintf("The tables did not answer in %v.", queryTime), "Ask for less time, or for one product.")
	case r.Context().Err() != nil: // nobody is left to be told
	default:
		h.o.Log.Warn().Err(err).Str("path", r.URL.Path).Msg("page not answered")
		h.fail(w, r, http.StatusServiceUnavailable, "The tables cannot be asked now.", "Try again; /readyz of the server says what does not work.")
	}
}

// badValueError is about a parameter of the URL.
type badValueError struct{ text string }

func (e *badValueError) Error() string { return e.text }

// values are a question's parameters out of those of a URL.
func (h *Handler) values(q ask.Query, from map[string]string) (map[string]string, error) {
	given := map[string]string{}
	for _, p := range q.Params {
		if v, ok := from[p.Name]; ok && (v != "" || p.Default == "") {
			given[p.Name] = v
		}
	}
	values, err := q.Values(given, h.now())
	if err != nil {
		return nil, &badValueError{err.Error()}
	}
	return values, nil
}

// twinOf is the kind of twin that a path asks for, empty for the page itself.
func twinOf(at string) (base, kind string) {
	ending := strings.TrimPrefix(path.Ext(at), ".")
	for _, t := range twins {
		if ending == t {
			return strings.TrimSuffix(at, "."+ending), t
		}
	}
	return at, ""
}
