package symbolcache_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"aftershock/symbolcache"
)

func TestLayoutIsThatOfMozillasServer(t *testing.T) {
	lower := strings.ToLower(debugID[:32]) + "A"
	for want, k := range map[string]symbolcache.Key{
		"app.PDB/" + debugID + "/app.sym":     {DebugFile: `C:\build\app.PDB`, DebugID: debugID},
		"libc.so/" + debugID + "/libc.so.sym": {DebugFile: "/usr/lib/libc.so", DebugID: debugID, CodeFile: "x", CodeID: "1"},
		".pdb/" + debugID + "/.pdb.sym":       {DebugFile: ".pdb", DebugID: debugID},
		"app/" + debugID[:32] + "a/app.sym":   {DebugFile: "app", DebugID: lower},
		"app.exe/" + debugID + "/app.exe.sym": {CodeFile: `D:\app.exe`, DebugID: debugID},
		"xul.dll/62A0F4C96F000/xul.sym":       {CodeFile: `C:\xul.dll`, CodeID: "62a0f4c96f000"},
		"XUL.DLL/62A0F4C96F001/XUL.sym":       {CodeFile: `XUL.DLL`, CodeID: "62A0F4C96F001", DebugFile: "xul.pdb", DebugID: strings.Repeat("0", 33)},
		"app.exe/1/app.exe.sym":               {CodeFile: "app.exe", CodeID: "1", DebugID: strings.Repeat("0", 32) + "1"},
		strings.Repeat("a", 200) + "/" + debugID + "fffffff/" + strings.Repeat("a", 200) + ".sym": {DebugFile: strings.Repeat("a", 200), DebugID: debugID + "fffffff"},
		"app/" + debugID[:32] + "123456789abcdef0/app.sym":                                        {DebugFile: "app", DebugID: debugID[:32] + "123456789ABCDEF0"},
		"app/" + strings.Repeat("A", 40) + "/app.sym":                                             {CodeFile: "app", CodeID: strings.Repeat("a", 40)},
	} {
		s := says(text, nil)
		var got string
		s.answer = func(_ context.Context, path string) (string, error) { got = path; return text, nil }
		get(t, open(t, symbolcache.Options{}, s), k)
		if got != want {
			t.Errorf("%+v: asked for %q, want %q", k, got, want)
		}
	}
}

// TestAgeInUpperCase: with Eliot's spelling a file is found as well, also when it comes
// later.
func TestAgeInUpperCase(t *testing.T) {
	root := t.TempDir()
	c := open(t, symbolcache.Options{}, symbolcache.Dir(root))
	k := symbolcache.Key{DebugFile: "app", DebugID: debugID[:32] + "a"}
	if got := get(t, c, k); got.Outcome != symbolcache.Missing {
		t.Fatal(got.Outcome)
	}
	put(t, root, "app/"+debugID[:32]+"A/app.sym", []byte(text))
	if got := get(t, c, k); got.Outcome != symbolcache.Found {
		t.Error(got.Outcome)
	}
	put(t, root, "app/"+debugID[:32]+"a/app.sym", []byte("MODULE Linux x86_64 1 other\nFUNC 1000 10 0 g\n"))
	if got := c.Get(t.Context(), k); got.File == nil || got.File.Name != "other" {
		t.Errorf("%+v: want the file of Breakpad's spelling", got)
	} else {
		got.Release()
	}
}

func TestKeysThatNameNoFileAreNotAskedFor(t *testing.T) {
	zeros := strings.Repeat("0", 33)
	for name, k := range map[string]symbolcache.Key{
		"no name":             {DebugID: debugID},
		"no id":               {DebugFile: "app"},
		"zeros":               {DebugFile: "app", DebugID: zeros},
		"zeros and an age":    {DebugFile: "app", DebugID: zeros[:32] + "1"},
		"a code id of zeros":  {DebugFile: "app", DebugID: zeros, CodeFile: "app.dll", CodeID: "0000000000"},
		"a code id only":      {CodeID: "62A0F4C96F000"},
		"a long code id":      {CodeFile: "app", CodeID: strings.Repeat("a", 41)},
		"an odd code id":      {CodeFile: "app", CodeID: "../1"},
		"no digits":           {DebugFile: "app", DebugID: strings.Repeat("../", 11)},
		"a short id":          {DebugFile: "app", DebugID: debugID[:32]},
		"a long id":           {DebugFile: "app", DebugID: debugID + strings.Repeat("1", 16)},
		"dots":                {DebugFile: "x/..", DebugID: debugID},
		"a dot":               {DebugFile: ".", DebugID: debugID},
		"a folder":            {DebugFile: "app/", DebugID: debugID},
		"a control character": {DebugFile: "app\n", DebugID: debugID},
		"NUL":                 {DebugFile: "app\x00", DebugID: debugID},
		"no UTF-8":            {DebugFile: "app\xff", DebugID: debugID},
		"a long name":         {DebugFile: strings.Repeat("a", 201), DebugID: debugID},
	} {
		t.Run(name, func(t *testing.T) {
			s := says(text, nil)
			if got := get(t, open(t, symbolcache.Options{}, s), k); got.Outcome != symbolcache.Missing || s.asked.Load() != 0 {
				t.Errorf("%s, asked %d times", got.Outcome, s.asked.Load())
			}
		})
	}
}

// put writes a symbol file where a source has it.
func put(t testing.TB, root, path string, content []byte) {
	t.Helper()
	file := filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func gzipped(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstded(t testing.TB, text string) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll([]byte(text), nil)
}

func symPath(n string) string { return "app" + n + "/" + debugID + "/app" + n + ".sym" }

func TestCompressionIsSeenInTheContent(t *testing.T) {
	root := t.TempDir()
	put(t, root, symPath("0"), []byte(text))
	put(t, root, symPath("1"), gzipped(t, text))
	put(t, root, symPath("2"), zstded(t, text))
	put(t, root, symPath("3")+".gz", gzipped(t, text))
	put(t, root, symPath("4")+".zst", zstded(t, text))
	put(t, root, symPath("5")+".gz", []byte(text)) // whatever it is named
	put(t, root, symPath("6")+".gz", zstded(t, text))
	put(t, root, symPath("7"), gzipped(t, text)[:30])
	put(t, root, symPath("8"), zstded(t, text)[:30])
	put(t, root, symPath("9"), gzipped(t, "")) // no MODULE
	server := httptest.NewServer(http.FileServer(http.Dir(root)))
	defer server.Close()
	fromDir, fromWeb := open(t, symbolcache.Options{}, symbolcache.Dir(root)), open(t, symbolcache.Options{}, web(t, server.URL))
	var plain string
	for i := range 10 {
		got := get(t, fromDir, key(i))
		if i == 0 {
			plain = got.SHA256
		}
		want := symbolcache.Found
		if i >= 7 {
			want = symbolcache.Malformed
		}
		if got.Outcome != want || want == symbolcache.Found && got.SHA256 != plain {
			t.Errorf("file %d: %s %s, want %s", i, got.Outcome, got.SHA256, want)
		}
		if i >= 3 && i <= 6 {
			continue // only directories have other endings
		}
		if got := get(t, fromWeb, key(i)); got.Outcome != want || want == symbolcache.Found && got.SHA256 != plain {
			t.Errorf("file %d over HTTP: %s %s, want %s", i, got.Outcome, got.SHA256, want)
		}
	}
}

func web(t testing.TB, base string, redirects ...string) symbolcache.Source {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	return symbolcache.NewHTTP(u, redirects...)
}

func TestNewFilesInADirectoryAreSeenAtOnce(t *testing.T) {
	root := t.TempDir()
	o := symbolcache.Options{Dir: t.TempDir()}
	c := open(t, o, symbolcache.Dir(root))
	if got := get(t, c, key(1)); got.Outcome != symbolcache.Missing {
		t.Fatal(got.Outcome)
	}
	put(t, root, symPath("1"), []byte(text))
	first := get(t, c, key(1))
	if first.Outcome != symbolcache.Found {
		t.Fatal(first.Outcome)
	}
	put(t, root, symPath("1"), []byte(text+"FUNC 2000 10 0 g\n"))
	second := get(t, c, key(1))
	if second.Outcome != symbolcache.Found || second.SHA256 == first.SHA256 {
		t.Errorf("the old file is served: %+v", second)
	}
	put(t, root, symPath("1"), []byte("torn"))
	for range 2 {
		if got := get(t, c, key(1)); got.Outcome != symbolcache.Malformed {
			t.Errorf("the old file is served: %+v", got)
		}
	}
	put(t, root, symPath("1"), []byte(text))
	if got := get(t, open(t, o, symbolcache.Dir(root)), key(1)); got.SHA256 != first.SHA256 {
		t.Errorf("another cache: %+v", got)
	}
}

func TestStatusesOfServers(t *testing.T) {
	var status atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	defer server.Close()
	for code, want := range map[int]symbolcache.Outcome{
		403: symbolcache.Denied, 401: symbolcache.Denied, 404: symbolcache.Missing, 410: symbolcache.Missing,
		500: symbolcache.Error, 503: symbolcache.Error, 429: symbolcache.Error, 400: symbolcache.Error,
	} {
		status.Store(int64(code))
		if got := get(t, open(t, symbolcache.Options{}, web(t, server.URL)), key(1)).Outcome; got != want {
			t.Errorf("HTTP %d: %s, want %s", code, got, want)
		}
	}
}

func TestServersThatFailForAMomentAreAskedAgain(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked.Add(1) {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2: // the connection breaks in the middle
			w.Header().Set("Content-Length", "1000")
			send(w, []byte(text))
		default:
			if r.Header.Get("User-Agent") != "aftershock" {
				t.Errorf("User-Agent %q", r.Header.Get("User-Agent"))
			}
			send(w, []byte(text))
		}
	}))
	defer server.Close()
	if got := get(t, open(t, symbolcache.Options{}, web(t, server.URL)), key(1)).Outcome; got != symbolcache.Found || asked.Load() != 3 {
		t.Errorf("%s after %d tries", got, asked.Load())
	}
}

// Mozilla's server answers with a redirect to the storage, and for a code id with
// one to the debug id's place.
func TestRedirectsAreFollowed(t *testing.T) {
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/xul.pdb/"+debugID+"/xul.sym" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		send(w, gzipped(t, text))
	}))
	defer storage.Close()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/try/xul.dll/62A0F4C96F000/xul.sym":
			http.Redirect(w, r, "/try/xul.pdb/"+debugID+"/xul.sym", http.StatusFound)
		case "/loop/xul.dll/62A0F4C96F000/xul.sym":
			http.Redirect(w, r, r.URL.Path, http.StatusFound) //nolint:gosec // a test
		default:
			http.Redirect(w, r, storage.URL+"/v1"+strings.TrimPrefix(r.URL.Path, "/try"), http.StatusFound) //nolint:gosec // a test
		}
	}))
	defer front.Close()
	byCode := symbolcache.Key{CodeFile: `C:\xul.dll`, CodeID: "62a0f4c96f000"}
	c := open(t, symbolcache.Options{}, web(t, front.URL+"/try/", storage.Listener.Addr().String()))
	for _, k := range []symbolcache.Key{{DebugFile: "xul.pdb", DebugID: debugID}, byCode} {
		if got := get(t, c, k); got.Outcome != symbolcache.Found {
			t.Errorf("%+v: %s", k, got.Outcome)
		}
	}
	if got := get(t, open(t, symbolcache.Options{}, web(t, front.URL+"/loop")), byCode); got.Outcome != symbolcache.Error {
		t.Errorf("redirects without end: %s", got.Outcome)
	}
}

func TestNamesFromDumpsStayInTheirPlace(t *testing.T) {
	var got atomic.Pointer[http.Request]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(r)
		w.WriteHeader(http.StatusNotFound)
	}))
	defer server.Close()
	c := open(t, symbolcache.Options{}, web(t, server.URL+"/base"))
	for _, name := range []string{"%2e%2e", "a%2fb", "a?b=c", "a#b", "a b", "ä", "%zz", "a;b", "a:b@c", "a&b", "..a", "http:", "%00", "+"} {
		get(t, c, symbolcache.Key{DebugFile: name, DebugID: debugID})
		r := got.Swap(nil)
		if r == nil {
			t.Errorf("%q: not asked", name)
			continue
		}
		if want := "/base/" + name + "/" + debugID + "/" + name + ".sym"; r.URL.Path != want || r.URL.RawQuery != "" || strings.Count(r.URL.EscapedPath(), "/") != 4 {
			t.Errorf("%q: path %q, query %q, want %q", name, r.URL.EscapedPath(), r.URL.RawQuery, want)
		}
	}
}

// send answers; a client that has gone is its own affair.
func send(w http.ResponseWriter, b []byte) { w.Write(b) } //nolint:errcheck,gosec // see above
