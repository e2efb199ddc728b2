package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"aftershock/access"
	"aftershock/ask"
)

// routeSaved are the addresses of what viewers save: searches for themselves; short links and lists
// of signatures for everybody who has their id.
func (h *Handler) routeSaved() {
	if h.o.Login == nil || h.o.Login.Keep == nil {
		return
	}
	h.mux.HandleFunc("GET /s/{id}", h.shortLink)
	h.mux.HandleFunc("POST /me/keep", h.saving(h.keepPage))
	h.mux.HandleFunc("POST /me/lists", h.saving(h.saveList))
	h.mux.HandleFunc("POST /me/lists/add", h.saving(h.addToList))
	h.mux.HandleFunc("POST /me/saved/remove", h.saving(h.removeSaved))
}

// saver is who saves something: a viewer who has said so by a session, not by a token.
type saver struct {
	*access.Viewer
	id   string // of a user of the file
	keep *access.Keep
}

// saver is that of a request; nil where nothing can be saved, or nobody is known.
func (h *Handler) saver(r *http.Request) *saver {
	v, s := access.From(r.Context()), session(r)
	if v == nil || s == nil || h.o.Login.Keep == nil {
		return nil
	}
	out := &saver{Viewer: v, keep: h.o.Login.Keep}
	if !s.Foreign {
		user, err := h.o.Login.Users.Find(v.Name)
		if err != nil || user == nil {
			return nil // they are no viewer any more
		}
		out.id = user.ID
	}
	return out
}

// of is what they have saved.
func (s *saver) of() ([]access.Saved, error) { return s.keep.Of(s.Name, s.id) }

// savable is a request's address, where its viewer can save it.
func (h *Handler) savable(r *http.Request) string {
	if r.Method != http.MethodGet || h.saver(r) == nil {
		return ""
	}
	at := r.URL.RequestURI()
	if len(at) > access.MaxSavedPath || !h.isPage(at) {
		return ""
	}
	return at
}

// notKept are pages that no link leads to: they are of who looks at them, or lead on themselves.
var notKept = []string{"/login", "/me", "/audit", "/s/"}

// isPage tells whether an address is that of a page of ours, and of no other host.
func (h *Handler) isPage(at string) bool {
	u, err := url.Parse(at)
	if err != nil || local(at) != at || strings.Contains(u.Path, "..") || strings.Contains(u.Path, "//") {
		return false
	}
	_, pattern := h.mux.Handler(&http.Request{Method: http.MethodGet, URL: u, Host: "pages"})
	return pattern != "" && pattern != "GET /" && !slices.ContainsFunc(notKept, func(of string) bool { return strings.HasPrefix(u.Path, of) })
}

// isPublic tells whether an address says nothing that its viewer may know alone: that of a search
// can hold values of protected fields, which are to it as unknown ones.
func (h *Handler) isPublic(at string) bool {
	u, err := url.Parse(at)
	if err != nil || strings.HasSuffix(u.Path, "/protected") {
		return false
	}
	if base, _ := twinOf(u.Path); base != "/search" && base != "/search.parquet" {
		return true
	}
	q := u.Query()
	if fromForm(q) {
		q = ofForm(q)
	}
	_, err = ask.Public().ParseSearch(without(q, "_cursor"), usualSearch, h.now())
	return err == nil || q.Has("text")
}

// saving is what somebody does with what they save.
func (h *Handler) saving(do func(http.ResponseWriter, *http.Request, *saver, url.Values) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := h.known(w, r)
		if v == nil {
			return
		}
		s := h.saver(r)
		if s == nil {
			h.fail(w, r, http.StatusForbidden, "Only who has logged in can save something, and no token.", "")
			return
		}
		form, ok := h.form(w, r)
		if !ok {
			return
		}
		var refused *access.SavedError
		switch err := do(w, r, s, form); {
		case errors.As(err, &refused):
			h.fail(w, r, http.StatusBadRequest, "This is not saved: "+refused.Text+".", "/me has what you have saved.")
		case errors.Is(err, access.ErrNotSaved):
			h.fail(w, r, http.StatusNotFound, "You have no such thing.", "/me has what you have saved.")
		case err != nil:
			h.failed(w, r, err)
		}
	}
}

// keepPage saves a page as a search, or as a short link, which is shown.
func (h *Handler) keepPage(w http.ResponseWriter, r *http.Request, s *saver, form url.Values) error {
	at := form.Get("path")
	if !h.isPage(at) {
		return &access.SavedError{Text: "want the address of a page of these"}
	}
	if form.Get("do") == "link" && !h.isPublic(at) {
		return &access.SavedError{Text: "want a page that everybody may see for a short link, and a search of fields that everybody may search; by a name you can save it for yourself"}
	}
	one := access.Saved{Owner: s.Name, OwnerID: s.id, Kind: access.SavedSearch, Name: strings.TrimSpace(form.Get("name")), Path: at}
	if form.Get("do") == "link" {
		one.Kind, one.Name = access.SavedLink, ""
	}
	one, err := s.keep.Save(one)
	if err != nil {
		return err
	}
	if one.Kind == access.SavedLink {
		h.mine(w, r, s.Viewer, http.StatusOK, mine{Made: "/s/" + one.ID})
		return nil
	}
	http.Redirect(w, r, "/me#searches", http.StatusSeeOther)
	return nil
}

// saveList makes a list, or gives it other signatures.
func (h *Handler) saveList(w http.ResponseWriter, r *http.Request, s *saver, form url.Values) error {
	one := access.Saved{Owner: s.Name, OwnerID: s.id, Kind: access.SavedList, Name: strings.TrimSpace(form.Get("name"))}
	for line := range strings.Lines(form.Get("signatures")) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(one.Signatures, line) {
			one.Signatures = append(one.Signatures, line)
		}
	}
	_, err := s.keep.Save(one)
	if err == nil {
		http.Redirect(w, r, "/me#lists", http.StatusSeeOther)
	}
	return err
}

func (h *Handler) addToList(w http.ResponseWriter, r *http.Request, s *saver, form url.Values) error {
	err := s.keep.List(s.Name, s.id, strings.TrimSpace(form.Get("name")), form.Get("signature"))
	if err == nil {
		http.Redirect(w, r, "/me#lists", http.StatusSeeOther)
	}
	return err
}

func (h *Handler) removeSaved(w http.ResponseWriter, r *http.Request, s *saver, form url.Values) error {
	err := s.keep.Remove(s.Name, s.id, form.Get("id"))
	if err == nil {
		http.Redirect(w, r, "/me#saved", http.StatusSeeOther)
	}
	return err
}

// shortLink leads to the page that somebody has made a link to. What who follows it may see there,
// that page says.
func (h *Handler) shortLink(w http.ResponseWriter, r *http.Request) {
	link, err := h.o.Login.Keep.Find(access.SavedLink, r.PathValue("id"))
	switch {
	case err != nil:
		h.failed(w, r, err)
	case link == nil || !h.isPage(link.Path) || !h.isPublic(link.Path):
		h.fail(w, r, http.StatusNotFound, "There is no such link, or who made it has removed it.", "")
	default:
		private(w)
		http.Redirect(w, r, link.Path, http.StatusSeeOther) // a path of ours: isPage
	}
}

// listChoice is a list that the filter's form offers.
type listChoice struct {
	ID, Name string
	Here     bool
}

// listsOf are the lists of a request's viewer, and the one that the page goes by.
func (h *Handler) listsOf(r *http.Request, here *access.Saved) (out []listChoice) {
	if s := h.saver(r); s != nil {
		all, err := s.of()
		if err != nil {
			h.o.Log.Warn().Err(err).Msg("lists not read")
		}
		for i := range all {
			if l := &all[i]; l.Kind == access.SavedList {
				out = append(out, listChoice{l.ID, l.Name, here != nil && here.ID == l.ID})
			}
		}
	}
	if here != nil && !slices.ContainsFunc(out, func(l listChoice) bool { return l.Here }) {
		out = append(out, listChoice{here.ID, here.Name, true})
	}
	return out
}

// filterOf is a request's filter, and the list that it goes by; nil for none.
func (h *Handler) filterOf(r *http.Request) (filter, *access.Saved, error) {
	f := fromURL(r.URL.Query())
	if f.List == "" {
		return f, nil, nil
	}
	var list *access.Saved
	var err error
	if h.o.Login != nil && h.o.Login.Keep != nil {
		list, err = h.o.Login.Keep.Find(access.SavedList, f.List)
	}
	if err == nil && list == nil {
		err = &badValueError{"without: there is no such list, or who made it has removed it"}
	}
	if err != nil {
		return f, nil, err
	}
	f.leaves = list.Signatures
	return f, list, nil
}

// rankedTime is the time of rankings whose URL says none.
const rankedTime = "7d"

// leftOut counts what a list leaves out of rankings.
func (h *Handler) leftOut(r *http.Request, f filter, list *access.Saved) (answered, error) {
	if f.From == "" {
		f.From = rankedTime
	}
	values, err := h.pageValues(f, "")
	if err != nil {
		return answered{}, err
	}
	delete(values, "signature")
	values["signatures"] = ask.List(list.Signatures)
	a, err := ask.LeftOutBy.Ask(r.Context(), h.o.DB, values)
	if err != nil {
		return answered{}, err
	}
	q := ask.Query{Name: "left-out", SQL: ask.LeftOutBy.SQL(), Doc: fmt.Sprintf("Crashes of the %d signatures of the list, within the filter and since %s: they are in none of the rankings, and in no share.", len(list.Signatures), f.From)}
	return answered{Title: "Left out by the list " + list.Name, Doc: q.Doc, SQL: q.SQL, Query: q, Given: values, Answer: a, Table: tableOf(q, a, nil, f)}, nil
}
