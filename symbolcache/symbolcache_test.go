package symbolcache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aftershock/symbolcache"
)

const (
	debugID = "5A9832E5287241C1838ED98914E9B7FF1"
	text    = "MODULE Linux x86_64 " + debugID + " app\nFUNC 1000 10 0 f\n"
)

func key(n int) symbolcache.Key {
	return symbolcache.Key{DebugFile: fmt.Sprintf("/home/jane/app%d", n), DebugID: debugID}
}

// from is a source that counts and answers from a function.
func from(asked *atomic.Int64, answer func(path string) (string, error)) symbolcache.Source {
	return func(_ context.Context, path string) (io.ReadCloser, error) {
		asked.Add(1)
		s, err := answer(path)
		return io.NopCloser(strings.NewReader(s)), err
	}
}

func TestOutcomes(t *testing.T) {
	none := func(string) (string, error) { return "", symbolcache.ErrNotFound }
	good := func(string) (string, error) { return text, nil }
	for name, tc := range map[string]struct {
		sources []func(string) (string, error)
		want    symbolcache.Outcome
	}{
		"found":                        {[]func(string) (string, error){none, good}, symbolcache.Found},
		"a bad line":                   {[]func(string) (string, error){func(string) (string, error) { return text + "FUNC x\n", nil }}, symbolcache.FoundLossy},
		"missing":                      {[]func(string) (string, error){none, none}, symbolcache.Missing},
		"no sources":                   {nil, symbolcache.Missing},
		"denied":                       {[]func(string) (string, error){none, func(string) (string, error) { return "", symbolcache.ErrDenied }, none}, symbolcache.Denied},
		"an error hides not the next":  {[]func(string) (string, error){func(string) (string, error) { return "", errors.New("x") }, good}, symbolcache.Found},
		"an error is not missing":      {[]func(string) (string, error){func(string) (string, error) { return "", errors.New("x") }, none}, symbolcache.Error},
		"a timeout is not missing":     {[]func(string) (string, error){func(string) (string, error) { return "", context.DeadlineExceeded }, none}, symbolcache.Timeout},
		"an error page":                {[]func(string) (string, error){func(string) (string, error) { return "<html>", nil }}, symbolcache.Malformed},
		"malformed hides not the next": {[]func(string) (string, error){func(string) (string, error) { return "", nil }, good}, symbolcache.Found},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			var sources []symbolcache.Source
			for _, answer := range tc.sources {
				sources = append(sources, from(&asked, answer))
			}
			got := symbolcache.New(symbolcache.Options{Sources: sources}).Get(t.Context(), key(1))
			if got.Outcome != tc.want || (got.File != nil) != (tc.want == symbolcache.Found || tc.want == symbolcache.FoundLossy) || (got.SHA256 != "") != (got.File != nil) {
				t.Errorf("%+v, want %s", got, tc.want)
			}
		})
	}
}

func TestKeysThatNameNoFileAreNotAskedFor(t *testing.T) {
	for name, k := range map[string]symbolcache.Key{
		"no name":             {"", debugID},
		"no id":               {"app", ""},
		"zeros":               {"app", strings.Repeat("0", 33)},
		"no digits":           {"app", strings.Repeat("../", 11)},
		"a short id":          {"app", debugID[:32]},
		"a long id":           {"app", debugID + strings.Repeat("1", 16)},
		"dots":                {"x/..", debugID},
		"a folder":            {"app/", debugID},
		"a control character": {"app\n", debugID},
		"a long name":         {strings.Repeat("a", 201), debugID},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			c := symbolcache.New(symbolcache.Options{Sources: []symbolcache.Source{from(&asked, func(string) (string, error) { return text, nil })}})
			if got := c.Get(t.Context(), k); got.Outcome != symbolcache.Missing || asked.Load() != 0 {
				t.Errorf("%s, asked %d times", got.Outcome, asked.Load())
			}
		})
	}
}

func TestLayoutIsThatOfMozillasServer(t *testing.T) {
	for debugFile, want := range map[string]string{
		`C:\build\app.PDB`: "app.PDB/" + debugID + "/app.sym",
		"/usr/lib/libc.so": "libc.so/" + debugID + "/libc.so.sym",
		".pdb":             ".pdb/" + debugID + "/.pdb.sym",
	} {
		var asked atomic.Int64
		got := ""
		c := symbolcache.New(symbolcache.Options{Sources: []symbolcache.Source{from(&asked, func(path string) (string, error) { got = path; return text, nil })}})
		c.Get(t.Context(), symbolcache.Key{DebugFile: debugFile, DebugID: debugID})
		if got != want {
			t.Errorf("%q: asked for %q, want %q", debugFile, got, want)
		}
	}
}

func TestOneLoadForManyAskers(t *testing.T) {
	var asked atomic.Int64
	release := make(chan struct{})
	c := symbolcache.New(symbolcache.Options{Sources: []symbolcache.Source{from(&asked, func(string) (string, error) { <-release; return text, nil })}})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got := c.Get(t.Context(), key(1)); got.Outcome != symbolcache.Found {
				t.Error(got.Outcome)
			}
		})
	}
	close(release)
	wg.Wait()
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

func TestAnAbortedLoadIsNotRemembered(t *testing.T) {
	var asked atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	c := symbolcache.New(symbolcache.Options{Sources: []symbolcache.Source{from(&asked, func(string) (string, error) {
		if asked.Load() == 1 {
			cancel()
			return "", context.Canceled
		}
		return text, nil
	})}})
	if got := c.Get(ctx, key(1)); got.File != nil {
		t.Fatal(got.Outcome)
	}
	if got := c.Get(t.Context(), key(1)); got.Outcome != symbolcache.Found {
		t.Errorf("the next asker gets %s", got.Outcome)
	}
}

func TestMissesAreBelievedForATime(t *testing.T) {
	for name, tc := range map[string]struct {
		err   error
		short bool
	}{"missing": {symbolcache.ErrNotFound, false}, "a failure": {errors.New("x"), true}} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			now := time.Unix(0, 0)
			c := symbolcache.New(symbolcache.Options{
				Sources: []symbolcache.Source{from(&asked, func(string) (string, error) { return "", tc.err })},
				Now:     func() time.Time { return now },
			})
			c.Get(t.Context(), key(1))
			c.Get(t.Context(), key(1))
			if asked.Load() != 1 {
				t.Fatalf("asked %d times at once", asked.Load())
			}
			now = now.Add(time.Minute)
			c.Get(t.Context(), key(1))
			if again := asked.Load() == 2; again != tc.short {
				t.Errorf("asked again after a minute: %v", again)
			}
			now = now.Add(10 * time.Minute)
			before := asked.Load()
			c.Get(t.Context(), key(1))
			if asked.Load() != before+1 {
				t.Error("not asked again after ten minutes")
			}
		})
	}
}

func TestBytesAreBounded(t *testing.T) {
	var asked atomic.Int64
	size := int64(len(text))
	c := symbolcache.New(symbolcache.Options{
		Sources:  []symbolcache.Source{from(&asked, func(string) (string, error) { return text, nil })},
		MaxBytes: 3 * size, MaxFileBytes: size,
	})
	for i := range 4 {
		c.Get(t.Context(), key(i))
	}
	c.Get(t.Context(), key(3))
	c.Get(t.Context(), key(1))
	if asked.Load() != 4 {
		t.Errorf("asked %d times for what should be kept", asked.Load())
	}
	c.Get(t.Context(), key(0)) // the one used longest ago had to leave
	if asked.Load() != 5 {
		t.Errorf("asked %d times", asked.Load())
	}
	small := symbolcache.New(symbolcache.Options{
		Sources:      []symbolcache.Source{from(&asked, func(string) (string, error) { return text, nil })},
		MaxFileBytes: size - 1,
	})
	if got := small.Get(t.Context(), key(0)); got.Outcome != symbolcache.Malformed {
		t.Errorf("one byte past the limit: %s", got.Outcome)
	}
}

func TestDirAndHTTPServeTheSame(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "app1", debugID, "app1.sym")
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	status := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status != 0 {
			w.WriteHeader(status)
			return
		}
		http.StripPrefix("/try", http.FileServer(http.Dir(root))).ServeHTTP(w, r)
	}))
	defer server.Close()
	base, err := url.Parse(server.URL + "/try")
	if err != nil {
		t.Fatal(err)
	}
	get := func(s symbolcache.Source, n int) symbolcache.Lookup {
		return symbolcache.New(symbolcache.Options{Sources: []symbolcache.Source{s}}).Get(t.Context(), key(n))
	}
	dir, web := get(symbolcache.Dir(root), 1), get(symbolcache.HTTP(base, nil), 1)
	if dir.Outcome != symbolcache.Found || web.Outcome != symbolcache.Found || dir.SHA256 != web.SHA256 {
		t.Errorf("directory %+v, HTTP %+v", dir, web)
	}
	if a, b := get(symbolcache.Dir(root), 2).Outcome, get(symbolcache.HTTP(base, nil), 2).Outcome; a != symbolcache.Missing || b != symbolcache.Missing {
		t.Errorf("a missing file: %s, %s", a, b)
	}
	for code, want := range map[int]symbolcache.Outcome{403: symbolcache.Denied, 401: symbolcache.Denied, 410: symbolcache.Missing, 500: symbolcache.Error, 429: symbolcache.Error} {
		status = code
		if got := get(symbolcache.HTTP(base, nil), 1).Outcome; got != want {
			t.Errorf("HTTP %d: %s, want %s", code, got, want)
		}
	}
}
