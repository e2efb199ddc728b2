// Package ask has the questions that people ask of the tables: every query as a file in
// queries/, with a sentence that says what it answers, and parameters. START HERE.
//
// A file begins with comments: the sentence, then a line "-- param NAME TYPE = DEFAULT: what it
// is" for each parameter (one without a default must be given), and perhaps "-- chart bars
// LABEL VALUE" or "-- chart line LABEL VALUE" for a terminal, and "-- protected" when it
// reads what needs a grant. The rest is one statement with ClickHouse's parameters,
// {name:Type}, which the server puts in: nothing is made of text here.
package ask

import (
	"embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

//go:embed queries/*.sql
var files embed.FS

// Query is a question.
type Query struct {
	Number    int     `json:"number"`
	Name      string  `json:"name"`
	Doc       string  `json:"doc"`
	Params    []Param `json:"params"`
	Chart     Chart   `json:"chart,omitzero"`
	Protected bool    `json:"protected"`
	SQL       string  `json:"sql"`
}

// Param is a parameter of a question. Type is ClickHouse's.
type Param struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Default  string `json:"default"`
	Required bool   `json:"required"` // there is no default
	Doc      string `json:"doc"`
}

// Chart is how a terminal may draw the answer; Kind is empty for a table alone.
type Chart struct {
	Kind  string `json:"kind"` // bars, line
	Label string `json:"label"`
	Value string `json:"value"` // both are columns
}

// Kinds of Chart.
const (
	Bars = "bars"
	Line = "line"
)

var (
	fileName  = regexp.MustCompile(`^([0-9]{2})-([a-z][a-z-]*)\.sql$`)
	paramLine = regexp.MustCompile(`^param ([a-z_]+) ([A-Za-z0-9()]+)(?: = ([^:]*(?::[0-9]{2})*))?: (.+)$`)
	chartLine = regexp.MustCompile(`^chart (bars|line) ([a-z_]+) ([a-z_]+)$`)
)

var queries = mustParse()

// Queries are all questions in order. The caller must not change them.
func Queries() []Query { return queries }

// Find is the question of a name.
func Find(name string) (Query, bool) {
	i := slices.IndexFunc(queries, func(q Query) bool { return q.Name == name })
	if i < 0 {
		return Query{}, false
	}
	return queries[i], true
}

func mustParse() (all []Query) {
	entries, err := files.ReadDir("queries") // sorted by name
	if err != nil {
		panic(err) // embedded
	}
	for _, e := range entries {
		text, err := files.ReadFile("queries/" + e.Name())
		if err != nil {
			panic(err)
		}
		q, err := parse(e.Name(), string(text))
		if err != nil {
			panic(fmt.Errorf("%s: %w", e.Name(), err)) // embedded: a test reads them all
		}
		all = append(all, q)
	}
	return all
}

// parse reads a file.
func parse(name, text string) (q Query, err error) {
	m := fileName.FindStringSubmatch(name)
	if m == nil {
		return q, fmt.Errorf("want a name like 01-top-crashers.sql")
	}
	if _, err := fmt.Sscan(strings.TrimLeft(m[1], "0"), &q.Number); err != nil {
		return q, err
	}
	q.Name = m[2]
	var doc []string
	for strings.HasPrefix(text, "-- ") {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		switch line = strings.TrimPrefix(line, "-- "); {
		case line == "protected":
			q.Protected = true
		case strings.HasPrefix(line, "param "):
			p := paramLine.FindStringSubmatch(line)
			if p == nil {
				return q, fmt.Errorf("%q: want param NAME TYPE = DEFAULT: what it is", line)
			}
			q.Params = append(q.Params, Param{Name: p[1], Type: p[2], Default: strings.Trim(p[3], "'"), Required: !strings.Contains(line, " = "), Doc: p[4]})
		case strings.HasPrefix(line, "chart "):
			c := chartLine.FindStringSubmatch(line)
			if c == nil {
				return q, fmt.Errorf("%q: want chart bars LABEL VALUE or chart line LABEL VALUE", line)
			}
			q.Chart = Chart{c[1], c[2], c[3]}
		default:
			doc = append(doc, line)
		}
	}
	q.Doc, q.SQL = strings.Join(doc, " "), strings.TrimSpace(text)
	if q.Doc == "" || q.SQL == "" {
		return q, fmt.Errorf("want a sentence and a statement")
	}
	return q, nil
}
