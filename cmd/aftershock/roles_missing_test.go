package main

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/rs/zerolog"

	"aftershock/sinks/clickhouse"
)

// What crashes lack is told neither to pages of others nor to those whose name suddenly is
// that of this machine; symbol files are for everybody.
func TestMissingIsNotForPages(t *testing.T) {
	s := &symbolServer{tables: &clickhouse.DB{}, log: zerolog.Nop()}
	s.flags.SymbolsListen, s.allowed = "127.0.0.1:8070", []string{"symbols.test"}
	h := s.handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	ask := func(host, path string, header http.Header) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Host, r.Header = host, header
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for _, path := range []string{"/missing?days=0", "/missing.csv?days=0", "/missingsymbols.csv?days=0"} { // days that there are not
		for host, want := range map[string]int{"127.0.0.1:8070": 400, "localhost:1": 400, "symbols.test": 400, "evil.test:8070": 403} {
			if got := ask(host, path, nil); got != want {
				t.Errorf("%s of %s: %d", path, host, got)
			}
		}
		if got := ask("127.0.0.1:8070", path, http.Header{"Sec-Fetch-Site": {"cross-site"}}); got != 403 {
			t.Errorf("%s for a page: %d", path, got)
		}
	}
	if got := ask("evil.test", "/a/b/c", http.Header{"Origin": {"http://evil.test"}}); got != http.StatusTeapot {
		t.Errorf("a file: %d", got)
	}
}

// A module's name is no formula for those who open the CSV.
func TestNamesAreNoFormulas(t *testing.T) {
	row := missingRow(&clickhouse.Missing{DebugFile: "=cmd|' /C calc'!A0", CodeFile: "+1", Version: "@x", CodeID: "-2", DebugID: "5A98"})
	if want := []string{"'=cmd|' /C calc'!A0", "5A98", "'+1", "'-2", "'@x"}; !slices.Equal(row[:5], want) {
		t.Errorf("%q", row)
	}
}
