package ask

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"aftershock/sinks/clickhouse"
)

// tables answer each question with how many came before, and a text behind.
type tables struct {
	db     *clickhouse.DB
	asked  atomic.Int64
	behind string
	err    error
	wait   chan struct{} // nil: answers come at once
}

func (f *tables) ask(ctx context.Context, sql string) (string, error) {
	body, err := recall(ctx, f.db, sql, map[string]string{"a": "b"}, "JSON", func() (io.ReadCloser, error) {
		n := f.asked.Add(1)
		if f.wait != nil {
			select {
			case <-f.wait:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		return io.NopCloser(strings.NewReader(fmt.Sprint(n, f.behind))), f.err
	})
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(body)
	return string(text), err
}

func TestMemory(t *testing.T) {
	f := &tables{db: &clickhouse.DB{}}
	now := time.Unix(0, 0)
	m := NewMemory(f.db, time.Minute, func() time.Time { return now })
	remembered, anew := m.In(t.Context(), false), m.In(t.Context(), true)
	for _, c := range []struct {
		name, sql, want string
		ctx             context.Context
		later           time.Duration
	}{
		{"first", "x", "1", remembered, 0},
		{"again", "x", "1", remembered, 0},
		{"another one", "y", "2", remembered, 0},
		{"without a memory", "x", "3", t.Context(), 0},
		{"just before its end", "x", "1", remembered, time.Minute - 1},
		{"anew", "x", "4", anew, 0},
		{"what was seen anew", "x", "4", remembered, 0},
		{"at the other's end", "y", "5", remembered, 1},
		{"at its end", "x", "6", remembered, time.Minute - 1},
	} {
		now = now.Add(c.later)
		if got, err := f.ask(c.ctx, c.sql); got != c.want || err != nil {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
	m.Forget()
	if got, _ := f.ask(remembered, "x"); got != "7" {
		t.Errorf("forgotten: %s", got)
	}
	other := &tables{db: &clickhouse.DB{}, behind: " of others"}
	if got, _ := other.ask(remembered, "x"); got != "1 of others" {
		t.Errorf("other tables: %s", got)
	}
	f.err = errors.New("away")
	if _, err := f.ask(anew, "x"); !errors.Is(err, f.err) {
		t.Errorf("away: %v", err)
	}
	if f.err = nil; m.answers[keyOf("x", map[string]string{"a": "b"}, "JSON")] != nil {
		t.Error("kept what failed")
	}
	if NewMemory(f.db, 0, time.Now) != nil {
		t.Error("one of no time")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	f := &tables{db: &clickhouse.DB{}, behind: strings.Repeat("x", maxRememberedBytes-1)}
	m := NewMemory(f.db, time.Hour, time.Now)
	ctx := m.In(t.Context(), false)
	for i, want := range []string{"1", "1"} {
		if got, err := f.ask(ctx, "at the limit"); got != want+f.behind || err != nil {
			t.Errorf("%d: %d bytes, %v", i, len(got), err)
		}
	}
	f.behind += "x"
	for _, want := range []string{"2", "3"} {
		if got, err := f.ask(ctx, "past it"); got != want+f.behind || err != nil {
			t.Errorf("%d bytes, %.2s, want %s, %v", len(got), got, want, err)
		}
	}
	f.behind = f.behind[:maxRememberedBytes-2]
	f.asked.Store(9)
	for i := range 2 * maxMemoryBytes / maxRememberedBytes {
		f.ask(ctx, fmt.Sprint(i)) //nolint:errcheck,gosec // it is counted below
	}
	has := func(answers, bytes int) {
		t.Helper()
		if m.size != answers*(bytes+rememberedBytes) || len(m.oldest) != answers || len(m.answers) != answers {
			t.Errorf("%d bytes of %d answers, of %d, want %d of %d", m.size, len(m.answers), len(m.oldest), answers, bytes)
		}
	}
	has(maxMemoryBytes/(maxRememberedBytes+rememberedBytes), maxRememberedBytes)
	// Nor do many small ones fill it: who asks decides how many they are.
	m.Forget()
	f.behind = strings.Repeat("x", rememberedBytes-2)
	f.asked.Store(10)
	const fit = maxMemoryBytes / (2 * rememberedBytes)
	for i := range fit {
		f.asked.Store(10)                   // of two digits
		f.ask(ctx, fmt.Sprint("small ", i)) //nolint:errcheck,gosec // it is counted below
		if i == fit-2 {
			has(fit-1, rememberedBytes)
		}
	}
	has(fit, rememberedBytes)
	f.asked.Store(10)
	f.ask(ctx, "one more") //nolint:errcheck,gosec // likewise
	has(fit, rememberedBytes)
	if m.answers[keyOf("small 0", map[string]string{"a": "b"}, "JSON")] != nil {
		t.Error("the oldest has stayed")
	}
}

func TestWhoAsksTheSameWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &tables{db: &clickhouse.DB{}, wait: make(chan struct{})}
		ctx := NewMemory(f.db, time.Minute, time.Now).In(t.Context(), false)
		leaving, leave := context.WithCancel(ctx)
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := f.ask(leaving, "x"); !errors.Is(err, context.Canceled) {
				t.Errorf("left: %v", err)
			}
		})
		synctest.Wait()
		for range 50 {
			all.Go(func() {
				if got, err := f.ask(ctx, "x"); got != "2" || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			})
		}
		synctest.Wait()
		impatient, stop := context.WithTimeout(ctx, time.Second)
		defer stop()
		if _, err := f.ask(impatient, "x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("did not wait: %v", err)
		}
		leave() // who asked goes away: one of the others asks
		synctest.Wait()
		close(f.wait)
		all.Wait()
		if n := f.asked.Load(); n != 2 {
			t.Errorf("asked %d times", n)
		}
		f.err = errors.New("away")
		f.wait = make(chan struct{})
		for range 5 {
			all.Go(func() {
				if _, err := f.ask(ctx, "y"); !errors.Is(err, f.err) {
					t.Errorf("away: %v", err)
				}
			})
		}
		synctest.Wait()
		close(f.wait)
		all.Wait()
		if n := f.asked.Load(); n != 3 {
			t.Errorf("asked %d times, though it failed for all", n)
		}
	})
}

// What was before a promotion is forgotten, what came after it is not.
func TestAnotherEpochForgets(t *testing.T) {
	f := &tables{db: &clickhouse.DB{}}
	m := NewMemory(f.db, time.Minute, time.Now)
	ctx := m.In(t.Context(), false)
	for i, c := range []struct {
		epoch int64
		want  string
	}{{1, "1"}, {1, "1"}, {2, "2"}, {2, "2"}, {1, "3"}} {
		m.Follow(c.epoch)
		if got, err := f.ask(ctx, "x"); got != c.want || err != nil {
			t.Errorf("%d, epoch %d: %q, %v, want %q", i, c.epoch, got, err, c.want)
		}
	}
	var none *Memory
	none.Follow(1)
}

// What was asked before something changed is not kept.
func TestForgetMeansWhatIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &tables{db: &clickhouse.DB{}, wait: make(chan struct{})}
		m := NewMemory(f.db, time.Minute, time.Now)
		ctx := m.In(t.Context(), false)
		var all sync.WaitGroup
		all.Go(func() { f.ask(ctx, "x") }) //nolint:errcheck,gosec // it waits
		synctest.Wait()
		m.Forget()
		close(f.wait)
		all.Wait()
		if got, _ := f.ask(ctx, "x"); got != "2" {
			t.Error(got)
		}
	})
}
