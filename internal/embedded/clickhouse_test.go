package embedded

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/compress"

	"aftershock/internal/freeport"
)

// server is a running ClickHouse that tests send statements to.
type server struct {
	addr  string
	child *Child
}

// shared is one server for all tests that only need a database of their own.
var shared struct {
	once sync.Once
	server
	dir string
	err error
}

// database answers a server and the name of a fresh database on it.
func database(t *testing.T) (server, string) {
	t.Helper()
	path := library(t)
	shared.once.Do(func() {
		shared.dir, shared.err = os.MkdirTemp("", "embedded-clickhouse-") //nolint:usetesting // outlives this test
		if shared.err != nil {
			return
		}
		shared.addr = freeport.Address(t)
		begun := time.Now()
		shared.child, shared.err = Start(context.Background(), ChildOptions{
			Name: "clickhouse", Exe: "/proc/self/exe",
			Env:   childConfig{Role: "clickhouse", Dir: shared.dir, Listen: shared.addr, Library: path}.env(),
			Ready: ClickHouseReady("http://" + shared.addr),
		})
		if shared.err == nil {
			t.Logf("clickhouse ready after %s, %d MiB", time.Since(begun), rss(t, shared.child.PID())>>20)
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	name := "t_" + strings.ToLower(strings.NewReplacer("/", "_", "-", "_").Replace(t.Name()))
	shared.mustPost(t, "CREATE DATABASE "+name)
	t.Cleanup(func() { shared.mustPost(t, "DROP DATABASE "+name) })
	return shared.server, name
}

func stopShared() {
	if shared.child != nil {
		_ = shared.child.Stop(context.Background())
	}
	_ = os.RemoveAll(shared.dir)
}

// send posts a body with URL parameters in the form k=v and answers the status
// and the whole answer.
func (s server) send(t *testing.T, body io.Reader, parameters ...string) (status int, header http.Header, answer string) {
	t.Helper()
	query := url.Values{}
	for _, p := range parameters {
		k, v, _ := strings.Cut(p, "=")
		query.Set(k, v)
	}
	request, err := http.NewRequest(http.MethodPost, "http://"+s.addr+"/?"+query.Encode(), body)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, request)
}

// do sends a request and answers all of the answer.
func do(t *testing.T, request *http.Request) (status int, header http.Header, answer string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(text)
}

// get sends a GET request for a path.
func (s server) get(t *testing.T, path string) (status int, header http.Header, answer string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://"+s.addr+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, request)
}

func (s server) mustPost(t *testing.T, statement string, parameters ...string) string {
	t.Helper()
	status, _, answer := s.send(t, strings.NewReader(statement), parameters...)
	if status != http.StatusOK {
		t.Fatalf("%.100s: status %d: %s", statement, status, answer)
	}
	return answer
}

// code posts a statement and answers its exception code, "" if it had none.
func (s server) code(t *testing.T, statement string, parameters ...string) string {
	t.Helper()
	status, header, answer := s.send(t, strings.NewReader(statement), parameters...)
	code := header.Get("X-ClickHouse-Exception-Code")
	if (status == http.StatusOK) != (code == "") {
		t.Errorf("%.100s: status %d, exception code %q: %s", statement, status, code, answer)
	}
	return code
}

func TestClickHouseAnswersCurl(t *testing.T) {
	s, db := database(t)
	s.mustPost(t, "CREATE TABLE "+db+".t (a UInt32, b String) ENGINE = MergeTree ORDER BY a")
	inDB := "database=" + db
	for name, c := range map[string]struct {
		body, want string
		parameters []string
	}{
		"format in body":         {body: "INSERT INTO t FORMAT JSONEachRow\n{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":\"y\"}\n"},
		"format in URL":          {body: "3\tz\n", parameters: []string{"query=INSERT INTO t FORMAT TSV"}},
		"values in URL":          {parameters: []string{"query=INSERT INTO t VALUES (4, 'v;'), (2+3, concat('a', 'b'));"}},
		"values split":           {body: "(6, 'six')", parameters: []string{"query=INSERT INTO t (a, b) VALUES"}},
		"values in body":         {body: "/* c */ INSERT INTO t VALUES\n(7, 'it''s')"},
		"insert select":          {body: "INSERT INTO t SELECT number + 8, 'n' FROM numbers(2);"},
		"insert with parameters": {body: "10\tp\n", parameters: []string{"query=INSERT INTO {tab:Identifier} FORMAT TSV", "param_tab=t"}},
		"settings in insert":     {body: "INSERT INTO t SETTINGS max_insert_threads = 1 FORMAT CSV\n11,c\n"},
	} {
		if got := s.mustPost(t, c.body, append(c.parameters, inDB)...); got != c.want {
			t.Errorf("%s: answered %q", name, got)
		}
	}
	for _, c := range []struct {
		statement, want string
		parameters      []string
	}{
		{"SELECT groupArray(a) FROM (SELECT a FROM t ORDER BY a)", "[1,2,3,4,5,6,7,8,9,10,11]\n", nil},
		{"SELECT b FROM t WHERE a IN (4, 7) ORDER BY a", "v;\nit\\'s\n", nil},
		{"SELECT {x:UInt8} + {y:Int32}, {s:String}", "3\ta\\nb\n", []string{"param_x=1", "param_y=2", `param_s=a\nb`}},
		{"DESCRIBE TABLE t FORMAT TSVRaw", "a\tUInt32\t\t\t\t\t\nb\tString\t\t\t\t\t\n", nil},
		{"SELECT 1 AS x FORMAT JSONEachRow", "{\"x\":1}\n", nil},
		{"EXISTS TABLE t", "1\n", nil},
		{"SELECT currentDatabase()", db + "\n", nil},
		{"SELECT 1 -- end;", "1\n", nil},
		{"SELECT ';' ;", ";\n", nil},
		{"SELECT count() FROM t WHERE a > 1000", "0\n", nil},
		{"SELECT a FROM t WHERE a > 1000", "", nil},
		{"WITH 5 AS x SELECT x", "5\n", []string{"default_format=CSV"}},
		{"SELECT 1", "1\n", []string{"wait_end_of_query=1"}},
	} {
		if got := s.mustPost(t, c.statement, append(c.parameters, inDB)...); got != c.want {
			t.Errorf("%s: %q, want %q", c.statement, got, c.want)
		}
	}
	if _, header, answer := s.get(t, "/?query=SELECT+currentDatabase()&query_id=q1"); answer != "aftershock\n" || header.Get("X-ClickHouse-Query-Id") != "q1" {
		t.Errorf("GET: %q, %v", answer, header)
	}
	for path, want := range map[string]int{"/ping": http.StatusOK, "/": http.StatusOK, "/nosuch": http.StatusNotFound} {
		if status, _, answer := s.get(t, path); status != want {
			t.Errorf("GET %s: status %d: %s", path, status, answer)
		}
	}
}

// TestClickHouseAnswersWholeDocuments: the engine writes each piece of a
// streamed result as a document of its own.
func TestClickHouseAnswersWholeDocuments(t *testing.T) {
	s, _ := database(t)
	formats := append([]string{"JSON", "CSVWithNames", "Parquet", "Values", "Markdown", "TSVWithNames"}, streamable...)
	for _, format := range formats {
		for _, n := range []int{0, 3, 200_000} {
			query := fmt.Sprintf("SELECT number FROM numbers(%d) FORMAT %s", n, format)
			parameters := []string{"output_format_write_statistics=0", "max_threads=1"}
			got := s.mustPost(t, query, parameters...)
			want := s.mustPost(t, query, append(parameters, "wait_end_of_query=1")...)
			if got != want && format != "Native" { // blocks of other sizes
				t.Errorf("%s: %d bytes, want %d", query, len(got), len(want))
			}
		}
	}
}

func TestClickHouseRefusesAsARealServer(t *testing.T) {
	s, _ := database(t)
	for statement, want := range map[string]string{
		"SELECT 1; SELECT 2":                 "62",
		"SELEC 1":                            "62",
		"1 + 1":                              "62",
		"":                                   "62",
		"SELECT 'open":                       "62",
		"SELECT * FROM nosuch":               "60",
		"SELECT nosuch()":                    "46",
		"INSERT INTO nosuch FORMAT TSV\n1\n": "60",
		"INSERT INTO t":                      "62",
		"SELECT 1 INTO OUTFILE '/tmp/x'":     "48",
		"INSERT INTO t FROM INFILE '/tmp/x' FORMAT T":                                                "48",
		"SELECT throwIf(number = 3) FROM numbers(10)":                                                "395",
		"SELECT sleepEachRow(1) FROM numbers(3) SETTINGS max_execution_time = 1, max_block_size = 1": "159",
	} {
		if got := s.code(t, statement); got != want {
			t.Errorf("%s: code %s, want %s", statement, got, want)
		}
	}
	if got := s.code(t, "SELECT 1", "database=nosuch"); got != "81" {
		t.Errorf("unknown database: code %s", got)
	}
	if got := s.code(t, "SELECT 1", "nosuch_setting=1"); got != "115" {
		t.Errorf("unknown setting: code %s", got)
	}
	if got := s.code(t, "SELECT 1", "a=1,b=2", "x y=1"); got != "115" {
		t.Errorf("odd setting: code %s", got)
	}
	if _, header, answer := s.get(t, "/?query=CREATE+DATABASE+x"); header.Get("X-ClickHouse-Exception-Code") != "164" {
		t.Errorf("CREATE with GET: %s", answer)
	}
}

func TestClickHouseStatementLimit(t *testing.T) {
	s, _ := database(t)
	statement := "SELECT '" + strings.Repeat("x", maxStatementBytes-len("SELECT ''")) + "'"
	if got := s.mustPost(t, statement); len(got) != maxStatementBytes-len("SELECT ''")+1 {
		t.Errorf("at the limit: %d bytes", len(got))
	}
	if got := s.code(t, statement+" "); got != "62" {
		t.Errorf("over the limit: code %s", got)
	}
	s.mustPost(t, "", "query=SELECT 1", "param_a="+strings.Repeat("x", 100<<10))
}

// cutBodies are request bodies that end too early, as raw HTTP requests.
func cutBodies(t *testing.T, db string) map[string][]byte {
	t.Helper()
	rows := []byte(strings.Repeat("12345\n", 200_000))
	target := "/?" + url.Values{"database": {db}, "query": {"INSERT INTO t FORMAT TSV"}}.Encode()
	head := func(extra ...string) []byte {
		return []byte("POST " + target + " HTTP/1.1\r\nHost: localhost\r\n" + strings.Join(extra, "\r\n") + "\r\n\r\n")
	}
	whole := func(body []byte, target string, extra ...string) []byte {
		lines := append([]string{fmt.Sprintf("Content-Length: %d", len(body))}, extra...)
		return append([]byte("POST "+target+" HTTP/1.1\r\nHost: localhost\r\n"+strings.Join(lines, "\r\n")+"\r\n\r\n"), body...)
	}
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	_, _ = zip.Write(rows)
	_ = zip.Close()
	packed := map[compress.Method][]byte{}
	for _, m := range []compress.Method{compress.LZ4, compress.ZSTD, compress.None} {
		var b bytes.Buffer
		w := newFrameWriter(&b, m)
		for part := rows; len(part) > 0; part = part[min(len(part), 300_000):] {
			if _, err := w.Write(part[:min(len(part), 300_000)]); err != nil {
				t.Fatal(err)
			}
		}
		packed[m] = b.Bytes()
	}
	bodies := map[string][]byte{
		"content-length short": append(head(fmt.Sprintf("Content-Length: %d", len(rows)+6)), rows...),
		"chunked cut":          append(head("Transfer-Encoding: chunked"), fmt.Appendf(nil, "%x\r\n%s\r\n", len(rows), rows)...),
		"chunk cut":            append(head("Transfer-Encoding: chunked"), fmt.Appendf(nil, "%x\r\n%s", len(rows)+1, rows)...),
		"gzip cut":             whole(zipped.Bytes()[:zipped.Len()-1], target, "Content-Encoding: gzip"),
		"gzip empty":           whole(zipped.Bytes()[:5], target, "Content-Encoding: gzip"),
	}
	for m, b := range packed {
		bodies["frames cut "+m.String()] = whole(b[:len(b)-1], target+"&decompress=1")
		bodies["frames cut after header "+m.String()] = whole(append(bytes.Clone(b), b[:frameHeaderBytes]...), target+"&decompress=1")
		bodies["frames cut in header "+m.String()] = whole(append(bytes.Clone(b), b[:3]...), target+"&decompress=1")
		broken := bytes.Clone(b)
		broken[len(broken)-1] ^= 1
		bodies["frames corrupt "+m.String()] = whole(broken, target+"&decompress=1")
	}
	return bodies
}

func TestTruncatedInsertCommitsNothing(t *testing.T) {
	s, db := database(t)
	s.mustPost(t, "CREATE TABLE "+db+".t (a UInt32) ENGINE = MergeTree ORDER BY a")
	for name, raw := range cutBodies(t, db) {
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(raw); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil {
			if response.Header.Get("X-ClickHouse-Exception-Code") == "" {
				t.Errorf("%s: status %d without an exception", name, response.StatusCode)
			}
			if err := response.Body.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if got := s.mustPost(t, "SELECT count() FROM t", "database="+db); got != "0\n" {
			t.Fatalf("%s: left %s rows", name, got)
		}
	}
	s.mustPost(t, strings.Repeat("1\n", 10), "database="+db, "query=INSERT INTO t FORMAT TSV")
	if got := s.mustPost(t, "SELECT count() FROM t", "database="+db); got != "10\n" {
		t.Errorf("after all: %s rows", got)
	}
}

func TestClickHouseReadsCompressedBodies(t *testing.T) {
	s, db := database(t)
	s.mustPost(t, "CREATE TABLE "+db+".t (a UInt32) ENGINE = MergeTree ORDER BY a")
	rows := []byte(strings.Repeat("12345\n", 5_000_000)) // 30 MB: the spool's file is used
	for _, m := range []compress.Method{compress.LZ4, compress.ZSTD} {
		var b bytes.Buffer
		if _, err := newFrameWriter(&b, m).Write(rows); err != nil {
			t.Fatal(err)
		}
		status, _, answer := s.send(t, &b, "database="+db, "decompress=1", "query=INSERT INTO t FORMAT TSV")
		if status != http.StatusOK {
			t.Fatal(answer)
		}
		_, _, answer = s.send(t, strings.NewReader("SELECT count() FROM t"), "database="+db, "compress=1", "network_compression_method="+m.String())
		text, err := io.ReadAll(newFrameReader(strings.NewReader(answer), maxFrameBytes))
		if err != nil || string(text) != map[compress.Method]string{compress.LZ4: "5000000\n", compress.ZSTD: "10000000\n"}[m] {
			t.Errorf("%v: %q, %v", m, text, err)
		}
	}
	request, err := http.NewRequest(http.MethodPost, "http://"+s.addr+"/?enable_http_compression=1", strings.NewReader("SELECT 7"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept-Encoding", "gzip")
	_, _, answer := do(t, request)
	unzipped, err := gzip.NewReader(strings.NewReader(answer))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(unzipped); err != nil || string(text) != "7\n" {
		t.Errorf("gzip: %q, %v", text, err)
	}
}

func TestClickHouseSettingsDoNotLeak(t *testing.T) {
	s, _ := database(t)
	state := func() string {
		return s.mustPost(t, "SELECT name, value FROM system.settings WHERE changed AND name != 'log_comment' ORDER BY name") +
			s.mustPost(t, "SELECT currentDatabase()") + s.mustPost(t, "SELECT name FROM system.tables WHERE is_temporary")
	}
	want := state()
	if !strings.Contains(want, "async_insert\t0\n") {
		t.Errorf("async_insert is not 0: %s", want)
	}
	for range 3 { // more requests than connections
		s.code(t, "SELECT 1", "max_threads=3", "max_block_size=17")
		s.code(t, "SELECT 1", "max_threads=3", "nosuch_setting=2")
		s.code(t, "SELECT nosuch", "max_threads=3", "async_insert=1")
		s.code(t, "SELECT 1", "readonly=1", "max_threads=3")
		s.code(t, "SET max_threads = 5")
		s.code(t, "SET async_insert = 1, implicit_select = 1, format_csv_delimiter = '\\''")
		s.code(t, "USE system")
		s.code(t, "CREATE TEMPORARY TABLE `odd'name` (a UInt8)")
		s.code(t, "SELECT 1 SETTINGS max_threads = 6")
		s.code(t, "INSERT INTO FUNCTION null('a UInt8') SETTINGS max_threads = 6 VALUES (1)", "max_threads=9")
		for range 4 {
			if got := state(); got != want {
				t.Fatalf("leaked: got\n%swant\n%s", got, want)
			}
		}
	}
}

func TestClickHouseSessions(t *testing.T) {
	s, db := database(t)
	in := "session_id=" + db
	s.mustPost(t, "CREATE TEMPORARY TABLE tmp AS SELECT 42 AS x", in)
	s.mustPost(t, "SET max_threads = 3", in)
	s.mustPost(t, "USE "+db, in)
	if got := s.mustPost(t, "SELECT x, getSetting('max_threads'), currentDatabase() FROM tmp", in, "max_threads=7"); got != "42\t7\t"+db+"\n" {
		t.Errorf("in session: %q", got)
	}
	if got := s.mustPost(t, "SELECT currentDatabase()", in, "database=system"); got != "system\n" {
		t.Errorf("other database: %q", got)
	}
	if got := s.mustPost(t, "SELECT getSetting('max_threads'), currentDatabase()", in); got != "3\t"+db+"\n" {
		t.Errorf("settings of a request stayed: %q", got)
	}
	if got := s.code(t, "SELECT x FROM tmp"); got != "60" {
		t.Errorf("without session: code %s", got)
	}
	if got := s.code(t, "SELECT 1", "session_id=nosuch", "session_check=1"); got != "372" {
		t.Errorf("session_check: code %s", got)
	}
	for i := range 2 * maxSessions { // expired ones make room
		s.mustPost(t, "SELECT 1", fmt.Sprintf("session_id=%s%d", db, i), "session_timeout=0")
	}
	busy := make(chan struct{})
	go func() {
		defer close(busy)
		s.code(t, "SELECT sleep(1)", in)
	}()
	waitFor(t, "a busy session", func() bool {
		return s.mustPost(t, "SELECT count() FROM system.processes WHERE query = 'SELECT sleep(1)'") == "1\n"
	})
	if got := s.code(t, "SELECT 1", in); got != "373" {
		t.Errorf("busy session: code %s", got)
	}
	<-busy
	s.mustPost(t, "SELECT 1", in, "session_timeout=0")
	if got := s.code(t, "SELECT x FROM tmp", in); got != "60" {
		t.Errorf("session outlived its timeout: code %s", got)
	}
}

func TestClickHouseCancelsWhenTheClientGoes(t *testing.T) {
	s, _ := database(t)
	running := func() string {
		return s.mustPost(t, "SELECT count() FROM system.processes WHERE query LIKE '%gone'||'marker%' AND query NOT LIKE '%processes%'")
	}
	for name, query := range map[string]string{
		"before the first row": "SELECT sum(sleepEachRow(0.1)) AS gonemarker FROM numbers(600) SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 100000000",
		"in the stream":        "SELECT number AS gonemarker, repeat('x', 1000) FROM numbers(1000000000)",
	} {
		ctx, cancel := context.WithCancel(t.Context())
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.addr+"/", strings.NewReader(query))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			response, err := http.DefaultClient.Do(request)
			if err == nil {
				_, err = io.CopyN(io.Discard, response.Body, 1<<20)
				<-ctx.Done()
				err = errors.Join(err, response.Body.Close())
			}
			done <- err
		}()
		waitFor(t, name+": the statement", func() bool { return running() == "1\n" })
		cancel()
		<-done
		waitFor(t, name+": its end", func() bool { return running() == "0\n" })
	}
}

func TestClickHouseSurvives(t *testing.T) {
	dir, addr := t.TempDir(), freeport.Address(t)
	child := startClickHouse(t, dir, addr)
	s := server{addr: addr, child: child}
	s.mustPost(t, "CREATE TABLE t (a UInt32) ENGINE = MergeTree ORDER BY a")
	s.mustPost(t, "INSERT INTO t VALUES (1)")

	_, err := Start(t.Context(), ChildOptions{
		Name: "second", Exe: "/proc/self/exe",
		Env:   childConfig{Role: "clickhouse", Dir: dir, Listen: freeport.Address(t), Library: library(t)}.env(),
		Ready: func(context.Context) error { return errors.New("not yet") },
	})
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", child.PID())) {
		t.Errorf("second engine on the same directory: %v", err)
	}

	first := child.PID()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a restart", func() bool {
		return child.PID() != first && ClickHouseReady("http://"+addr)(t.Context()) == nil
	})
	s.mustPost(t, "INSERT INTO t VALUES (2)")
	stop(t, child)
	begun := time.Now()
	startClickHouse(t, dir, addr)
	t.Logf("restart took %s", time.Since(begun))
	if got := s.mustPost(t, "SELECT groupArray(a) FROM (SELECT a FROM t ORDER BY a)"); got != "[1,2]\n" {
		t.Errorf("rows %s", got)
	}
}

func TestLibraryLeavesSignalsAlone(t *testing.T) {
	config := childConfig{Role: "signals", Dir: t.TempDir(), Library: library(t), PIDFile: t.TempDir() + "/ready"}
	child := start(t, ChildOptions{
		Name: "signals", Exe: "/proc/self/exe", Env: config.env(), Log: zerologTest(t),
		Ready: func(context.Context) error {
			_, err := os.Stat(config.PIDFile)
			return err
		},
	})
	stop(t, child) // by SIGTERM: an error if it had to be killed
	if _, err := os.Stat(config.PIDFile + ".stopped"); err != nil {
		t.Error("SIGTERM did not reach Go:", err)
	}
}

// checkSignals runs in a process of its own: after the engine has started, a
// nil pointer must still be a panic and SIGTERM a notification. So must an
// insert that is cancelled leave nothing.
func checkSignals(ctx context.Context, c childConfig) error {
	lib, err := loadLibrary(c.Library)
	if err != nil {
		return err
	}
	conn, err := lib.open(c.Dir)
	if err != nil {
		return err
	}
	defer conn.close()
	if fault := recoverFault(); fault == nil {
		return errors.New("a nil pointer did not panic")
	}
	if err := checkCancelledInsert(conn); err != nil {
		return err
	}
	if err := os.WriteFile(c.PIDFile, nil, 0o600); err != nil {
		return err
	}
	<-ctx.Done()
	return os.WriteFile(c.PIDFile+".stopped", nil, 0o600)
}

func recoverFault() (fault any) {
	defer func() { fault = recover() }()
	var nowhere *int
	*nowhere = 1
	return nil
}

func checkCancelledInsert(conn *engineConn) error {
	if _, err := conn.text("CREATE TABLE t (a UInt32) ENGINE = MergeTree ORDER BY a"); err != nil {
		return err
	}
	cut := io.MultiReader(strings.NewReader("1\n2\n"), errorReader{io.ErrUnexpectedEOF})
	if _, err := conn.insert("INSERT INTO t", "TSV", nil, cut); !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("cut insert: %w", err)
	}
	if n, err := conn.text("SELECT count() FROM t"); err != nil || n != "0\n" {
		return fmt.Errorf("cut insert left %q rows, %w", n, err)
	}
	return nil
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }
