package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"aftershock/internal/spreadsheet"
)

// Export says what is exported: the crashes that are seen of a population.
type Export struct {
	Of        Population
	Protected bool // also what needs a grant
	// Where is a condition in ClickHouse's SQL on the view's columns; empty for all.
	Where string
	// Columns are names of columns; none for all.
	Columns []string
	Format  string // ClickHouse's name: Parquet, CSVWithNames, JSONEachRow
}

// statement selects what, of the crashes of a day. The condition is inside: what is selected
// has names that would hide its columns.
func (e Export) statement(what string) string {
	database := "aftershock"
	if e.Protected {
		database = "aftershock_protected"
	}
	where := ""
	if e.Where != "" {
		where = " AND (" + e.Where + "\n)" // a comment at its end ends with the line
	}
	return "SELECT " + what + " FROM (SELECT * FROM " + database + "." + e.Of.View + " WHERE day = {export_day:Date}" + where + ") AS crashes"
}

// ExportDays are the days that have such crashes, from a day to another, and how many each.
func (db *DB) ExportDays(ctx context.Context, e Export, from, to time.Time) (days []ExportDay, err error) {
	for day := from.UTC().Truncate(24 * time.Hour); !day.After(to); day = day.AddDate(0, 0, 1) {
		d := ExportDay{Day: day}
		if err := db.patient.QueryRow(exporting(ctx, day), e.statement("count()")).Scan(&d.Crashes); err != nil {
			return nil, named(err)
		}
		if d.Crashes > 0 {
			days = append(days, d)
		}
	}
	return days, nil
}

// ExportDay is a day and its crashes.
type ExportDay struct {
	Day     time.Time
	Crashes uint64
}

// ExportTo writes a day's crashes, in the order of the tables. ClickHouse makes the format; no text of
// CSV is a formula where the file is opened.
func (db *DB) ExportTo(ctx context.Context, e Export, day time.Time, w io.Writer) error {
	const id = "toString(crash_id) AS crash_id" // Parquet has 16 bytes for a UUID, which few programs show as one
	columns := "* REPLACE (" + id + ")"
	if len(e.Columns) > 0 {
		var names []string
		for _, name := range e.Columns {
			if name == "crash_id" {
				names = append(names, id)
				continue
			}
			names = append(names, "`"+strings.NewReplacer("`", "", `\`, "").Replace(name)+"`")
		}
		columns = strings.Join(names, ", ")
	}
	body, err := db.patient.QueryFormat(exporting(ctx, day), e.Format, e.statement(columns)+" ORDER BY crashes.crash_id")
	if err != nil {
		return named(err)
	}
	if e.Format == "CSVWithNames" {
		safe := spreadsheet.NewWriter(w)
		_, err = io.Copy(safe, body)
		err = errors.Join(err, safe.Close())
	} else {
		_, err = io.Copy(w, body)
	}
	if closed := body.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

func exporting(ctx context.Context, day time.Time) context.Context {
	return ch.Context(ctx, ch.WithParameters(ch.Parameters{"export_day": day.Format(time.DateOnly)}))
}
