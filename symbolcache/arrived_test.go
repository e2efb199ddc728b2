package symbolcache_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"aftershock/symbolcache"
)

const otherText = text + "FUNC 2000 10 0 g\n"

func sumOf(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// What has come ends what is remembered, in memory and on the disk, and nothing else does.
func TestWhatArrivesIsAskedFor(t *testing.T) {
	now := time.Now()
	before, after := now.Add(-time.Minute), now.Add(time.Minute)
	malformed := text[1:]
	for name, tc := range map[string]struct {
		had, sum  string // "" has none
		at        time.Time
		forgotten bool
	}{
		"missing":                     {"", sumOf(otherText), after, true},
		"missing, unknown content":    {"", "", after, true},
		"malformed":                   {malformed, "", after, true},
		"another text":                {text, sumOf(otherText), after, true},
		"perhaps another text":        {text, "", after, true},
		"the same text":               {text, sumOf(text), after, false},
		"asked for since, missing":    {"", sumOf(otherText), before, false},
		"asked for since, found":      {text, sumOf(otherText), before, false},
		"asked for since, unknown":    {text, "", before, false},
		"asked for since, no symbols": {malformed, "", before, false},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " restart ", restart), func(t *testing.T) {
				s := says(tc.had, nil)
				if tc.had == "" {
					s = says("", symbolcache.ErrNotFound)
				}
				o := symbolcache.Options{Dir: t.TempDir(), Now: func() time.Time { return now }}
				c := open(t, o, s)
				get(t, c, key(1))
				if restart {
					c.Close() //nolint:gosec // as when a process ends
					c = open(t, o, s)
				}
				s.answer = func(context.Context, string) (string, error) { return otherText, nil }
				asked := s.asked.Load()
				c.Arrived(key(2), tc.sum, after) // of another module
				c.Arrived(key(1), tc.sum, tc.at)
				l := get(t, c, key(1))
				if forgotten := s.asked.Load() > asked; forgotten != tc.forgotten || forgotten != (l.SHA256 == sumOf(otherText)) {
					t.Errorf("asked again: %v, %s %.12s", forgotten, l.Outcome, l.SHA256)
				}
			})
		}
	}
}

// A load that had asked before the symbols came gives its answer to those who wait, and to
// nobody else.
func TestALoadFromBeforeAnArrivalIsNotBelieved(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	s := says("", symbolcache.ErrNotFound)
	s.answer = func(context.Context, string) (string, error) {
		if s.asked.Load() == 1 {
			close(asked)
			<-release
			return "", symbolcache.ErrNotFound
		}
		return text, nil
	}
	c := open(t, symbolcache.Options{}, s)
	first := make(chan symbolcache.Outcome)
	go func() {
		l := c.Get(context.Background(), key(1))
		first <- l.Outcome
	}()
	<-asked
	c.Arrived(key(1), "", time.Now())
	second := make(chan symbolcache.Outcome)
	go func() {
		l := c.Get(context.Background(), key(1))
		l.Release()
		second <- l.Outcome
	}()
	close(release)
	if o := <-first; o != symbolcache.Missing {
		t.Errorf("who asked before has %s", o)
	}
	if o := <-second; o != symbolcache.Found {
		t.Errorf("who asked afterwards has %s", o)
	}
	if o := get(t, c, key(1)).Outcome; o != symbolcache.Found {
		t.Errorf("who comes later has %s", o)
	}
}

// What is forgotten makes room.
func TestWhatIsForgottenMakesRoom(t *testing.T) {
	c := open(t, symbolcache.Options{}, says(text, nil))
	get(t, c, key(1))
	before := c.Used()
	c.Arrived(key(1), "", time.Now().Add(time.Minute))
	if after := c.Used(); before == 0 || after != 0 {
		t.Errorf("%d bytes before, %d after", before, after)
	}
}
