package main

import (
	"encoding/csv"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"aftershock/replay"
	"aftershock/sinks/clickhouse"
)

// What crashes lack, for build systems and those who fetch symbols of systems: a page, and a
// CSV whose first columns are those of Mozilla's server.

const (
	missingDays = 7
	mostDays    = 400
	missingRows = 1000
	mostRows    = 100_000
)

// missingColumns are those of the CSV.
var missingColumns = []string{"debug_file", "debug_id", "code_file", "code_id", "version", "crashes", "signatures", "first_seen", "last_seen", "sources_said"}

func missingRow(m *clickhouse.Missing) []string {
	cell := replay.SpreadsheetCell // a dump names its modules as it likes
	return []string{
		cell(m.DebugFile), cell(m.DebugID), cell(m.CodeFile), cell(m.CodeID), cell(m.Version), strconv.FormatInt(m.Crashes, 10), strconv.FormatInt(m.Signatures, 10),
		m.First.UTC().Format(time.RFC3339), m.Last.UTC().Format(time.RFC3339), strings.Join(m.Said, " "),
	}
}

// missingPage answers GET /missing?days=7&limit=1000, as a page or as CSV.
func missingPage(db *clickhouse.DB, log zerolog.Logger) http.HandlerFunc {
	asking := make(chan struct{}, missingQueries)
	return func(w http.ResponseWriter, r *http.Request) {
		days, errDays := number(r, "days", missingDays, mostDays)
		limit, errLimit := number(r, "limit", missingRows, mostRows)
		if errDays != nil || errLimit != nil {
			http.Error(w, fmt.Sprintf("want days from 1 to %d, and limit from 1 to %d", mostDays, mostRows), http.StatusBadRequest)
			return
		}
		select {
		case asking <- struct{}{}:
		default:
			w.Header().Set("Retry-After", "10")
			http.Error(w, "others ask for this now: try again", http.StatusServiceUnavailable)
			return
		}
		rows, err := db.MissingSymbols(r.Context(), clickhouse.Limits{MemoryBytes: missingMemory, Time: time.Minute}, time.Now().AddDate(0, 0, -days), limit)
		<-asking
		if err != nil {
			if r.Context().Err() == nil {
				log.Warn().Err(err).Msg("missing symbols not asked")
			}
			http.Error(w, "the tables cannot be asked now", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if strings.HasSuffix(r.URL.Path, ".csv") {
			w.Header().Set("Content-Type", "text/csv; charset=utf-8")
			out := csv.NewWriter(w)
			out.Write(missingColumns) //nolint:errcheck,gosec // Flush tells, and nobody is left to be told
			for i := range rows {
				out.Write(missingRow(&rows[i])) //nolint:errcheck,gosec // likewise
			}
			out.Flush()
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		missingTemplate.Execute(w, map[string]any{"Rows": rows, "Days": days, "Limit": limit, "Query": r.URL.RawQuery, "More": len(rows) == limit}) //nolint:errcheck,gosec // its client may be gone
	}
}

const (
	// missingMemory bounds the query at the server, and missingQueries how many there are: sinks
	// and analysts ask it too.
	missingMemory  = 1 << 30
	missingQueries = 2
)

// number is a parameter from 1 to most.
func number(r *http.Request, name string, by, most int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return by, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, strconv.ErrRange
	}
	return n, nil
}

var missingTemplate = template.Must(template.New("missing").Funcs(template.FuncMap{
	"day":  func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
	"join": func(s []string) string { return strings.Join(s, ", ") },
}).Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Missing symbols</title>
<style>
body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .7rem; text-align: left; border-bottom: 1px solid #ddd; vertical-align: top }
th { border-bottom: 2px solid #888; position: sticky; top: 0; background: #fff }
.n { text-align: right } code { font-size: .85em; word-break: break-all } .note { color: #555 }
@media (prefers-color-scheme: dark) { body, th { background: #181a1b; color: #ddd } th, td { border-color: #444 } .note { color: #aaa } a { color: #8ab4f8 } }
</style>
<h1>Missing symbols</h1>
<p>Modules that stacks of the last {{.Days}} days came to and of which no source had symbols, those first that most crashes lack.
<a href="/missing.csv{{if .Query}}?{{.Query}}{{end}}">CSV</a></p>
{{if .Rows}}<table>
<tr><th>Module<th>Debug id<th>Code id<th>Version<th class="n">Crashes<th class="n">Signatures<th>First<th>Last<th>Sources said</tr>
{{range .Rows}}<tr><td>{{.DebugFile}}<td><code>{{.DebugID}}</code><td><code>{{.CodeID}}</code><td>{{.Version}}<td class="n">{{.Crashes}}<td class="n">{{.Signatures}}<td>{{day .First}}<td>{{day .Last}}<td>{{join .Said}}</tr>
{{end}}</table>
<p class="note">{{if .More}}There are more: <code>?limit=</code> shows up to 100000. {{end}}Bring them with <code>aftershock symbols upload</code>: crashes that lack them are made again.</p>
{{else}}<p>None: every module that a stack came to had symbols.</p>{{end}}
</html>
`))
