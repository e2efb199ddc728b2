package ask

import (
	"bufio"
	"context"
	"embed"
	"fmt"
	"strings"
	"time"

	"aftershock/sinks/clickhouse"
)

//go:embed pages/*.sql
var pageFiles embed.FS

// Statement is one that a part of a page needs, and that is no question for itself: what it
// asks for, it takes from the page. They are files in pages/, {name:Type} their parameters.
type Statement struct{ name, sql string }

// The statements of pages.
var (
	// CrashVersions: what signature versions made of one crash. Parameters: crash_id, day.
	CrashVersions = statement("crash-versions")
	// Neighbours of a crash among those of its signature. Parameters: crash_id, received,
	// signature, from, to, enough (crashes of the newest days), and the filter's.
	Neighbours = statement("neighbours")
	// Distributions: how the crashes of a signature are spread over the values of fields.
	// Parameters: signature, from, to, and the filter's.
	Distributions = statement("distributions")
	// Trend: crashes a day of signatures together. Parameters: signatures (List), from, to, and
	// the filter's.
	Trend = statement("trend")
	// LeftOutBy: how many crashes, of how many signatures, a list leaves out. Parameters: signatures
	// (List), from, to, and the filter's.
	LeftOutBy = statement("left-out")
	// BugsOfNames: bugs of signatures, 200 at most. Parameters: signatures (List).
	BugsOfNames = statement("bugs-of-names")
	// Promotions: the epochs, with the versions that each made visible.
	Promotions = statement("promotions")
	// Compare: what crashes of one side have more often than those of another. Parameters: a_ and
	// b_ of product, channel, version, build_id, from, to; process_type, os, least, limit.
	Compare = statement("compare")
)

func statement(name string) Statement {
	text, err := pageFiles.ReadFile("pages/" + name + ".sql")
	if err != nil {
		panic(err) // embedded
	}
	return Statement{name, strings.TrimSpace(string(text))}
}

// SQL is the text, with its parameters as {name:Type}.
func (s Statement) SQL() string { return s.sql }

// Ask reads the answer. values are parameters as Text, Time and List write them.
func (s Statement) Ask(ctx context.Context, db *clickhouse.DB, values map[string]string) (*Answer, error) {
	body, err := send(ctx, db, s.sql, values, "JSONCompactEachRowWithNamesAndTypes")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	defer body.Close() //nolint:errcheck // read to the end below
	a, err := readAnswer(body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return a, nil
}

// each hands the rows on as JSON objects, of at most so many bytes each. A row is there until the
// next one comes.
func (s Statement) each(ctx context.Context, db *clickhouse.DB, values map[string]string, maxBytes int, do func(row []byte) error) error {
	body, err := send(ctx, db, s.sql, values, "JSONEachRow")
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	defer body.Close() //nolint:errcheck // read to the end below, or given up
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxBytes)
	for lines.Scan() {
		if err := do(lines.Bytes()); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

// Text is a parameter of a String. One of more than 4096 bytes is an error.
func Text(s string) (string, error) {
	if len(s) > maxParamBytes {
		return "", fmt.Errorf("more than %d bytes", maxParamBytes)
	}
	return escaped.Replace(s), nil
}

// Time is a parameter of a DateTime64(3).
func Time(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

// Moment reads a time as people write it: a date, a time of RFC 3339, now, or how long before
// now (36h, 7d).
func Moment(text string, now time.Time) (time.Time, error) { return moment(text, now) }

// maxListed texts are in a List, together of at most maxListBytes.
const (
	maxListed    = 200
	maxListBytes = 64 << 10
)

// List is a parameter of an Array(String): as many of the texts as there may be, the first ones.
func List(texts []string) string {
	text, _ := list(texts)
	return text
}

// list tells as well whether it has all.
func list(texts []string) (text string, whole bool) {
	var b strings.Builder
	whole = true
	b.WriteByte('[')
	for i, s := range texts {
		one := "'" + quotedText.Replace(s) + "'"
		if i == maxListed || b.Len()+len(one) > maxListBytes {
			whole = false
			break
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(one)
	}
	b.WriteByte(']')
	return escaped.Replace(b.String()), whole
}

// quotedText keeps a text within quotation marks.
var quotedText = strings.NewReplacer(`\`, `\\`, `'`, `\'`)
