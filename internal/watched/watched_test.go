package watched_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"aftershock/internal/watched"
)

func open(t *testing.T, path string, most int, now func() time.Time) *watched.File[string] {
	t.Helper()
	f, err := watched.Open(watched.Options[string]{What: "words", Path: path, Bytes: most, Now: now, Check: func(all []string) error {
		for _, word := range all {
			if word == "bad" {
				return errors.New("a bad word")
			}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func add(word string) func([]string) ([]string, error) {
	return func(all []string) ([]string, error) { return append(all, word), nil }
}

// Who changes a file waits for who changes it too: no change is lost, whichever of several opened
// it.
func TestNoChangeIsLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "words.json")
	var all sync.WaitGroup
	for range 5 {
		f := open(t, path, 1<<20, time.Now)
		all.Go(func() {
			for range 20 {
				if err := f.Change(add("a")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if list, err := open(t, path, 1<<20, time.Now).List(); err != nil || len(list) != 100 {
		t.Errorf("%d words, %v", len(list), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// What others change is known a second later, and what one changes oneself at once.
func TestChangesOfOthersAreSeen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "words.json")
	now := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	one, other := open(t, path, 1<<20, clock), open(t, path, 1<<20, clock)
	if err := other.Change(add("a")); err != nil {
		t.Fatal(err)
	}
	if list, _ := other.List(); len(list) != 1 {
		t.Errorf("%q", list)
	}
	now = now.Add(time.Second)
	if list, err := one.List(); err != nil || len(list) != 1 {
		t.Errorf("%q, %v", list, err)
	}
}

// A file may have as many bytes as it may, and not one more; what is wrong is neither written nor
// read.
func TestBoundsOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "words.json")
	word := strings.Repeat("a", 50)
	exact := len("[\n \"" + word + "\"\n]\n")
	if err := open(t, path, exact-1, time.Now).Change(add(word)); err == nil || !strings.Contains(err.Error(), "would have more than") {
		t.Errorf("one byte more: %v", err)
	}
	f := open(t, path, exact, time.Now)
	if err := f.Change(add(word)); err != nil {
		t.Errorf("as many as may be: %v", err)
	}
	if _, err := watched.Open(watched.Options[string]{What: "words", Path: path, Bytes: exact - 1, Now: time.Now, Check: func([]string) error { return nil }}); err == nil {
		t.Error("more than may be read was read")
	}
	if err := open(t, path, 1<<10, time.Now).Change(add("bad")); err == nil || !strings.Contains(err.Error(), "a bad word") {
		t.Errorf("%v", err)
	}
	for _, text := range []string{`{`, `["bad"]`, `[1]`, `["a"] ["b"]`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := watched.Open(watched.Options[string]{What: "words", Path: path, Bytes: 100, Now: time.Now, Check: func(all []string) error {
			if len(all) == 1 && all[0] == "bad" {
				return errors.New("a bad word")
			}
			return nil
		}}); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}
