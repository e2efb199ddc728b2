// Package clickhousetest gives tests a ClickHouse of their own: the embedded engine, in a
// process that the test binary itself becomes.
package clickhousetest

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/rs/zerolog"

	"aftershock/internal/embedded"
	"aftershock/internal/freeport"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// asServer makes the test binary the server: directory, address and that of analysts.
const asServer = "AFTERSHOCK_TEST_CLICKHOUSE"

// token is what writers need where there is an address for analysts.
const token = "token-of-the-tests" //nolint:gosec // of no server that stays

// Main is called first in TestMain: where the process is to be a server, it does not return.
func Main() {
	dir, addresses, ok := strings.Cut(os.Getenv(asServer), "|")
	if !ok {
		return
	}
	addr, analysts, _ := strings.Cut(addresses, "|")
	o := embedded.ClickHouseOptions{Dir: dir, Listen: addr, DefaultDatabase: "aftershock", Log: zerolog.Nop()}
	if analysts != "" {
		o.AnalystListen, o.Token = analysts, token
	}
	var err error
	if o.Library, err = embedded.FindLibrary(""); err == nil {
		err = embedded.ServeClickHouse(context.Background(), o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Serve starts a server without tables, where everybody may write, and returns its URL. It
// ends with the test, which is skipped where there is no engine.
func Serve(t testing.TB) (url string) {
	t.Helper()
	return "http://" + start(t, t.TempDir(), "")
}

// ServeTables is Serve with the tables in it, which take two seconds to make: they are made
// once a process.
func ServeTables(t testing.TB) (url string) {
	t.Helper()
	return "http://" + start(t, withTables(t), "")
}

// ServeAnalysts is ServeTables with an address for analysts. In url is the password of who may
// write.
func ServeAnalysts(t testing.TB) (url, analysts string) {
	t.Helper()
	analysts = freeport.Address(t)
	return "http://aftershock:" + token + "@" + start(t, withTables(t), analysts), "http://" + analysts
}

// Open is the database at a URL with its tables. It is closed with the test.
func Open(t testing.TB, url string) *clickhouse.DB {
	t.Helper()
	db, err := clickhouse.Open(url, schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // the server ends with it
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// tables are the files of a server that has the tables, and has ended.
var tables struct {
	sync.Mutex
	files fstest.MapFS
}

// withTables is a directory of the test's for a server with the tables.
func withTables(t testing.TB) (dir string) {
	t.Helper()
	tables.Lock()
	defer tables.Unlock()
	if tables.files == nil {
		made := t.TempDir()
		addr, stop := serve(t, made, "")
		Open(t, "http://"+addr)
		stop()
		files, err := readAll(made)
		if err != nil {
			t.Fatal(err)
		}
		tables.files = files
	}
	dir = filepath.Join(t.TempDir(), "tables")
	if err := os.CopyFS(dir, tables.files); err != nil {
		t.Fatal(err)
	}
	return dir
}

// readAll reads a directory with all that is in it.
func readAll(dir string) (fstest.MapFS, error) {
	all, from := fstest.MapFS{}, os.DirFS(dir)
	return all, fs.WalkDir(from, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		f := &fstest.MapFile{Mode: d.Type() | 0o700}
		switch {
		case d.Type().IsRegular():
			f.Data, err = fs.ReadFile(from, path)
		case d.Type() == fs.ModeSymlink:
			var to string
			to, err = fs.ReadLink(from, path)
			f.Data = []byte(to)
		}
		all[path] = f
		return err
	})
}

func start(t testing.TB, dir, analysts string) (addr string) {
	t.Helper()
	addr, stop := serve(t, dir, analysts)
	t.Cleanup(stop)
	return addr
}

// serve starts a server in a directory.
func serve(t testing.TB, dir, analysts string) (addr string, stop func()) {
	t.Helper()
	addr = freeport.Address(t)
	if _, err := embedded.FindLibrary(""); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	child, err := embedded.Start(t.Context(), embedded.ChildOptions{
		Name: "clickhouse", Exe: os.Args[0], Env: []string{asServer + "=" + strings.Join([]string{dir, addr, analysts}, "|")},
		Ready: embedded.ClickHouseReady("http://" + addr), Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return addr, func() {
		if err := child.Stop(context.Background()); err != nil {
			t.Log(err)
		}
	}
}
