package symbolserver_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"aftershock/symbolcache"
	"aftershock/symbolserver/store"
)

// answer is one, read whole.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // of reading the body
}

func (a *answer) unpacked(t *testing.T) string {
	t.Helper()
	r, err := store.Decode(strings.NewReader(a.body), a.header.Get("Content-Encoding"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

// bare is a client that adds nothing and follows nothing.
var bare = &http.Client{
	Transport:     &http.Transport{DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// ask sends a request whose target is written as it is; headers are name and value in turns.
func ask(t *testing.T, server *httptest.Server, method, target string, headers ...string) answer {
	t.Helper()
	a, err := askWith(t.Context(), server, method, target, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func askWith(ctx context.Context, server *httptest.Server, method, target string, headers ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, server.URL, nil)
	if err != nil {
		return answer{}, err
	}
	req.URL.Opaque = "//" + req.URL.Host + target
	if path, query, ok := strings.Cut(target, "?"); ok {
		req.URL.Opaque, req.URL.RawQuery = "//"+req.URL.Host+path, query
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1]) //nolint:gosec // they come in pairs
	}
	res, err := bare.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(body), err}, nil
}

// check compares a status, and the beginning of a body or a Location.
func (a *answer) check(t *testing.T, what string, status int, text string) {
	t.Helper()
	got := a.body
	if a.status == http.StatusFound {
		got = a.header.Get("Location")
	}
	if a.status != status || !strings.HasPrefix(got, text) || text == "" && got != "" {
		t.Errorf("%s: %d %.200q, want %d %.200q", what, a.status, got, status, text)
	}
	if a.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%s: no CORS", what)
	}
}

// counting counts what is asked of a store.
type counting struct {
	store.Store
	mu    sync.Mutex
	asked []string
}

func (c *counting) note(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, path)
}

func (c *counting) count(path string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.asked {
		if p == path || path == "" {
			n++
		}
	}
	return n
}

func (c *counting) Stat(ctx context.Context, path string) (store.Object, error) {
	c.note(path)
	return c.Store.Stat(ctx, path)
}

func (c *counting) Get(ctx context.Context, path string) (store.Object, store.Content, error) {
	c.note(path)
	return c.Store.Get(ctx, path)
}

func (c *counting) Open(ctx context.Context, path string) (symbolcache.Body, error) {
	c.note(path)
	return c.Store.Open(ctx, path)
}
