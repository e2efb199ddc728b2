package ask

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Count is how a step counts.
type Count string

// Counts.
const (
	Terms       Count = ""
	Histogram   Count = "histogram"
	Cardinality Count = "cardinality" // how many values there are
)

// Step is a facet: crashes counted by the values of a field, by parts of equal width of it, or
// how many values it has. What stands below it is counted in each of its buckets.
type Step struct {
	Named
	Count    Count
	Interval float64 // of a histogram; seconds of a time
	Below    []*Step

	above *Step
}

// Key is the step's name in an answer.
func (s *Step) Key() string {
	if s.Count == Terms {
		return s.As
	}
	return string(s.Count) + "_" + s.As
}

// path is the way to a step, from the top.
func (s *Step) path() (out []*Step) {
	for at := s; at != nil; at = at.above {
		out = append(out, at)
	}
	slices.Reverse(out)
	return out
}

// facets reads what is counted: the names of _facets, and the parameters that say what is
// counted inside of what, _aggs.product.version=_cardinality.install_time.
func (r *reader) facets(names []string) error {
	for _, name := range names {
		step, err := r.step(name)
		if err != nil {
			return err
		}
		if err := r.grow([]*Step{step}); err != nil {
			return err
		}
	}
	for _, name := range r.inside {
		way, ok := strings.CutPrefix(name, "_aggs.")
		if !ok {
			way = name
		}
		path, err := r.way(way)
		if err != nil {
			return err
		}
		if path[len(path)-1].Count == Cardinality {
			if err := r.grow(path); err != nil { // its value says nothing
				return err
			}
			continue
		}
		for _, value := range r.names(name, nil) {
			last, err := r.step(value)
			if err != nil {
				return err
			}
			fresh, err := r.way(way)
			if err != nil {
				return err
			}
			if err := r.grow(append(fresh, last)); err != nil {
				return err
			}
		}
	}
	for asked := range r.every {
		if !slices.ContainsFunc(r.s.steps(), func(s *Step) bool { return s.Count == Histogram && s.As == asked }) {
			return refuse("_histogram_interval.%.60s: there is no histogram of it", asked)
		}
	}
	return nil
}

// way reads steps that are joined by points, as names of fields may be as well.
func (r *reader) way(text string) (path []*Step, err error) {
	parts := strings.Split(text, ".")
	if len(parts) > 4*maxDepth { // each may be a histogram of a field with a point
		return nil, refuse("facets in more than %d facets", maxDepth)
	}
	for i := 0; i < len(parts); {
		take := 1
		if parts[i] == "_histogram" || parts[i] == "_cardinality" {
			take++
		}
		if i+take < len(parts) {
			if _, err := r.allowed.Field(parts[i+take-1] + "." + parts[i+take]); err == nil {
				take++
			}
		}
		if i+take > len(parts) {
			return nil, refuse("%.60q: want a field behind it", text)
		}
		step, err := r.step(strings.Join(parts[i:i+take], "."))
		if err != nil {
			return nil, err
		}
		path = append(path, step)
		i += take
	}
	return path, nil
}

// step reads a field, _histogram. and a field, or _cardinality. and one.
func (r *reader) step(text string) (*Step, error) {
	s := &Step{}
	name := text
	if of, ok := strings.CutPrefix(text, "_histogram."); ok {
		name, s.Count = of, Histogram
	} else if of, ok := strings.CutPrefix(text, "_cardinality."); ok {
		name, s.Count = of, Cardinality
	}
	f, err := r.field(name)
	if err != nil {
		return nil, err
	}
	s.Named = Named{name, f}
	if s.Count != Histogram {
		return s, nil
	}
	switch f.Kind {
	case KindNumber:
		s.Interval = 1
	case KindTime:
		s.Interval = day
	default:
		return nil, refuse("%s is a %s, of which there is no histogram", f.Name, f.Kind)
	}
	if every := r.every[name]; every != "" {
		if s.Interval, err = width(f, every); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Units of a time's histogram, in seconds.
const (
	day  = 86_400.0
	week = 7 * day
)

// Widest parts of a histogram: more is no histogram.
const (
	maxInterval = 1e15
	maxDays     = 3650
)

func (r *reader) interval(name string) error {
	f, err := r.field(name)
	if err != nil {
		return err
	}
	every := r.q.Get("_histogram_interval." + name)
	if _, err := width(f, every); err != nil {
		return err
	}
	r.every[name] = every
	return nil
}

// width reads an interval: a number, and of a time a number of s, m, h, d or w.
func width(f Field, text string) (float64, error) {
	digits, unit := text, 1.0
	if f.Kind == KindTime {
		words := map[string]string{"second": "1s", "minute": "1m", "hour": "1h", "day": "1d", "week": "1w"}
		if word, ok := words[text]; ok {
			text = word
		}
		if text == "" || !strings.ContainsAny(text[len(text)-1:], "smhdw") {
			return 0, refuse("_histogram_interval.%s: want a time like 30m, 12h, 1d or 1w", f.Name)
		}
		digits = text[:len(text)-1]
		unit = map[byte]float64{'s': 1, 'm': 60, 'h': 3600, 'd': day, 'w': week}[text[len(text)-1]]
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(n > 0) || n*unit > maxInterval || f.Kind == KindTime && (n*unit > maxDays*day || n != float64(int64(n))) {
		return 0, refuse("_histogram_interval.%s: %.40q is no width", f.Name, text)
	}
	return n * unit, nil
}

// grow puts a way into the forest: what two ways begin with is counted once.
func (r *reader) grow(path []*Step) error {
	if len(path) > maxDepth {
		return refuse("facets in more than %d facets", maxDepth)
	}
	at, above := &r.s.Facets, (*Step)(nil)
	for i, step := range path {
		if above != nil && above.Count == Cardinality {
			return refuse("%s: nothing can be counted in a number", above.Key())
		}
		have := slices.IndexFunc(*at, func(s *Step) bool { return s.Key() == step.Key() })
		if have < 0 {
			have = len(*at)
			step.above = above
			*at = append(*at, step)
		}
		above = (*at)[have]
		if i+1 < len(path) {
			at = &above.Below
		}
	}
	if len(r.s.steps()) > maxSteps {
		return refuse("more than %d counts", maxSteps)
	}
	return nil
}

// steps are all of a search, those above before those below.
func (s *Search) steps() (out []*Step) {
	var walk func(of []*Step)
	walk = func(of []*Step) {
		for _, step := range of {
			out = append(out, step)
			walk(step.Below)
		}
	}
	walk(s.Facets)
	return out
}

// bucket is the expression of the bucket that a value is in, NULL for none. Of a list it makes
// a row of each bucket that a crash is in.
func (s *Step) bucket(b bound) string {
	x := s.Field.value
	if s.Field.List {
		x = "x"
	}
	switch {
	case s.Count == Histogram && s.Field.Kind == KindNumber:
		width := b.bind("Float64", strconv.FormatFloat(s.Interval, 'g', -1, 64))
		x = fmt.Sprintf("floor(%s / %s) * %s", x, width, width)
	case s.Count == Histogram:
		width, begin := b.bind("Int64", fmt.Sprint(int64(s.Interval))), "0"
		if s.Interval >= week { // weeks begin on Mondays; 1970 did on a Thursday
			begin = b.bind("Int64", fmt.Sprint(4*int64(day)))
		}
		x = fmt.Sprintf("toDateTime(intDiv(toInt64(toUnixTimestamp(%[1]s)) - %[3]s, %[2]s) * %[2]s + %[3]s, 'UTC')", x, width, begin)
	case s.Field.Kind == KindText && !s.Field.List:
		return "nullIf(" + x + ", '')"
	}
	if s.Field.List && s.Count == Histogram {
		return "arrayJoin(arrayDistinct(arrayMap(x -> " + x + ", " + s.Field.value + ")))"
	}
	if s.Field.List {
		return "arrayJoin(arrayDistinct(" + s.Field.value + "))"
	}
	return x
}

// distinct is the aggregate that counts the values of a field.
func (f Field) distinct() string {
	switch {
	case f.List:
		return "uniqExactArray(" + f.value + ")"
	case f.Kind == KindText:
		return "uniqExact(nullIf(" + f.value + ", ''))"
	default:
		return "uniqExact(" + f.value + ")"
	}
}
