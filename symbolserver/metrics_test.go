package symbolserver_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"aftershock/symbolserver"
	"aftershock/symbolserver/store"
)

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	up := newUpstream(t)
	s := openStore(t, t.TempDir())
	put(t, s, store.Object{Path: symPath}, []byte(symText))
	pdb := "a.pdb/" + debugID + "/a.pdb"
	up.has(pdb, sends("BSJB"))
	symbols := symbolserver.New(symbolserver.Options{Store: s, Upstreams: upstreams(t, up.URL), Metrics: symbolserver.NewMetrics(registry)})
	server := httptest.NewServer(symbols)
	defer server.Close()
	for _, target := range []string{"/" + symPath, "/" + codeAsk, "/" + pdb, "/x.pdb/" + debugID + "/x.sym"} {
		ask(t, server, http.MethodGet, target)
	}
	for i := range 4 {
		path := fmt.Sprintf("f%d.pdb/%s/f.sym", i, debugID)
		up.has(path, status(http.StatusServiceUnavailable))
		ask(t, server, http.MethodGet, "/"+path)
	}
	symbols.Close() // waits for what is still counted
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			line := f.GetName()
			for _, l := range m.GetLabel() {
				line += " " + l.GetValue()
			}
			got = append(got, fmt.Sprint(line, " ", m.GetCounter().GetValue()+m.GetGauge().GetValue()))
		}
	}
	slices.Sort(got)
	sent := len(symText) + len("BSJB") + len("Symbol Not Found") + 4*len("An upstream failed")
	want := []string{
		"aftershock_symbols_answers_total 200 2", "aftershock_symbols_answers_total 302 1", "aftershock_symbols_answers_total 404 1", "aftershock_symbols_answers_total 502 4",
		"aftershock_symbols_fetched_bytes_total 4", "aftershock_symbols_fetches 0",
		"aftershock_symbols_fetches_total error 4", "aftershock_symbols_fetches_total found 1", "aftershock_symbols_fetches_total missing 1",
		fmt.Sprint("aftershock_symbols_sent_bytes_total ", sent), "aftershock_symbols_upstream_resting 1 1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
