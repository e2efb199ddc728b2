package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"

	"aftershock/internal/freeport"
)

// served runs symbols serve until the test ends, or end is called, which tells how it ended.
func served(t *testing.T, v symbolsServeVerb) (url, metrics string, end func() error) {
	t.Helper()
	upstreams := v.Upstream
	if err := kong.ApplyDefaults(&v.symbolServerFlags); err != nil {
		t.Fatal(err)
	}
	v.Upstream, v.SymbolCache = upstreams, t.TempDir()
	v.SymbolsListen, v.MetricsListen = freeport.Address(t), freeport.Address(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- v.Run(&run{ctx: ctx, log: zerolog.Nop(), stdout: io.Discard, stderr: io.Discard}) }()
	var result error
	done := false
	end = func() error {
		cancel()
		if !done {
			result, done = <-ended, true
		}
		return result
	}
	t.Cleanup(func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	})
	url, metrics = "http://"+v.SymbolsListen, "http://"+v.MetricsListen
	for {
		if status, _ := fetchText(t, metrics+"/readyz"); status == http.StatusOK {
			return url, metrics, end
		}
		select {
		case result = <-ended:
			done = true
			t.Fatalf("it ended: %v", result)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// fetchText is an answer's status and body; 0 when there is none.
func fetchText(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url) //nolint:gosec // a server of the test
	if err != nil {
		return 0, ""
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return res.StatusCode, string(body)
}

// What fetch finds in a folder it finds in a symbol server of it, and in one that has that
// for its upstream; and there it is then.
func TestSymbolsAreServedAndFetched(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	if err := os.CopyFS(store, os.DirFS(sampleSymbols)); err != nil {
		t.Fatal(err)
	}
	dump := samples(t)[0]
	fetch := func(symbols string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := Main([]string{"symbols", "fetch", "--symbols", symbols, "--symbol-cache", filepath.Join(t.TempDir(), "cache"), dump}, &out, &errs); code != 0 {
			t.Fatalf("exit %d: %s", code, errs.String())
		}
		return out.String()
	}
	want := fetch(store)
	if !strings.Contains(want, "found ") || !strings.Contains(want, "missing ") {
		t.Fatal(want)
	}
	url, metrics, end := served(t, symbolsServeVerb{symbolStoreFlag: symbolStoreFlag{Store: store}})
	if got := fetch(url); got != want {
		t.Errorf("from a server:\n%s\nwant\n%s", got, want)
	}
	behind := filepath.Join(t.TempDir(), "behind")
	proxy, _, endProxy := served(t, symbolsServeVerb{
		symbolStoreFlag: symbolStoreFlag{Store: behind}, symbolServerFlags: symbolServerFlags{downloadFlags: downloadFlags{Upstream: []string{"microsoft=" + url, url}}},
	})
	if got := fetch(proxy); got != want {
		t.Errorf("from a server behind one:\n%s\nwant\n%s", got, want)
	}
	if err := endProxy(); err != nil {
		t.Error(err)
	}
	if got := fetch(behind); got != want {
		t.Errorf("from what that has kept:\n%s\nwant\n%s", got, want)
	}
	if _, text := fetchText(t, metrics+"/metrics"); !strings.Contains(text, `aftershock_symbols_answers_total{status="200"}`) {
		t.Error("nothing is counted")
	}
	for path, want := range map[string]string{"/": "This is a symbol server", "/__lbheartbeat__": "", "/__version__": `{"version":`, "/__heartbeat__": `{"status":"ok"`} {
		if status, text := fetchText(t, url+path); status != http.StatusOK || !strings.HasPrefix(text, want) {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if err := end(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestWrongUseOfSymbolVerbs(t *testing.T) {
	for args, want := range map[string]string{
		"serve": "--store", "serve --store ftp://x": "--store", "serve --store s3:": "--store", "serve --store DIR --upstream x": "--upstream", "serve --store DIR --upstream symstore=http://x/": "--upstream",
		"serve --store DIR --upstream-time 0s": "--upstream-time", "gc --store /nowhere/at/all": "--store", "index --store /nowhere/at/all": "--store", "gc --store DIR --try-older 0d": "--try-older",
	} {
		var out, errs bytes.Buffer
		code := Main(append([]string{"symbols"}, strings.Fields(strings.ReplaceAll(args, "DIR", t.TempDir()))...), &out, &errs)
		if code == 0 || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: exit %d, %s", args, code, errs.String())
		}
	}
}

func TestSymbolStoresAreIndexedAndCollected(t *testing.T) {
	dir := t.TempDir()
	const id = "44E4EC8C2F41492B9369D6B9A059577C2"
	text := "MODULE windows x86_64 " + id + " a.pdb\nINFO CODE_ID 651C9AF99241000 a.exe\n"
	tried := filepath.Join(dir, "try", "a.pdb", id, "a.sym")
	for _, path := range []string{tried, filepath.Join(dir, "a.pdb", id, "a.sym")} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, []byte(text))
	}
	month := time.Now().Add(-30 * 24 * time.Hour)
	if err := os.Chtimes(tried, month, month); err != nil {
		t.Fatal(err)
	}
	verb := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := Main(append([]string{"symbols"}, append(args, "--store", dir)...), &out, &errs); code != 0 || errs.Len() > 0 {
			t.Fatalf("%v: exit %d, %s", args, code, errs.String())
		}
		return out.String()
	}
	var done struct{ Files, Written, Dropped, Bad int }
	if err := json.Unmarshal([]byte(verb("index", "--json")), &done); err != nil || done.Files != 2 || done.Written != 2 {
		t.Errorf("%+v, %v", done, err)
	}
	if out := verb("index"); !strings.HasPrefix(out, "2 symbol files, 0 of them") {
		t.Error(out)
	}
	if out := verb("gc", "--try-older", "31d"); out != "0 files, 0 bytes dropped\n" {
		t.Error(out)
	}
	if out := verb("gc", "--dry-run"); !strings.Contains(out, "try/a.pdb/"+id+"/a.sym") || !strings.Contains(out, "2 files, ") || !strings.Contains(out, "--dry-run") {
		t.Error(out)
	}
	if out := verb("gc", "--dry-run", "--kept-older", "1d"); !strings.Contains(out, "2 files, ") {
		t.Error(out)
	}
	out := verb("gc", "--json")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 3 || !strings.Contains(lines[2], `"dropped":true`) || !strings.Contains(out, ".aftershock/try/code/a.exe/651C9AF99241000") {
		t.Error(out)
	}
	if _, err := os.Stat(tried); !os.IsNotExist(err) {
		t.Errorf("still there: %v", err)
	}
	if out := verb("gc"); out != "0 files, 0 bytes dropped\n" {
		t.Error(out)
	}
}
