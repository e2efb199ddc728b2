package symbolcache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aftershock/symbolcache"
)

const (
	debugID = "5A9832E5287241C1838ED98914E9B7FF1"
	text    = "MODULE Linux x86_64 " + debugID + " app\nFUNC 1000 10 0 f\n"
)

func key(n int) symbolcache.Key {
	return symbolcache.Key{DebugFile: fmt.Sprintf("/home/jane/app%d", n), DebugID: debugID}
}

// source counts how often it is asked and answers from a function.
type source struct {
	name   string
	asked  atomic.Int64
	answer func(ctx context.Context, path string) (string, error)
}

func (s *source) Name() string { return s.name }

func (s *source) Open(ctx context.Context, path string) (symbolcache.Body, error) {
	s.asked.Add(1)
	text, err := s.answer(ctx, path)
	return symbolcache.Body{ReadCloser: io.NopCloser(strings.NewReader(text)), Bytes: -1}, err
}

// says is a source that always answers the same.
func says(text string, err error) *source {
	return &source{answer: func(context.Context, string) (string, error) { return text, err }}
}

// open opens a cache, in a new directory if o names none, and closes it when the
// test ends.
func open(t testing.TB, o symbolcache.Options, sources ...symbolcache.Source) *symbolcache.Cache {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.Sources = sources
	c, err := symbolcache.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() }) //nolint:gosec // some tests have closed it
	return c
}

// get asks and releases.
func get(t testing.TB, c *symbolcache.Cache, k symbolcache.Key) symbolcache.Lookup {
	t.Helper()
	l := c.Get(t.Context(), k)
	l.Release()
	return l
}

func TestOutcomes(t *testing.T) {
	none, good := says("", symbolcache.ErrNotFound), says(text, nil)
	for name, tc := range map[string]struct {
		sources []*source
		want    symbolcache.Outcome
	}{
		"found":                        {[]*source{none, good}, symbolcache.Found},
		"a bad line":                   {[]*source{says(text+"FUNC x\n", nil)}, symbolcache.FoundLossy},
		"missing":                      {[]*source{none, none}, symbolcache.Missing},
		"no sources":                   {nil, symbolcache.Missing},
		"denied":                       {[]*source{none, says("", symbolcache.ErrDenied), none}, symbolcache.Denied},
		"an error hides not the next":  {[]*source{says("", errors.New("x")), good}, symbolcache.Found},
		"an error is not missing":      {[]*source{says("", errors.New("x")), none}, symbolcache.Error},
		"a timeout is not missing":     {[]*source{says("", context.DeadlineExceeded), none}, symbolcache.Timeout},
		"an error page":                {[]*source{says("<html>", nil)}, symbolcache.Malformed},
		"malformed hides not the next": {[]*source{says("", nil), good}, symbolcache.Found},
	} {
		t.Run(name, func(t *testing.T) {
			var sources []symbolcache.Source
			for _, s := range tc.sources {
				sources = append(sources, s)
			}
			got := open(t, symbolcache.Options{}, sources...).Get(t.Context(), key(1))
			defer got.Release()
			found := tc.want == symbolcache.Found || tc.want == symbolcache.FoundLossy
			if got.Outcome != tc.want || (got.File != nil) != found || (got.SHA256 != "") != found {
				t.Errorf("%+v, want %s", got, tc.want)
			}
		})
	}
}

func TestSourcesAreAskedInOrder(t *testing.T) {
	first, second := says("", symbolcache.ErrNotFound), says(text, nil)
	third := says(text, nil)
	if got := get(t, open(t, symbolcache.Options{}, first, second, third), key(1)); got.Outcome != symbolcache.Found {
		t.Error(got.Outcome)
	}
	if first.asked.Load() != 1 || second.asked.Load() != 1 || third.asked.Load() != 0 {
		t.Errorf("asked %d, %d and %d times", first.asked.Load(), second.asked.Load(), third.asked.Load())
	}
}

func TestFailuresAreSaid(t *testing.T) {
	var said []string
	o := symbolcache.Options{Failed: func(source int, path string, err error) { said = append(said, fmt.Sprint(source, path, err)) }}
	get(t, open(t, o, says("", symbolcache.ErrNotFound), says("", errors.New("x")), says("", symbolcache.ErrDenied)), key(1))
	want := []string{"1" + symPath("1") + "x", "2" + symPath("1") + symbolcache.ErrDenied.Error()}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Error(diff)
	}
}

func TestAPanicInALoadIsAnError(t *testing.T) {
	var said atomic.Value
	o := symbolcache.Options{Failed: func(source int, _ string, err error) { said.Store(fmt.Sprint(source, " ", err)) }}
	c := open(t, o, &source{answer: func(context.Context, string) (string, error) { panic("at the disco") }})
	if got := get(t, c, key(1)); got.Outcome != symbolcache.Error {
		t.Error(got.Outcome)
	}
	if text, _ := said.Load().(string); !strings.HasPrefix(text, "-1 panic: at the disco") {
		t.Errorf("said %q", text)
	}
	if err := c.Close(); err != nil { // the load has ended
		t.Error(err)
	}
}

func TestASourceThatFailsIsAskedAgainAtOnce(t *testing.T) {
	s := &source{}
	s.answer = func(context.Context, string) (string, error) {
		if s.asked.Load() < 3 {
			return "", symbolcache.ErrTemporary
		}
		return text, nil
	}
	if got := get(t, open(t, symbolcache.Options{}, s), key(1)); got.Outcome != symbolcache.Found || s.asked.Load() != 3 {
		t.Errorf("%s after %d tries", got.Outcome, s.asked.Load())
	}
	for outcome, s := range map[symbolcache.Outcome]*source{
		symbolcache.Missing: says("", symbolcache.ErrNotFound), symbolcache.Denied: says("", symbolcache.ErrDenied),
		symbolcache.Timeout: says("", context.DeadlineExceeded), symbolcache.Error: says("", errors.New("x")),
	} {
		if got := get(t, open(t, symbolcache.Options{}, s), key(1)); got.Outcome != outcome || s.asked.Load() != 1 {
			t.Errorf("%s, want %s; asked %d times", got.Outcome, outcome, s.asked.Load())
		}
	}
}

func TestOneLoadForManyCallers(t *testing.T) {
	release := make(chan struct{})
	s := &source{answer: func(context.Context, string) (string, error) { <-release; return text, nil }}
	c := open(t, symbolcache.Options{}, s)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			l := c.Get(t.Context(), key(1))
			defer l.Release()
			if l.Outcome != symbolcache.Found || !l.File.HasFunction(0x1004) {
				t.Error(l.Outcome)
			}
		})
	}
	close(release)
	wg.Wait()
	if s.asked.Load() != 1 {
		t.Errorf("asked %d times", s.asked.Load())
	}
}

func TestACallerWhoLeavesDoesNotFailTheOthers(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	s := &source{answer: func(ctx context.Context, _ string) (string, error) {
		close(asked)
		select {
		case <-release:
			return text, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}}
	c := open(t, symbolcache.Options{}, s)
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan symbolcache.Lookup), make(chan symbolcache.Lookup)
	go func() { first <- c.Get(ctx, key(1)) }()
	<-asked
	go func() { second <- c.Get(t.Context(), key(1)) }()
	cancel()
	if l := <-first; l.Outcome != symbolcache.Timeout || l.File != nil {
		t.Errorf("who left got %s", l.Outcome)
	}
	close(release)
	l := <-second
	defer l.Release()
	if l.Outcome != symbolcache.Found || s.asked.Load() != 1 {
		t.Errorf("who stayed got %s, asked %d times", l.Outcome, s.asked.Load())
	}
}

func TestALoadHasADeadlineOfItsOwn(t *testing.T) {
	s := &source{answer: func(ctx context.Context, _ string) (string, error) { <-ctx.Done(); return "", ctx.Err() }}
	if got := get(t, open(t, symbolcache.Options{LoadTimeout: time.Millisecond}, s), key(1)); got.Outcome != symbolcache.Timeout {
		t.Error(got.Outcome)
	}
}

func TestCloseEndsLoads(t *testing.T) {
	asked := make(chan struct{})
	s := &source{answer: func(ctx context.Context, _ string) (string, error) { close(asked); <-ctx.Done(); return "", ctx.Err() }}
	dir := t.TempDir()
	c := open(t, symbolcache.Options{Dir: dir}, s)
	answer := make(chan symbolcache.Lookup)
	go func() { answer <- c.Get(t.Context(), key(1)) }()
	<-asked
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if l := <-answer; l.File != nil || !l.Outcome.Transient() {
		t.Error(l.Outcome)
	}
	if got := get(t, open(t, symbolcache.Options{Dir: dir}, says(text, nil)), key(1)); got.Outcome != symbolcache.Found {
		t.Errorf("afterwards: %s", got.Outcome)
	}
}
