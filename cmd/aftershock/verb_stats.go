package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"aftershock/sinks/clickhouse"
)

// statsVerb says what the tables take.
type statsVerb struct {
	ClickhouseURL string `help:"ClickHouse's HTTP interface, http://[user:password@]host:port; who asks may read its system tables." name:"clickhouse-url" default:"http://127.0.0.1:8123"`
	Retention     int    `help:"Days to keep crashes: say how much they will take." default:"400"`
	Columns       int    `help:"Largest columns of each table that are shown." default:"10"`
	JSON          bool   `help:"Print one JSON object." name:"json"`
}

// Validate is called by the flags' parser.
func (v *statsVerb) Validate() error {
	if v.Retention < 1 || v.Retention > maxDays {
		return fmt.Errorf("--retention: want 1 to %d days", maxDays)
	}
	return nil
}

// Run prints tables, columns and a forecast.
func (v *statsVerb) Run(r *run) error {
	db, err := r.tables(v.ClickhouseURL)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing is left in it
	s, err := db.Stats(r.ctx)
	if err != nil {
		return err
	}
	if v.JSON {
		return json.NewEncoder(r.stdout).Encode(struct {
			*clickhouse.Stats
			ForecastDays  int     `json:"forecast_days"`
			ForecastBytes float64 `json:"forecast_bytes"`
		}{s, v.Retention, v.forecast(s)})
	}
	return v.print(r.stdout, s, time.Now())
}

// forecast is what the tables take when a retention is full, at the last week's rate.
func (v *statsVerb) forecast(s *clickhouse.Stats) float64 {
	return s.CrashesADay * float64(v.Retention) * s.BytesACrash
}

func (v *statsVerb) print(out io.Writer, s *clickhouse.Stats, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	say(w, "table\trows\tsize\tbytes a row\tparts\tmerges\t\n")
	for _, t := range s.Tables {
		if t.Rows == 0 {
			continue
		}
		say(w, "%s.%s\t%d\t%s\t%s\t%d\t%d\t\n", t.Database, t.Table, t.Rows, bytesText(int64(t.Bytes)), perRow(t.Bytes, t.Rows), t.Parts, t.Merges)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, t := range s.Tables {
		if t.Rows == 0 || v.Columns < 1 || len(t.Columns) == 0 || t.Columns[0].Bytes == 0 { // small parts have one file for all columns
			continue
		}
		say(w, "\n%s.%s\tbytes a row\tshare\t\n", t.Database, t.Table)
		for _, c := range t.Columns[:min(len(t.Columns), v.Columns)] {
			say(w, "%s\t%s\t%.1f %%\t\n", c.Name, perRow(c.Bytes, t.Rows), 100*float64(c.Bytes)/float64(max(t.Bytes, 1)))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	say(out, "\n%d crashes are seen, %.0f bytes each in all tables and versions.\n", s.Crashes, s.BytesACrash)
	if !s.Newest.IsZero() {
		say(out, "The newest was received %s ago.\n", now.Sub(s.Newest).Round(time.Second))
	}
	if s.CrashesADay > 0 {
		say(out, "At the last seven days' rate, %.0f a day, %d days take %s.\n", s.CrashesADay, v.Retention, bytesText(int64(v.forecast(s))))
	} else {
		say(out, "None came in the last seven days: there is no forecast.\n")
	}
	return nil
}

func perRow(bytes, rows uint64) string {
	if rows == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", float64(bytes)/float64(rows))
}
