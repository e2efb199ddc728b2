package symbolcache_test

import (
	"testing"
	"time"

	"aftershock/symbolcache"
)

func TestMissesAreBelievedForAWhile(t *testing.T) {
	m, now := symbolcache.NewMisses(), time.Unix(1_790_000_000, 0)
	believed := func(path string, after time.Duration, want symbolcache.Outcome) {
		t.Helper()
		if got, _ := m.Get(path, now.Add(after)); got != want {
			t.Errorf("%s after %s: %q, want %q", path, after, got, want)
		}
	}
	believed("a", 0, "")
	m.Put("a", symbolcache.Missing, now)
	m.Put("b", symbolcache.Timeout, now)
	m.Put("c", symbolcache.Malformed, now)
	believed("a", symbolcache.RetryMissing-1, symbolcache.Missing)
	believed("a", symbolcache.RetryMissing, "")
	believed("b", symbolcache.MinRetryTransient-1, symbolcache.Timeout)
	believed("b", symbolcache.MinRetryTransient, "")
	m.DropTransient()
	believed("b", 0, "")
	believed("a", 0, symbolcache.Missing)
	m.Drop("a")
	believed("a", 0, "")
	believed("c", symbolcache.RetryMalformed-1, symbolcache.Malformed)
}
