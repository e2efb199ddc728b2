package symbolcache_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aftershock/breakpad"
	"aftershock/symbolcache"
)

func TestPublishReplacesWholeFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app"+symbolcache.Extension)
	if err := symbolcache.Publish(path, strings.NewReader("MODULE Linux x86_64 0 old\n")); err != nil {
		t.Fatal(err)
	}
	old, err := symbolcache.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := symbolcache.Publish(path, strings.NewReader("<html>")); !errors.Is(err, breakpad.ErrNoModule) {
		t.Error(err)
	}
	if f, err := symbolcache.Open(path); err != nil || f.Name != "old" {
		t.Error("a failed compile changed the file")
	}
	if err := symbolcache.Publish(path, strings.NewReader(small)); err != nil {
		t.Fatal(err)
	}
	if f, err := symbolcache.Open(path); err != nil || f.Name != "app.pdb" {
		t.Error("not replaced")
	}
	if err := old.Verify(); err != nil || old.Name != "old" {
		t.Error("who had the old file open lost it: ", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v %v", entries, err)
	}
	if err := symbolcache.Publish(filepath.Join(dir, "none", "x"), strings.NewReader(small)); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
