package replay

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"aftershock/internal/embedded"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

const asServer = "AFTERSHOCK_TEST_CLICKHOUSE" // directory and address

// TestMain lets the test binary be the embedded ClickHouse as well.
func TestMain(m *testing.M) {
	if dir, addr, ok := strings.Cut(os.Getenv(asServer), "|"); ok {
		library, err := embedded.FindLibrary("")
		if err == nil {
			err = embedded.ServeClickHouse(context.Background(), embedded.ClickHouseOptions{
				Dir: dir, Listen: addr, Library: library, DefaultDatabase: "aftershock", Log: zerolog.Nop(),
			})
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // tests wait for servers more than they work
		panic(err)
	}
	os.Exit(m.Run())
}

// serveDB starts a ClickHouse and returns its address.
func serveDB(t testing.TB) string {
	t.Helper()
	if _, err := embedded.FindLibrary(""); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	child, err := embedded.Start(t.Context(), embedded.ChildOptions{
		Name: "clickhouse", Exe: os.Args[0], Env: []string{asServer + "=" + t.TempDir() + "|" + addr},
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
	return "http://" + addr
}

// openDB starts a ClickHouse and returns its migrated database.
func openDB(t testing.TB) *clickhouse.DB {
	t.Helper()
	db, err := clickhouse.Open(serveDB(t), schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// crashID is the n-th crash id of a day, YYMMDD.
func crashID(n int, day string) string { return fmt.Sprintf("%08x-0000-4000-8000-000000%s", n, day) }
