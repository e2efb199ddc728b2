package embedded

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"aftershock/internal/freeport"
)

// guarded is a server whose writers need a token, with a table that has one row.
func guarded(t *testing.T) (addr, token string) {
	t.Helper()
	dir, addr := t.TempDir(), freeport.Address(t)
	token, err := Token(dir)
	if err != nil {
		t.Fatal(err)
	}
	start(t, ChildOptions{
		Name: "clickhouse", Exe: "/proc/self/exe", Log: zerologTest(t),
		Env:   childConfig{Role: "clickhouse", Dir: dir, Listen: addr, Library: library(t), Token: token, AllowHost: []string{"crashes.test"}}.env(),
		Ready: ClickHouseReady("http://" + addr),
	})
	for _, sql := range []string{"CREATE TABLE t (a UInt32) ENGINE = MergeTree ORDER BY a", "INSERT INTO t VALUES (1)"} {
		if status, answer := ask(t, addr, sql, func(r *http.Request) { r.SetBasicAuth("aftershock", token) }); status != http.StatusOK {
			t.Fatalf("%s: %d %s", sql, status, answer)
		}
	}
	return addr, token
}

func ask(t *testing.T, addr, sql string, change func(*http.Request)) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/", strings.NewReader(sql))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestWithoutTheTokenNothingIsWritten(t *testing.T) {
	addr, token := guarded(t)
	for _, sql := range []string{
		"SELECT a FROM t", "WITH 1 AS x SELECT x", "SHOW TABLES", "DESCRIBE t", "SELECT a FROM t SETTINGS max_threads = 1", "SELECT a FROM t SETTINGS readonly = 1", "EXPLAIN SELECT 1", "(SELECT 1)",
	} {
		if status, answer := ask(t, addr, sql, nil); status != http.StatusOK {
			t.Errorf("%s: %d %s", sql, status, answer)
		}
	}
	write := []string{
		"INSERT INTO t VALUES (2)", "INSERT INTO t SELECT 2", "WITH y AS (SELECT 2 AS a) INSERT INTO t SELECT a FROM y", "WITH y AS (SELECT 2 AS a) INSERT INTO t SELECT a FROM y SETTINGS readonly = 0",
		"CREATE TABLE u (a UInt32) ENGINE = Memory", "DROP TABLE t", "TRUNCATE TABLE t", "ALTER TABLE t DELETE WHERE 1", "OPTIMIZE TABLE t", "SET readonly = 0", "RENAME TABLE t TO u",
		"KILL QUERY WHERE 1", "CREATE FUNCTION f AS x -> x", "SYSTEM STOP MERGES", "CREATE TEMPORARY TABLE u (a UInt32)", "USE default", "DELETE FROM t WHERE 1", "EXCHANGE TABLES t AND u",
		"SELECT 1 INTO OUTFILE '/tmp/x'", "FROM t INSERT INTO t SELECT a",
	}
	for _, sql := range write {
		for _, parameters := range []string{"", "?readonly=0", "?session_id=s"} {
			if status, answer := ask(t, addr, sql, func(r *http.Request) { r.URL.RawQuery = strings.TrimPrefix(parameters, "?") }); status == http.StatusOK {
				t.Errorf("%s %s: %s", sql, parameters, answer)
			}
		}
	}
	if status, answer := ask(t, addr, "SELECT sum(a), count() FROM t", func(r *http.Request) { r.URL.RawQuery = "readonly=1" }); status != http.StatusOK || answer != "1\t1\n" {
		t.Errorf("afterwards %d %q", status, answer)
	}
	for name, change := range map[string]func(*http.Request){
		"basic":     func(r *http.Request) { r.SetBasicAuth("anybody", token) },
		"header":    func(r *http.Request) { r.Header.Set("X-ClickHouse-Key", token) },
		"parameter": func(r *http.Request) { r.URL.RawQuery = url.Values{"password": {token}}.Encode() },
	} {
		if status, answer := ask(t, addr, "INSERT INTO t VALUES (0)", change); status != http.StatusOK {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	for name, change := range map[string]func(*http.Request){
		"basic":     func(r *http.Request) { r.SetBasicAuth("aftershock", token[1:]) },
		"header":    func(r *http.Request) { r.Header.Set("X-ClickHouse-Key", "x") },
		"parameter": func(r *http.Request) { r.URL.RawQuery = "password=" + token + "x" },
		"both":      func(r *http.Request) { r.SetBasicAuth("a", token); r.Header.Set("X-ClickHouse-Key", "x") },
	} {
		if status, answer := ask(t, addr, "SELECT 1", change); status == http.StatusOK || !strings.Contains(answer, "516") || strings.Contains(answer, token) {
			t.Errorf("a wrong password, %s: %d %s", name, status, answer)
		}
	}
}

// Not even who has the token reaches beyond the tables.
func TestNothingBeyondTheTablesIsReached(t *testing.T) {
	addr, token := guarded(t)
	secret := filepath.Join(t.TempDir(), "secret.csv")
	if err := os.WriteFile(secret, []byte("canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var statements []string
	for _, call := range []string{
		"file('%s', CSV)", "`file`('%s', CSV)", "\"file\"('%s', CSV)", "`f\\x69le`('%s', CSV)", "file /* x */ ('%s', CSV)", "FILE('%s', CSV)", "url('http://127.0.0.1:1/%s', CSV)", "s3('http://127.0.0.1:1/%s')",
		"remote('127.0.0.1:1', system.one) -- %s", "executable('%s', CSV, 'a String')", "fileCluster('c', '%s')", "urlCluster('c', '%s')", "mysql('127.0.0.1:1', 'd', 't', 'u', '%s')",
		"postgresql('127.0.0.1:1', 'd', 't', 'u', '%s')", "sqlite('%s', 't')", "hdfs('%s')", "azureBlobStorage('%s')", "mongodb('127.0.0.1:1', 'd', 't', 'u', '%s')", "redis('127.0.0.1:1', '%s')",
		"odbc('%s', 'a', 'b')", "jdbc('%s', 'a', 'b')", "deltaLake('%s')", "iceberg('%s')", "icebergLocal('%s')", "hudi('%s')", "clusterAllReplicas('%s', system.one)", "python('%s')", "gcs('%s')",
	} {
		call = fmt.Sprintf(call, secret)
		statements = append(statements, "SELECT * FROM "+call, "SELECT * FROM t WHERE a IN (SELECT * FROM "+call+")")
	}
	statements = append(statements,
		"SELECT * FROM default.`"+secret+"`", "SELECT * FROM default . \""+secret+"\"", "DESCRIBE default.`"+secret+"`", "SELECT 1 AS a FORMAT Template SETTINGS format_template_row = '"+secret+"'",
		"SELECT 1 AS a FORMAT Template SETTINGS `format\\x5ftemplate_row` = '"+secret+"'", "SELECT 1 AS a FORMAT Template SETTINGS \"format_template_row\" = '"+secret+"'", "SELECT 1 AS a SETTINGS FORMAT_TEMPLATE_RESULTSET = '"+secret+"' FORMAT Template",
		"SELECT 1 AS a FORMAT Protobuf SETTINGS format_schema = '"+secret+":M'", "SELECT * FROM format(CSV, 'x') SETTINGS input_format_record_errors_file_path = '"+secret+".new'",
		"SELECT file('"+secret+"')", "SELECT * FROM '"+secret+"'", "SELECT * FROM `"+secret+"`", "SELECT * FROM \""+secret+"\"", "SELECT * FROM {f:Identifier}",
		"INSERT INTO FUNCTION file('"+secret+".new', CSV, 'a String') VALUES ('x')", "INSERT INTO FUNCTION url('http://127.0.0.1:1/', CSV, 'a String') SELECT 'x'", "INSERT INTO TABLE FUNCTION file('"+secret+"', CSV, 'a String') SELECT 'x'",
		"INSERT INTO t FROM INFILE '"+secret+"' FORMAT CSV", "SELECT 1 INTO OUTFILE '"+secret+".new'",
		"CREATE TABLE x (a String) ENGINE = File(CSV, '"+secret+"')", "CREATE TABLE x (a String) ENGINE File(CSV)", "CREATE TABLE x (a String) ENGINE = `File`(CSV)", "CREATE TABLE x (a String) ENGINE = URL('http://127.0.0.1:1/', CSV)",
		"CREATE TABLE x (a String) ENGINE = S3('http://127.0.0.1:1/x')", "CREATE TABLE x (a String) ENGINE = Kafka", "CREATE TABLE x (a String) ENGINE = Executable('x', CSV)", "CREATE TABLE x AS file('"+secret+"', CSV)",
		"CREATE DATABASE x ENGINE = MySQL('127.0.0.1:1', 'd', 'u', 'p')", "CREATE DATABASE x ENGINE = Filesystem('/')", "CREATE DATABASE x ENGINE = PostgreSQL('127.0.0.1:1', 'd', 'u', 'p')",
		"CREATE DICTIONARY x (a UInt64) PRIMARY KEY a SOURCE(FILE(path '"+secret+"' format 'CSV')) LAYOUT(FLAT()) LIFETIME(0)",
		"CREATE TABLE x (a String) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = local, path = '/tmp/x/')",
		"BACKUP TABLE t TO File('"+secret+".b')", "RESTORE TABLE t FROM File('"+secret+".b')", "ATTACH TABLE x FROM '"+secret+"' (a String) ENGINE = MergeTree ORDER BY a", "CREATE NAMED COLLECTION x AS a = 1",
		"SELECT * FROM format(AvroConfluent, 'x') SETTINGS format_avro_schema_registry_url = 'http://127.0.0.1:1'",
		"CREATE VIEW x AS SELECT * FROM file('"+secret+"', CSV)", "CREATE FUNCTION x AS () -> file('"+secret+"')",
	)
	for _, sql := range statements {
		for who, change := range map[string]func(*http.Request){"a writer": func(r *http.Request) { r.SetBasicAuth("a", token) }, "a reader": nil} {
			status, answer := ask(t, addr, sql, func(r *http.Request) {
				if change != nil {
					change(r)
				}
				r.URL.RawQuery = url.Values{"param_f": {secret}}.Encode()
			})
			if status == http.StatusOK || strings.Contains(answer, "canary") {
				t.Errorf("%s: %s: %d %s", who, sql, status, answer)
			}
			if _, answer := ask(t, addr, sql, func(r *http.Request) {
				if change != nil {
					change(r)
				}
				r.URL.RawQuery = url.Values{"param_f": {secret}, "database": {"default"}, "format_template_row": {secret}}.Encode()
			}); strings.Contains(answer, "canary") {
				t.Errorf("%s in the database default: %s: %s", who, sql, answer)
			}
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(secret)); err != nil || len(entries) != 1 {
		t.Errorf("files were made: %v, %v", entries, err)
	}
	for _, sql := range []string{
		"SELECT count() FROM numbers(3)", "SELECT 'file(x)'", "SELECT url FROM (SELECT 'a' AS url)", "SELECT * FROM t AS file", "SELECT number AS file FROM numbers(1) WHERE file IN (0)",
		"SELECT * FROM values('a UInt8', 1)", "SELECT * FROM format(CSV, '1')", "CREATE OR REPLACE VIEW v AS SELECT a FROM t", "SELECT * FROM merge('aftershock', '^t$')",
	} {
		if status, answer := ask(t, addr, sql, func(r *http.Request) { r.SetBasicAuth("a", token) }); status != http.StatusOK {
			t.Errorf("%s: %d %s", sql, status, answer)
		}
	}
}

func TestPagesAndOtherNamesReachNoClickHouse(t *testing.T) {
	addr, token := guarded(t)
	for name, change := range map[string]func(*http.Request){
		"a page":         func(r *http.Request) { r.Header.Set("Origin", "http://evil.test") },
		"another name":   func(r *http.Request) { r.Host = "evil.test" },
		"with the token": func(r *http.Request) { r.SetBasicAuth("a", token); r.Header.Set("Origin", "null") },
	} {
		if status, answer := ask(t, addr, "SELECT 1", change); status != http.StatusForbidden {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	if status, answer := ask(t, addr, "SELECT 1", func(r *http.Request) { r.Host = "crashes.test:1" }); status != http.StatusOK {
		t.Errorf("a name that is allowed: %d %s", status, answer)
	}
}

func TestTokenStaysTheSameAndIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "clickhouse")
	first, err := Token(dir)
	if err != nil || len(first) < 20 {
		t.Fatalf("%q, %v", first, err)
	}
	if again, err := Token(dir); err != nil || again != first {
		t.Errorf("%q, %v", again, err)
	}
	info, err := os.Stat(filepath.Join(dir, tokenFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for name, text := range map[string]string{"empty": " \n", "too long": strings.Repeat("x", maxTokenBytes+1)} {
		if err := os.WriteFile(filepath.Join(dir, tokenFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if token, err := Token(dir); err == nil {
			t.Errorf("%s: %q", name, token)
		}
	}
}

// The database default stays one of tables alone from start to start, with the tables that
// somebody made there, and after a kill.
func TestTheDefaultDatabaseComesBackWithoutFiles(t *testing.T) {
	dir := t.TempDir()
	begin := func() (addr string, c *Child) {
		t.Helper()
		addr = freeport.Address(t)
		return addr, startClickHouse(t, dir, addr)
	}
	look := func(addr, sql, want string) {
		t.Helper()
		if _, answer := ask(t, addr, sql, nil); answer != want {
			t.Errorf("%s: %q, want %q", sql, answer, want)
		}
	}
	for range 3 { // it is empty
		addr, c := begin()
		look(addr, "SELECT engine FROM system.databases WHERE name = 'default'", "Atomic\n")
		stop(t, c)
	}
	addr, c := begin()
	look(addr, "CREATE TABLE default.t (a UInt8) ENGINE = MergeTree ORDER BY a", "")
	look(addr, "INSERT INTO default.t VALUES (7)", "")
	for i := range 3 {
		if i == 1 {
			// It is started again by itself, at the same address.
			if err := syscall.Kill(c.PID(), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			pid := c.PID()
			waitFor(t, "the engine after the kill", func() bool { return c.PID() != pid && ClickHouseReady("http://"+addr)(t.Context()) == nil })
		} else {
			stop(t, c)
			addr, c = begin()
		}
		look(addr, "SELECT engine FROM system.databases WHERE name = 'default'", "Atomic\n")
		look(addr, "SELECT a FROM default.t", "7\n")
	}
	look(addr, "DROP TABLE default.t SYNC", "")
	stop(t, c)
	addr, c = begin() // it is empty again
	look(addr, "SELECT engine FROM system.databases WHERE name = 'default'", "Atomic\n")
	stop(t, c)
}
