package symbolserver_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"aftershock/internal/bucket/buckettest"
	"aftershock/symbolserver"
	"aftershock/symbolserver/store"
)

const (
	debugID = "44E4EC8C2F41492B9369D6B9A059577C2"
	otherID = "BBA6FA10B8AAB33D00000000000000000"
	symPath = "xul.pdb/" + debugID + "/xul.sym"
	symText = "MODULE windows x86_64 " + debugID + " xul.pdb\nINFO CODE_ID 651C9AF99241000 xul.dll\nFUNC 1000 10 0 main\n"
	codeAsk = "xul.dll/651C9AF99241000/xul.sym"
)

// failures hears what a server tells of.
type failures struct {
	mu   sync.Mutex
	told []string
}

func (f *failures) hear(_ int, path string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, path+": "+err.Error())
}

func (f *failures) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.told, "; ")
}

// start serves until the test ends.
func start(t *testing.T, o symbolserver.Options) *httptest.Server {
	t.Helper()
	if o.Store == nil {
		o.Store = openStore(t, t.TempDir())
	}
	if o.Folder == "" {
		o.Folder = t.TempDir()
	}
	s := symbolserver.New(o)
	server := httptest.NewServer(s)
	t.Cleanup(func() { server.Close(); s.Close() })
	return server
}

func openStore(t *testing.T, name string) store.Store {
	t.Helper()
	s, err := store.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s store.Store, o store.Object, content []byte) {
	t.Helper()
	if err := s.Put(t.Context(), o, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	if p, err := store.ParsePath(o.Path); err == nil && p.IsSym() {
		h, err := store.HeadOf(t.Context(), s, p)
		if err == nil {
			err = store.IndexCode(t.Context(), s, p, h)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func sum(content string) string {
	h := sha256.Sum256([]byte(content))
	return hex.EncodeToString(h[:])
}

func packed(t *testing.T, encoding, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	switch encoding {
	case store.Gzip:
		w = gzip.NewWriter(&out)
	case store.Zstd:
		w, _ = zstd.NewWriter(&out)
	default:
		return []byte(text)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The rows of the contract of Mozilla's server that are about downloads.
func TestDownloadsAsMozillasServer(t *testing.T) {
	stores := map[string]func(t *testing.T) store.Store{
		"directory": func(t *testing.T) store.Store { return openStore(t, t.TempDir()) },
		"S3":        func(t *testing.T) store.Store { return openStore(t, buckettest.Start(t).Name(buckettest.Bucket)) },
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			put(t, s, store.Object{Path: symPath, SHA256: sum(symText)}, []byte(symText))
			tried := "tried.pdb/" + debugID + "/tried.sym"
			put(t, s, store.Object{Path: "try/" + tried}, []byte(strings.NewReplacer("xul", "tried", "651C9AF9", "11111111").Replace(symText)))
			put(t, s, store.Object{Path: "try/" + symPath}, []byte(symText+"of try\n"))
			put(t, s, store.Object{Path: "b c.pdb/" + debugID + "/b c.sym"}, []byte("MODULE Linux x86 "+debugID+" b c.pdb\n"))
			for _, redirect := range []bool{false, true} {
				linked := redirect && name == "S3"
				server := start(t, symbolserver.Options{Store: s, Redirect: redirect})
				get := func(target string, headers ...string) answer {
					return ask(t, server, http.MethodGet, target, headers...)
				}
				head := func(target string) answer { return ask(t, server, http.MethodHead, target) }
				known := func(what, target, text string) {
					t.Helper()
					a := get(target)
					if !linked {
						a.check(t, what, http.StatusOK, text)
						return
					}
					a.check(t, what, http.StatusFound, "http://127.0.0.1:")
					res, err := http.Get(a.header.Get("Location"))
					if err != nil {
						t.Fatal(err)
					}
					defer res.Body.Close()
					if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK || !strings.HasPrefix(string(body), text) {
						t.Errorf("%s, by its link: %d %s %v", what, res.StatusCode, body, err)
					}
				}
				known("known", "/"+symPath, symText)
				known("a debug id in lower case", "/xul.pdb/"+strings.ToLower(debugID)+"/xul.sym", symText)
				known("try and regular", "/try/"+symPath, symText)
				known("try alone, by its prefix", "/try/"+tried, "MODULE")
				known("try alone, by parameter", "/"+tried+"?try=1", "MODULE")
				known("try alone, by parameter without value", "/"+tried+"?try", "MODULE")
				known("a name with a space", "/b%20c.pdb/"+debugID+"/b%20c.sym", "MODULE Linux")

				a := get("/" + tried)
				a.check(t, "try alone, plain", http.StatusNotFound, "Symbol Not Found")
				a = get("/try/" + symPath)
				if !linked && a.body != symText {
					t.Error("try is preferred")
				}
				a = head("/" + symPath)
				a.check(t, "HEAD", http.StatusOK, "")
				if a.header.Get("Content-Length") == "" || a.header.Get("ETag") != `"`+sum(symText)+`"` {
					t.Errorf("HEAD: %v", a.header)
				}
				a = head("/" + codeAsk + "?a=b&c")
				a.check(t, "HEAD by code id", http.StatusFound, "/"+symPath+"?a=b&c")
				a = get("/" + codeAsk)
				a.check(t, "by code id", http.StatusFound, "/"+symPath)
				a = get("/" + strings.ToLower(codeAsk) + "?_refresh")
				a.check(t, "by code id in lower case", http.StatusFound, "/"+symPath)
				a = get("/xul.dll/651C9AF99241001/xul.sym")
				a.check(t, "by unknown code id", http.StatusNotFound, "Symbol Not Found")
				a = get("/tried.dll/111111119241000/tried.sym")
				a.check(t, "by a tried build's code id, plain", http.StatusNotFound, "Symbol Not Found")
				a = get("/try/tried.dll/111111119241000/tried.sym")
				a.check(t, "by a tried build's code id", http.StatusFound, "/try/"+tried)
				a = get("/tried.dll/111111119241000/tried.sym?try")
				a.check(t, "by a tried build's code id, by parameter", http.StatusFound, "/try/"+tried+"?try")
				a = get("/xul.dll/651C9AF99241000/xul.dl_")
				a.check(t, ".dl_ by code id is a file", http.StatusNotFound, "Symbol Not Found")
				a = get("/nothing.pdb/" + debugID + "/nothing.sym")
				a.check(t, "unknown", http.StatusNotFound, "Symbol Not Found")
				for _, method := range []string{http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodPatch} {
					a := ask(t, server, method, "/"+symPath)
					a.check(t, method, http.StatusMethodNotAllowed, "Method Not Allowed")
					if a.header.Get("Allow") != "GET, HEAD" {
						t.Errorf("%s: %v", method, a.header)
					}
				}
				for _, name := range []string{"%C3%A4", "%25", "%23", "%01", "%7F", "a%20b", "%FF", "%5C", "a%00b", "%2e%2e", "..", ".", "a%2Fb", "%2F", "{a}", "'", strings.Repeat("x", 10_000)} {
					a := get("/" + name + "/" + debugID + "/xul.sym")
					a.check(t, "name "+name[:min(len(name), 20)], http.StatusNotFound, "Symbol Not Found")
					a = get("/xul.pdb/" + debugID + "/" + name)
					a.check(t, "file "+name[:min(len(name), 20)], http.StatusNotFound, "Symbol Not Found")
				}
				for _, target := range []string{"/", "//", "/xul.pdb", "/xul.pdb%2F" + debugID + "%2Fxul.sym", "/xul.pdb/" + debugID + "/xul.sym/", "//" + symPath, "/.aftershock/code/xul.dll/651C9AF99241000", "/.aftershock/lock", "/../" + symPath, "/try/try/" + symPath, "/upload/", "/v1/x", "/symbolicate/v5", "/buildid/00ff/source/etc/passwd", "/buildid/00ff/section/.text"} {
					a := get(target)
					a.check(t, target, http.StatusNotFound, "Symbol Not Found")
				}
			}
		})
	}
}

// What the index says is believed for a while, that it says nothing too; _refresh asks.
func TestCodeIDsAreRemembered(t *testing.T) {
	c := &counting{Store: openStore(t, t.TempDir())}
	put(t, c.Store, store.Object{Path: symPath}, []byte(symText))
	clock := newClock()
	server := start(t, symbolserver.Options{Store: c, Now: clock.Now})
	entry, none := ".aftershock/code/xul.dll/651C9AF99241000", ".aftershock/code/xul.dll/12"
	asks := func(what string, known, unknown int) {
		t.Helper()
		for range 3 {
			a := ask(t, server, http.MethodGet, "/"+codeAsk)
			a.check(t, what, http.StatusFound, "/"+symPath)
			a = ask(t, server, http.MethodGet, "/xul.dll/12/xul.sym")
			a.check(t, what, http.StatusNotFound, "Symbol Not Found")
		}
		if c.count(entry) != known || c.count(none) != unknown {
			t.Errorf("%s: the index was asked %d and %d times, want %d and %d", what, c.count(entry), c.count(none), known, unknown)
		}
	}
	asks("at first", 1, 1)
	clock.add(symbolserver.UnknownTime)
	asks("after a minute", 1, 2)
	clock.add(symbolserver.KnownTime)
	asks("later", 2, 3)
	a := ask(t, server, http.MethodGet, "/"+codeAsk+"?_refresh=1")
	a.check(t, "_refresh", http.StatusFound, "/"+symPath)
	if c.count(entry) != 3 {
		t.Errorf("_refresh: the index was asked %d times", c.count(entry))
	}
}

// What nobody has is answered without asking the store.
func TestIgnoredRequestsDoNotTouchTheStore(t *testing.T) {
	c := &counting{Store: openStore(t, t.TempDir())}
	server := start(t, symbolserver.Options{Store: c, Upstreams: upstreams(t, "http://127.0.0.1:1")})
	for _, target := range []string{"/xul.pdb/" + debugID + "/file.ptr", "/file.ptr/" + debugID + "/file.ptr", "/xul.pdb/" + strings.Repeat("0", 33) + "/xul.sym", "/aftershock-probe/" + strings.Repeat("0", 33) + "/aftershock-probe.sym"} {
		a := ask(t, server, http.MethodGet, target, "Debug", "true")
		a.check(t, target, http.StatusNotFound, "Symbol Not Found")
		if a.header.Get("Debug-Time") != "0" {
			t.Errorf("%s: Debug-Time %q", target, a.header.Get("Debug-Time"))
		}
	}
	if c.count("") > 0 {
		t.Errorf("the store was asked for %v", c.asked)
	}
}

func TestDebugTime(t *testing.T) {
	s := openStore(t, t.TempDir())
	put(t, s, store.Object{Path: symPath}, []byte(symText))
	server := start(t, symbolserver.Options{Store: s})
	for target, status := range map[string]int{"/" + symPath: 200, "/" + codeAsk: 302, "/x.pdb/" + debugID + "/x.sym": 404} {
		a := ask(t, server, http.MethodGet, target, "Debug", "true")
		if a.status != status || a.header.Get("Debug-Time") == "" || a.header.Get("Debug-Time") == "0" {
			t.Errorf("%s: %d, %v", target, a.status, a.header)
		}
		a = ask(t, server, http.MethodGet, target)
		if _, has := a.header["Debug-Time"]; has {
			t.Errorf("%s: nobody asked", target)
		}
	}
}

// Other handlers are mounted; what writes is not for pages in browsers.
func TestMountedHandlers(t *testing.T) {
	mounted := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, name+" "+r.URL.Path) }) //nolint:errcheck,gosec // of a test
	}
	server := start(t, symbolserver.Options{Symbolicate: mounted("symbolicate"), Upload: mounted("upload"), Version: []byte(`{"version":"1"}`)})
	for target, want := range map[string]string{
		"/symbolicate/v5": "symbolicate /symbolicate/v5", "/upload/": "upload /upload/", "/upload/auth_info/": "upload /upload/auth_info/", "/v1/uploads:create": "upload /v1/uploads:create",
		"/__lbheartbeat__": "", "/__version__": `{"version":"1"}`, "/__heartbeat__": `{"status":"ok","checks":{"store":"ok"}}`,
	} {
		a := ask(t, server, http.MethodGet, target)
		if a.status != http.StatusOK || a.body != want {
			t.Errorf("%s: %d %q", target, a.status, a.body)
		}
		if strings.HasPrefix(target, "/__") && a.header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: %v", target, a.header)
		}
		page := ask(t, server, http.MethodPost, target, "Origin", "https://evil.test")
		if writes := slices.Contains([]string{"/upload/", "/upload/auth_info/", "/v1/uploads:create"}, target); writes != (page.status == http.StatusForbidden) {
			t.Errorf("%s of a page: %d", target, page.status)
		}
	}
}
