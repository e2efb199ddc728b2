package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// answered is a page as it came.
type answered struct {
	body []byte // as transferred
	took time.Duration
}

func send(r *http.Request) (a answered, err error) {
	began := time.Now()
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return a, err
	}
	defer res.Body.Close() //nolint:errcheck // read to the end
	a.body, err = io.ReadAll(res.Body)
	a.took = time.Since(began)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %d", r.URL, res.StatusCode)
	}
	return a, err
}

// look asks for a page as a browser does, by gzip.
func (b *bench) look(ctx context.Context, at string, head ...string) (answered, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.pages+at, nil)
	if err != nil {
		return answered{}, err
	}
	r.Header.Set("Accept-Encoding", "gzip")
	for i := 0; i+1 < len(head); i += 2 {
		r.Header.Set(head[i], head[i+1])
	}
	return send(r)
}

// first is a value of the first row of a page's first section.
func (b *bench) first(ctx context.Context, at, column string) (string, error) {
	a, err := b.look(ctx, at, "Accept-Encoding", "identity")
	if err != nil {
		return "", err
	}
	var twin struct {
		Sections []struct{ Rows []map[string]string }
	}
	if err := json.Unmarshal(a.body, &twin); err != nil || len(twin.Sections) == 0 || len(twin.Sections[0].Rows) == 0 {
		return "", errors.Join(err, errors.New(at+" has no rows"))
	}
	return twin.Sections[0].Rows[0][column], nil
}

// filters are those that every page is looked at with: each is a first look.
var filters = []url.Values{{}, {"product": {"Orchard"}}, {"os": {"!=Linux"}}}

// kinds of pages, without their filter.
func kinds(signature, crash string) []string {
	all := []string{"/", "/top", "/top?tab=installs", "/top?tab=startup", "/top?tab=rising", "/crash/" + crash, "/search", "/search?_facets=os+reason+version", "/text?text=render", "/compare?a_from=7d&b_from=1d", "/missing", "/health", "/questions", "/docs/fields"}
	for _, tab := range []string{"", "reports", "builds", "distributions", "stacks", "more", "history"} {
		all = append(all, "/signature?"+url.Values{"signature": {signature}, "tab": {tab}}.Encode())
	}
	return all
}

// timed is a kind of page.
type timed struct {
	at           string
	first, again []time.Duration
	bytes        int
}

// measure prints the table.
func (b *bench) measure(ctx context.Context) error {
	signature, err := b.first(ctx, "/top.json?product=Orchard", "signature")
	if err != nil {
		return err
	}
	crash, err := b.first(ctx, "/signature.json?"+url.Values{"tab": {"reports"}, "signature": {signature}}.Encode(), "crash_id")
	if err != nil {
		return err
	}
	var all []timed
	var first, again []time.Duration
	for _, at := range kinds(signature, crash) {
		t := timed{at: at}
		for _, filter := range filters {
			if err := b.forget(ctx); err != nil {
				return err
			}
			for look := range 2 {
				joint := "?"
				if strings.Contains(at, "?") {
					joint = "&"
				}
				a, err := b.look(ctx, at+joint+filter.Encode())
				if err != nil {
					return err
				}
				t.bytes = max(t.bytes, len(a.body))
				if look == 0 {
					t.first = append(t.first, a.took)
				} else {
					t.again = append(t.again, a.took)
				}
			}
		}
		first, again = append(first, t.first...), append(again, t.again...)
		all = append(all, t)
	}
	fmt.Println("| page | first look, ms | again, ms | bytes |\n| --- | ---: | ---: | ---: |")
	for _, t := range all {
		fmt.Printf("| `%.60s` | %d | %d | %d |\n", t.at, share(t.first, 50), share(t.again, 50), t.bytes)
	}
	fmt.Printf("\n%d crashes, %d pages with %d filters each: first look p50 %d ms, p95 %d ms; again p50 %d ms, p95 %d ms\n", b.rows, len(all), len(filters), share(first, 50), share(first, 95), share(again, 50), share(again, 95))
	parts, err := b.parts(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("style sheet and script, once: %d bytes\n", parts)
	if err := b.paint(ctx, "/top", "/crash/"+crash); err != nil {
		return err
	}
	return b.crowd(ctx, all)
}

// forget empties the engine's caches.
func (b *bench) forget(ctx context.Context) error {
	for _, cache := range []string{"MARK", "UNCOMPRESSED", "QUERY CONDITION", "INDEX MARK", "INDEX UNCOMPRESSED"} {
		if _, err := b.ask(ctx, "SYSTEM DROP "+cache+" CACHE"); err != nil {
			return err
		}
	}
	return nil
}

var static = regexp.MustCompile(`/static/[0-9a-f]+\.(css|js)`)

// parts is what all pages take along.
func (b *bench) parts(ctx context.Context) (bytes int, err error) {
	page, err := b.look(ctx, "/docs/design", "Accept-Encoding", "identity")
	if err != nil {
		return 0, err
	}
	for _, at := range static.FindAllString(string(page.body), -1) {
		a, err := b.look(ctx, at)
		if err != nil {
			return 0, err
		}
		bytes += len(a.body)
	}
	return bytes, nil
}

// share is a percentile, in milliseconds.
func share(of []time.Duration, percent int) int64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)].Milliseconds()
}

// crowd lets many read at once, and tells how much memory the pages' process had at most.
func (b *bench) crowd(ctx context.Context, all []timed) error {
	began := time.Now()
	var mu sync.Mutex
	var took []time.Duration
	refused := 0
	var readers sync.WaitGroup
	for reader := range b.readers {
		readers.Go(func() {
			for n := reader; time.Since(began) < b.reading && ctx.Err() == nil; n++ {
				a, err := b.look(ctx, all[n%len(all)].at)
				mu.Lock()
				if took = append(took, a.took); err != nil {
					refused++
				}
				mu.Unlock()
			}
		})
	}
	readers.Wait()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(b.web) + "/status")
	if err != nil {
		return err
	}
	_, most, _ := strings.Cut(string(status), "VmHWM:")
	most, _, _ = strings.Cut(most, "\n")
	fmt.Printf("%d readers for %v: %d pages, %d not answered, p50 %d ms, p95 %d ms; most memory of web %s\n", b.readers, b.reading, len(took), refused, share(took, 50), share(took, 95), strings.TrimSpace(most))
	return ctx.Err()
}
