package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
	"aftershock/sinks/clickhouse/clickhousetest"
)

// proxied returns a migrated database behind a server that lets intercept answer
// inserts of crashes first; it says whether it did.
func proxied(t *testing.T, intercept func(w http.ResponseWriter, r *http.Request) bool) *clickhouse.DB {
	t.Helper()
	behind, err := url.Parse(clickhousetest.ServeTables(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(behind)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Query().Get("query"), "crash_rows") && intercept(w, r) {
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	db, err := clickhouse.Open(strings.Replace(front.URL, "http://", "http://jane:swordfish@", 1), schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// An insert names its columns and tells its length, which a body that was cut lacks.
func TestInsertsAreWholeAndExplicit(t *testing.T) {
	var inserts atomic.Int32
	db := proxied(t, func(_ http.ResponseWriter, r *http.Request) bool {
		inserts.Add(1)
		query := r.URL.Query()
		if q := query.Get("query"); !strings.Contains(q, "crash_rows (`signature_version`, `day`, `crash_id`,") || !strings.HasSuffix(q, ") FORMAT Native") {
			t.Errorf("query %s", q)
		}
		if r.ContentLength <= 0 || len(r.TransferEncoding) > 0 {
			t.Errorf("length %d, encoding %q: want the whole body's", r.ContentLength, r.TransferEncoding)
		}
		if query.Get("async_insert") != "0" || query.Get("decompress") != "1" {
			t.Errorf("settings %v", query)
		}
		if user, password, _ := r.BasicAuth(); user != "jane" || password != "swordfish" {
			t.Errorf("user %q, password %q", user, password)
		}
		return false
	})
	if err := db.Write(t.Context(), []sinks.Row{row(id(1, "261122"), 1, 0, 1, noon, "a")}); err != nil {
		t.Fatal(err)
	}
	if n := inserts.Load(); n != 2 {
		t.Errorf("%d inserts, want one a table", n)
	}
	if err := db.Write(t.Context(), nil); err != nil || inserts.Load() != 2 {
		t.Errorf("no rows: %v, %d inserts", err, inserts.Load()-2)
	}
}

func TestExceptionsThatBlameTheDataAreRefusals(t *testing.T) {
	type answer struct {
		status int
		code   string
		text   string
		want   string // the refusal, or ""
	}
	var next atomic.Pointer[answer]
	db := proxied(t, func(w http.ResponseWriter, _ *http.Request) bool {
		a := next.Load()
		if a.code != "" {
			w.Header().Set("X-ClickHouse-Exception-Code", a.code)
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.text)
		return true
	})
	const violated = "Code: 469. DB::Exception: Constraint violated. (VIOLATED_CONSTRAINT)"
	for name, a := range map[string]answer{
		"header and text":          {500, "469", violated, "violated_constraint"},
		"header only":              {500, "131", "", "too_large_string_size"},
		"text only":                {400, "", violated, "violated_constraint"},
		"after the status line":    {200, "", "\r\n__exception__\r\n0123456789abcdef\r\n" + violated + "\n68 0123456789abcdef\r\n__exception__\r\n", "violated_constraint"},
		"memory limit":             {500, "241", "Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)", ""},
		"memory, after the status": {200, "", "\r\n__exception__\r\n0123456789abcdef\r\nCode: 241. DB::Exception: Memory.\n34 0123456789abcdef\r\n__exception__\r\n", ""},
		"a gateway's page":         {502, "", "<html>Bad Gateway</html>", ""},
	} {
		next.Store(&a)
		err := db.Write(t.Context(), []sinks.Row{row(id(1, "261122"), 1, 0, 1, noon, "a")})
		if err == nil {
			t.Errorf("%s: Write says that the rows are stored", name)
			continue
		}
		var refused *sinks.RefusedError
		if got := errors.As(err, &refused); got != (a.want != "") || got && refused.Code != a.want {
			t.Errorf("%s: %v, want refusal %q", name, err, a.want)
		}
		if strings.Contains(err.Error(), "swordfish") {
			t.Errorf("%s: the error holds the password: %v", name, err)
		}
	}
}

// A server that does not answer is left when the context ends, and nothing of that
// insert is in the next one.
func TestAWriteEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	db := proxied(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if ctx.Err() != nil {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not see that the client goes
		cancel()
		<-r.Context().Done()
		return true
	})
	if err := db.Write(ctx, []sinks.Row{row(id(1, "261122"), 1, 0, 1, noon, "a")}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := db.Write(t.Context(), []sinks.Row{row(id(2, "261122"), 1, 0, 2, noon, "b")}); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, db.Conn(), "SELECT signature FROM aftershock.crash_rows"); len(got) != 1 || got[0] != "b" {
		t.Errorf("%q", got)
	}
}

func TestErrorsDoNotHoldThePassword(t *testing.T) {
	db, err := clickhouse.Open("http://jane:swordfish@127.0.0.1:1", schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Write(t.Context(), []sinks.Row{row(id(1, "261122"), 1, 0, 1, noon, "a")})
	if err == nil || strings.Contains(err.Error(), "swordfish") {
		t.Errorf("%v", err)
	}
}

func TestANegativeRevisionIsRefused(t *testing.T) {
	db, err := clickhouse.Open("http://127.0.0.1:1", schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var refused *sinks.RefusedError
	if err := db.Write(t.Context(), []sinks.Row{row(id(1, "261122"), 1, -1, 1, noon, "a")}); !errors.As(err, &refused) || refused.Code != "negative_revision" {
		t.Errorf("%v", err)
	}
}

// A batch may have crashes of any number of days, each of which is a partition.
func TestABatchOfManyDaysIsStored(t *testing.T) {
	db, conn := open(t)
	if err := db.Activate(t.Context(), activation(1, all(1))); err != nil {
		t.Fatal(err)
	}
	const days = 150
	var rows []sinks.Row
	for n := range days {
		at := noon.AddDate(0, 0, -n)
		rows = append(rows, row(id(n, at.Format("060102")), 1, 0, int64(n), at, "f"))
	}
	if err := db.Write(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, conn, "SELECT toString(count()) FROM aftershock.crashes"); got[0] != fmt.Sprint(days) {
		t.Errorf("%s crashes", got[0])
	}
}
