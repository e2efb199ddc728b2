package ask

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Search is a search over every public field: of which crashes, and what is asked about them.
// It is made by ParseSearch.
type Search struct {
	View      string   // crashes, or pings
	Filters   []Filter // but for ranges of received_at, which From and To are
	From, To  time.Time
	Columns   []Named
	Sort      []Order
	Facets    []*Step // a forest: what is counted in each bucket stands below it
	FacetSize int
	Number    int // crashes on a page
	Offset    int
	Cursor    string // where a page begins or ends; empty for the first one

	at        *cursor
	now       time.Time
	protected []string // names of fields of the protected views
}

// Protected are the names of the protected fields that are searched; without any, everybody may ask
// the search, of the public views.
func (s *Search) Protected() []string { return s.protected }

// Named is a field by the name that somebody has for it.
type Named struct {
	As    string
	Field Field
}

// Order is a field to sort by.
type Order struct {
	Named
	Falling bool
}

// Bounds of a search. All of them are refused when they are passed, and none is cut.
const (
	maxFilters   = 40  // fields with a filter
	maxTerms     = 100 // values of one field
	maxColumns   = 180 // every field, and some by two names
	maxSorts     = 4
	maxSteps     = 16 // counts: facets, histograms and cardinalities, at any depth
	maxDepth     = 3  // of facets in facets
	MaxFacetSize = 10_000
	MaxNumber    = 1000
	// MaxOffset is for old tools, which page by offsets. A cursor has no such bound.
	MaxOffset      = 100_000
	maxCursorBytes = 8192
)

// usualTime is how far back a search goes that does not say.
const usualTime = 7 * 24 * time.Hour

// Views that can be searched.
var views = []string{"crashes", "pings"}

// Usual is what a search has that does not say.
type Usual struct {
	Columns, Facets   []string
	FacetSize, Number int
}

// versionField is the field in which a value like 58.0b is every beta of 58.0.
const versionField = "version"

var betas = regexp.MustCompile(`^[0-9.]+b$`)

// receivedAt is the field that a search's time is about.
const receivedAt = "received_at"

// ParseSearch reads a search as it stands in a URL: filters by the name of their field, and
// what begins with an underscore, as Super Search has it. Whatever is not understood or not allowed
// is refused.
func (a *Allowed) ParseSearch(q url.Values, usual Usual, now time.Time) (*Search, error) {
	s := &Search{View: views[0], FacetSize: usual.FacetSize, Number: usual.Number, now: now}
	r := reader{q: q, s: s, allowed: a}
	if err := r.read(usual); err != nil {
		return nil, err
	}
	return s, nil
}

// reader reads a search.
type reader struct {
	q       url.Values
	s       *Search
	allowed *Allowed
	filters int
	inside  []string // names of parameters that count something inside something
	every   map[string]string
}

func (r *reader) read(usual Usual) (err error) {
	r.every = map[string]string{}
	for _, name := range sortedNames(r.q) {
		switch {
		case !strings.HasPrefix(name, "_"):
			err = r.filter(name)
		case strings.HasPrefix(name, "_histogram_interval."):
			err = r.interval(strings.TrimPrefix(name, "_histogram_interval."))
		case strings.HasPrefix(name, "_aggs."), strings.HasPrefix(name, "_histogram."), strings.HasPrefix(name, "_cardinality."):
			r.inside = append(r.inside, name)
		default:
			err = r.setting(name)
		}
		if err != nil {
			return err
		}
	}
	if err := r.columns(r.names("_columns", usual.Columns)); err != nil {
		return err
	}
	if err := r.sort(r.names("_sort", []string{"-" + receivedAt})); err != nil {
		return err
	}
	if err := r.facets(r.names("_facets", usual.Facets)); err != nil {
		return err
	}
	return r.time()
}

// names are the values of a parameter, which may be joined by commas as well.
func (r *reader) names(of string, usual []string) (out []string) {
	values, ok := r.q[of]
	if !ok {
		return usual
	}
	for _, v := range values {
		for name := range strings.FieldsFuncSeq(v, func(c rune) bool { return c == ',' || c == ' ' }) {
			out = append(out, name)
		}
	}
	return out
}

func (r *reader) setting(name string) (err error) {
	value := r.q.Get(name)
	switch name {
	case "_columns", "_sort", "_facets":
	case "_view":
		if !slices.Contains(views, value) {
			return refuse("_view: want one of %s", strings.Join(views, ", "))
		}
		r.s.View = value
	case "_cursor":
		r.s.Cursor = value
	case "_facets_size":
		r.s.FacetSize, err = number(name, value, MaxFacetSize)
	case "_results_number":
		r.s.Number, err = number(name, value, MaxNumber)
	case "_results_offset":
		r.s.Offset, err = number(name, value, MaxOffset)
	default:
		return refuse("there is no parameter %.60q", name)
	}
	return err
}

func number(name, value string, most int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > most {
		return 0, refuse("%s: want a number from 0 to %d", name, most)
	}
	return n, nil
}

// field is one that may be searched.
func (r *reader) field(name string) (Field, error) {
	f, err := r.allowed.Field(name)
	if f.Protected && !slices.Contains(r.s.protected, f.Name) {
		r.s.protected = append(r.s.protected, f.Name)
	}
	return f, err
}

func (r *reader) filter(name string) error {
	f, err := r.field(name)
	if err != nil {
		return err
	}
	values := slices.DeleteFunc(slices.Clone(r.q[name]), func(v string) bool { return v == "" }) // a form's
	if len(values) == 0 {
		return nil
	}
	if r.filters++; r.filters > maxFilters {
		return refuse("filters for more than %d fields", maxFilters)
	}
	if len(values) > maxTerms {
		return refuse("%s: more than %d values", f.Name, maxTerms)
	}
	for _, v := range values {
		filter, err := filterOf(f, v)
		if err != nil {
			return err
		}
		if f.Name == versionField && filter.Operator == Any && betas.MatchString(filter.Value) {
			filter.Operator = Starts
		}
		if _, _, err := filter.typed(r.s.now); err != nil && filter.Operator != Missing {
			return err
		}
		r.s.Filters = append(r.s.Filters, filter)
	}
	return nil
}

func (r *reader) columns(names []string) error {
	for _, name := range names {
		if name == "*" {
			for _, f := range Public().Fields() {
				r.s.Columns = append(r.s.Columns, Named{f.Name, f})
			}
			continue
		}
		f, err := r.field(name)
		if err != nil {
			return err
		}
		r.s.Columns = append(r.s.Columns, Named{name, f})
	}
	seen := map[string]bool{}
	r.s.Columns = slices.DeleteFunc(r.s.Columns, func(n Named) bool {
		was := seen[n.As]
		seen[n.As] = true
		return was
	})
	if len(r.s.Columns) > maxColumns {
		return refuse("more than %d columns", maxColumns)
	}
	return nil
}

func (r *reader) sort(names []string) error {
	if len(names) > maxSorts {
		return refuse("more than %d fields to sort by", maxSorts)
	}
	for _, name := range names {
		name, falling := strings.CutPrefix(name, "-")
		f, err := r.field(name)
		if err != nil {
			return err
		}
		if f.List {
			return refuse("%s has several values, and no order", f.Name)
		}
		r.s.Sort = append(r.s.Sort, Order{Named{name, f}, falling})
	}
	return nil
}

// time takes the ranges of received_at out of the filters: they choose what is read. What a
// cursor says of the time goes before: pages are of one time, whenever they are asked for.
func (r *reader) time() error {
	s := r.s
	kept := s.Filters[:0]
	for _, f := range s.Filters {
		if f.Field.Name != receivedAt || f.Not || !slices.Contains(ranges, f.Operator) {
			kept = append(kept, f)
			continue
		}
		at, err := instant(f.Value, s.now)
		if err != nil {
			return err // it was read before
		}
		at = at.Truncate(time.Millisecond)
		if f.Operator == Above || f.Operator == AtMost {
			at = at.Add(time.Millisecond)
		}
		switch {
		case f.Operator == Above || f.Operator == AtLeast:
			if at.After(s.From) {
				s.From = at
			}
		case s.To.IsZero() || at.Before(s.To):
			s.To = at
		}
	}
	s.Filters = kept
	if s.From.IsZero() {
		s.From = s.now
		if !s.To.IsZero() {
			s.From = s.To
		}
		s.From = s.From.Add(-usualTime).UTC().Truncate(time.Millisecond)
	}
	if s.Cursor == "" {
		return nil
	}
	at, err := s.readCursor(s.Cursor)
	if err != nil {
		return err
	}
	s.at, s.From, s.To = at, at.from(), at.to()
	return nil
}

func sortedNames(q url.Values) []string {
	var names []string
	for name := range q {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// during are the conditions of the search's time.
func (s *Search) during(b bound) []string {
	first := s.From.AddDate(0, 0, -1) // the crash id can say another day
	all := []string{"day >= " + b.bind("Date", first.Format(time.DateOnly)), "received_at >= " + b.bind("DateTime64(3)", Time(s.From))}
	if !s.To.IsZero() {
		all = append(all, "day <= "+b.bind("Date", s.To.AddDate(0, 0, 1).Format(time.DateOnly)), "received_at < "+b.bind("DateTime64(3)", Time(s.To)))
	}
	return all
}

// from is what is searched: the public view, and beside each crash what of its protected row the
// search names.
func (s *Search) from(b bound) string {
	if len(s.protected) == 0 {
		return "aftershock." + s.View
	}
	during := strings.Join(s.during(b), " AND ")
	var columns []string
	for _, name := range s.protected {
		columns = append(columns, "`"+name+"` AS `"+hidden(name)+"`")
	}
	return "(\n  SELECT *\n  FROM (SELECT * FROM aftershock." + s.View + " WHERE " + during + ") AS seen\n  ANY LEFT JOIN (SELECT crash_id, " + strings.Join(columns, ", ") + " FROM aftershock_protected." + s.View + " WHERE " + during + ") AS hidden USING (crash_id)\n)"
}

// Where are the conditions of a search, joined by AND. Of one field one condition must hold,
// but each range, and each that says not.
func (s *Search) where(b bound) (string, error) {
	all := s.during(b)
	one := map[string][]string{}
	var order []string
	for _, f := range s.Filters {
		text, err := f.condition(b, s.now)
		if err != nil {
			return "", err
		}
		if f.Not || slices.Contains(ranges, f.Operator) {
			all = append(all, text)
			continue
		}
		if one[f.Field.Name] == nil {
			order = append(order, f.Field.Name)
		}
		one[f.Field.Name] = append(one[f.Field.Name], text)
	}
	for _, name := range order {
		all = append(all, "("+strings.Join(one[name], " OR ")+")")
	}
	return strings.Join(all, "\n  AND "), nil
}
