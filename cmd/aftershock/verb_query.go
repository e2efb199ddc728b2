package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/vbauerster/mpb/v8/cwriter"

	"aftershock/ask"
)

// queryVerbs ask the tables what people ask of them (docs/queries.md).
type queryVerbs struct {
	List queryListVerb `cmd:"" help:"List the questions."`
	Ask  queryAskVerb  `cmd:"" default:"withargs" help:"Ask one, by its name."`
}

type queryListVerb struct {
	JSON bool `help:"Print one JSON object a line." name:"json"`
}

// Run prints a line a question.
func (v *queryListVerb) Run(r *run) error {
	if v.JSON {
		out := json.NewEncoder(r.stdout)
		for _, q := range ask.Queries() {
			if err := out.Encode(q); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(r.stdout, 0, 0, 2, ' ', 0)
	for _, q := range ask.Queries() {
		first, _, _ := strings.Cut(q.Doc, ". ")
		first, _, _ = strings.Cut(first, ": ")
		if _, err := fmt.Fprintf(w, "%s\t%s\n", q.Name, strings.TrimSuffix(first, ".")); err != nil {
			return err
		}
	}
	return w.Flush()
}

type queryAskVerb struct {
	Name          string            `arg:"" help:"Name of the question; query list has them."`
	Param         map[string]string `help:"Parameter, name=value (repeated). A time is a date, a time of RFC 3339, now, or how long ago it was (36h, 7d)." placeholder:"NAME=VALUE" mapsep:"none"`
	Format        string            `help:"table, markdown, csv or json (an object a line)." enum:"table,markdown,csv,json" default:"table"`
	SQL           bool              `help:"Print the statement with its parameters instead of asking." name:"sql"`
	ClickhouseURL string            `help:"ClickHouse's HTTP interface, http://[user:password@]host:port. By default up's address for analysts." name:"clickhouse-url" default:"http://127.0.0.1:8124"`
}

// Run prints the answer.
func (v *queryAskVerb) Run(r *run) error {
	q, ok := ask.Find(v.Name)
	if !ok {
		return &usageError{fmt.Sprintf("no question %q: aftershock query list has their names", v.Name)}
	}
	values, err := q.Values(v.Param, time.Now())
	if err != nil {
		return &usageError{err.Error()}
	}
	if v.SQL {
		return printSQL(r, q, values)
	}
	db, err := r.tables(v.ClickhouseURL)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing is left in it
	out := bufio.NewWriter(r.stdout)
	switch v.Format {
	case "csv":
		err = q.CSV(r.ctx, db, values, out)
	case "json":
		err = q.Stream(r.ctx, db, values, "JSONEachRow", out)
	default:
		var a *ask.Answer
		if a, err = q.Ask(r.ctx, db, values); err != nil {
			break
		}
		if v.Format == "markdown" {
			err = a.WriteMarkdown(out)
			break
		}
		err = a.WriteTable(out, q, cellWidth(r))
	}
	if err != nil && q.Protected {
		err = fmt.Errorf("%w (the question reads what is protected: ask where that may be read, up's --clickhouse-listen or with a role that may)", err)
	}
	return errors.Join(err, out.Flush())
}

// cellWidth is where texts are cut on a terminal: a third of it, 0 when there is none.
func cellWidth(r *run) int {
	f, ok := r.stdout.(*os.File)
	if !ok || !isTerminal(r.stdout) {
		return 0
	}
	width, _, err := cwriter.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return max(24, width/3)
}

// printSQL prints a statement as clickhouse-client takes it.
func printSQL(r *run, q ask.Query, values map[string]string) error {
	if _, err := fmt.Fprintln(r.stdout, "SET session_timezone = 'UTC';"); err != nil {
		return err
	}
	for _, p := range q.Params {
		if _, err := fmt.Fprintf(r.stdout, "SET param_%s = '%s';\n", p.Name, strings.ReplaceAll(strings.ReplaceAll(values[p.Name], `\`, `\\`), "'", `\'`)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(r.stdout, "%s;\n", q.SQL)
	return err
}
