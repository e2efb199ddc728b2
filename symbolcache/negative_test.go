package symbolcache_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aftershock/symbolcache"
)

func TestMissesAreBelievedForATime(t *testing.T) {
	for name, tc := range map[string]struct {
		source *source
		retry  []time.Duration // after the first, the second…
		onDisk bool
	}{
		"missing":   {says("", symbolcache.ErrNotFound), []time.Duration{symbolcache.RetryMissing, symbolcache.RetryMissing}, true},
		"denied":    {says("", symbolcache.ErrDenied), []time.Duration{symbolcache.RetryDenied, symbolcache.RetryDenied}, true},
		"malformed": {says("<html>", nil), []time.Duration{symbolcache.RetryMalformed, symbolcache.RetryMalformed}, true},
		"timeout": {
			says("", context.DeadlineExceeded), []time.Duration{
				symbolcache.MinRetryTransient, 2 * symbolcache.MinRetryTransient, 4 * symbolcache.MinRetryTransient, 8 * symbolcache.MinRetryTransient,
				16 * symbolcache.MinRetryTransient, symbolcache.MaxRetryTransient, symbolcache.MaxRetryTransient,
			}, false,
		},
		"error": {says("", errors.New("x")), []time.Duration{symbolcache.MinRetryTransient, 2 * symbolcache.MinRetryTransient}, false},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(1_790_000_000, 0)
			o := symbolcache.Options{Dir: t.TempDir(), Now: func() time.Time { return now }}
			c := open(t, o, tc.source)
			first := get(t, c, key(1))
			for i, retry := range tc.retry {
				now = now.Add(retry - 1)
				if got := get(t, c, key(1)); got.Outcome != first.Outcome || tc.source.asked.Load() != int64(i+1) {
					t.Fatalf("just before %v: %s, asked %d times", retry, got.Outcome, tc.source.asked.Load())
				}
				now = now.Add(1)
				get(t, c, key(1))
				c.Idle() // a source that rests is asked beside
				if asked := tc.source.asked.Load(); asked != int64(i+2) {
					t.Fatalf("asked %d times after %v, want once more", asked, retry)
				}
			}
			// A restart asks for what may be there by now.
			asked := tc.source.asked.Load()
			if get(t, open(t, o, tc.source), key(1)); (tc.source.asked.Load() == asked) != tc.onDisk {
				t.Errorf("asked %d times after a restart", tc.source.asked.Load()-asked)
			}
		})
	}
}

func TestAFileEndsAMiss(t *testing.T) {
	s := says("", symbolcache.ErrNotFound)
	o := symbolcache.Options{Dir: t.TempDir()}
	c := open(t, o, s)
	get(t, c, key(1))
	s.answer = func(context.Context, string) (string, error) { return text, nil }
	if got := get(t, c, key(1)); got.Outcome != symbolcache.Missing || s.asked.Load() != 1 {
		t.Fatalf("%s, asked %d times", got.Outcome, s.asked.Load())
	}
	// Whoever wants to know asks again, in the same process or another one.
	l := open(t, o, s).Refresh(t.Context(), key(1))
	l.Release()
	if l.Outcome != symbolcache.Found {
		t.Errorf("refreshed: %s", l.Outcome)
	}
	if l := c.Refresh(t.Context(), key(1)); l.Outcome != symbolcache.Found || s.asked.Load() != 2 {
		t.Errorf("refreshed: %s, asked %d times", l.Outcome, s.asked.Load())
	} else {
		l.Release()
	}
	if got := get(t, open(t, o, says("", symbolcache.ErrNotFound)), key(1)); got.Outcome != symbolcache.Found {
		t.Errorf("the miss is still there: %s", got.Outcome)
	}
}

func TestTornMissesAreAskedAgain(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "no end": "missed 1 missing 17", "another format": "missed 2 missing 1790000000000000000\n",
		"an outcome that is not kept": "missed 1 timeout 1790000000000000000\n", "the future": "missed 1 missing 9000000000000000000\n",
		"found": "missed 1 found 1790000000000000000\n", "binary": "\x00\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			s := says("", symbolcache.ErrNotFound)
			o := symbolcache.Options{Dir: t.TempDir(), Now: func() time.Time { return time.Unix(1_790_000_001, 0) }}
			get(t, open(t, o, s), key(1))
			found := 0
			err := filepath.WalkDir(o.Dir, func(path string, entry fs.DirEntry, err error) error {
				if err == nil && strings.Contains(path, "missed") && !entry.IsDir() {
					found++
					return os.WriteFile(path, []byte(content), 0o600) //nolint:gosec // a folder of ours
				}
				return err
			})
			if err != nil || found != 1 {
				t.Fatal(found, err)
			}
			if got := get(t, open(t, o, s), key(1)); got.Outcome != symbolcache.Missing || s.asked.Load() != 2 {
				t.Errorf("%s, asked %d times", got.Outcome, s.asked.Load())
			}
		})
	}
}
