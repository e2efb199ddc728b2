package main

import (
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// What up opens on the loopback interface is for programs of this machine, and what
// it writes for this user.
func TestLoopbackIsABorder(t *testing.T) {
	t.Parallel()
	u := startUp(t)
	ask := func(method, target string, change func(*http.Request)) int {
		r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader("SELECT 1"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "text/plain")
		change(r)
		res, err := testClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	page := func(r *http.Request) { r.Header.Set("Origin", "https://evil.test") }
	rebound := func(r *http.Request) { r.Host = "evil.test:80" }
	plain := func(*http.Request) {}
	for name, at := range map[string]struct{ method, target string }{
		"metrics":    {"GET", "http://" + u.observed + "/metrics"},
		"what it is": {"GET", "http://" + u.observed + "/"},
		"registry's": {"GET", "http://" + u.registry + "/"},
		"tables'":    {"GET", "http://" + u.clickhouse + "/"},
		"readiness":  {"GET", "http://" + u.observed + "/readyz"},
		"registry":   {"GET", "http://" + u.registry + "/subjects"},
		"ClickHouse": {"POST", "http://" + u.clickhouse + "/"},
	} {
		if got := ask(at.method, at.target, plain); got != http.StatusOK {
			t.Errorf("%s: %d", name, got)
		}
		if got := ask(at.method, at.target, page); got != http.StatusForbidden {
			t.Errorf("%s, a page: %d", name, got)
		}
		if got := ask(at.method, at.target, rebound); got != http.StatusForbidden {
			t.Errorf("%s, by another name: %d", name, got)
		}
	}
	door := "http://" + u.collector + "/submit"
	if got := ask("POST", door, page); got != http.StatusForbidden {
		t.Errorf("the door, a page: %d", got)
	}
	if got := ask("POST", door, rebound); got != http.StatusBadRequest { // it looks at the report
		t.Errorf("the door, by another name: %d", got)
	}
	if got := ask("GET", "http://"+u.collector+"/", page); got != http.StatusForbidden {
		t.Errorf("what the door is, a page: %d", got)
	}
	u.sayWhatTheyAre()
	u.submit(append([]string{"--annotation", "ProductName=Border"}, samples(t)[0])...)
	u.rows(1)
	err := filepath.WalkDir(u.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // parts come and go
		}
		if info, err := e.Info(); err == nil && info.Mode().Type() != fs.ModeSymlink && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v", strings.TrimPrefix(path, u.dir), info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// curl asks as people do, who take anything: clients of a registry get JSON.
func (u *upProcess) curl(target string) (string, error) {
	r, err := http.NewRequestWithContext(u.t.Context(), http.MethodGet, target, nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Accept", "*/*")
	res, err := testClient.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return string(text), err
}

// sayWhatTheyAre asks every port for /, and then for what that names.
func (u *upProcess) sayWhatTheyAre() {
	u.t.Helper()
	for addr, want := range map[string]string{
		u.collector:  "http://" + u.collector + "/submit",
		u.observed:   "http://" + u.observed + "/readyz",
		u.registry:   "http://" + u.registry + "/subjects/crash.telemetry-value/versions/latest",
		u.clickhouse: "http://" + u.clickhouse + "/",
		u.analysts:   "http://" + u.analysts + "/",
	} {
		text, err := u.curl("http://" + addr + "/")
		if err != nil || !strings.Contains(text, "Aftershock") || !strings.Contains(text, want) || len(text) > 1000 {
			u.t.Errorf("%s, without %s (%v):\n%s", addr, want, err, text)
		}
		if strings.HasSuffix(want, "/submit") {
			continue
		}
		if _, err := httpGet(want); err != nil {
			u.t.Errorf("%s names %s: %v", addr, want, err)
		}
	}
	if _, err := httpGet("http://" + u.collector + "/nothing"); err == nil || !strings.HasPrefix(err.Error(), "404") {
		u.t.Errorf("the door, /nothing: %v", err)
	}
}
