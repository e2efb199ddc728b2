package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aftershock/ask"
	"aftershock/stream/streamtest"
)

// runs runs a verb that needs no brokers.
func runs(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = Main(args, &stdout, &stderr)
	return stdout.String(), stderr.String(), code
}

// What analysts type: questions in every format, what the tables take, data sets, bugs; and a
// client that is not ours.
func TestAnalystsVerbs(t *testing.T) {
	t.Parallel()
	u := startUp(t)
	until := time.Now().UTC().Format(time.DateOnly)
	tables := "http://aftershock:" + u.token() + "@" + u.clickhouse
	if out, errs, code := runs(t, "generate", "crashes", "--count", "900", "--days", "10", "--until", until, "--clickhouse-url", tables); code != 0 {
		t.Fatalf("%s%s", out, errs)
	}
	analysts := []string{"--clickhouse-url", "http://" + u.analysts}
	must := func(args ...string) string {
		t.Helper()
		out, errs, code := runs(t, append(args, analysts...)...)
		if code != 0 {
			t.Fatalf("%q: %d %s", args, code, errs)
		}
		return out
	}
	total, err := u.query("SELECT count(), uniqExact(signature), countIf(day >= today() - 3 AND day < today()) FROM crashes FORMAT CSV")
	if err != nil {
		t.Fatal(err)
	}
	counts := strings.Split(strings.TrimSpace(total), ",")
	if counts[0] != "900" {
		t.Fatalf("%s crashes", counts[0])
	}

	t.Run("query", func(t *testing.T) {
		question := []string{"query", "top-crashers", "--param", "from=30d", "--param", "limit=100000"}
		rows, err := csv.NewReader(strings.NewReader(must(append(question, "--format", "csv")...))).ReadAll()
		if err != nil || rows[0][1] != "signature" || rows[1][0] != "1" {
			t.Fatalf("%q, %v", rows[:2], err)
		}
		var lines []string
		for line := range strings.Lines(must(append(question, "--format", "json")...)) {
			var row struct {
				Signature string `json:"signature"`
				Crashes   int    `json:"crashes"`
			}
			if err := json.Unmarshal([]byte(line), &row); err != nil || row.Crashes == 0 {
				t.Fatalf("%s: %v", line, err)
			}
			lines = append(lines, row.Signature)
		}
		if len(lines) != len(rows)-1 || lines[0] != rows[1][1] {
			t.Errorf("%d signatures as JSON, %d as CSV", len(lines), len(rows)-1)
		}
		table := must(question...)
		if !strings.HasPrefix(table, "rank  signature") || !strings.Contains(table, lines[0]) || !strings.Contains(table, "█") || strings.Count(table, "\n") != len(rows) {
			t.Errorf("%.500s", table)
		}
		if markdown := must(append(question, "--format", "markdown")...); !strings.HasPrefix(markdown, "| rank | signature |") || strings.Count(markdown, "\n") != len(rows)+1 {
			t.Errorf("%.500s", markdown)
		}
		if days := must("query", "days", "--param", "from=30d"); !strings.ContainsAny(days, "▁▂▃▄▅▆▇") {
			t.Errorf("no line:\n%.500s", days)
		}
		if empty := must("query", "top-crashers", "--param", "product=nobody's"); empty != "no rows\n" {
			t.Errorf("%q", empty)
		}
		sql := must(append(question, "--sql")...)
		if !strings.Contains(sql, "SET param_limit = '100000';") || !strings.Contains(sql, "{limit:UInt32}") {
			t.Errorf("%s", sql)
		}
		if list := runsWell(t, "query", "list"); strings.Count(list, "\n") != len(ask.Queries()) || !strings.Contains(list, "top-crashers") {
			t.Errorf("%s", list)
		}
		for want, args := range map[string][]string{
			"query list has their names": {"query", "nothing"}, "it has from, to, product": {"query", "top-crashers", "--param", "x=1"}, "needs the parameter signature": {"query", "reports"},
			"want a time like": {"query", "uptime", "--param", "from=yesterday"}, "want a number from 0": {"query", "top-crashers", "--param", "limit=-1"},
		} {
			if _, errs, code := runs(t, args...); code != 2 || !strings.Contains(errs, want) {
				t.Errorf("%q: %d %s", args, code, errs)
			}
		}
		if _, errs, code := runs(t, append([]string{"query", "comments", "--param", "signature=" + lines[0]}, analysts...)...); code != 1 || !strings.Contains(errs, "reads what is protected") {
			t.Errorf("%d %s", code, errs)
		}
		if out, errs, code := runs(t, "query", "comments", "--param", "from=30d", "--param", "signature="+lines[0], "--clickhouse-url", tables); code != 0 || !strings.Contains(out, "quokka") {
			t.Errorf("%d %s %.300s", code, errs, out)
		}
	})
	t.Run("stats", func(t *testing.T) {
		out, errs, code := runs(t, "stats", "--json", "--clickhouse-url", tables)
		var s struct {
			Crashes       uint64  `json:"crashes"`
			BytesACrash   float64 `json:"bytes_a_crash"`
			ForecastBytes float64 `json:"forecast_bytes"`
			Tables        []struct {
				Table string `json:"table"`
				Rows  uint64 `json:"rows"`
				Parts uint64 `json:"parts"`
			} `json:"tables"`
		}
		if err := json.Unmarshal([]byte(out), &s); err != nil || code != 0 || s.Crashes != 900 || s.BytesACrash < 100 || s.ForecastBytes < s.BytesACrash || s.Tables[0].Rows != 900 || s.Tables[0].Parts == 0 {
			t.Errorf("%s %s %v", out, errs, err)
		}
		if out, errs, code := runs(t, "stats", "--clickhouse-url", tables); code != 0 || !strings.Contains(out, "aftershock.crash_rows") || !strings.Contains(out, "900 crashes are seen") || !strings.Contains(out, "400 days take") || !strings.Contains(out, "--brokers tells") {
			t.Errorf("%s%s", out, errs)
		}
		if strings.Contains(out, `"lag"`) {
			t.Errorf("a lag, and nobody knew brokers: %s", out)
		}
	})
	t.Run("lag", func(t *testing.T) {
		p := newPlant(t) // other brokers, where nobody stores
		streamtest.Put(t, p.kafka, processedRecords(t)...)
		var s struct {
			Crashes uint64 `json:"crashes"`
			Lag     lag    `json:"lag"`
		}
		out, errs, code := p.run("stats", "--json", "--clickhouse-url", tables)
		if err := json.Unmarshal([]byte(out), &s); err != nil || code != 0 || s.Crashes != 900 || s.Lag.Records != 2 || len(s.Lag.Groups) != 2 {
			t.Errorf("%s%s %v", out, errs, err)
		}
		if out, errs, code := p.run("stats", "--clickhouse-url", tables); code != 0 || !strings.Contains(out, "The tables are 2 records behind") || strings.Contains(out, "--brokers") {
			t.Errorf("%s%s", out, errs)
		}
		if out, errs, code := runs(t, "stats", "--brokers", u.kafka, "--clickhouse-url", tables); code != 0 || !strings.Contains(out, "sink.clickhouse.v1") || !strings.Contains(out, "The tables have all of the processed topics.") {
			t.Errorf("%s%s", out, errs)
		}
	})
	t.Run("export", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "set")
		args := []string{"export", dir, "--from", "3d", "--public", "--clickhouse-url", "http://" + u.analysts}
		if out, errs, code := runs(t, args...); code != 0 || !strings.Contains(out, "3 files with "+counts[2]+" crashes written, 0 were there") {
			t.Fatalf("%s%s", out, errs)
		}
		if out, errs, code := runs(t, args...); code != 0 || !strings.Contains(out, "0 files with 0 crashes written, 3 were there") {
			t.Errorf("%s%s", out, errs)
		}
		files, err := filepath.Glob(filepath.Join(dir, "crashes-*.parquet"))
		if err != nil || len(files) != 3 {
			t.Fatalf("%q", files)
		}
		for _, f := range files {
			if data, err := os.ReadFile(f); err != nil || !bytes.HasPrefix(data, []byte("PAR1")) || !bytes.HasSuffix(data, []byte("PAR1")) || bytes.Contains(data, []byte("quokka")) {
				t.Errorf("%s: no Parquet, or private values, %v", f, err)
			}
		}
		some := filepath.Join(t.TempDir(), "some")
		if out, errs, code := runs(t, "export", some, "--from", "3d", "--public", "--format", "csv", "--where", "os = 'Linux' -- and no more", "--column", "crash_id", "--column", "os", "--clickhouse-url", "http://"+u.analysts); code != 0 {
			t.Errorf("%s%s", out, errs)
		}
		csvs, _ := filepath.Glob(filepath.Join(some, "*.csv"))
		for _, f := range csvs {
			data, err := os.ReadFile(f)
			rows := lines(strings.TrimSpace(string(data)))
			if err != nil || rows[0] != `"crash_id","os"` || slices.ContainsFunc(rows[1:], func(r string) bool { return !strings.HasSuffix(r, `,"Linux"`) }) {
				t.Errorf("%s: %q, %v", f, rows[:min(len(rows), 2)], err)
			}
		}
		if len(csvs) == 0 {
			t.Error("no CSV")
		}
		if _, errs, code := runs(t, "export", some, "--from", "3d", "--protected", "--clickhouse-url", "http://"+u.analysts); code != 1 || !strings.Contains(errs, "aftershock_protected") {
			t.Errorf("%d %s", code, errs)
		}
		if left, _ := filepath.Glob(filepath.Join(some, ".export-*")); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
		if _, errs, code := runs(t, "export", some, "--from", "3d", "--to", "9d", "--public"); code != 2 {
			t.Errorf("%d %s", code, errs)
		}
	})
	t.Run("bugs", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "bugs.csv")
		load := func(text string, flags ...string) (string, string, int) {
			writeFile(t, path, []byte(text))
			return runs(t, append([]string{"bugs", "import", path, "--clickhouse-url", tables}, flags...)...)
		}
		if out, errs, code := load("bug,Signature,state,other\n7,f,open,x\n8,\"g, h\",fixed,y\n"); code != 0 || out != "2 bugs loaded, 0 taken away\n" {
			t.Fatalf("%s%s", out, errs)
		}
		if out, errs, code := load("bug,signature,state\n7,f,closed\n", "--replace"); code != 0 || out != "1 bugs loaded, 1 taken away\n" {
			t.Fatalf("%s%s", out, errs)
		}
		if got := must("query", "bugs", "--format", "csv"); !strings.Contains(got, "7,f,closed") || strings.Contains(got, `"g, h"`) {
			t.Errorf("%s", got)
		}
		for text, want := range map[string]string{
			"bug,sig\n": "want the columns signature and bug", "": "want a line of names", "bug,signature\n7,\n": "line 2: want a signature and a bug", "bug,signature\n7\n": "wrong number of fields",
			"bug,signature\n7," + strings.Repeat("x", 4097) + "\n": "longer than 4096 bytes",
		} {
			if _, errs, code := load(text); code != 1 || !strings.Contains(errs, want) {
				t.Errorf("%.40q: %d %s", text, code, errs)
			}
		}
		if _, errs, code := load("bug,signature\n", "--replace"); code != 1 || !strings.Contains(errs, "all would go") {
			t.Errorf("%d %s", code, errs)
		}
	})
	t.Run("clickhouse-connect", func(t *testing.T) {
		python, err := filepath.Abs("../../.cache/python/bin/python")
		if _, statErr := os.Stat(python); err != nil || statErr != nil {
			python = "python3"
		}
		if err := exec.CommandContext(t.Context(), python, "-c", "import clickhouse_connect").Run(); err != nil {
			t.Skip("Python's clickhouse-connect is missing: python3 -m venv .cache/python && .cache/python/bin/pip install clickhouse-connect")
		}
		out, err := exec.CommandContext(t.Context(), python, "../../docs/examples/analyst.py", u.analysts).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "crashes") || !strings.Contains(string(out), "('module', 'crashes')") {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// runsWell runs a verb that asks nobody.
func runsWell(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, code := runs(t, args...)
	if code != 0 {
		t.Fatalf("%q: %d %s", args, code, errs)
	}
	return out
}
