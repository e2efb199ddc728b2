package ask_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// dashboard is what a test needs of Grafana's model.
type dashboard struct {
	Title  string `json:"title"`
	Panels []struct {
		Title   string `json:"title"`
		Targets []struct {
			RawSQL string `json:"rawSql"`
		} `json:"targets"`
	} `json:"panels"`
	Templating struct {
		List []struct {
			Name  string `json:"name"`
			Type  string `json:"type"`
			Query string `json:"query"`
		} `json:"list"`
	} `json:"templating"`
}

// digits is a number as SQL has it.
func digits(n int64) string { return strconv.FormatInt(n, 10) }

// Every query of the dashboards for ClickHouse's data source is answered at the address for
// analysts, with Grafana's macros put in as its plugin does, and has rows.
func TestDashboardsAreAnswered(t *testing.T) {
	_, public, _ := tables(t, 4000)
	// A signature of which every panel shows something.
	var signature string
	if err := public.Conn().QueryRow(t.Context(), "SELECT signature FROM aftershock.crashes WHERE moz_crash_reason IS NOT NULL GROUP BY signature ORDER BY count() DESC, signature LIMIT 1").Scan(&signature); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../deploy/grafana/clickhouse-*.json")
	if err != nil || len(files) != 4 {
		t.Fatalf("%q, %v", files, err)
	}
	from, to := now.AddDate(0, 0, -7), now
	macros := strings.NewReplacer(
		"$__timeFilter_ms(received_at)", "received_at >= fromUnixTimestamp64Milli("+digits(from.UnixMilli())+") AND received_at <= fromUnixTimestamp64Milli("+digits(to.UnixMilli())+")",
		"$__fromTime", "toDateTime("+digits(from.Unix())+")", "$__toTime", "toDateTime("+digits(to.Unix())+")",
		"${product:sqlstring}", "''", "${channel:sqlstring}", "''", "${signature:sqlstring}", "'"+signature+"'",
		"today()", "toDate('2026-10-01')",
	)
	asked := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		queries := map[string]string{}
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				queries[p.Title] = target.RawSQL
			}
		}
		for _, v := range d.Templating.List {
			if v.Type == "query" {
				queries["variable "+v.Name] = v.Query
			}
		}
		for title, sql := range queries {
			sql = macros.Replace(sql)
			if strings.Contains(sql, "$") {
				t.Errorf("%s, %s: a macro that the test does not know: %s", d.Title, title, sql)
			}
			var rows uint64
			if err := public.Conn().QueryRow(t.Context(), "SELECT count() FROM ("+sql+")").Scan(&rows); err != nil || rows == 0 {
				t.Errorf("%s, %s: %d rows, %v\n%s", d.Title, title, rows, err, sql)
			}
			asked++
		}
	}
	if asked < 25 {
		t.Errorf("%d queries", asked)
	}
}
