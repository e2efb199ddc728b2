package symbolserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"aftershock/symbolcache"
	"aftershock/symbolserver"
	"aftershock/symbolserver/store"
)

// What is not the file that was asked for is neither handed out nor kept.
func TestUnfitFilesOfUpstreams(t *testing.T) {
	const most = 1000
	up := newUpstream(t)
	var failed failures
	s := openStore(t, t.TempDir())
	server := start(t, symbolserver.Options{Store: s, Upstreams: upstreams(t, up.URL, "debuginfod="+up.URL), Failed: failed.hear, MaxFetchBytes: most, MaxContentBytes: 2 * most})
	fits := symText + strings.Repeat("x", most-len(symText))
	twice := symText + strings.Repeat("x", 2*most-len(symText))
	for name, answer := range map[string]http.HandlerFunc{
		"a page": sends("<!DOCTYPE html><title>Log in</title>"), "nothing": sends(""), "another module": sends(strings.ReplaceAll(symText, debugID, otherID)),
		"a byte too many": sends(fits + "x"), "a size too many": sends("", "Content-Length", fmt.Sprint(most+1)),
		"unpacks to a byte too many": sends(string(packed(t, store.Gzip, twice+"x"))), "unknown encoding": sends(symText, "Content-Encoding", "br"),
		"says gzip": sends(symText, "Content-Encoding", "gzip"), "packed twice": sends(string(packed(t, store.Gzip, string(packed(t, store.Gzip, symText)))), "Content-Encoding", "gzip"),
	} {
		path := strings.ReplaceAll(name, " ", "-") + ".pdb/" + debugID + "/a.sym"
		up.has(path, answer)
		for range 2 {
			a, err := askWith(t.Context(), server, http.MethodGet, "/"+path)
			if err != nil || a.err != nil { // it was found out when some had been sent: the connection was cut
				continue
			}
			a.check(t, name, http.StatusNotFound, "Symbol Not Found")
		}
		if _, err := s.Stat(t.Context(), path); !errors.Is(err, symbolcache.ErrNotFound) {
			t.Errorf("%s: kept, %v", name, err)
		}
		if !strings.Contains(failed.String(), path) {
			t.Errorf("%s: not told", name)
		}
	}
	for path, body := range map[string]string{
		"a.pdb/" + debugID + "/a.pdb": "<html>", "a.exe/651C9AF99241000/a.ex_": "", "buildid/00ff/debuginfo": "MZ", "buildid/00ff/executable": "<html>",
	} {
		up.has(path, sends(body))
		a := ask(t, server, http.MethodGet, "/"+path)
		a.check(t, path, http.StatusNotFound, "Symbol Not Found")
	}
	for name, body := range map[string]string{"fits": fits, "unpacks-to-what-fits": string(packed(t, store.Gzip, twice))} {
		path := name + ".pdb/" + debugID + "/a.sym"
		up.has(path, sends(body))
		a := ask(t, server, http.MethodGet, "/"+path)
		a.check(t, name, http.StatusOK, symText)
		kept(t, s, path)
	}
}

// A file that ends before its time is not taken for whole: not by the store, and not by
// the client, whose connection is cut.
func TestFilesThatAreCutOff(t *testing.T) {
	long := symText + strings.Repeat("x", 200_000)
	gz := string(packed(t, store.Gzip, symText+strings.Repeat("x", 1_000_000)))
	cut := func(body string, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			sends(body, headers...)(w, r)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}
	up := newUpstream(t)
	s := openStore(t, t.TempDir())
	server := start(t, symbolserver.Options{Store: s, Upstreams: upstreams(t, up.URL)})
	for name, answer := range map[string]http.HandlerFunc{
		"length":  cut(long[:150_000], "Content-Length", fmt.Sprint(len(long))),
		"chunked": cut(long[:150_000]),
		"gzip":    sends(gz[:len(gz)-9], "Content-Encoding", "gzip"), // whole by HTTP, and not by itself
		"garbage": sends(gz+"garbage", "Content-Encoding", "gzip"),
	} {
		path := name + ".pdb/" + debugID + "/a.sym"
		up.has(path, answer)
		for _, accept := range []string{"gzip", ""} {
			a, err := askWith(t.Context(), server, http.MethodGet, "/"+path+"?_refresh", "Accept-Encoding", accept)
			if err == nil && a.err == nil && a.status == http.StatusOK && (name != "gzip" && name != "garbage" || accept == "") {
				t.Errorf("%s, accepts %q: %d bytes look whole", name, accept, len(a.body))
			}
		}
		if _, err := s.Stat(t.Context(), path); !errors.Is(err, symbolcache.ErrNotFound) {
			t.Errorf("%s: kept, %v", name, err)
		}
	}
}

// An upstream that drips costs a file its time, once, and the next one is asked.
func TestAnUpstreamThatDrips(t *testing.T) {
	slow, behind := newUpstream(t), newUpstream(t)
	drip := func(w http.ResponseWriter, r *http.Request) {
		for i := 0; r.Context().Err() == nil; i++ {
			w.Write([]byte{symText[i%8]}) //nolint:errcheck,gosec // of a test
			w.(http.Flusher).Flush()
			time.Sleep(5 * time.Millisecond)
		}
	}
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	behind.has("drips.pdb/"+debugID+"/a.sym", sends(symText))
	s := openStore(t, t.TempDir())
	server := start(t, symbolserver.Options{Store: s, Upstreams: upstreams(t, slow.URL, behind.URL), HeadTime: time.Second, FetchTime: 4 * time.Second})
	for name, answer := range map[string]http.HandlerFunc{"drips": drip, "silent": silent, "later": func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(symText)) //nolint:errcheck,gosec // of a test
		drip(w, r)
	}} {
		path := name + ".pdb/" + debugID + "/a.sym"
		slow.has(path, answer)
		a, err := askWith(t.Context(), server, http.MethodGet, "/"+path)
		switch name {
		case "drips":
			if err != nil || a.status != http.StatusOK || a.body != symText {
				t.Errorf("%s: %d %v, want the next one's", name, a.status, err)
			}
		case "silent":
			if err != nil || a.status != http.StatusGatewayTimeout {
				t.Errorf("%s: %d %v", name, a.status, err)
			}
		case "later":
			if err == nil && a.err == nil || a.status != http.StatusOK {
				t.Errorf("%s: %d, %d bytes look whole", name, a.status, len(a.body))
			}
		}
		before := len(slow.asks())
		if a, err := askWith(t.Context(), server, http.MethodGet, "/"+path); err != nil || name != "drips" && a.status != http.StatusGatewayTimeout {
			t.Errorf("%s, again: %d %v", name, a.status, err)
		}
		if len(slow.asks()) != before {
			t.Errorf("%s: asked again at once", name)
		}
	}
}

// An upstream cannot send us to what only this machine or its network can reach.
func TestUpstreamsCannotRedirectInside(t *testing.T) {
	asked := 0
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Write([]byte(symText)) //nolint:errcheck,gosec // of a test
	}))
	defer inside.Close()
	_, port, _ := strings.Cut(inside.Listener.Addr().String(), ":")
	up := newUpstream(t)
	server := start(t, symbolserver.Options{Upstreams: upstreams(t, up.URL)})
	for i, target := range []string{inside.URL, "http://localhost:" + port, "http://169.254.169.254/latest/meta-data", "http://[::1]:" + port, "ftp://x/"} {
		path := fmt.Sprintf("a%d.pdb/%s/a.sym", i, debugID)
		up.has(path, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, http.StatusFound) })
		a := ask(t, server, http.MethodGet, "/"+path)
		a.check(t, target, http.StatusBadGateway, "An upstream failed")
	}
	if asked > 0 {
		t.Errorf("asked %d times", asked)
	}
	allowed, err := symbolserver.ParseUpstream(up.URL, inside.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server = start(t, symbolserver.Options{Upstreams: []symbolserver.Upstream{allowed}})
	a := ask(t, server, http.MethodGet, "/a0.pdb/"+debugID+"/a.sym")
	a.check(t, "one that is named", http.StatusOK, symText)
}

// So many downloads at a time, and no more.
func TestDownloadsAreBounded(t *testing.T) {
	const most = 3
	up := newUpstream(t)
	goOn := make(chan struct{})
	server := start(t, symbolserver.Options{Upstreams: upstreams(t, up.URL), MaxFetches: most})
	path := func(i int) string { return fmt.Sprintf("a%d.pdb/%s/a.sym", i, debugID) }
	done := make(chan answer, most)
	for i := range most {
		up.has(path(i), func(w http.ResponseWriter, _ *http.Request) {
			<-goOn
			w.Write([]byte(symText)) //nolint:errcheck,gosec // of a test
		})
		go func() {
			a, err := askWith(t.Context(), server, http.MethodGet, "/"+path(i))
			a.err = errors.Join(a.err, err)
			done <- a
		}()
	}
	for len(up.asks()) < most {
		time.Sleep(time.Millisecond)
	}
	a := ask(t, server, http.MethodGet, "/"+path(most))
	a.check(t, "one too many", http.StatusGatewayTimeout, "An upstream did not answer in time")
	close(goOn)
	for range most {
		if a := <-done; a.err != nil || a.body != symText {
			t.Errorf("%d %v", a.status, a.err)
		}
	}
	if n := len(up.asks()); n != most {
		t.Errorf("asked %d times", n)
	}
}

// When there is no room for a download that is no fault of the upstream.
func TestAFolderForDownloadsThatIsNotThere(t *testing.T) {
	up := newUpstream(t)
	folder := t.TempDir() + "/later"
	var failed failures
	clock := newClock()
	server := start(t, symbolserver.Options{Upstreams: upstreams(t, up.URL), Folder: folder, Failed: failed.hear, Now: clock.Now})
	const more = 10 // than the breaker would take
	for i := range more {
		path := fmt.Sprintf("a%d.pdb/%s/a.sym", i, debugID)
		up.has(path, sends(symText))
		a := ask(t, server, http.MethodGet, "/"+path)
		a.check(t, path, http.StatusBadGateway, "An upstream failed")
	}
	if len(up.asks()) != more || !strings.Contains(failed.String(), "the folder for downloads") {
		t.Errorf("asked %d times: %s", len(up.asks()), failed.String())
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	clock.add(symbolcache.MinRetryTransient)
	a := ask(t, server, http.MethodGet, "/a0.pdb/"+debugID+"/a.sym")
	a.check(t, "when it is there", http.StatusOK, symText)
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left there: %v, %v", left, err)
	}
}

// A server that ends does not wait for upstreams, and does not take it for their fault.
func TestClosingEndsDownloads(t *testing.T) {
	up := newUpstream(t)
	asked := make(chan struct{})
	up.has(symPath, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})
	var failed failures
	s := symbolserver.New(symbolserver.Options{Store: openStore(t, t.TempDir()), Upstreams: upstreams(t, up.URL), Folder: t.TempDir(), Failed: failed.hear})
	leaving, leave := context.WithCancel(t.Context())
	served := make(chan any, 1)
	go func() {
		defer func() { served <- recover() }()
		s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/"+symPath, nil).WithContext(leaving))
	}()
	<-asked
	leave()
	if got := <-served; got != http.ErrAbortHandler { //nolint:errorlint // a panic's value
		t.Errorf("a client that left got an answer: %v", got)
	}
	s.Close()
	if failed.String() != "" {
		t.Error(failed.String())
	}
}

// A store that fails is no missing file, and what comes from an upstream is handed out all
// the same.
func TestAStoreThatFails(t *testing.T) {
	up := newUpstream(t)
	up.has(symPath, sends(symText))
	var failed failures
	broken := &brokenStore{Store: openStore(t, t.TempDir())}
	server := start(t, symbolserver.Options{Store: broken, Upstreams: upstreams(t, up.URL), Failed: failed.hear})
	a := ask(t, server, http.MethodGet, "/"+symPath)
	a.check(t, "it cannot be read", http.StatusServiceUnavailable, "The store did not answer")
	a = ask(t, server, http.MethodGet, "/"+codeAsk)
	a.check(t, "nor its index", http.StatusServiceUnavailable, "The store did not answer")
	if len(up.asks()) > 0 {
		t.Errorf("asked %v", up.asks())
	}
	broken.reads = true
	for range 2 {
		a = ask(t, server, http.MethodGet, "/"+symPath)
		a.check(t, "it cannot be written", http.StatusOK, symText)
	}
	if !strings.Contains(failed.String(), errBroken.Error()) {
		t.Error("nobody was told")
	}
}

var errBroken = errors.New("broken")

// brokenStore cannot be written, nor read until it says so.
type brokenStore struct {
	store.Store
	reads bool
}

func (b *brokenStore) Stat(ctx context.Context, path string) (store.Object, error) {
	if !b.reads {
		return store.Object{}, errBroken
	}
	return b.Store.Stat(ctx, path)
}

func (b *brokenStore) Get(ctx context.Context, path string) (store.Object, store.Content, error) {
	if !b.reads {
		return store.Object{}, nil, errBroken
	}
	return b.Store.Get(ctx, path)
}

func (b *brokenStore) Open(ctx context.Context, path string) (symbolcache.Body, error) {
	if !b.reads {
		return symbolcache.Body{}, errBroken
	}
	return b.Store.Open(ctx, path)
}

func (b *brokenStore) Put(context.Context, store.Object, io.Reader) error { return errBroken }

// Clients that take nothing of what is unpacked for them keep nobody from having it.
func TestClientsThatTakeNothingKeepNobodyWaiting(t *testing.T) {
	s := openStore(t, t.TempDir())
	server := start(t, symbolserver.Options{Store: s})
	text := symText + strings.Repeat("PUBLIC 10 0 much more than the system holds for a client\n", 1<<20)
	put(t, s, store.Object{Path: symPath, Encoding: store.Gzip, SHA256: sum(text)}, packed(t, store.Gzip, text))
	for range 8 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "GET /%s HTTP/1.1\r\nHost: x\r\n\r\n", symPath); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	a, err := askWith(ctx, server, http.MethodGet, "/"+symPath)
	if err != nil || a.err != nil || a.body != text {
		t.Errorf("%d bytes, %v, %v", len(a.body), err, a.err)
	}
}

// What was uploaded while an upstream's file came stays.
func TestUpstreamsDoNotReplaceUploads(t *testing.T) {
	up := newUpstream(t)
	goOn := make(chan struct{})
	up.has(symPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(symText + strings.Repeat("x", 100_000))) //nolint:errcheck,gosec // of a test
		w.(http.Flusher).Flush()
		<-goOn
	})
	s := openStore(t, t.TempDir())
	srv := symbolserver.New(symbolserver.Options{Store: s, Folder: t.TempDir(), Upstreams: upstreams(t, up.URL)})
	server := httptest.NewServer(srv)
	defer server.Close()
	res, err := bare.Get(server.URL + "/" + symPath)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, store.Object{Path: symPath, SHA256: sum(symText), By: "builds"}, []byte(symText))
	close(goOn)
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Error(err)
	}
	res.Body.Close() //nolint:gosec // read to its end
	srv.Close()      // when what came has been kept
	if o := kept(t, s, symPath); o.By != "builds" || o.SHA256 != sum(symText) {
		t.Errorf("%+v", o)
	}
}
