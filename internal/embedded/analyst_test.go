package embedded

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"aftershock/internal/freeport"
)

// forAnalysts is a server with an address for analysts: with public rows, and protected and
// other ones that hold a canary.
func forAnalysts(t *testing.T) (analysts, addr, token string) {
	t.Helper()
	dir := t.TempDir()
	analysts, addr = freeport.Address(t), freeport.Address(t)
	token, err := Token(dir)
	if err != nil {
		t.Fatal(err)
	}
	start(t, ChildOptions{
		Name: "clickhouse", Exe: "/proc/self/exe", Log: zerologTest(t),
		Env:   childConfig{Role: "clickhouse", Dir: dir, Listen: addr, Library: library(t), Token: token, Analysts: analysts}.env(),
		Ready: ClickHouseReady("http://" + addr),
	})
	for _, sql := range []string{
		"CREATE TABLE crash_rows (crash_id String, signature LowCardinality(String), readonly UInt8) ENGINE = MergeTree ORDER BY crash_id", "INSERT INTO crash_rows VALUES ('1', 'f', 1), ('2', 'f', 0), ('3', 'g', 0)",
		"CREATE VIEW crashes AS SELECT * FROM crash_rows", "CREATE DATABASE aftershock_protected", "CREATE TABLE aftershock_protected.crash_rows (url String) ENGINE = MergeTree ORDER BY url",
		"INSERT INTO aftershock_protected.crash_rows VALUES ('canary')", "CREATE VIEW aftershock_protected.crashes AS SELECT * FROM aftershock_protected.crash_rows",
		"CREATE DATABASE mine", "CREATE TABLE mine.t (a String) ENGINE = MergeTree ORDER BY a", "INSERT INTO mine.t VALUES ('canary')", "CREATE TABLE default.t (a String) ENGINE = MergeTree ORDER BY a", "INSERT INTO default.t VALUES ('canary')",
		"CREATE TABLE mine.j (k String, a String) ENGINE = Join(ANY, LEFT, k)", "INSERT INTO mine.j VALUES ('k', 'canary')",
	} {
		if status, answer := ask(t, addr, sql, func(r *http.Request) { r.SetBasicAuth("a", token) }); status != http.StatusOK {
			t.Fatalf("%s: %d %s", sql, status, answer)
		}
	}
	return analysts, addr, token
}

// Analysts read the public database, as whoever they say they are.
func TestAnalystsReadThePublicDatabase(t *testing.T) {
	analysts, _, token := forAnalysts(t)
	for sql, want := range map[string]string{
		"SELECT signature, count() FROM crashes GROUP BY signature ORDER BY signature":                                      "f\t2\ng\t1\n",
		"SELECT count() FROM aftershock.crashes WHERE signature = 'f' SETTINGS max_threads = 1":                             "2\n",
		"WITH top AS (SELECT signature FROM `crashes` LIMIT 1) SELECT * FROM top":                                           "f\n",
		"SELECT name FROM system.columns WHERE database = 'aftershock' AND table = 'crashes' ORDER BY name":                 "crash_id\nreadonly\nsignature\n",
		"SELECT name, value, readonly AS readonly FROM system.settings WHERE name = 'max_memory_usage'":                     "max_memory_usage\t536870912\t0\n",
		"SELECT getSetting('max_execution_time')":                                                                           "60\n",
		"SELECT name FROM system.databases WHERE name NOT IN ('system', 'information_schema', 'INFORMATION_SCHEMA')":        "aftershock\n",
		"SELECT count() FROM system.tables WHERE database IN ('mi' || 'ne', concat('aftershock_', 'protected'), 'default')": "0\n",
		"SELECT count() FROM system.columns WHERE database = 'mi' || 'ne'":                                                  "0\n",
		"SELECT count() FROM INFORMATION_SCHEMA.TABLES WHERE table_schema = 'mi' || 'ne'":                                   "0\n",
		"SELECT count() FROM information_schema.columns WHERE table_schema = 'mi' || 'ne'":                                  "0\n",
		"SHOW TABLES":    "crash_rows\ncrashes\n",
		"EXISTS crashes": "1\n",
		"SELECT countIf(readonly = 1) AS identifier FROM crashes":  "1\n",
		"SELECT sum(number) FROM numbers(4)":                       "6\n",
		"SELECT count() FROM crashes WHERE signature = {s:String}": "1\n",
		"SELECT default FROM (SELECT 1 AS default)":                "1\n",
	} {
		for who, change := range map[string]func(*http.Request){
			"nobody":   func(*http.Request) {},
			"somebody": func(r *http.Request) { r.SetBasicAuth("default", "secret") },
			"a writer": func(r *http.Request) { r.SetBasicAuth("a", token) },
			"of a session": func(r *http.Request) {
				r.URL.RawQuery += "&session_id=s&database=default&readonly=0&max_memory_usage=99999999999&max_execution_time=0"
			},
		} {
			status, answer := ask(t, analysts, sql, func(r *http.Request) {
				r.URL.RawQuery = "param_s=g"
				change(r)
			})
			if status != http.StatusOK || answer != want {
				t.Errorf("%s: %s: %d %q, want %q", who, sql, status, answer, want)
			}
		}
	}
}

// Nothing else is shown to them, and nothing written.
func TestAnalystsReadNothingElse(t *testing.T) {
	analysts, addr, token := forAnalysts(t)
	var refused []string
	for _, table := range []string{
		"aftershock_protected.crashes", "aftershock_protected.crash_rows", "`aftershock_protected`.crashes", "\"aftershock_protected\" . \"crashes\"", "`aftershock\\x5fprotected`.crashes", "aftershock_protected/* */./**/crashes",
		"'aftershock_protected'.'crashes'", "'aftershock\\x5fprotected'.crashes", "$$aftershock_protected$$.crashes", "{d:Identifier}.crashes", "{ d : Identifier } . crashes", "{f:Identifier}", "mine.t", "mine . `t`", "`mine`.t", "default.t", "`default`.t",
		"merge('aftershock_protected', '.*')", "merge(concat('aftershock_', 'protected'), 'crashes')", "loop('aftershock' || '_protected', 'crash_rows')", "mergeTreeIndex('mine', 't')", "viewIfPermitted(SELECT 1 ELSE null('a Int8'))",
		"file('/etc/passwd', 'LineAsString')", "url('http://127.0.0.1:1/', CSV)", "remote('127.0.0.1', mine.t)", "cluster('default', mine.t)", "input('a Int8')", "executable('x', CSV)", "system.processes", "system.query_log", "system.parts", "system . `parts`", "`system`.\"processes\"",
		"system.server_settings", "system.text_log", "system.stack_trace", "system.users", "system.parts_columns", "system.detached_parts", "system.query_cache", "system.asynchronous_metrics",
	} {
		refused = append(refused, "SELECT * FROM "+table, "SELECT 1 WHERE 1 IN (SELECT 1 FROM "+table+")", "WITH (SELECT any(1) FROM "+table+") AS x SELECT x", "EXPLAIN SELECT * FROM "+table, "DESCRIBE TABLE "+table, "SELECT c.* FROM crashes AS c, "+table+" AS p")
	}
	refused = append(refused,
		"SHOW TABLES FROM aftershock_protected", "SHOW TABLES FROM mine", "SHOW TABLES IN mine", "SHOW TABLES FROM default", "SHOW CREATE TABLE mine.t", "SHOW PROCESSLIST", "SHOW GRANTS", "SHOW USERS", "SHOW COLUMNS FROM t FROM mine",
		"SELECT joinGet('mine.j', 'a', 'k')", "SELECT joinGetOrNull('mi' || 'ne.j', 'a', 'k')", "SELECT dictGet('x', 'y', 1)", "SELECT hasColumnInTable('mine', 't', 'a')", "SELECT file('/etc/passwd')", "SELECT getServerSetting('path')", "SELECT hostName()",
		"SELECT count() FROM crashes SETTINGS max_memory_usage = 0", "SELECT count() FROM crashes SETTINGS max_threads = 1, `max_execution_time` = 0", "SELECT count() FROM (SELECT 1 SETTINGS \"readonly\" = 0)", "SELECT 1 SETTINGS log_comment = 'x'",
		"INSERT INTO crash_rows VALUES ('4', 'h', 0)", "INSERT INTO crash_rows SELECT '4', 'h', 0", "CREATE TABLE x (a Int8) ENGINE = Memory", "DROP TABLE crash_rows", "TRUNCATE TABLE crash_rows", "ALTER TABLE crash_rows DELETE WHERE 1", "OPTIMIZE TABLE crash_rows",
		"SET readonly = 0", "USE mine", "KILL QUERY WHERE 1", "SYSTEM STOP MERGES", "CREATE TEMPORARY TABLE x (a Int8)", "CREATE VIEW x AS SELECT 1", "SELECT 1 INTO OUTFILE '/tmp/x'", "SELECT 1; SELECT * FROM mine.t",
		"SELECT 1 AS a FORMAT Template SETTINGS format_template_row = '/etc/passwd'",
	)
	for _, sql := range refused {
		for _, more := range []url.Values{{}, {"database": {"default"}}, {"session_id": {"s"}}, {"user": {"a"}, "password": {token}}} {
			status, answer := ask(t, analysts, sql, func(r *http.Request) {
				more.Set("param_d", "aftershock_protected")
				more.Set("param_f", "aftershock_protected.crashes")
				r.URL.RawQuery = more.Encode()
			})
			if status == http.StatusOK || strings.Contains(answer, "canary") || !strings.Contains(answer, "Code: ") {
				t.Errorf("%s %s: %d %s", sql, more, status, answer)
			}
		}
	}
	for _, database := range []string{"aftershock_protected", "mine", "Aftershock_Protected"} {
		if status, answer := ask(t, analysts, "SELECT * FROM crashes", func(r *http.Request) { r.URL.RawQuery = "database=" + database }); status == http.StatusOK || strings.Contains(answer, "canary") {
			t.Errorf("in %s: %d %s", database, status, answer)
		}
		if status, answer := ask(t, analysts, "SELECT * FROM crashes", func(r *http.Request) { r.Header.Set("X-ClickHouse-Database", database) }); status == http.StatusOK || strings.Contains(answer, "canary") {
			t.Errorf("in %s: %d %s", database, status, answer)
		}
	}
	if _, answer := ask(t, addr, "SELECT count() FROM crash_rows", nil); answer != "3\n" {
		t.Errorf("afterwards %q", answer)
	}
}

// A database that is made later is hidden too, and a statement that needs much memory fails
// without the server.
func TestAnalystsHaveBounds(t *testing.T) {
	analysts, addr, token := forAnalysts(t)
	for _, sql := range []string{"CREATE DATABASE later", "CREATE TABLE later.t (a String) ENGINE = MergeTree ORDER BY a"} {
		if status, answer := ask(t, addr, sql, func(r *http.Request) { r.SetBasicAuth("a", token) }); status != http.StatusOK {
			t.Fatal(answer)
		}
	}
	waitFor(t, "the new database to be refused", func() bool {
		status, _ := ask(t, analysts, "SELECT * FROM later.t", nil)
		return status != http.StatusOK
	})
	if status, answer := ask(t, analysts, "SELECT length(groupArray(repeat('x', 1000))) FROM numbers(2000000)", nil); status == http.StatusOK || !strings.Contains(answer, "MEMORY_LIMIT_EXCEEDED") {
		t.Errorf("%d %.300s", status, answer)
	}
	answers := make(chan string, 3*analystStatements)
	for range cap(answers) {
		go func() {
			r, err := http.Post("http://"+analysts, "", strings.NewReader("SELECT count() FROM crashes WHERE NOT sleep(0.05)"))
			if err != nil {
				answers <- err.Error()
				return
			}
			defer r.Body.Close()
			answers <- fmt.Sprint(r.StatusCode)
		}()
	}
	for range cap(answers) {
		if got := <-answers; got != "200" {
			t.Error(got)
		}
	}
}
