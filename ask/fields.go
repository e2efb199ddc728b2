package ask

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// Kind is what the values of a field are, and so which operators it takes.
type Kind string

// Kinds of fields.
const (
	KindText   Kind = "text"
	KindNumber Kind = "number"
	KindTruth  Kind = "bool"
	KindTime   Kind = "time"
	KindID     Kind = "id" // a UUID
)

// Field is one that may be searched: a column of the public views, or of the protected ones.
type Field struct {
	Name string // the column's
	Type string // ClickHouse's
	Kind Kind
	// List is set where a crash has several values, each of Kind.
	List bool
	// Twin is the name of the field in Super Search, where that is another one.
	Twin string
	// Protected is set of a column of the protected views alone: it is there for who may read those.
	Protected   bool
	Source, Doc string

	// column is its name in what is searched: Search.from.
	column string
	// value is an expression of the column's value: of a list, of its elements that have one.
	value string
}

// twins are Super Search's names of our columns, and those that its processed crashes have. The
// first one of a column is its twin; the others are known as well.
var twins = [][2]string{
	{"uuid", "crash_id"},
	{"date", "received_at"},
	{"release_channel", "channel"},
	{"platform", "os"},
	{"platform_version", "os_version"},
	{"platform_pretty_version", "os_pretty_version"},
	{"cpu_microcode_version", "cpu_microcode"},
	{"useragent_locale", "locale"},
	{"last_crash", "seconds_since_last_crash"},
	{"productid", "product_id"},
	{"topmost_filenames", "topmost_file"},
	{"uptime_ts", "uptime_precise"},
	{"mdsw_status_string", "dump_status"},
	{"last_error_value", "last_error"},
	{"possible_bit_flips_max_confidence", "bit_flip_percent"},
	{"main_thread_runnable_name", "main_thread_runnable"},
	{"has_device_touch_screen", "has_touch_screen"},
	{"utility_actors_name", "utility_actors"},
	{"build", "build_id"},
	{"os_name", "os"},
	{"date_processed", "received_at"},
	{"submitted_timestamp", "received_at"},
}

// Allowed is the one list of what may be searched: columns, facets, sorts, filters and exports
// take fields from here, and nothing else.
type Allowed struct {
	all    []Field
	byName map[string]Field // also by the names of Super Search
}

var allow = sync.OnceValue(func() *Allowed {
	a := &Allowed{byName: map[string]Field{}}
	for _, c := range clickhouse.Columns(schema.ClassPublic) {
		f := fieldOf(c, c.Name)
		if i := slices.IndexFunc(twins, func(t [2]string) bool { return t[1] == f.Name }); i >= 0 {
			f.Twin = twins[i][0]
		}
		a.all = append(a.all, f)
		a.byName[f.Name] = f
	}
	for _, t := range twins {
		if f, ok := a.byName[t[1]]; ok {
			a.byName[t[0]] = f
		}
	}
	return a
})

var allowProtected = sync.OnceValue(func() *Allowed {
	a := &Allowed{all: slices.Clone(Public().all), byName: maps.Clone(Public().byName)}
	for _, c := range clickhouse.Columns(schema.ClassProtected) {
		if _, ok := a.byName[c.Name]; ok {
			continue // the public one has the name
		}
		f := fieldOf(c, hidden(c.Name))
		f.Protected = true
		a.all = append(a.all, f)
		a.byName[f.Name] = f
	}
	return a
})

// hidden is what a search calls a column of the protected views, beside those of the public ones:
// some would be part of a public column by their names.
func hidden(name string) string { return "hidden_" + strings.ReplaceAll(name, ".", "_") }

// Public is what everybody may search.
func Public() *Allowed { return allow() }

// Protected is what may be searched by who may read what is protected: all of Public, and the
// columns that the protected views alone have.
func Protected() *Allowed { return allowProtected() }

// fieldOf is the field of a column. An empty text is no value.
func fieldOf(c clickhouse.Column, column string) Field {
	f := Field{Name: c.Name, Type: c.Type, Source: c.Source, Doc: c.Doc, column: "`" + column + "`", value: "`" + column + "`"}
	kind, list := strings.CutPrefix(c.Type, "Array(")
	f.List = list
	if inner, twice := strings.CutPrefix(kind, "Array("); twice { // lists of lists are one
		kind, f.value = inner, "arrayFlatten("+f.value+")"
	}
	for _, around := range []string{"LowCardinality(", "Nullable("} {
		kind = strings.TrimPrefix(kind, around)
	}
	switch kind = strings.TrimRight(kind, ")"); {
	case strings.HasPrefix(kind, "Map("): // name=value of each
		f.Kind, f.List = KindText, true
		f.value = "arrayMap((k, v) -> concat(k, '=', v), mapKeys(" + f.value + "), mapValues(" + f.value + "))"
	case kind == "String":
		f.Kind = KindText
		if f.List {
			f.value = "arrayFilter(x -> x != '', " + f.value + ")"
		}
	case kind == "UUID":
		f.Kind = KindID
	case kind == "Bool":
		f.Kind = KindTruth
	case strings.HasPrefix(kind, "Date"):
		f.Kind = KindTime
	case strings.HasPrefix(kind, "Float"):
		f.Kind = KindNumber
		if f.List {
			f.value = "arrayFilter(x -> isFinite(x), " + f.value + ")"
		} else {
			f.value = "if(isFinite(" + f.value + "), " + f.value + ", NULL)"
		}
	case strings.Contains(kind, "Int"):
		f.Kind = KindNumber
	default:
		panic("ask: no kind of field for " + c.Type) // a test makes all fields
	}
	return f
}

// Fields are all that may be searched, in the order of the tables.
func (a *Allowed) Fields() []Field { return a.all }

// Field is the field of a column's name, or of Super Search's name for it. What is not allowed is
// refused exactly as what does not exist.
func (a *Allowed) Field(name string) (Field, error) {
	if f, ok := a.byName[name]; ok {
		return f, nil
	}
	return Field{}, refuse("there is no field %.60q that can be searched: /api/SuperSearchFields/ has those there are", name)
}

// RefusedError is about what was asked, and never about what the tables hold.
type RefusedError struct{ text string }

func (e *RefusedError) Error() string { return e.text }

func refuse(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }
