package access

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Sessions that were ended are remembered until they would be over, so many of them.
func TestSessionsThatEndedAreRemembered(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	var e ended
	for i := range maxEnded {
		e.add(&Session{ID: fmt.Sprint(i), Issued: now}, now)
	}
	if len(e.all) != maxEnded || !e.has("0") {
		t.Fatalf("%d are remembered", len(e.all))
	}
	e.add(&Session{ID: "one more", Issued: now}, now)
	if len(e.all) != maxEnded || !e.has("one more") {
		t.Errorf("%d are remembered", len(e.all))
	}
	later := now.Add(SessionLife)
	e.add(&Session{ID: "later", Issued: later}, later)
	if len(e.all) != 1 || !e.has("later") {
		t.Errorf("%d are remembered that are over", len(e.all)-1)
	}
}

func TestTokensAreSoMany(t *testing.T) {
	if err := checkTokens(make([]Token, MaxTokens)); err != nil {
		t.Error(err)
	}
	if err := checkTokens(make([]Token, MaxTokens+1)); err == nil {
		t.Error("one too many is taken")
	}
	life := func(d time.Duration) []Token { return []Token{{Expires: time.Time{}.Add(d)}} }
	if checkTokens(life(MaxTokenLife)) != nil || checkTokens(life(MaxTokenLife+1)) == nil {
		t.Error("a file gives tokens a longer life")
	}
	if checkTokens([]Token{{Roles: slices.Repeat([]Role{Dumps}, 2)}}) == nil {
		t.Error("a role is there twice")
	}
}

// What is sealed fits a cookie, and what is larger is not opened.
func TestSealedTextsFitACookie(t *testing.T) {
	s, err := OpenSeal(t.TempDir() + "/key")
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for n := range maxSealedBytes {
		sealed, err := s.seal("test", strings.Repeat("x", n))
		if err != nil {
			break
		}
		most = n
		var back string
		if !s.open("test", sealed, &back) || len(back) != n || s.open("other", sealed, &back) {
			t.Fatalf("%d bytes do not come back", n)
		}
	}
	if most < 2500 || most > maxSealedBytes {
		t.Errorf("at most %d bytes", most)
	}
	if s.open("test", strings.Repeat("A", maxSealedBytes+1), new(string)) {
		t.Error("a larger one is opened")
	}
}
