package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// story is what pages show at their best: weeks of crashes, a day on which some signatures crashed
// far more than usual, some that are back after weeks, or rise where all of them have never been
// away, and a rule that was changed since.
func (d *demo) story(ctx context.Context, up *process, dir string) error {
	fmt.Printf("\ngenerating %d crashes of four weeks, with a spike and a regression …\n", d.generated)
	today := time.Now().UTC().Truncate(24 * time.Hour)
	few := max(d.generated/15, 150) // of a handful of signatures, so that they stand out
	for _, part := range []struct {
		count, seed, days int
		until             time.Time
		more              []string
	}{
		{d.generated, 1, 28, today, nil},
		{few, 1, 1, today.AddDate(0, 0, -4), handful},  // the most frequent of those above, on one day
		{few, 3, 5, today.AddDate(0, 0, -20), handful}, // others, a while ago
		{few, 3, 1, today, handful},                    // and again
	} {
		if err := d.generate(ctx, part.count, part.seed, part.days, part.until, part.more...); err != nil {
			return err
		}
	}
	all := d.generated + 3*few
	generated := func(version int) func(context.Context) error {
		return func(ctx context.Context) error {
			return d.rows(ctx, fmt.Sprintf("raw_topic = 'crash.generated' AND signature_version = %d", version), all)
		}
	}
	if err := d.wait(ctx, up, storyTimeout, generated(1)); err != nil {
		return err
	}
	fmt.Println("\nchanging a rule, and promoting what it makes …")
	rules := filepath.Join(dir, "rules")
	if err := changedRules(rules); err != nil {
		return err
	}
	if err := d.verb(ctx, "start", "start", "--ruleset", rules, "--source", "processed", "--why", "panic machinery is noise"); err != nil {
		return err
	}
	if err := d.wait(ctx, up, storyTimeout, generated(2)); err != nil {
		return err
	}
	return d.verb(ctx, "promote", "promote", "2")
}

// handful are the flags of crashes that have few signatures.
var handful = []string{"--signatures", "6"}

// storyTimeout bounds each wait of the story.
const storyTimeout = 20 * time.Minute

// rows fails until the tables have so many that are like that.
func (d *demo) rows(ctx context.Context, where string, want int) error {
	text, err := d.query(ctx, "SELECT count() FROM crash_rows FINAL WHERE "+where)
	if text = strings.TrimSpace(text); err == nil && text != strconv.Itoa(want) {
		err = fmt.Errorf("%s of %d crashes are there: %s", text, want, where)
	}
	return err
}

// generate writes crashes as a processor does, so that whatever follows one has them.
func (d *demo) generate(ctx context.Context, count, seed, days int, until time.Time, more ...string) error {
	cmd := exec.CommandContext(ctx, d.bin, append([]string{"generate", "crashes", "--force", "--brokers", d.kafka, "--count", strconv.Itoa(count), //nolint:gosec // our own binary
		"--seed", strconv.Itoa(seed), "--days", strconv.Itoa(days), "--until", until.Format(time.DateOnly)}, more...)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("generate crashes: %w", err)
	}
	return nil
}

// tour prints where to look, and fails where there is nothing to be seen: each address is one that
// the pages themselves have answered with what is looked for.
func (d *demo) tour(ctx context.Context) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nWHAT TO LOOK AT\tWHERE") //nolint:errcheck // Flush tells
	var errs []error
	for _, sight := range []struct {
		what, question string
		like           func(row map[string]string) bool // nil: any
		page           func(row map[string]string) string
	}{
		{"four weeks of crashes", "days?by=product", nil, func(map[string]string) string { return "/" }},
		{"a spike", "spikes", func(row map[string]string) bool { n, _ := strconv.ParseFloat(row["expected"], 64); return n > 0 }, func(row map[string]string) string { return signaturePage(row["signature"], "") }},
		{"a regression: back after weeks, or many times the usual", "states?limit=500", func(row map[string]string) bool { return row["state"] == "back" || row["state"] == "rising" }, func(row map[string]string) string { return signaturePage(row["signature"], "builds") }},
		{"a rule was promoted: what a signature was called", "version-moves?old=1&new=2", nil, func(row map[string]string) string { return signaturePage(row["new_signature"], "") }},
		{"the versions, and what one changes", "version-moves?old=1&new=2", nil, func(map[string]string) string { return "/replay/2" }},
		{"symbols that are missing", "missing-symbols", nil, func(map[string]string) string { return "/missing" }},
		{"a crash, and why it has its signature", "top-crashers", nil, func(row map[string]string) string { return signaturePage(row["signature"], "reports") }},
		{"any field of any crash", "top-crashers", nil, func(map[string]string) string { return "/search?date=%3E%3D28d&_facets=os+reason" }},
		{"what a rule would do, before it is made", "top-crashers", nil, func(map[string]string) string { return "/rules/try" }},
	} {
		row, err := d.first(ctx, sight.question, sight.like)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", sight.what, err))
			continue
		}
		at := "http://" + d.pages + sight.page(row)
		if _, err := get(ctx, at); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", sight.what, at, err))
		}
		fmt.Fprintf(w, "%s\t%s\n", sight.what, at) //nolint:errcheck // Flush tells
	}
	return errors.Join(append(errs, w.Flush())...)
}

func signaturePage(signature, tab string) string {
	q := url.Values{"signature": {signature}}
	if tab != "" {
		q.Set("tab", tab)
	}
	return "/signature?" + q.Encode()
}

// first is the first row of a question's answer that is like that.
func (d *demo) first(ctx context.Context, question string, like func(row map[string]string) bool) (map[string]string, error) {
	name, parameters, _ := strings.Cut(question, "?")
	text, err := get(ctx, "http://"+d.pages+"/questions/"+name+".json?"+parameters)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Sections []struct {
			Rows []map[string]string `json:"rows"`
		} `json:"sections"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return nil, err
	}
	for _, section := range answer.Sections {
		for _, row := range section.Rows {
			if like == nil || like(row) {
				return row, nil
			}
		}
	}
	return nil, errors.New("there is none")
}
