package store_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"aftershock/internal/bucket/buckettest"
	"aftershock/symbolserver/store"
)

// Links need no token, and what was signed is what is stored.
func TestLinks(t *testing.T) {
	server := buckettest.Start(t)
	s := open(t, server.Name(buckettest.Bucket+"/with space"))
	o := store.Object{Path: "my app.pdb/" + debugID + "/my app.sym", Encoding: store.Gzip, SHA256: sum(symText), By: "jane, ä"}
	content := packed(t, store.Gzip, symText)
	link, headers, err := s.PutLink(t.Context(), o, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	send := func(headers map[string]string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, link, strings.NewReader(string(content)))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range headers {
			req.Header.Set(name, value)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	for name := range headers {
		less := map[string]string{}
		for n, v := range headers {
			if n != name {
				less[n] = v
			}
		}
		if got := send(less); got < 400 {
			t.Errorf("without %s: %d", name, got)
		}
		less[name] = "other"
		if got := send(less); got < 400 {
			t.Errorf("with another %s: %d", name, got)
		}
	}
	missing(t, s, o.Path)
	if got := send(headers); got != http.StatusOK {
		t.Fatalf("status %d", got)
	}
	holds(t, s, o, content)

	link, err = s.GetLink(t.Context(), o.Path, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "gzip")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if all, err := io.ReadAll(res.Body); err != nil || string(all) != string(content) || res.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("%d: %d bytes, %v, %v", res.StatusCode, len(all), res.Header, err)
	}

	d := open(t, t.TempDir())
	if _, err := d.GetLink(t.Context(), symPath, time.Minute); !errors.Is(err, store.ErrNoLinks) {
		t.Error(err)
	}
	if _, _, err := d.PutLink(t.Context(), store.Object{Path: symPath}, time.Minute); !errors.Is(err, store.ErrNoLinks) {
		t.Error(err)
	}
	if _, _, err := s.PutLink(t.Context(), store.Object{Path: "../x"}, time.Minute); !errors.Is(err, store.ErrBadPath) {
		t.Error(err)
	}
}
