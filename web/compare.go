package web

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"aftershock/ask"
)

// side is one of the two that are compared: crashes of a product, channel, version, build and
// time, where each may be left out.
type side struct {
	Letter, Name                           string
	Product, Channel, Version, Build, From string
	To                                     string
}

// comparing is what the template of /compare gets.
type comparing struct {
	Sides    []side
	Process  string
	OS       string
	Asked    bool
	Counts   []string // crashes of each side
	Sections []answered
}

const (
	compareLeast = "5"
	compareLimit = "201" // with the row of all crashes
)

func (h *Handler) routeCompare() {
	h.mux.HandleFunc("GET /compare", h.limited(h.comparison("")))
	for _, twin := range twins {
		h.mux.HandleFunc("GET /compare."+twin, h.limited(h.comparison(twin)))
	}
}

func sideOf(q url.Values, letter, name string) side {
	get := func(field string) string { return q.Get(letter + "_" + field) }
	return side{letter, name, get("product"), get("channel"), get("version"), get("build_id"), get("from"), get("to")}
}

// empty tells whether nothing was asked of a side.
func (s side) empty() bool { return s.Product+s.Channel+s.Version+s.Build+s.From+s.To == "" }

// set puts a side's parameters to a statement's.
func (s side) set(values map[string]string, now time.Time) error {
	for name, text := range map[string]string{"product": s.Product, "channel": s.Channel, "version": s.Version, "build_id": s.Build} {
		v, err := ask.Text(text)
		if err != nil {
			return &badValueError{s.Letter + "_" + name + ": " + err.Error()}
		}
		values[s.Letter+"_"+name] = v
	}
	for name, text := range map[string]string{"from": s.From, "to": s.To} {
		if text == "" {
			text = map[string]string{"from": "7d", "to": "now"}[name]
		}
		at, err := ask.Moment(text, now)
		if err != nil {
			return &badValueError{s.Letter + "_" + name + ": " + err.Error()}
		}
		values[s.Letter+"_"+name] = ask.Time(at)
	}
	return nil
}

// compareQuery is how the answer of ask.Compare is told of beside questions'.
var compareQuery = ask.Query{
	Name: "compare", SQL: ask.Compare.SQL(),
	Doc: "What crashes of one side have more often than those of the other: the difference of the shares in percent points, with the interval in which it lies in 95 of 100 cases. " +
		"Values whose interval holds 0 are left out, and those of fewer than 5 crashes of both sides together; of the rest the 200 that differ most are shown. " +
		"Crashes that are on both sides are counted on both, and the interval is too narrow then. So many values are compared that some differ by chance.",
}

func (h *Handler) comparison(twin string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		c := comparing{Sides: []side{sideOf(q, "a", "One side"), sideOf(q, "b", "The other side")}, Process: q.Get("process_type"), OS: q.Get("os")}
		c.Asked = !c.Sides[0].empty() || !c.Sides[1].empty()
		if c.Asked {
			if err := h.compareSides(r, &c); err != nil {
				h.failed(w, r, err)
				return
			}
		}
		if twin != "" {
			h.twin(w, r, twin, c.Sections)
			return
		}
		v := view{Title: "Compare", At: "/compare", Body: c}
		if c.Asked {
			v.Twins = twinLinks("/compare", q)
		}
		h.show(w, r, http.StatusOK, "compare.html", v)
	}
}

func (h *Handler) compareSides(r *http.Request, c *comparing) error {
	values := map[string]string{"least": compareLeast, "limit": compareLimit}
	for _, s := range c.Sides {
		if err := s.set(values, h.now()); err != nil {
			return err
		}
	}
	var errProcess, errOS error
	values["process_type"], errProcess = ask.Text(c.Process)
	values["os"], errOS = ask.Text(c.OS)
	if err := errors.Join(errProcess, errOS); err != nil {
		return &badValueError{err.Error()}
	}
	a, err := ask.Compare.Ask(r.Context(), h.o.DB, values)
	if err != nil {
		return err
	}
	if len(a.Rows) > 0 && a.Rows[0][0] == "" { // all crashes of each side
		c.Counts = a.Rows[0][2:4]
		a.Rows = a.Rows[1:]
	}
	c.Sections = []answered{{Title: "What differs", Doc: compareQuery.Doc, SQL: compareQuery.SQL, Query: compareQuery, Given: values, Answer: a, Table: tableOf(compareQuery, a, nil, filter{})}}
	return nil
}
