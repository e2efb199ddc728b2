package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"aftershock/sinks/clickhouse"
)

// bugsVerbs look after the table of bugs.
type bugsVerbs struct {
	Import bugsImportVerb `cmd:"" help:"Load bugs and their signatures from CSV: columns signature, bug, and perhaps url, summary, state."`
}

type bugsImportVerb struct {
	From          string `arg:"" help:"File, - for standard input, or an http(s) URL, as of a tracker's search."`
	Replace       bool   `help:"Take away the bugs that are not in it."`
	ClickhouseURL string `help:"ClickHouse's HTTP interface, http://[user:password@]host:port." name:"clickhouse-url" required:""`
}

const (
	maxBugsBytes = 64 << 20
	maxBugs      = 1_000_000
	maxBugText   = 4096 // bytes of a field
	// fetchBugsWithin bounds a tracker's answer.
	fetchBugsWithin = 2 * time.Minute
)

// Run loads them all, or none.
func (v *bugsImportVerb) Run(r *run) error {
	source, err := v.open(r.ctx)
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // it was only read
	bugs, err := readBugs(source)
	if err != nil {
		return fmt.Errorf("%s: %w", redactURL(v.From), err)
	}
	if len(bugs) == 0 && v.Replace {
		return fmt.Errorf("%s has no bugs: with --replace all would go", redactURL(v.From))
	}
	db, err := r.tables(v.ClickhouseURL)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // everything is sent
	removed, err := db.LoadBugs(r.ctx, bugs, v.Replace, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(r.stdout, "%d bugs loaded, %d taken away\n", len(bugs), removed)
	return err
}

func (v *bugsImportVerb) open(ctx context.Context) (io.ReadCloser, error) {
	switch {
	case v.From == "-":
		return io.NopCloser(os.Stdin), nil
	case !strings.HasPrefix(v.From, "http://") && !strings.HasPrefix(v.From, "https://"):
		return os.Open(v.From)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.From, nil)
	if err != nil {
		return nil, errors.New("the URL is none")
	}
	res, err := (&http.Client{Timeout: fetchBugsWithin}).Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", redactURL(v.From), err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s: %s", redactURL(v.From), res.Status), res.Body.Close())
	}
	return res.Body, nil
}

// readBugs reads CSV with a line of names first, in any order.
func readBugs(in io.Reader) ([]clickhouse.Bug, error) {
	limited := &io.LimitedReader{R: in, N: maxBugsBytes + 1}
	rows := csv.NewReader(limited)
	names, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("want a line of names: %w", err)
	}
	for i := range names {
		names[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(names[i], "\uFEFF")))
	}
	for _, needed := range []string{"signature", "bug"} {
		if !slices.Contains(names, needed) {
			return nil, fmt.Errorf("want the columns signature and bug, have %.200q", names)
		}
	}
	var bugs []clickhouse.Bug
	for {
		row, err := rows.Read()
		switch {
		case limited.N <= 0:
			return nil, fmt.Errorf("more than %d bytes", maxBugsBytes)
		case errors.Is(err, io.EOF):
			return bugs, nil
		case err != nil:
			return nil, err
		case len(bugs) == maxBugs:
			return nil, fmt.Errorf("more than %d bugs", maxBugs)
		}
		var b clickhouse.Bug
		for i, value := range row {
			field := bugField(&b, names[i])
			switch {
			case field == nil:
			case len(value) > maxBugText || !utf8.ValidString(value):
				line, _ := rows.FieldPos(i)
				return nil, fmt.Errorf("line %d: %s is longer than %d bytes, or no text", line, names[i], maxBugText)
			default:
				*field = strings.TrimSpace(value)
			}
		}
		if b.Signature == "" || b.Bug == "" {
			line, _ := rows.FieldPos(0)
			return nil, fmt.Errorf("line %d: want a signature and a bug", line)
		}
		bugs = append(bugs, b)
	}
}

// bugField is the field that a column fills, nil for none.
func bugField(b *clickhouse.Bug, column string) *string {
	switch column {
	case "signature":
		return &b.Signature
	case "bug":
		return &b.Bug
	case "url":
		return &b.URL
	case "summary":
		return &b.Summary
	case "state":
		return &b.State
	}
	return nil
}
