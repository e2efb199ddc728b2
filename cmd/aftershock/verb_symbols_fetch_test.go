package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"aftershock/symbolcache"
)

// symbolServer serves the sample crashes' symbols and counts the requests.
func symbolFiles(t *testing.T) (string, *atomic.Int64) {
	t.Helper()
	asked := &atomic.Int64{}
	files := http.FileServer(http.Dir(sampleSymbols))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if strings.HasPrefix(r.URL.Path, "/broken") {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

func TestFetchedSymbolsNeedNoServer(t *testing.T) {
	server, asked := symbolFiles(t)
	cache := filepath.Join(t.TempDir(), "cache")
	dumps := samples(t)[:2]
	verb := func(args ...string) (string, string, int) {
		var out, errs bytes.Buffer
		code := Main(append(args, "--symbols", server, "--symbol-cache", cache), &out, &errs)
		return out.String(), errs.String(), code
	}
	out, errs, code := verb("symbols", "fetch", dumps[0], dumps[1])
	if code != 0 || errs != "" || !strings.Contains(out, "found ") || !strings.Contains(out, "missing ") || !strings.Contains(out, " modules, ") {
		t.Fatalf("exit %d\n%s\n%s", code, out, errs)
	}
	fetched := asked.Load()
	if _, errs, code = verb("walk", dumps[0]); code != 0 || asked.Load() != fetched {
		t.Errorf("exit %d, %d requests more: %s", code, asked.Load()-fetched, errs)
	}
	// What is missing is asked for again: that is what fetch is for.
	if _, errs, code = verb("symbols", "fetch", "--strict", dumps[0]); code != exitFailed || asked.Load() == fetched || !strings.Contains(errs, errNotFetched.Error()) {
		t.Errorf("exit %d, %d requests more: %s", code, asked.Load()-fetched, errs)
	}
	// scrub finds damage, and the next fetch makes the file again.
	if out, _, code := scrub(cache); code != 0 || !strings.HasSuffix(out, " 0 bad\n") {
		t.Errorf("exit %d: %s", code, out)
	}
	files, err := filepath.Glob(filepath.Join(cache, "v*", "*", "*"+symbolcache.Extension))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 0x55
	writeFile(t, files[0], content)
	if out, errs, code := scrub(cache); code != exitFailed || !strings.Contains(out, files[0]) || !strings.Contains(errs, errDamaged.Error()) {
		t.Errorf("exit %d: %s %s", code, out, errs)
	}
	if out, _, code := scrub("--remove", cache); code != 0 || !strings.HasSuffix(out, " 1 bad\n") {
		t.Errorf("exit %d: %s", code, out)
	}
	if _, errs, code = verb("symbols", "fetch", dumps[0], dumps[1]); code != 0 {
		t.Errorf("exit %d: %s", code, errs)
	}
	if err := symbolcache.VerifyFile(files[0]); err != nil {
		t.Error(err)
	}
}

func scrub(args ...string) (string, string, int) {
	var out, errs bytes.Buffer
	code := Main(append([]string{"symbols", "scrub"}, args...), &out, &errs)
	return out.String(), errs.String(), code
}

func TestFetchOfOneModule(t *testing.T) {
	server, _ := symbolFiles(t)
	ids, err := os.ReadDir(filepath.Join(sampleSymbols, "orchard"))
	if err != nil {
		t.Fatal(err)
	}
	orchard := []string{"--debug-file", "orchard", "--debug-id", ids[0].Name()}
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"there":           {append([]string{"--symbols", server}, orchard...), 0, "found"},
		"missing":         {[]string{"--symbols", server, "--code-file", "x.dll", "--code-id", "1"}, 0, "missing"},
		"missing, strict": {[]string{"--strict", "--symbols", server, "--code-file", "x.dll", "--code-id", "1"}, exitFailed, "missing"},
		"failing":         {append([]string{"--symbols", server + "/broken"}, orchard...), exitFailed, "error"},
		"the next source": {append([]string{"--symbols", server + "/broken", "--symbols", server}, orchard...), 0, "found"},
		"no source":       {orchard, exitUsage, ""},
		"nothing asked":   {[]string{"--symbols", server}, exitUsage, ""},
		"half a module":   {[]string{"--symbols", server, "--debug-file", "orchard"}, exitUsage, ""},
		"both":            {append([]string{"--symbols", server, samples(t)[0]}, orchard...), exitUsage, ""},
		"no such scheme":  {append([]string{"--symbols", "ftp://x"}, orchard...), exitFailed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := Main(append([]string{"symbols", "fetch", "--symbol-cache", t.TempDir()}, tc.args...), &out, &errs)
			if code != tc.code || !strings.HasPrefix(out.String(), tc.want) {
				t.Errorf("exit %d, want %d\n%s\n%s", code, tc.code, &out, &errs)
			}
		})
	}
}

func TestDownloadsAreDrawnUntilTheyEnd(t *testing.T) {
	d := &downloads{w: io.Discard}
	for _, bytes := range []int64{4, -1, 100} {
		body := d.watch("app/1/\x1b[31mapp.sym", bytes, io.NopCloser(strings.NewReader("text")))
		if text, err := io.ReadAll(body); string(text) != "text" || err != nil {
			t.Error(string(text), err)
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
		d.clear()
		d.clear()
	}
	if showDownloads(io.Discard) != nil {
		t.Error("drawn where nobody looks")
	}
	if got := printable("\x1b[31mä\n"); got != `\x1b[31mä\n` {
		t.Error(got)
	}
}
