package symbolcache

import (
	"bytes"
	"context"
	"crypto/tls"
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
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const limitText = "MODULE Linux x86_64 5A9832E5287241C1838ED98914E9B7FF1 app\nFUNC 1000 10 0 f\n"

// fixed is a source of one file.
type fixed []byte

func (fixed) Name() string { return "fixed" }

func (f fixed) Open(context.Context, string) (Body, error) {
	return Body{ReadCloser: io.NopCloser(bytes.NewReader(f)), Bytes: -1}, nil
}

// sized is one that says how much it is.
type sized struct{ fixed }

func (s sized) Open(ctx context.Context, path string) (Body, error) {
	b, err := s.fixed.Open(ctx, path)
	b.Bytes = int64(len(s.fixed))
	return b, err
}

func limitCache(t *testing.T, o Options, sources ...Source) *Cache {
	t.Helper()
	o.Dir, o.Sources = t.TempDir(), sources
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func limitKey(n int) Key {
	return Key{DebugFile: fmt.Sprintf("app%d", n), DebugID: "5A9832E5287241C1838ED98914E9B7FF1"}
}

func pack(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFilesAreBounded(t *testing.T) {
	packed := pack(t, limitText)
	for name, tc := range map[string]struct {
		o       Options
		content []byte
		want    Outcome
	}{
		"text":                   {Options{MaxTextBytes: int64(len(limitText))}, []byte(limitText), Found},
		"text past":              {Options{MaxTextBytes: int64(len(limitText)) - 1}, []byte(limitText), Malformed},
		"text in gzip":           {Options{MaxTextBytes: int64(len(limitText))}, packed, Found},
		"text in gzip past":      {Options{MaxTextBytes: int64(len(limitText)) - 1}, packed, Malformed},
		"fetched":                {Options{MaxFetchBytes: int64(len(packed))}, packed, Found},
		"fetched past":           {Options{MaxFetchBytes: int64(len(packed)) - 1}, packed, Malformed},
		"fetched, not packed":    {Options{MaxFetchBytes: int64(len(limitText)), MaxTextBytes: 1 << 20}, []byte(limitText), Found},
		"cut where it may end":   {Options{}, packed[:len(packed)-1], Malformed},
		"damaged, by its digest": {Options{}, append(bytes.Clone(packed[:len(packed)-8]), 1, 2, 3, 4, 5, 6, 7, 8), Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			for _, s := range []Source{fixed(tc.content), sized{tc.content}} {
				l := limitCache(t, tc.o, s).Get(t.Context(), limitKey(1))
				if l.Release(); l.Outcome != tc.want {
					t.Errorf("%s, want %s", l.Outcome, tc.want)
				}
			}
		})
	}
}

func TestTheRatioIsBounded(t *testing.T) {
	read := func(packed []byte) (int64, error) {
		u, err := unpack(&fetched{src: bytes.NewReader(packed), limit: 1 << 40}, 1<<40)
		if err != nil {
			t.Fatal(err)
		}
		defer u.close()
		return io.Copy(io.Discard, u)
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	zeros := strings.Repeat("0", 64<<20)
	for name, pack := range map[string]func(string) []byte{
		"gzip": func(s string) []byte { return pack(t, s) },
		"zstd": func(s string) []byte { return z.EncodeAll([]byte(s), nil) },
	} {
		if n, err := read(pack(zeros[:ratioFreeBytes])); err != nil || n != ratioFreeBytes {
			t.Errorf("%s, at the free bytes: %d, %v", name, n, err)
		}
		if _, err := read(pack(zeros)); !errors.Is(err, errTooLarge) {
			t.Errorf("%s, a bomb: %v", name, err)
		}
	}
	// The ratio itself, where both sides are known.
	for extra, want := range map[int64]error{0: nil, 1: errTooLarge} {
		const got = 10 << 10
		size := int64(maxRatio*got) + extra
		u := &unpacked{src: strings.NewReader(zeros[:size]), from: &fetched{read: got}, packed: true, limit: size}
		if _, err := io.Copy(io.Discard, struct{ io.Reader }{u}); !errors.Is(err, want) {
			t.Errorf("%d past the ratio: %v", extra, err)
		}
	}
}

func TestOpenFilesAreBounded(t *testing.T) {
	c := limitCache(t, Options{MaxOpen: 3}, fixed(limitText))
	const want = 3
	for _, n := range []int{3, 4} {
		for i := range n {
			c.Get(t.Context(), limitKey(i)).Release()
		}
		if open := c.handles.opened - c.handles.unmapped; open != want || c.handles.order.Len() != want {
			t.Errorf("%d modules: %d files are mapped, %d in the table", n, open, c.handles.order.Len())
		}
	}
	size := c.handles.mapped / 3
	c = limitCache(t, Options{MaxMapped: 2 * size}, fixed(limitText))
	held := c.Get(t.Context(), limitKey(0))
	c.Get(t.Context(), limitKey(1)).Release()
	if c.handles.mapped != 2*size || c.handles.unmapped != 0 {
		t.Errorf("at the limit: %d bytes, %d unmapped", c.handles.mapped, c.handles.unmapped)
	}
	c.Get(t.Context(), limitKey(2)).Release()
	if c.handles.mapped != 2*size || c.handles.unmapped != 0 {
		t.Errorf("past the limit: %d bytes; %d unmapped, one is in use", c.handles.mapped, c.handles.unmapped)
	}
	if err := held.File.Verify(); err != nil {
		t.Error(err)
	}
	if held.Release(); c.handles.unmapped != 1 {
		t.Errorf("%d unmapped after the release", c.handles.unmapped)
	}
	// One file that passes the bound alone is used, and goes with the next.
	c = limitCache(t, Options{MaxMapped: size - 1}, fixed(limitText))
	if l := c.Get(t.Context(), limitKey(0)); l.Outcome != Found {
		t.Error(l.Outcome)
	} else {
		l.Release()
	}
}

func TestMissesAreBounded(t *testing.T) {
	m := newMisses(3)
	const want = 3
	for _, n := range []int{3, 4} {
		for i := range n {
			m.put(&miss{hash: fmt.Sprint(i), outcome: Missing})
		}
		if m.order.Len() != want || len(m.byHash) != want {
			t.Errorf("%d of %d are remembered", m.order.Len(), n)
		}
	}
	if m.get("3") == nil || m.get("0") != nil {
		t.Error("the oldest should have left")
	}
	d := &disk{root: t.TempDir()}
	count := func() int {
		entries, err := os.ReadDir(filepath.Dir(d.missPath("ab")))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	for i := range maxMissedFiles {
		d.saveMiss(&miss{hash: fmt.Sprintf("ab%d", i), outcome: Missing, at: time.Unix(0, 1)})
	}
	if n := count(); n != maxMissedFiles {
		t.Errorf("%d files at the limit", n)
	}
	d.saveMiss(&miss{hash: "ab-last", outcome: Missing, at: time.Unix(0, 1)})
	if n := count(); n > maxMissedFiles || d.readMiss("ab-last") == nil {
		t.Errorf("%d files past the limit", n)
	}
}

func TestBytesAreReservedBeforeTheyAreWritten(t *testing.T) {
	const bound = 1000
	d, err := openDisk(t.TempDir(), bound, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	write := func(n int) (*reserved, error) {
		w, err := d.space.create()
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(make([]byte, n))
		return w, err
	}
	first, err := write(bound)
	if err != nil {
		t.Fatalf("at the bound: %v", err)
	}
	var disk *DiskError
	second, err := write(1)
	if !errors.Is(err, ErrNoSpace) || !errors.As(err, &disk) {
		t.Errorf("one byte past it: %v", err)
	}
	if err := errors.Join(first.abandon(), second.abandon()); err != nil {
		t.Error(err)
	}
	third, err := write(bound)
	if err != nil {
		t.Errorf("what was reserved is not given back: %v", err)
	}
	// A killed writer leaves its file unlocked.
	if err := third.file.Close(); err != nil {
		t.Fatal(err)
	}
	fourth, err := write(bound)
	if err != nil {
		t.Errorf("what a killed writer left is not removed: %v", err)
	}
	if err := fourth.abandon(); err != nil {
		t.Error(err)
	}
	// A sum that was torn is counted again.
	if err := d.space.file.Truncate(3); err != nil {
		t.Fatal(err)
	}
	if fifth, err := write(bound); err != nil {
		t.Error(err)
	} else if err := fifth.abandon(); err != nil || d.space.sum() != 0 {
		t.Errorf("%d bytes left, %v", d.space.sum(), err)
	}
}

func TestRedirectsFromHTTPSStayThere(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked over http") }))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer secure.Close()
	base, err := url.Parse(secure.URL)
	if err != nil {
		t.Fatal(err)
	}
	s := NewHTTP(base).(*httpSource)
	s.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, MinVersion: tls.VersionTLS12}
	if _, err := s.Open(t.Context(), "a/b/c"); !errors.Is(err, errRedirect) {
		t.Error(err)
	}
}

func TestRequestsAndCompilesAreBounded(t *testing.T) {
	enter := make(slots, 2)
	for range 2 {
		if _, err := enter.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := enter.enter(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("past the limit: %v", err)
	}
}

// Requests to one source wait for each other, and those that waited while it fell
// silent are not sent.
func TestRequestsToASourceAreBounded(t *testing.T) {
	hung := &hanging{asked: make(chan struct{}, 100), fail: make(chan struct{})}
	c, err := New(Options{Dir: t.TempDir(), Sources: []Source{hung}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var all sync.WaitGroup
	for i := range 3 * maxPerSource {
		all.Go(func() {
			l := c.Get(t.Context(), Key{DebugFile: fmt.Sprintf("lib%d.so", i), DebugID: "000000000000000000000000000000010"})
			if l.Outcome != Timeout {
				t.Errorf("%v, want a timeout", l.Outcome)
			}
		})
	}
	for range maxPerSource {
		<-hung.asked
	}
	select {
	case <-hung.asked:
		t.Error("more than the limit at a time")
	case <-time.After(50 * time.Millisecond):
	}
	close(hung.fail)
	all.Wait()
	// One of those that waited may have had its turn before enough had failed.
	if n := len(hung.asked); n > maxFailures {
		t.Errorf("%d more requests to a source that had fallen silent", n)
	}
}

// hanging answers nobody until it fails.
type hanging struct{ asked, fail chan struct{} }

func (h *hanging) Name() string { return "hanging" }

func (h *hanging) Open(context.Context, string) (Body, error) {
	h.asked <- struct{}{}
	<-h.fail
	return Body{}, context.DeadlineExceeded
}
