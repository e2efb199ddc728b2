package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
)

// statsVerb says what the tables take, and how far they are behind.
type statsVerb struct {
	ClickhouseURL string   `help:"ClickHouse's HTTP interface, http://[user:password@]host:port; who asks may read its system tables." name:"clickhouse-url" default:"http://127.0.0.1:8123"`
	Retention     int      `help:"Days to keep crashes: say how much they will take." default:"400"`
	Columns       int      `help:"Largest columns of each table that are shown." default:"10"`
	Brokers       []string `help:"Kafka brokers, host:port: say how far the tables are behind the processed topics."`
	securityFlags
	registryFlag
	JSON bool `help:"Print one JSON object." name:"json"`
}

// Validate is called by the flags' parser.
func (v *statsVerb) Validate() error {
	if v.Retention < 1 || v.Retention > maxDays {
		return fmt.Errorf("--retention: want 1 to %d days", maxDays)
	}
	return nil
}

// Run prints tables, columns and a forecast, and the lag of the tables if it may ask brokers.
func (v *statsVerb) Run(r *run) error {
	behind, err := v.behind(r)
	if err != nil {
		return err
	}
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
			Lag           *lag    `json:"lag,omitempty"`
		}{s, v.Retention, v.forecast(s), behind})
	}
	return v.print(r.stdout, s, behind, time.Now())
}

// lag is how far the tables are behind the processed topics: the sum, and each group of the
// ClickHouse sink.
type lag struct {
	stream.Lag
	Groups []groupLag `json:"groups"`
}

// groupLag is a group's on the topic that it consumes.
type groupLag struct {
	Group string `json:"group"`
	Topic string `json:"topic"`
	stream.Lag
}

// behind asks brokers for the lag; without any it is nil.
func (v *statsVerb) behind(r *run) (*lag, error) {
	if len(v.Brokers) == 0 {
		return nil, nil //nolint:nilnil // nobody asked
	}
	kafka, err := kafkaFlags{v.Brokers, v.securityFlags, v.registryFlag}.kafka(r.log)
	if err != nil {
		return nil, err
	}
	return tablesLag(r.ctx, kafka)
}

// tablesLag is that of every version that is stored, and of what comes late of archived ones.
func tablesLag(ctx context.Context, k stream.Kafka) (*lag, error) {
	state, err := stream.NewestVersions(ctx, k)
	if err != nil {
		return nil, err
	}
	var stored []int32
	if state != nil {
		for _, version := range state.Versions {
			if clickHouseWants(state, version) {
				stored = append(stored, version.Number)
			}
		}
	}
	g, err := stream.NewGroups(k)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	all := &lag{}
	for _, n := range append(stored, schema.Archived) {
		of := groupLag{Group: schema.SinkGroup(clickhouse.Name, n), Topic: schema.ProcessedTopic(n)}
		if of.Lag, err = g.Lag(ctx, of.Group, of.Topic); err != nil {
			return nil, err
		}
		all.Add(of.Lag)
		all.Groups = append(all.Groups, of)
	}
	return all, nil
}

// forecast is what the tables take when a retention is full, at the last week's rate.
func (v *statsVerb) forecast(s *clickhouse.Stats) float64 {
	return s.CrashesADay * float64(v.Retention) * s.BytesACrash
}

func (v *statsVerb) print(out io.Writer, s *clickhouse.Stats, behind *lag, now time.Time) error {
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
	if behind == nil {
		say(out, "--brokers tells how far the tables are behind the processed topics.\n")
		return nil
	}
	return behind.print(out, now)
}

func (l *lag) print(out io.Writer, now time.Time) error {
	old := func(of stream.Lag) string {
		if of.Oldest.IsZero() {
			return ""
		}
		return now.Sub(of.Oldest).Round(time.Second).String()
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	say(w, "\ngroup\ttopic\tbehind\toldest\t\n")
	for _, g := range l.Groups {
		say(w, "%s\t%s\t%d\t%s\t\n", g.Group, g.Topic, g.Records, old(g.Lag))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if l.Records == 0 {
		say(out, "\nThe tables have all of the processed topics.\n")
		return nil
	}
	say(out, "\nThe tables are %d records behind, ends of transactions among them.\n", l.Records)
	if !l.Oldest.IsZero() {
		say(out, "The oldest was processed %s ago.\n", old(l.Lag))
	}
	return nil
}

func perRow(bytes, rows uint64) string {
	if rows == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", float64(bytes)/float64(rows))
}
