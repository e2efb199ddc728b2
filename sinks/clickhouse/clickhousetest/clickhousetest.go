// Package clickhousetest gives tests a ClickHouse of their own: the embedded engine, in a
// process that the test binary itself becomes.
package clickhousetest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

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
	return "http://" + start(t, freeport.Address(t), "")
}

// ServeAnalysts is Serve with an address for analysts. In url is the password of who may
// write.
func ServeAnalysts(t testing.TB) (url, analysts string) {
	t.Helper()
	analysts = freeport.Address(t)
	return "http://aftershock:" + token + "@" + start(t, freeport.Address(t), analysts), "http://" + analysts
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

func start(t testing.TB, addr, analysts string) string {
	t.Helper()
	if _, err := embedded.FindLibrary(""); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	child, err := embedded.Start(t.Context(), embedded.ChildOptions{
		Name: "clickhouse", Exe: os.Args[0], Env: []string{asServer + "=" + strings.Join([]string{t.TempDir(), addr, analysts}, "|")},
		Ready: embedded.ClickHouseReady("http://" + addr), Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := child.Stop(context.Background()); err != nil {
			t.Log(err)
		}
	})
	return addr
}
