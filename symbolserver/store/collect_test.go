package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/minio/minio-go/v7"

	"aftershock/internal/bucket/buckettest"
	"aftershock/symbolserver/store"
)

func collect(t *testing.T, s store.Store, c store.Collection) []string {
	t.Helper()
	var out []string
	c.Dropped = func(what string, _ int64) error { out = append(out, what); return nil }
	if err := store.Collect(t.Context(), s, c); err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// Builds that were tried go, with their entries; what is young or no tried build stays.
func TestTriedBuildsAreCollected(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	old, young, code := "try/old.pdb/"+debugID+"/old.sym", "try/young.pdb/"+debugID+"/young.sym", ".aftershock/try/code/old.exe/12"
	for _, path := range []string{old, young, "try/" + debugID + "/try.sym", "old.pdb/" + debugID + "/old.sym"} {
		put(t, s, store.Object{Path: path, By: "us"}, []byte("x"))
	}
	for path, h := range map[string]store.Head{old: {CodeFile: "old.exe", CodeID: "12"}, young: {CodeFile: "young.exe", CodeID: "12"}} {
		if err := store.IndexCode(t.Context(), s, parse(t, path), h); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	for _, path := range []string{old, "try/" + debugID + "/try.sym", "old.pdb/" + debugID + "/old.sym"} {
		if err := os.Chtimes(filepath.Join(root, path), now, now.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	c := store.Collection{TriedBefore: now.Add(-time.Minute), LeftBefore: now.Add(-time.Minute)}
	want := []string{code, old}
	before := listed(t, s, "")
	if diff := cmp.Diff(want, collect(t, s, c)); diff != "" {
		t.Errorf("told: %s", diff)
	}
	if diff := cmp.Diff(before, listed(t, s, "")); diff != "" {
		t.Errorf("telling removed: %s", diff)
	}
	c.Remove = true
	if diff := cmp.Diff(want, collect(t, s, c)); diff != "" {
		t.Errorf("removed: %s", diff)
	}
	left := slices.DeleteFunc(before, func(line string) bool {
		return strings.HasPrefix(line, old+" ") || strings.HasPrefix(line, code+" ")
	})
	if diff := cmp.Diff(left, listed(t, s, "")); diff != "" {
		t.Errorf("left: %s", diff)
	}
	if got := collect(t, s, c); len(got) > 0 {
		t.Errorf("again: %v", got)
	}
}

// Files of upstreams can be had again, and go when that is asked for; others' never do.
func TestFilesOfUpstreamsAreCollected(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	old, young, ours, foreign := "old.pdb/"+debugID+"/old.sym", "young.pdb/"+debugID+"/young.sym", "ours.pdb/"+debugID+"/ours.sym", "foreign.pdb/"+debugID+"/foreign.sym"
	hour := time.Now().Add(-time.Hour)
	for path, by := range map[string]string{old: "upstream a.test", young: "upstream a.test", ours: "jane", foreign: ""} {
		put(t, s, store.Object{Path: path, By: by}, []byte(path))
		if err := store.IndexCode(t.Context(), s, parse(t, path), store.Head{CodeFile: path[:3], CodeID: "12"}); err != nil {
			t.Fatal(err)
		}
		if path == young {
			continue
		}
		note := filepath.Join(root, ".aftershock/note", path)
		if err := os.Chtimes(filepath.Join(root, path), hour, hour); err != nil {
			t.Fatal(err)
		}
		if by != "" { // as if it had been put then
			text := fmt.Sprintf(`{"by":%q,"bytes":%d,"modified_ns":%d}`, by, len(path), hour.UnixNano())
			if err := os.WriteFile(note, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	before := listed(t, s, "")
	c := store.Collection{Remove: true}
	if got := collect(t, s, c); len(got) > 0 {
		t.Errorf("nobody asked: %v", got)
	}
	c.KeptBefore = hour.Add(time.Minute)
	if diff := cmp.Diff([]string{".aftershock/code/old/12", old}, collect(t, s, c)); diff != "" {
		t.Error(diff)
	}
	left := slices.DeleteFunc(before, func(line string) bool { return strings.HasPrefix(line, "old.pdb/") || strings.Contains(line, "/old/") })
	if diff := cmp.Diff(left, listed(t, s, "")); diff != "" {
		t.Errorf("left: %s", diff)
	}
}

// What a Put left that was killed goes when it is old, and so does a note without a file.
func TestLeftoversOfADirectory(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	put(t, s, store.Object{Path: symPath, By: "us"}, []byte("x"))
	put(t, s, store.Object{Path: "b/" + debugID + "/b.sym", By: "us"}, []byte("x"))
	if err := os.Remove(filepath.Join(root, "b", debugID, "b.sym")); err != nil { // by other hands
		t.Fatal(err)
	}
	for _, name := range []string{"put-1", "put-2"} {
		if err := os.WriteFile(filepath.Join(root, ".aftershock/tmp", name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hour := time.Now().Add(-time.Hour)
	note := ".aftershock/note/b/" + debugID + "/b.sym"
	for _, name := range []string{".aftershock/tmp/put-1", note, ".aftershock/note/" + symPath, symPath} {
		if err := os.Chtimes(filepath.Join(root, name), hour, hour); err != nil {
			t.Fatal(err)
		}
	}
	forgotten, coming := store.Incoming(strings.Repeat("a", 32), 0), store.Incoming(strings.Repeat("b", 32), -1) // uploads that nobody goes on with, or somebody
	for _, path := range []string{forgotten, coming} {
		put(t, s, store.Object{Path: path}, []byte("x"))
	}
	if err := os.Chtimes(filepath.Join(root, forgotten), hour, hour); err != nil {
		t.Fatal(err)
	}
	c := store.Collection{TriedBefore: hour, LeftBefore: hour.Add(time.Minute)}
	want := []string{note, ".aftershock/tmp/put-1", forgotten}
	slices.Sort(want)
	for _, c.Remove = range []bool{false, true} {
		if diff := cmp.Diff(want, collect(t, s, c)); diff != "" {
			t.Errorf("remove %v: %s", c.Remove, diff)
		}
	}
	if got := collect(t, s, c); len(got) > 0 {
		t.Errorf("again: %v", got)
	}
	if _, err := os.Stat(filepath.Join(root, ".aftershock/tmp/put-2")); err != nil {
		t.Error(err)
	}
}

func TestLeftoversOfABucket(t *testing.T) {
	server := buckettest.Start(t)
	s := open(t, server.Name(buckettest.Bucket+"/symbols"))
	core := minio.Core{Client: server.Client}
	if _, err := core.NewMultipartUpload(t.Context(), buckettest.Bucket, "symbols/"+symPath, minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := core.NewMultipartUpload(t.Context(), buckettest.Bucket, "others/"+symPath, minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if got := collect(t, s, store.Collection{LeftBefore: now.Add(-time.Hour), Remove: true}); len(got) > 0 {
		t.Errorf("one that may go on: %v", got)
	}
	for _, remove := range []bool{false, true} {
		if got := collect(t, s, store.Collection{LeftBefore: now.Add(time.Hour), Remove: remove}); len(got) != 1 || !strings.HasPrefix(got[0], symPath+" ") {
			t.Errorf("remove %v: %v", remove, got)
		}
	}
	if got := collect(t, s, store.Collection{LeftBefore: now.Add(time.Hour), Remove: true}); len(got) > 0 {
		t.Errorf("again: %v", got)
	}
	// A Put that fails in its second part leaves nothing.
	half := iotest.TimeoutReader(strings.NewReader(strings.Repeat("x", 40<<20)))
	if err := s.Put(t.Context(), store.Object{Path: symPath}, half); err == nil {
		t.Error("half was put")
	}
	if got := collect(t, s, store.Collection{LeftBefore: now.Add(time.Hour)}); len(got) > 0 {
		t.Errorf("a Put that failed has left %v", got)
	}
}

// failing is a store whose files cannot be looked at.
type failing struct{ store.Store }

func (failing) Stat(context.Context, string) (store.Object, error) { return store.Object{}, errStop }

// Of a file that cannot be looked at nobody knows whether it has had its time.
func TestCollectingStopsWhenTheStoreFails(t *testing.T) {
	s := open(t, t.TempDir())
	tried := "try/" + symPath
	for _, path := range []string{tried, ".aftershock/try/code/app.exe/12"} {
		put(t, s, store.Object{Path: path}, []byte(tried+"\n"))
		c := store.Collection{TriedBefore: time.Now().Add(time.Hour), Remove: true, Dropped: func(what string, _ int64) error {
			t.Errorf("%s dropped", what)
			return nil
		}}
		if err := store.Collect(t.Context(), failing{s}, c); !errors.Is(err, errStop) {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := s.Stat(t.Context(), path); err != nil {
			t.Error(err)
		}
		if err := s.Delete(t.Context(), path); err != nil {
			t.Error(err)
		}
	}
	if _, err := store.Text(iotest.ErrReader(errStop)); !errors.Is(err, errStop) {
		t.Errorf("text of what cannot be read: %v", err)
	}
	put(t, s, store.Object{Path: symPath}, []byte(symText))
	put(t, s, store.Object{Path: ".aftershock/code/app with a space.exe/651C9AF99241000"}, []byte(symPath+"\n"))
	if _, err := store.RebuildIndex(t.Context(), failing{s}, nil); !errors.Is(err, errStop) {
		t.Errorf("an index of what cannot be looked at: %v", err)
	}
}
