package ask

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Operator says how a field's value and a filter's are compared. They are Super Search's.
type Operator string

// The operators. An exclamation mark before one says not.
const (
	Any      Operator = ""         // is one of the terms, in whatever case
	Exactly  Operator = "="        // is the text, in its case
	Contains Operator = "~"        // what follows goes by case as well
	Starts   Operator = "^"        //
	Ends     Operator = "$"        //
	Matches  Operator = "@"        // a regular expression (RE2) finds something in it
	AtLeast  Operator = ">="       // texts compare by bytes
	AtMost   Operator = "<="       //
	Above    Operator = ">"        //
	Below    Operator = "<"        //
	Missing  Operator = "__null__" // there is no value
	True     Operator = "__true__" //
)

// Operators in the order in which a value is looked at for one.
var Operators = []Operator{Missing, True, AtLeast, AtMost, Exactly, Contains, Starts, Ends, Matches, Above, Below, Any}

// ranges are compared with the value, and must all hold; of the others of a field one must.
var ranges = []Operator{AtLeast, AtMost, Above, Below}

// takes are the operators of a kind.
var takes = map[Kind][]Operator{
	KindText:   {Any, Exactly, Contains, Starts, Ends, Matches, AtLeast, AtMost, Above, Below, Missing},
	KindNumber: {Any, Exactly, AtLeast, AtMost, Above, Below, Missing},
	KindTruth:  {Any, Exactly, True, Missing},
	KindTime:   {Any, Exactly, AtLeast, AtMost, Above, Below, Missing},
	KindID:     {Any, Exactly, Contains, Starts, Ends, Missing},
}

// Takes are the operators that a field may be filtered with.
func (f Field) Takes() []Operator { return takes[f.Kind] }

// Filter is a condition on a field.
type Filter struct {
	Field    Field
	Not      bool
	Operator Operator
	Value    string
}

const (
	// maxValueBytes of what a field is compared with.
	maxValueBytes = 4096
	// maxRegexBytes of a regular expression.
	maxRegexBytes = 512
)

// SplitValue takes the operator off a filter's value.
func SplitValue(text string) (not bool, op Operator, value string) {
	text, not = strings.CutPrefix(text, "!")
	for _, op := range Operators {
		rest, ok := strings.CutPrefix(text, string(op))
		if ok && (rest == "" || op != Missing && op != True) {
			return not, op, rest
		}
	}
	return not, Any, text
}

// filterOf reads a filter as it stands in a URL.
func filterOf(f Field, text string) (Filter, error) {
	if len(text) > maxValueBytes {
		return Filter{}, refuse("%s: a value of more than %d bytes", f.Name, maxValueBytes)
	}
	out := Filter{Field: f}
	out.Not, out.Operator, out.Value = SplitValue(text)
	if !slices.Contains(f.Takes(), out.Operator) {
		return Filter{}, refuse("%s is a %s, which the operator %q is not for", f.Name, f.Kind, out.Operator)
	}
	if out.Operator == Matches {
		if len(out.Value) > maxRegexBytes {
			return Filter{}, refuse("%s: a regular expression of more than %d bytes", f.Name, maxRegexBytes)
		}
		if _, err := regexp.Compile(out.Value); err != nil {
			return Filter{}, refuse("%s: %.100q is no regular expression", f.Name, out.Value)
		}
	}
	return out, nil
}

// bound are the parameters of a statement: values get into one as these alone.
type bound map[string]string

// bind is the place of a value in the statement. The kind is ClickHouse's, and never what
// somebody sent.
func (b bound) bind(kind, value string) string {
	name := fmt.Sprintf("p%d", len(b))
	b[name] = escaped.Replace(value)
	return "{" + name + ":" + kind + "}"
}

// condition is true for the crashes that a filter lets through, and never NULL.
func (f Filter) condition(b bound, now time.Time) (text string, err error) {
	switch {
	case f.Operator == Missing && f.Field.List:
		text = "empty(" + f.Field.value + ")"
	case f.Operator == Missing && f.Field.Kind == KindText:
		text = "ifNull(" + f.Field.value + ", '') = ''"
	case f.Operator == Missing:
		text = "isNull(" + f.Field.value + ")"
	case f.Field.List:
		if text, err = f.compare(b, "x", now); err != nil {
			return "", err
		}
		text = "arrayExists(x -> " + text + ", " + f.Field.value + ")"
	default:
		if text, err = f.compare(b, f.Field.value, now); err != nil {
			return "", err
		}
		if f.Field.Kind == KindText { // an empty text is no value, and less than none
			text = f.Field.value + " != '' AND " + text
		}
		text = "ifNull(" + text + ", false)"
	}
	if f.Not {
		text = "NOT (" + text + ")"
	}
	return text, nil
}

// compare is the comparison of one value, x.
func (f Filter) compare(b bound, x string, now time.Time) (string, error) {
	kind, value, err := f.typed(now)
	if err != nil {
		return "", err
	}
	if f.Field.Kind == KindID && kind == "String" {
		x = "toString(" + x + ")"
	}
	switch f.Operator {
	case Any:
		if f.Field.Kind == KindText {
			return "lower(" + x + ") = lower(" + b.bind(kind, value) + ")", nil
		}
		return x + " = " + b.bind(kind, value), nil
	case Exactly, True:
		return x + " = " + b.bind(kind, value), nil
	case Contains:
		return "position(" + x + ", " + b.bind(kind, value) + ") > 0", nil
	case Starts:
		return "startsWith(" + x + ", " + b.bind(kind, value) + ")", nil
	case Ends:
		return "endsWith(" + x + ", " + b.bind(kind, value) + ")", nil
	case Matches:
		return "match(" + x + ", " + b.bind(kind, value) + ")", nil
	case AtLeast, AtMost, Above, Below:
		return x + " " + string(f.Operator) + " " + b.bind(kind, value), nil
	default:
		panic("ask: no comparison for " + f.Operator) // takes has no other
	}
}

// typed is the filter's value as a parameter, with its type.
func (f Filter) typed(now time.Time) (kind, value string, err error) {
	switch f.Field.Kind {
	case KindNumber:
		if _, err := strconv.ParseInt(f.Value, 10, 64); err == nil {
			return "Int64", f.Value, nil
		}
		if _, err := strconv.ParseUint(f.Value, 10, 64); err == nil {
			return "UInt64", f.Value, nil
		}
		if n, err := strconv.ParseFloat(f.Value, 64); err == nil && !math.IsInf(n, 0) && !math.IsNaN(n) {
			return "Float64", strconv.FormatFloat(n, 'g', -1, 64), nil
		}
		return "", "", refuse("%s: %.40q is no number", f.Field.Name, f.Value)
	case KindTruth:
		switch strings.ToLower(f.Value) {
		case "true", "1", "t", "yes":
			return "Bool", "true", nil
		case "false", "0", "f", "no":
			return "Bool", "false", nil
		case "":
			if f.Operator == True {
				return "Bool", "true", nil
			}
		}
		return "", "", refuse("%s: %.40q is neither true nor false", f.Field.Name, f.Value)
	case KindTime:
		at, err := instant(f.Value, now)
		if err != nil {
			return "", "", refuse("%s: %v", f.Field.Name, err)
		}
		switch {
		case strings.Contains(f.Field.Type, "DateTime64"):
			return "DateTime64(3)", Time(at), nil
		case strings.Contains(f.Field.Type, "DateTime"):
			return "DateTime", at.Format(time.DateTime), nil
		default:
			return "Date", at.Format(time.DateOnly), nil
		}
	case KindID:
		if f.Operator != Any && f.Operator != Exactly {
			return "String", strings.ToLower(f.Value), nil
		}
		if !isUUID(f.Value) {
			return "", "", refuse("%s: %.40q is no crash id", f.Field.Name, f.Value)
		}
		return "UUID", strings.ToLower(f.Value), nil
	default:
		return "String", f.Value, nil
	}
}

// Years that the tables can hold, with a day to each side.
const (
	firstYear = 1971
	lastYear  = 2106
)

// instant reads a time that the tables can hold, in UTC.
func instant(text string, now time.Time) (time.Time, error) {
	at, err := moment(text, now)
	if err != nil {
		// What Crash Stats and its tools write.
		for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04:05.999999", "2006-01-02T15:04"} {
			if t, e := time.ParseInLocation(layout, text, time.UTC); e == nil {
				at, err = t, nil
			}
		}
	}
	at = at.UTC()
	if err == nil && (at.Year() < firstYear || at.Year() >= lastYear) {
		err = fmt.Errorf("%.40q: want a year from %d to %d", text, firstYear, lastYear-1)
	}
	return at, err
}

// isUUID tells whether a text is an id as the tables have them, in any case.
func isUUID(id string) bool { return uuidShape.MatchString(id) }

var uuidShape = regexp.MustCompile(`^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
