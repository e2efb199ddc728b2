package replay

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"aftershock/sinks/clickhouse"
	"aftershock/sinks/clickhouse/clickhousetest"
)

// TestMain lets the test binary be the embedded ClickHouse as well.
func TestMain(m *testing.M) {
	clickhousetest.Main()
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // tests wait for servers more than they work
		panic(err)
	}
	os.Exit(m.Run())
}

// serveDB starts a ClickHouse with the tables and returns its address.
func serveDB(t testing.TB) string {
	t.Helper()
	return clickhousetest.ServeTables(t)
}

// openDB starts a ClickHouse and returns its migrated database.
func openDB(t testing.TB) *clickhouse.DB {
	t.Helper()
	return clickhousetest.Open(t, serveDB(t))
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// crashID is the n-th crash id of a day, YYMMDD.
func crashID(n int, day string) string { return fmt.Sprintf("%08x-0000-4000-8000-000000%s", n, day) }
