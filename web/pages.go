package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/sync/errgroup"

	"aftershock/access"
	"aftershock/ask"
	"aftershock/schema"
)

// section is a question on a page.
type section struct {
	title    string
	question string
	// params are set whatever the URL says, unless it says so itself.
	params map[string]string
	tab    string // of pages with tabs
}

// page is one of the pages.
type page struct {
	path, title string
	// wants is a parameter without which there is nothing to show.
	wants    string
	tabs     []link // Path is the value of the parameter tab
	sections []section
}

// ranks tells whether a page has rankings, which leave out what a list says.
func (p page) ranks() bool { return p.path == "/" || p.path == "/top" }

// menu is that of pages which know no versions; see Handler.menu.
var menu = []link{{"/", "Morning"}, {"/top", "Top crashers"}, {"/search", "Search"}, {"/compare", "Compare"}, {"/pings", "Pings"}, {"/missing", "Missing symbols"}, {"/questions", "All questions"}}

// pages, with what each asks.
var pages = []page{
	{path: "/", title: "This morning", sections: []section{
		{title: "New, back again, rising, quiet", question: "states"},
		{title: "Crashes a day, by product", question: "days", params: map[string]string{"by": "product"}},
		{title: "Days far above the usual", question: "spikes", params: map[string]string{"limit": "10"}},
		{title: "Most crashes", question: "top-crashers", params: map[string]string{"limit": "10"}},
		{title: "How fresh this is", question: "freshness"},
	}},
	{path: "/top", title: "Top crashers", tabs: []link{{"", "By crashes"}, {"installs", "By installations"}, {"startup", "At startup"}, {"rising", "Rising"}}, sections: []section{
		{title: "By crashes", question: "top-crashers", params: map[string]string{"limit": "100"}},
		{title: "By installations", question: "top-by-installs", params: map[string]string{"limit": "100"}, tab: "installs"},
		{title: "At startup", question: "startup", params: map[string]string{"limit": "100"}, tab: "startup"},
		{title: "Rising", question: "risers", params: map[string]string{"limit": "100"}, tab: "rising"},
	}},
	{path: "/health", title: "Health", sections: []section{
		{title: "How fresh this is", question: "freshness"},
		{title: "How processing went", question: "processing"},
	}},
	{path: "/signature", title: "Signature", wants: "signature", tabs: []link{{"", "Overview"}, {"reports", "Crashes"}, {"builds", "Builds"}, {"distributions", "Distributions"}, {"stacks", "Stacks"}, {"more", "Over-represented"}, {"history", "History"}}, sections: []section{
		{title: "What becomes of it", question: "states"},
		{title: "Crashes a day, by version", question: "days"},
		{title: "On what", question: "signature-platforms"},
		{title: "After how long", question: "uptime"},
		{title: "Bugs", question: "bugs"},
		{title: "Graphics", question: "gpus", params: map[string]string{"limit": "10"}},
		{title: "Crashes, newest first", question: "reports", tab: "reports"},
		{title: "By build: did it help?", question: "builds", tab: "builds"},
		{title: "What these crashes have more often than others", question: "correlations", tab: "more"},
	}},
	{path: "/text", title: "Signatures with a text", wants: "text", sections: []section{{title: "Signatures with this text", question: "search"}}},
	{path: "/missing", title: "Missing symbols", sections: []section{{title: "Modules without symbols, by the crashes that lack them", question: "missing-symbols"}}},
	{path: "/questions", title: "All questions"},
}

// answered is a section with its answer.
type answered struct {
	Title, Doc, SQL string
	Query           ask.Query
	Answer          *ask.Answer
	Chart           *chart
	Table           table
	Given           map[string]string // parameters, as the statement got them
}

// body is what a page's template gets.
type body struct {
	Subject  string // a signature or text
	Wants    string
	Tabs     []tab
	Sections []answered
	LeftOut  string     // what a list leaves out
	All      []question // of /questions
	// Parts are of /signature alone.
	Parts *signatureParts
}

type tab struct {
	Path, Name string
	Here       bool
}

type question struct{ Path, Name, Doc string }

// routePages are the pages of questions, with their twins.
func (h *Handler) routePages() {
	for _, p := range pages {
		name := p.path
		if name == "/" {
			name = "/{$}"
		}
		h.mux.HandleFunc("GET "+name, h.page(p, ""))
		for _, twin := range twins {
			at := strings.TrimSuffix(p.path, "/")
			if p.path == "/" {
				at = "/morning"
			}
			h.mux.HandleFunc("GET "+at+"."+twin, h.page(p, twin))
		}
	}
	h.mux.HandleFunc("GET /find", h.find)
	h.mux.HandleFunc("GET /questions/{name}", h.question)
	h.mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		h.fail(w, r, http.StatusNotFound, "There is no such page.", "The menu has those there are.")
	})
}

// page answers with a page, or its twin.
func (h *Handler) page(p page, twin string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f, left, err := h.filterOf(r)
		if err != nil {
			h.failed(w, r, err)
			return
		}
		filters := len(p.sections) > 0 && p.wants != "text"
		if filters {
			f.at = p.path
		}
		values := f.values()
		b := body{Subject: values[p.wants], Wants: p.wants}
		here := values["tab"]
		for _, t := range p.tabs {
			more := []string{"tab", t.Path}
			if p.wants != "" {
				more = append(more, p.wants, b.Subject)
			}
			b.Tabs = append(b.Tabs, tab{p.path + f.query(more...), t.Name, t.Path == here})
		}
		if p.path == "/questions" {
			for _, q := range ask.Queries() {
				if h.mayAsk(r, q) {
					b.All = append(b.All, question{"/questions/" + q.Name + f.query(), q.Name, q.Doc})
				}
			}
		}
		if p.wants == "" || b.Subject != "" {
			if b.Sections, err = h.ask(r, p, f, here); err != nil {
				h.failed(w, r, err)
				return
			}
		}
		if left != nil && p.ranks() {
			counted, err := h.leftOut(r, f, left)
			if err != nil {
				h.failed(w, r, err)
				return
			}
			b.Sections = append(b.Sections, counted)
			b.LeftOut = fmt.Sprintf("%s crashes of %s signatures are left out: those of the list %s.", counted.Answer.Rows[0][0], counted.Answer.Rows[0][1], left.Name)
		}
		if p.wants == "signature" && b.Subject != "" {
			if err := h.signature(r, f, &b, here, twin); err != nil {
				h.failed(w, r, err)
				return
			}
		}
		if twin != "" {
			h.twin(w, r, twin, b.Sections)
			return
		}
		v := view{Title: p.title, At: p.path, Filter: f, Filters: filters, Body: b, Twins: twinLinks(p.path, r.URL.Query())}
		if p.ranks() {
			v.Lists = h.listsOf(r, left)
		} else if f.List != "" {
			v.Hidden = append(v.Hidden, hidden{"without", f.List})
		}
		if p.wants != "" {
			v.Hidden = append(v.Hidden, hidden{p.wants, b.Subject})
			if b.Subject != "" {
				v.Title = b.Subject
			}
		}
		if here != "" {
			v.Hidden = append(v.Hidden, hidden{"tab", here})
		}
		h.show(w, r, http.StatusOK, "page.html", v)
	}
}

// ask asks the questions of a page's tab, some at a time.
func (h *Handler) ask(r *http.Request, p page, f filter, here string) ([]answered, error) {
	var wanted []section
	for _, s := range p.sections {
		if s.tab == here {
			wanted = append(wanted, s)
		}
	}
	out := make([]answered, len(wanted))
	var all errgroup.Group
	for i, s := range wanted {
		all.Go(func() (err error) {
			out[i], err = h.section(r, s, f)
			return err
		})
	}
	return out, all.Wait()
}

// section asks one question.
func (h *Handler) section(r *http.Request, s section, f filter) (answered, error) {
	q, ok := ask.Find(s.question)
	if !ok {
		panic("web: no question " + s.question) // a test asks all pages
	}
	values := f.values()
	for name, value := range s.params {
		if values[name] == "" {
			values[name] = value
		}
	}
	return h.asked(r, s.title, q, values, f)
}

func (h *Handler) asked(r *http.Request, title string, q ask.Query, values map[string]string, f filter) (answered, error) {
	if q.Name == "states" {
		for name, value := range h.o.States {
			if values[name] == "" {
				values[name] = value
			}
		}
	}
	given, err := h.values(q, values)
	if err != nil {
		return answered{}, err
	}
	db, err := h.tables(r, q)
	if err != nil {
		return answered{}, err
	}
	a, err := q.Ask(r.Context(), db, given)
	if err != nil {
		return answered{}, err
	}
	if q.Protected {
		if err := h.audit(r, schema.AuditEvent{What: schema.AuditQuestion, Role: string(access.Protected), Subject: q.Name, Count: int64(len(a.Rows))}); err != nil {
			return answered{}, err
		}
	}
	out := answered{Title: title, Doc: q.Doc, Query: q, Answer: a, Chart: chartOf(q, a), Table: tableOf(q, a, values, f)}
	out.SQL, out.Given = q.SQL, given
	h.o.Trackers.link(&out.Table, a)
	return out, nil
}

// question is the page of one question, with a form of its parameters.
func (h *Handler) question(w http.ResponseWriter, r *http.Request) {
	name, twin := twinOf(r.PathValue("name"))
	q, ok := ask.Find(name)
	if !ok || !h.mayAsk(r, q) {
		h.fail(w, r, http.StatusNotFound, "There is no such question.", "/questions has those there are.")
		return
	}
	if q.Protected {
		private(w)
	}
	f, _, err := h.filterOf(r)
	if err != nil {
		h.failed(w, r, err)
		return
	}
	values := f.values()
	b := asking{Doc: q.Doc}
	complete := true
	for _, p := range q.Params {
		b.Params = append(b.Params, param{p.Name, given(values[p.Name]), p.Default, p.Doc})
		complete = complete && (!p.Required || values[p.Name] != "")
	}
	if complete {
		s, err := h.asked(r, q.Name, q, values, f)
		if err != nil {
			h.failed(w, r, err)
			return
		}
		b.Sections = []answered{s}
	}
	if twin != "" {
		h.twin(w, r, twin, b.Sections)
		return
	}
	h.show(w, r, http.StatusOK, "question.html", view{Title: strings.ReplaceAll(q.Name, "-", " "), At: "/questions", Body: b, Private: q.Protected, Twins: twinLinks("/questions/"+name, r.URL.Query())})
}

// asking is what a question's template gets.
type asking struct {
	Doc      string
	Params   []param
	Sections []answered
}

// param is a parameter of a question in its form. One that leaves several values out has as many.
type param struct {
	Name         string
	Values       []string
	Default, Doc string
}

// find leads to the crash of an id, and of all other texts to the signatures that have them.
func (h *Handler) find(w http.ResponseWriter, r *http.Request) {
	text := strings.TrimSpace(r.URL.Query().Get("text"))
	to := "/text?text=" + url.QueryEscape(text)
	if id, ok := crashID(text); ok {
		to = "/crash/" + id
	}
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // a path of ours, with what was asked behind it
}
