package symbolcache

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestABreakerRestsLongerEachTime(t *testing.T) {
	var b Breaker
	now := time.Unix(1000, 0)
	fail := fmt.Errorf("%w: status 503", ErrTemporary)
	for i := range maxFailures {
		if !b.Allow(now) || b.Resting() {
			t.Fatalf("not asked after %d failures", i)
		}
		b.Told(now, fail)
	}
	rest := minRest
	for range 8 {
		b.Told(now, fail) // one that had begun before
		if b.Allow(now.Add(rest - 1)) {
			t.Fatalf("asked within a rest of %s", rest)
		}
		now = now.Add(rest)
		if !b.Allow(now) || b.Allow(now) {
			t.Fatal("want one question when the rest is over")
		}
		b.Told(now, fail) // one that had begun before is no answer to that
		if b.Told(now, nil); !b.Resting() || b.Allow(now) {
			t.Fatal("an answer that was on its way was taken for the probe's")
		}
		b.probed(now, context.DeadlineExceeded)
		rest = min(2*rest, maxRest)
	}
	now = now.Add(rest)
	if !b.Allow(now) || !b.probed(now, ErrNotFound) || b.Resting() || !b.Allow(now) {
		t.Error("any answer is a good one")
	}
	for range maxFailures - 1 {
		b.Told(now, fail)
	}
	b.Told(now, nil)
	if b.Told(now, fail); b.Resting() {
		t.Error("failures in a row count, and no others")
	}
	for range 2 * maxFailures {
		b.Told(now, fmt.Errorf("closing: %w", context.Canceled))
	}
	if b.Resting() {
		t.Error("what we ended ourselves says nothing of the source")
	}
}

// A source that is silent about some files and answers at once about others costs each
// crash as much as one that is silent: it is left alone too, and longer each time.
func TestASourceThatIsSilentAboutSomeFilesRests(t *testing.T) {
	var b Breaker
	now := time.Unix(1000, 0)
	halfSilent := func(answers int) {
		t.Helper()
		for i := range answers {
			err := ErrNotFound
			if i%2 == 0 {
				err = context.DeadlineExceeded
			}
			b.Told(now, err)
		}
	}
	rest := minRest
	for range 3 {
		if halfSilent(2*maxOfLast - 2); b.Resting() {
			t.Fatal("rests after fewer failures than that")
		}
		if halfSilent(1); !b.Resting() {
			t.Fatal("is asked on and on")
		}
		if b.Told(now, nil); !b.Resting() || b.Allow(now.Add(rest-1)) {
			t.Fatalf("an answer that was on its way ended a rest of %s", rest)
		}
		now = now.Add(rest)
		if !b.Allow(now) || !b.probed(now, ErrNotFound) {
			t.Fatal("it answers what nobody has")
		}
		rest *= 2
	}
	for range forgiven {
		b.Told(now, nil)
	}
	halfSilent(2 * maxOfLast)
	if b.Allow(now.Add(minRest-1)) || !b.Allow(now.Add(minRest)) {
		t.Error("not forgiven")
	}
	// One failure in three is no reason.
	b = Breaker{}
	for i := range 300 {
		err := ErrNotFound
		if i%3 == 0 {
			err = context.DeadlineExceeded
		}
		if b.Told(now, err); b.Resting() {
			t.Fatalf("rests after %d answers", i+1)
		}
	}
}

// silent never answers while it is down.
type silent struct {
	down  bool
	asked int
}

func (s *silent) Name() string { return "silent" }

func (s *silent) Open(context.Context, string) (Body, error) {
	s.asked++
	if s.down {
		return Body{}, context.DeadlineExceeded
	}
	return Body{}, ErrNotFound
}

// A source that fails is left alone, what it failed to answer is transient, and when it is
// back that is forgotten.
func TestASourceThatFailsIsLeftAlone(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	s := &silent{down: true}
	c, err := New(Options{Dir: t.TempDir(), Sources: []Source{s}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	of := func(i int) Key {
		return Key{DebugFile: "a", DebugID: fmt.Sprintf("%032d1", i+1)}
	}
	for i := range 20 {
		if _, known := c.Known(of(i)); known {
			t.Fatal("known before anybody asked")
		}
		if got := c.Get(t.Context(), of(i)); got.Outcome != Timeout {
			t.Fatalf("module %d: %s", i, got.Outcome)
		}
		if got, known := c.Known(of(i)); !known || got.Outcome != Timeout {
			t.Errorf("module %d: known %v, %s", i, known, got.Outcome)
		}
	}
	if s.asked != maxFailures || c.Well(t.Context()) {
		t.Errorf("asked %d times", s.asked)
	}
	now = now.Add(minRest)
	if c.Well(t.Context()) || s.asked != maxFailures+1 || c.Well(t.Context()) || s.asked != maxFailures+1 {
		t.Errorf("asked %d times after a rest", s.asked)
	}
	s.down = false
	now = now.Add(2 * minRest)
	if !c.Well(t.Context()) {
		t.Error("it is back")
	}
	if _, known := c.Known(of(0)); known {
		t.Error("what it failed to answer is still believed")
	}
	if got := c.Get(t.Context(), of(0)); got.Outcome != Missing {
		t.Error(got.Outcome)
	}
	if !errors.Is(errResting, context.DeadlineExceeded) {
		t.Error("a rest is no timeout")
	}
}

// A crash does not wait for the question whether a source is well again.
func TestNobodyWaitsForAProbe(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	hung := &hanging{asked: make(chan struct{}, maxPerSource), fail: make(chan struct{})}
	c, err := New(Options{Dir: t.TempDir(), Sources: []Source{hung}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for range maxFailures {
		c.breakers[0].Told(now, context.DeadlineExceeded)
	}
	now = now.Add(minRest)
	for i := range 3 {
		if got := c.Get(t.Context(), Key{DebugFile: "a", DebugID: fmt.Sprintf("%032d1", i+1)}); got.Outcome != Timeout {
			t.Errorf("%v, want a timeout", got.Outcome)
		}
	}
	<-hung.asked
	close(hung.fail)
	if err := c.Close(); err != nil || len(hung.asked) > 0 {
		t.Errorf("%v, %d more questions than one", err, len(hung.asked))
	}
}
