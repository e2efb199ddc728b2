package embedded

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/compress"
)

// What the engine reads otherwise than it looks, or out of a text, shows nothing either: to
// analysts no other database, and to nobody a file.
func TestStatementsInDisguiseReachNothing(t *testing.T) {
	analysts, addr, token := forAnalysts(t)
	secret := filepath.Join(t.TempDir(), "secret.txt")
	if err := os.WriteFile(secret, []byte("canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	type asked struct {
		sql   string
		query url.Values
	}
	filter := func(sql string) []asked {
		quoted := "'" + strings.ReplaceAll(sql, "'", "''") + "'"
		return []asked{
			{"SELECT count() + 41 FROM crash_rows", url.Values{"additional_table_filters": {"{'aftershock.crash_rows':" + quoted + "}"}}},
			{"SELECT count() + 41 FROM crash_rows SETTINGS additional_table_filters = {'aftershock.crash_rows':" + quoted + "}", nil},
			{"SELECT 42 FROM crash_rows SETTINGS additional_result_filter = " + quoted, nil},
		}
	}
	files := []asked{
		{"SELECT * FROM “file”('%s', 'LineAsString')", nil},
		{"SELECT * FROM file\u00a0('%s', 'LineAsString')", nil},
		{"SELECT * FROM \ufefffile('%s', LineAsString)", nil},
		{"SELECT ‘/*’, * FROM file('%s', LineAsString) WHERE ‘*/’ != ''", nil},
		{"SELECT 1 AS a$b$, * FROM file('%s', LineAsString) WHERE 1 AS a$b$", nil},
		{"SELECT * APPLY file FROM (SELECT '%s')", nil},
		{"SELECT * APPLY(file) FROM (SELECT '%s')", nil},
		{"SELECT arrayMap(file, ['%s'])", nil},
		{"SELECT arrayMap((`file`) AS g, ['%s'])", nil},
	}
	files = append(files, asked{"SELECT arrayMap({f:Identifier}, ['%s'])", url.Values{"param_f": {"file"}}}, asked{"SELECT arrayMap(({ f : `Identifier` }), ['%s'])", url.Values{"param_f": {"file"}}})
	for i := range files {
		files[i].sql = fmt.Sprintf(files[i].sql, secret)
	}
	files = append(files, filter("file('"+secret+"') LIKE 'canary%' AND crash_id = '1'")...)
	tables := []asked{
		{"SELECT * FROM “mine”.t", nil},
		{"SELECT * FROM mine\u00a0.t", nil},
		{"SELECT ‘'’, * FROM mine.t WHERE ‘'’ != ''", nil},
		{"SELECT 1 AS a$b$, * FROM mine.t WHERE 1 AS a$b$", nil},
		{"SELECT ‘/*’, * FROM aftershock_protected.crashes WHERE ‘*/’ != ''", nil},
		{"SELECT ‘-- ’, * FROM aftershock_protected.crashes", nil},
		{"SELECT 'canary' FROM “system”.processes", nil},
		{"SELECT 'canary' FROM processes", url.Values{"database": {"system"}}},
		{"SELECT 'canary', 1. SETTINGS max_memory_usage = 0", nil},
		{"SELECT 'canary' LIMIT 1. SETTINGS max_execution_time = 0", nil},
		{"SELECT 'canary' SETTINGS max_parser_depth = 1000000", nil},
		{"SELECT 'canary' SETTINGS max_threads = 1, max_parser_backtracks = 1", nil},
		{"SELECT 'canary' SETTINGS max_result_bytes = 0", nil},
	}
	tables = append(tables, filter("crash_id = '1' AND 'canary' IN (SELECT a FROM mine.t)")...)
	for who, at := range map[string]struct {
		addr   string
		change func(*http.Request)
		asked  []asked
	}{
		"an analyst": {analysts, nil, append(tables, files...)}, "a reader": {addr, nil, files}, "a writer": {addr, func(r *http.Request) { r.SetBasicAuth("a", token) }, files},
	} {
		for _, a := range at.asked {
			status, answer := ask(t, at.addr, a.sql, func(r *http.Request) {
				if at.change != nil {
					at.change(r)
				}
				r.URL.RawQuery = a.query.Encode()
			})
			if strings.Contains(strings.Split(answer, "Code: ")[0], "canary") || answer == "42\n" || status == http.StatusOK && a.query == nil {
				t.Errorf("%s: %s %s: %d %.300s", who, a.sql, a.query, status, answer)
			}
		}
	}
	for _, sql := range []string{
		"SELECT 'é', '“file”(x)' -- “file”", "SELECT number AS file FROM numbers(1) WHERE file IN (0) AND file = 0 ORDER BY file", "SELECT count(c.crash_id) FROM crashes AS c", "SELECT {file:String}",
		"SELECT 1.5 AS `settings`, 2. AS x", "SELECT 1 SETTINGS max_threads = 1, output_format_json_quote_64bit_integers = 0", "SELECT $a$it's$a$", "SELECT 1 AS a$b$",
	} {
		for _, at := range []string{analysts, addr} {
			if status, answer := ask(t, at, sql, func(r *http.Request) { r.URL.RawQuery = "param_file=x" }); status != http.StatusOK {
				t.Errorf("%s: %d %s", sql, status, answer)
			}
		}
	}
	// What is answered whole is bounded too.
	if status, answer := ask(t, analysts, "SELECT repeat('x', 1000000) FROM numbers(1500) FORMAT JSON", func(r *http.Request) { r.URL.RawQuery = "max_block_size=1" }); status == http.StatusOK {
		t.Errorf("a result of %d bytes", len(answer))
	}
	// Nor do the parser's bounds go away: it would not end.
	if status, _ := ask(t, analysts, "SELECT "+strings.Repeat("[", 20000)+strings.Repeat("]", 20000), func(r *http.Request) {
		r.URL.RawQuery = "max_parser_depth=1000000&max_ast_depth=10000000"
	}); status == http.StatusOK {
		t.Error("20000 brackets are read")
	}
}

// However many statements analysts run, others read.
func TestAnalystsLeaveConnections(t *testing.T) {
	analysts, addr, _ := forAnalysts(t)
	done := make(chan struct{}, 2*analystStatements)
	for range cap(done) {
		go func() {
			defer func() { done <- struct{}{} }()
			if r, err := http.Post("http://"+analysts, "", strings.NewReader("SELECT number, sleepEachRow(1) FROM numbers(2)")); err == nil {
				_ = r.Body.Close()
			}
		}()
	}
	time.Sleep(500 * time.Millisecond)
	begun := time.Now()
	if status, answer := ask(t, addr, "SELECT 1", nil); status != http.StatusOK || time.Since(begun) > time.Second {
		t.Errorf("%d %s after %s", status, answer, time.Since(begun))
	}
	for range cap(done) {
		<-done
	}
}

// A frame of some kilobytes takes no gigabyte of memory before anybody has looked at it.
func TestAnalystsSendNoLargeFrames(t *testing.T) {
	analysts, addr, _ := forAnalysts(t)
	w := compress.NewWriter(compress.LevelZero, compress.LZ4)
	for size, want := range map[int]string{100: "1\n", 64 << 20: "CANNOT_READ_ALL_DATA"} {
		if err := w.Compress(append([]byte("SELECT 1 -- "), make([]byte, size)...)); err != nil {
			t.Fatal(err)
		}
		for _, at := range []string{analysts, addr} {
			_, answer := ask(t, at, string(w.Data), func(r *http.Request) { r.URL.RawQuery = "decompress=1" })
			if at == analysts && !strings.Contains(answer, want) || at == addr && size == 64<<20 && !strings.Contains(answer, "Max query size") {
				t.Errorf("%d bytes: %.200s", size, answer)
			}
		}
	}
}
