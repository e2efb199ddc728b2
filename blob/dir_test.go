package blob_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"aftershock/blob"
)

func TestDirListsWhatAKilledPutLeftAndNothingOfOthers(t *testing.T) {
	root := t.TempDir()
	b := open(t, root)
	key := keyOf(t, 1, "200229", []byte("kept"))
	if err := b.Put(t.Context(), key, []byte("kept")); err != nil {
		t.Fatal(err)
	}
	crash := filepath.Dir(filepath.Join(root, key))
	if entries, err := os.ReadDir(crash); err != nil || len(entries) != 1 {
		t.Errorf("%d files beside the blob, %v", len(entries)-1, err)
	}
	for _, path := range []string{
		filepath.Join(crash, ".put-123"), filepath.Join(crash, "notes.txt"), filepath.Join(crash, "x-0123456789abcdef", "folder"),
		filepath.Join(root, "raw/v1/2020/02/29/no crash id/x-0123456789abcdef"), filepath.Join(root, "raw/v1/2020/02/29/x-0123456789abcdef"),
		filepath.Join(root, "raw/v1/2020/02/30/x"), filepath.Join(root, "raw/v1/2020/2/29/x"), filepath.Join(root, "raw/v1/readme"), filepath.Join(root, "else/2020"),
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("torn"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	day := time.Date(2020, 2, 29, 0, 0, 0, 0, time.UTC)
	if days, err := b.Days(t.Context()); err != nil || len(days) != 1 || !days[0].Equal(day) {
		t.Errorf("days %v, %v", days, err)
	}
	var got []string
	err := b.List(t.Context(), day, func(e blob.Entry) error {
		got = append(got, e.Path)
		return b.Delete(t.Context(), e)
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if want := []string{filepath.Dir(key) + "/.put-123", key}; !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	var left []string
	err = filepath.WalkDir(root, func(_ string, f os.DirEntry, err error) error {
		if err == nil && !f.IsDir() {
			left = append(left, f.Name())
		}
		return err
	})
	slices.Sort(left)
	want := []string{"2020", "folder", "notes.txt", "readme", "x", "x", "x-0123456789abcdef", "x-0123456789abcdef"}
	if err != nil || !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q, %v", left, want, err)
	}
}

func TestDirRemovesEmptyFoldersOfACrashAndItsDay(t *testing.T) {
	root := t.TempDir()
	b := open(t, root)
	var keys []string
	for crash := range 2 {
		keys = append(keys, keyOf(t, crash, "200229", nil))
		if err := b.Put(t.Context(), keys[crash], nil); err != nil {
			t.Fatal(err)
		}
	}
	exists := func(path string) bool { _, err := os.Stat(filepath.Join(root, path)); return err == nil }
	for i, key := range keys {
		if err := b.Delete(t.Context(), blob.Entry{Path: key}); err != nil {
			t.Fatal(err)
		}
		if crash := filepath.Dir(key); exists(crash) {
			t.Errorf("%s is left", crash)
		}
		if last := i == len(keys)-1; exists("raw/v1/2020/02/29") == last {
			t.Errorf("after %d of %d blobs the day's folder is there: %v", i+1, len(keys), last)
		}
	}
	if !exists("raw/v1/2020/02") {
		t.Error("the month's folder is gone: a Put of another day may be about to use it")
	}
}

func TestDirCheckWantsTheDirectory(t *testing.T) {
	root := filepath.Join(t.TempDir(), "blobs")
	b := open(t, root)
	if err := os.Remove(root); err != nil {
		t.Fatal(err)
	}
	if err := b.Check(t.Context()); err == nil {
		t.Error("a store without a directory is fine")
	}
}

func TestDirTakesARootInAnySpelling(t *testing.T) {
	t.Chdir(t.TempDir())
	b := open(t, "./x/../blobs/")
	key := keyOf(t, 1, "200229", nil)
	if err := b.Put(t.Context(), key, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join("blobs", key)); err != nil {
		t.Error(err)
	}
}
