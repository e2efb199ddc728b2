package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// hostileSymbols is a symbol server with folders that are slow, silent, or send what
// no compiler wrote.
type hostileSymbols struct {
	server *httptest.Server
	trap   *httptest.Server // where nobody should ever ask
	fell   atomic.Int64
	huge   []byte
	over   chan struct{}
}

// slowAnswer is how long the slow folder takes to say that it has nothing.
const slowAnswer = 20 * time.Millisecond

func newHostileSymbols(t *testing.T) *hostileSymbols {
	t.Helper()
	s := &hostileSymbols{huge: hugeSymbols(), over: make(chan struct{})}
	s.trap = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { s.fell.Add(1) }))
	mux := http.NewServeMux()
	mux.HandleFunc("/slow/", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(slowAnswer):
		case <-r.Context().Done():
		}
		http.NotFound(w, r)
	})
	mux.HandleFunc("/silent/", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-s.over:
		}
	})
	mux.HandleFunc("/hostile/", func(w http.ResponseWriter, r *http.Request) {
		switch name := path.Base(r.URL.Path); {
		case strings.HasPrefix(name, "libhuge"):
			w.Write(s.huge) //nolint:errcheck // its client may have had enough
		case strings.HasPrefix(name, "libbounce"):
			http.Redirect(w, r, s.trap.URL+"/admin?do=it", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	})
	s.server = httptest.NewServer(mux)
	t.Cleanup(func() { // after up has ended
		close(s.over)
		s.server.Close()
		s.trap.Close()
	})
	return s
}

// flags name its folders, each a source of its own.
func (s *hostileSymbols) flags() (out []string) {
	for _, folder := range []string{"slow", "hostile", "silent"} {
		out = append(out, "--symbols", s.server.URL+"/"+folder)
	}
	return out
}

func (s *hostileSymbols) trapped() int64 { return s.fell.Load() }

// hugeSymbols is a small file that becomes a large one of many records.
func hugeSymbols() []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	fmt.Fprintf(w, "MODULE Linux x86_64 000000000000000000000000000000000 libhuge.so\n") //nolint:errcheck // into memory
	name := strings.Repeat("n", 40)
	for i := range 3_000_000 {
		fmt.Fprintf(w, "PUBLIC %x 0 %s%d\n", i*4, name, i) //nolint:errcheck // into memory
	}
	w.Close()
	return b.Bytes()
}
