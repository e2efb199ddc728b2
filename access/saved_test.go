package access_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aftershock/access"
)

func openKeep(t *testing.T) (*access.Keep, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "saved")
	k, err := access.OpenKeep(path, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return k, path
}

// What somebody has saved is theirs, and of nobody who has their name later; links and lists are
// for who has the id.
func TestWhatIsSavedIsItsOwners(t *testing.T) {
	k, path := openKeep(t)
	save := func(s access.Saved) access.Saved {
		t.Helper()
		s, err := k.Save(s)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	search := save(access.Saved{Owner: "jane", OwnerID: "1", Kind: access.SavedSearch, Name: "mine", Path: "/search?os=Linux"})
	list := save(access.Saved{Owner: "jane", OwnerID: "1", Kind: access.SavedList, Name: "known", Signatures: []string{"a"}})
	link := save(access.Saved{Owner: "jane", OwnerID: "1", Kind: access.SavedLink, Path: "/top?os=Linux"})
	if again := save(access.Saved{Owner: "jane", OwnerID: "1", Kind: access.SavedLink, Path: "/top?os=Linux"}); again.ID != link.ID {
		t.Error("a link to the same has another id")
	}
	if again := save(access.Saved{Owner: "jane", OwnerID: "1", Kind: access.SavedSearch, Name: "mine", Path: "/search?os=Android"}); again.ID != search.ID {
		t.Error("a search of the same name has another id")
	}
	other, err := access.OpenKeep(path, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for owner, want := range map[[2]string]int{{"jane", "1"}: 3, {"jane", "2"}: 0, {"joe", "1"}: 0} {
		if all, err := other.Of(owner[0], owner[1]); err != nil || len(all) != want {
			t.Errorf("%q: %d, %v", owner, len(all), err)
		}
	}
	if s, err := other.Find(access.SavedList, list.ID); err != nil || s == nil || s.Name != "known" {
		t.Errorf("%v %v", s, err)
	}
	for kind, id := range map[access.Kind]string{access.SavedSearch: search.ID, access.SavedList: link.ID, access.SavedLink: list.ID} {
		if s, _ := other.Find(kind, id); s != nil {
			t.Errorf("%s %s is found", kind, id)
		}
	}
	if err := errors.Join(k.List("joe", "", "known", "c"), k.List("jane", "1", "known", "b"), k.List("jane", "1", "known", "b"), k.List("jane", "1", "new", "b")); err != nil {
		t.Error(err)
	}
	if s, _ := k.Find(access.SavedList, list.ID); s == nil || len(s.Signatures) != 2 || s.Signatures[1] != "b" {
		t.Errorf("%v", s)
	}
	if all, _ := k.Of("jane", "1"); len(all) != 4 {
		t.Errorf("no list was made: %v", all)
	}
	if err := k.Remove("jane", "2", list.ID); !errors.Is(err, access.ErrNotSaved) {
		t.Errorf("%v", err)
	}
	if err := k.Remove("jane", "1", list.ID); err != nil {
		t.Error(err)
	}
}

// Every limit lets through what it says, and refuses one more.
func TestLimitsOfWhatIsSaved(t *testing.T) {
	k, _ := openKeep(t)
	search := func(name, path string) access.Saved {
		return access.Saved{Owner: "jane", Kind: access.SavedSearch, Name: name, Path: path}
	}
	list := func(n, bytes int) access.Saved {
		s := access.Saved{Owner: "jane", Kind: access.SavedList, Name: "l"}
		for i := range n {
			s.Signatures = append(s.Signatures, fmt.Sprintf("%0*d", bytes, i))
		}
		return s
	}
	for name, at := range map[string][2]access.Saved{
		"name":       {search(strings.Repeat("a", access.MaxSavedName), "/"), search(strings.Repeat("a", access.MaxSavedName+1), "/")},
		"path":       {search("p", "/"+strings.Repeat("a", access.MaxSavedPath-1)), search("p", "/"+strings.Repeat("a", access.MaxSavedPath))},
		"signatures": {list(access.MaxListed, 3), list(access.MaxListed+1, 3)},
		"bytes":      {list(32, 1024), list(32, 1025)},
	} {
		if _, err := k.Save(at[0]); err != nil {
			t.Errorf("%s: at the limit: %v", name, err)
		}
		if _, err := k.Save(at[1]); !errors.As(err, new(*access.SavedError)) {
			t.Errorf("%s: beyond the limit: %v", name, err)
		}
	}
	for _, s := range []access.Saved{search("", "/"), search("a\nb", "/"), search("a", ""), search("a", "https://x/"), {Owner: "jane", Kind: "x", Name: "a", Path: "/"}, {Owner: "jane", Kind: access.SavedList, Name: "a", Signatures: []string{"a\nb"}}, {Owner: "jane", Kind: access.SavedList, Name: "a", Signatures: []string{""}}} {
		if _, err := k.Save(s); !errors.As(err, new(*access.SavedError)) {
			t.Errorf("%v: %v", s, err)
		}
	}
}

// A viewer has as many of each kind as they may, and not one more; others have theirs.
func TestHowMuchOneViewerSaves(t *testing.T) {
	for kind, most := range map[access.Kind]int{access.SavedSearch: access.MaxSearches, access.SavedList: access.MaxLists, access.SavedLink: access.MaxLinks} {
		k, _ := openKeep(t)
		save := func(owner string, i int) error {
			_, err := k.Save(access.Saved{Owner: owner, Kind: kind, Name: fmt.Sprint(i), Path: fmt.Sprint("/", i)})
			return err
		}
		for i := range most {
			if err := save("jane", i); err != nil {
				t.Fatalf("%s %d: %v", kind, i, err)
			}
		}
		if err := save("jane", most); !errors.As(err, new(*access.SavedError)) {
			t.Errorf("%s: one more: %v", kind, err)
		}
		if err := save("jane", 0); err != nil {
			t.Errorf("%s: the same again: %v", kind, err)
		}
		if err := save("joe", 0); err != nil {
			t.Errorf("%s: somebody else: %v", kind, err)
		}
	}
}
