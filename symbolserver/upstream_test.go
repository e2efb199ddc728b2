package symbolserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"aftershock/symbolcache"
	"aftershock/symbolserver"
	"aftershock/symbolserver/store"
)

// clock is told what time it is.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_790_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// upstream answers by path and remembers what it was asked.
type upstream struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string]http.HandlerFunc
	asked []string
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{files: map[string]http.HandlerFunc{}}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.mu.Lock()
		u.asked = append(u.asked, r.URL.Path)
		answer := u.files[r.URL.Path]
		u.mu.Unlock()
		if answer == nil {
			http.NotFound(w, r)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) has(path string, answer http.HandlerFunc) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.files["/"+path] = answer
}

func (u *upstream) asks() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.asked)
}

// sends is an answer.
func sends(body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Write([]byte(body)) //nolint:errcheck,gosec // of a test
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func upstreams(t *testing.T, names ...string) (out []symbolserver.Upstream) {
	t.Helper()
	for _, name := range names {
		up, err := symbolserver.ParseUpstream(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, up)
	}
	return out
}

// kept waits until a file is in the store: it is put when the client has it already.
func kept(t *testing.T, s store.Store, path string) store.Object {
	t.Helper()
	for {
		o, err := s.Stat(t.Context(), path)
		if err == nil {
			return o
		}
		if !errors.Is(err, symbolcache.ErrNotFound) || t.Context().Err() != nil {
			t.Fatal(path, err)
		}
		time.Sleep(time.Millisecond)
	}
}

// What the store lacks comes from the first upstream that has it, and is kept.
func TestUpstreams(t *testing.T) {
	tecken, ms, debuginfod := newUpstream(t), newUpstream(t), newUpstream(t)
	s := openStore(t, t.TempDir())
	server := start(t, symbolserver.Options{Store: s, Upstreams: upstreams(t, tecken.URL, "microsoft="+ms.URL+"/download/symbols", "debuginfod="+debuginfod.URL)})
	pdb, exe, gz := "a.pdb/"+debugID+"/a.pd_", "a.exe/651C9AF99241000/a.exe", "gz.pdb/"+debugID+"/gz.sym"
	sniffed, dbg := "sn.pdb/"+debugID+"/sn.sym", "l.so/"+debugID+"/l.so.dbg.gz"
	zipped := string(packed(t, store.Gzip, "\x7fELF"))
	tecken.has(symPath, sends(symText))
	tecken.has(gz, sends(string(packed(t, store.Gzip, symText)), "Content-Encoding", "gzip"))
	tecken.has(sniffed, sends(string(packed(t, store.Zstd, symText))))
	tecken.has(dbg, sends(zipped))
	ms.has("download/symbols/"+pdb, sends("MSCF packed"))
	ms.has("download/symbols/"+exe, sends("MZ"))
	debuginfod.has("buildid/00ff/debuginfo", sends("\x7fELF"))
	for path, want := range map[string]struct{ text, encoding, sum string }{
		symPath: {symText, "", sum(symText)}, gz: {symText, "gzip", sum(symText)}, sniffed: {symText, "zstd", sum(symText)}, dbg: {zipped, "", sum(zipped)},
		pdb: {"MSCF packed", "", sum("MSCF packed")}, exe: {"MZ", "", sum("MZ")}, "buildid/00ff/debuginfo": {"\x7fELF", "", sum("\x7fELF")},
	} {
		a := ask(t, server, http.MethodGet, "/"+path, "Accept-Encoding", "gzip, zstd")
		if a.status != http.StatusOK || a.unpacked(t) != want.text || a.header.Get("Content-Encoding") != want.encoding || a.err != nil {
			t.Errorf("%s: %d %q %v %v", path, a.status, a.body, a.header, a.err)
		}
		if o := kept(t, s, path); o.SHA256 != want.sum || o.Encoding != want.encoding || !strings.HasPrefix(o.By, "upstream 127.0.0.1:") {
			t.Errorf("%s: kept as %+v", path, o)
		}
		a = ask(t, server, http.MethodGet, "/"+path)
		if a.status != http.StatusOK || a.body != want.text {
			t.Errorf("%s, again: %d %q", path, a.status, a.body)
		}
		head := ask(t, server, http.MethodHead, "/"+path)
		if head.status != http.StatusOK || head.body != "" {
			t.Errorf("%s, HEAD: %d", path, head.status)
		}
	}
	for range 3 {
		for _, path := range []string{"none.pdb/" + debugID + "/none.sym", "none.pdb/" + debugID + "/none.pdb", "buildid/00aa/executable"} {
			a := ask(t, server, http.MethodGet, "/"+path)
			a.check(t, path, http.StatusNotFound, "Symbol Not Found")
		}
	}
	paths := func(prefix string, of ...string) (out []string) {
		for _, p := range of {
			out = append(out, prefix+p)
		}
		slices.Sort(out)
		return out
	}
	sorted := func(in []string) []string { slices.Sort(in); return in }
	noSym, noPdb := "none.pdb/"+debugID+"/none.sym", "none.pdb/"+debugID+"/none.pdb"
	if diff := cmp.Diff(paths("/", symPath, gz, sniffed, dbg, pdb, exe, noSym, noPdb), sorted(tecken.asks())); diff != "" {
		t.Errorf("the first was asked: %s", diff)
	}
	if diff := cmp.Diff(paths("/download/symbols/", pdb, exe, noPdb), sorted(ms.asks())); diff != "" {
		t.Errorf("the symbol server was asked: %s", diff)
	}
	if diff := cmp.Diff(paths("/buildid/", "00ff/debuginfo", "00aa/executable"), sorted(debuginfod.asks())); diff != "" {
		t.Errorf("debuginfod was asked: %s", diff)
	}
}

// Of a code id that nobody knows here, the upstream's file tells what it is.
func TestCodeIDsAreAskedUpstream(t *testing.T) {
	up := newUpstream(t)
	up.has(codeAsk, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/"+symPath, http.StatusFound) })
	up.has(symPath, sends(symText))
	up.has("evil.dll/12/evil.sym", sends("MODULE windows x86_64 "+debugID+" ../../evil\n"))
	up.has("other.dll/12/other.sym", sends(symText)) // its own code id is another
	s := openStore(t, t.TempDir())
	clock := newClock()
	server := start(t, symbolserver.Options{Store: s, Upstreams: upstreams(t, up.URL), Now: clock.Now})
	for range 2 {
		a := ask(t, server, http.MethodGet, "/"+codeAsk+"?x")
		a.check(t, "by code id", http.StatusFound, "/"+symPath+"?x")
		a = ask(t, server, http.MethodGet, "/"+symPath)
		a.check(t, "there", http.StatusOK, symText)
		kept(t, s, ".aftershock/code/xul.dll/651C9AF99241000")
	}
	for _, target := range []string{"/evil.dll/12/evil.sym", "/other.dll/12/other.sym", "/none.dll/12/none.sym"} {
		a := ask(t, server, http.MethodGet, target)
		a.check(t, target, http.StatusNotFound, "Symbol Not Found")
	}
	want := []string{"/" + codeAsk, "/" + symPath, "/evil.dll/12/evil.sym", "/other.dll/12/other.sym", "/none.dll/12/none.sym"}
	if diff := cmp.Diff(want, up.asks()); diff != "" {
		t.Error(diff)
	}
}

// Many who want one file make one request; who leaves does not end it.
func TestOneDownloadIsFollowedByAll(t *testing.T) {
	const clients = 200
	up := newUpstream(t)
	half, rest := symText+strings.Repeat("x", 100_000), strings.Repeat("y", 100_000)
	goOn := make(chan struct{})
	up.has(symPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(half)) //nolint:errcheck,gosec // of a test
		w.(http.Flusher).Flush()
		<-goOn
		w.Write([]byte(rest)) //nolint:errcheck,gosec // of a test
	})
	s := openStore(t, t.TempDir())
	server := start(t, symbolserver.Options{Store: s, Upstreams: upstreams(t, up.URL)})

	leaving, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(leaving, http.MethodGet, server.URL+"/"+symPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	first, err := bare.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	begun := make([]byte, len(half))
	if n, err := first.Body.Read(begun); n == 0 || err != nil || !strings.HasPrefix(half, string(begun[:n])) { // while the upstream holds the rest back
		t.Errorf("%d bytes, %v", n, err)
	}
	leave()
	first.Body.Close() //nolint:gosec // it left

	var g errgroup.Group
	joined := make(chan struct{}, clients)
	for range clients {
		g.Go(func() error {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/"+symPath, nil)
			if err != nil {
				return err
			}
			res, err := bare.Do(req)
			joined <- struct{}{}
			if err != nil {
				return err
			}
			defer res.Body.Close()
			if all, err := io.ReadAll(res.Body); err != nil || string(all) != half+rest {
				return fmt.Errorf("%d bytes, %w", len(all), err)
			}
			return nil
		})
	}
	for range clients {
		<-joined
	}
	close(goOn)
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	if o := kept(t, s, symPath); o.Bytes != int64(len(half+rest)) || o.SHA256 != sum(half+rest) {
		t.Errorf("%+v", o)
	}
	if n := len(up.asks()); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// Why a file did not come is told apart, and believed as long as symbolcache does.
func TestOutcomesAreKept(t *testing.T) {
	up, behind := newUpstream(t), newUpstream(t)
	clock := newClock()
	var failed failures
	server := start(t, symbolserver.Options{Upstreams: upstreams(t, up.URL, behind.URL), Now: clock.Now, Failed: failed.hear})
	path := func(name string) string { return name + ".pdb/" + debugID + "/" + name + ".sym" }
	up.has(path("denied"), status(http.StatusForbidden))
	up.has(path("failing"), status(http.StatusInternalServerError))
	up.has(path("elsewhere"), status(http.StatusInternalServerError))
	behind.has(path("elsewhere"), sends(symText))
	for name, want := range map[string]struct {
		status int
		until  time.Duration
	}{
		"missing": {http.StatusNotFound, symbolcache.RetryMissing}, "denied": {http.StatusNotFound, symbolcache.RetryDenied}, "failing": {http.StatusBadGateway, symbolcache.MinRetryTransient},
	} {
		count := func() int {
			return len(slices.DeleteFunc(up.asks(), func(p string) bool { return p != "/"+path(name) }))
		}
		for range 3 {
			a := ask(t, server, http.MethodGet, "/"+path(name))
			a.check(t, name, want.status, map[int]string{404: "Symbol Not Found", 502: "An upstream failed"}[want.status])
			if want.status == http.StatusBadGateway && a.header.Get("Retry-After") == "" {
				t.Errorf("%s: %v", name, a.header)
			}
		}
		if n := count(); n != 1 {
			t.Errorf("%s: asked %d times", name, n)
		}
		clock.add(want.until)
		ask(t, server, http.MethodGet, "/"+path(name))
		ask(t, server, http.MethodGet, "/"+path(name)+"?_refresh")
		if n := count(); n != 3 {
			t.Errorf("%s: asked %d times afterwards", name, n)
		}
	}
	a := ask(t, server, http.MethodGet, "/"+path("elsewhere"))
	a.check(t, "one that fails does not hide the next", http.StatusOK, symText)
	if strings.Contains(failed.String(), "missing") || !strings.Contains(failed.String(), "failing.pdb") {
		t.Error(failed.String())
	}
}

// A host that fails is left alone, whichever of its upstreams was asked, and asked once
// whether it is well.
func TestAHostThatFailsIsLeftAlone(t *testing.T) {
	up := newUpstream(t)
	clock := newClock()
	server := start(t, symbolserver.Options{Upstreams: upstreams(t, up.URL, "microsoft="+up.URL+"/ms"), Now: clock.Now})
	n := 0
	get := func() answer {
		n++
		name := fmt.Sprintf("m%d", n)
		up.has(name+".pdb/"+debugID+"/"+name+".sym", status(http.StatusServiceUnavailable))
		return ask(t, server, http.MethodGet, "/"+name+".pdb/"+debugID+"/"+name+".sym")
	}
	for range 20 {
		if a := get(); a.status != http.StatusBadGateway && a.status != http.StatusGatewayTimeout {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	const failures = 4 // of symbolcache's breaker
	if got := len(up.asks()); got != failures {
		t.Errorf("asked %d times", got)
	}
	a := ask(t, server, http.MethodGet, "/m.pdb/"+debugID+"/m.pdb")
	a.check(t, "the other upstream of the host", http.StatusGatewayTimeout, "An upstream did not answer in time")
	if got := len(up.asks()); got != failures {
		t.Errorf("asked %d times", got)
	}
	clock.add(time.Minute)
	get() // which is not who waits for the probe
	for len(up.asks()) == failures {
		time.Sleep(time.Millisecond)
	}
	if asks := up.asks(); len(asks) != failures+1 || !strings.HasPrefix(asks[failures], "/aftershock-probe/") && !strings.HasPrefix(asks[failures], "/ms/aftershock-probe/") {
		t.Errorf("asked %v", asks[failures:])
	}
	up.has(symPath, sends(symText))
	for {
		a := ask(t, server, http.MethodGet, "/"+symPath)
		if a.status == http.StatusOK {
			break // the probe's answer has come
		}
	}
}

func TestNamesOfUpstreams(t *testing.T) {
	for name, want := range map[string]symbolserver.Layout{
		"https://symbols.mozilla.org/": symbolserver.Tecken, "tecken=http://a/?b=c": symbolserver.Tecken, "microsoft=https://msdl.microsoft.com/download/symbols": symbolserver.Microsoft,
		"debuginfod=https://debuginfod.debian.net": symbolserver.Debuginfod, "http://a/?x=y": symbolserver.Tecken,
	} {
		if up, err := symbolserver.ParseUpstream(name); err != nil || up.Layout != want {
			t.Errorf("%s: %v, %v", name, up, err)
		}
	}
	for _, name := range []string{"", "x", "symstore=https://a/", "s3://bucket", "tecken=", "https://jane:hunter2@ho st/", "tecken=https://jane:hunter2@%zz"} {
		if up, err := symbolserver.ParseUpstream(name); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, %v", name, up, err)
		}
	}
}
