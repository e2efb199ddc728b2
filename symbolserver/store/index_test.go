package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/breakpad"
	"aftershock/symbolcache"
	"aftershock/symbolserver/store"
)

func parse(t *testing.T, path string) store.Path {
	t.Helper()
	p, err := store.ParsePath(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func lookup(t *testing.T, s store.Store, try bool, file, id, want string) {
	t.Helper()
	p, err := store.LookupCode(t.Context(), s, try, file, id)
	if want == "" {
		if !errors.Is(err, symbolcache.ErrNotFound) {
			t.Errorf("%s %s: %v, %v", file, id, p, err)
		}
		return
	}
	if err != nil || p.String() != want {
		t.Errorf("%s %s: %v, %v", file, id, p, err)
	}
}

func index(t *testing.T, s store.Store) {
	elf := "lib.so/BBA6FA10B8AAB33D00000000000000000/lib.so.sym"
	tried := "try/app.pdb/" + debugID + "/app.sym"
	put(t, s, store.Object{Path: symPath, Encoding: store.Gzip}, packed(t, store.Gzip, symText))
	put(t, s, store.Object{Path: elf}, []byte("MODULE Linux x86_64 BBA6FA10B8AAB33D00000000000000000 lib.so\r\nINFO CODE_ID 10faa6bbaab83db3\r\n"))
	put(t, s, store.Object{Path: tried, Encoding: store.Zstd}, packed(t, store.Zstd, strings.Replace(symText, "651C9AF9", "11111111", 1)))
	put(t, s, store.Object{Path: "app.pdb/" + debugID + "/app.old.sym"}, []byte(symText))
	put(t, s, store.Object{Path: "a/" + debugID + "/a.sym"}, []byte("<html>"))
	put(t, s, store.Object{Path: "b/" + debugID + "/b.sym"}, packed(t, store.Gzip, symText)[:20])
	put(t, s, store.Object{Path: "c/" + debugID + "/c.sym"}, nil)
	put(t, s, store.Object{Path: "d/" + debugID + "/d.sym"}, []byte("MODULE Linux x86_64 "+debugID+" d\n"))
	put(t, s, store.Object{Path: "e/" + debugID + "/e.sym"}, []byte("MODULE Linux x86_64 "+debugID+" e\nINFO CODE_ID 12 ../x\n"))
	put(t, s, store.Object{Path: "app.exe/651C9AF99241000/app.exe"}, []byte("MZ"))
	put(t, s, store.Object{Path: ".aftershock/code/gone.exe/12"}, []byte("gone.pdb/"+debugID+"/gone.sym\n"))
	put(t, s, store.Object{Path: ".aftershock/code/torn.exe/12"}, []byte(symPath))
	put(t, s, store.Object{Path: ".aftershock/code/evil.exe/12"}, []byte("../../etc/passwd\n"))
	put(t, s, store.Object{Path: ".aftershock/code/other.exe/12"}, []byte(tried+"\n"))

	var last int
	done, err := store.RebuildIndex(t.Context(), s, func(files int) { last = files })
	if diff := cmp.Diff(store.Rebuilt{Files: 9, Written: 3, Dropped: 4, Bad: 3}, done); err != nil || diff != "" || last != 9 {
		t.Errorf("%v, progress %d\n%s", err, last, diff)
	}
	lookup(t, s, false, "app with a space.exe", "651c9af99241000", symPath)
	lookup(t, s, false, "lib.so", "10FAA6BBAAB83DB3", elf)
	lookup(t, s, true, "app with a space.exe", "111111119241000", tried)
	lookup(t, s, false, "app with a space.exe", "111111119241000", "")
	lookup(t, s, true, "lib.so", "10FAA6BBAAB83DB3", "")
	lookup(t, s, false, "torn.exe", "12", "")
	lookup(t, s, false, "..", "12", "")
	lookup(t, s, false, "app with a space.exe", "", "")

	if done, err = store.RebuildIndex(t.Context(), s, nil); err != nil || done.Written != 0 || done.Dropped != 0 {
		t.Errorf("once more: %+v, %v", done, err)
	}
	if err := s.Delete(t.Context(), elf); err != nil {
		t.Fatal(err)
	}
	lookup(t, s, false, "lib.so", "10FAA6BBAAB83DB3", elf) // nobody has looked
	if done, err = store.RebuildIndex(t.Context(), s, nil); err != nil || done.Dropped != 1 {
		t.Errorf("with one file less: %+v, %v", done, err)
	}
	lookup(t, s, false, "lib.so", "10FAA6BBAAB83DB3", "")
	if err := store.IndexCode(t.Context(), s, parse(t, symPath), store.Head{CodeFile: "new.exe", CodeID: "abc"}); err != nil {
		t.Error(err)
	}
	lookup(t, s, false, "new.exe", "ABC", symPath)
	if err := store.IndexCode(t.Context(), s, parse(t, symPath), store.Head{CodeFile: "no/name", CodeID: "abc"}); err != nil {
		t.Errorf("a name that fits no path: %v", err)
	}
}

func TestHeads(t *testing.T) {
	for text, want := range map[string]store.Head{
		symText: {OS: "windows", Arch: "x86_64", DebugID: debugID, DebugFile: "app.pdb", CodeID: "651C9AF99241000", CodeFile: "app with a space.exe"},
		"MODULE mac arm64 1 My App Helper (GPU)\nINFO GENERATOR mozilla/dump_syms 2.3.4\nFILE 0 x\nINFO CODE_ID 12 late\n": {OS: "mac", Arch: "arm64", DebugID: "1", DebugFile: "My App Helper (GPU)", Generator: "mozilla/dump_syms 2.3.4"},
		"MODULE Linux x86 1 a\r\nINFO CODE_ID ff": {OS: "Linux", Arch: "x86", DebugID: "1", DebugFile: "a", CodeID: "ff", CodeFile: "a"},
	} {
		if got, err := store.ReadHead(strings.NewReader(text)); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "\n", "MODULE", "MODULE a b c", "MODULE a b c ", "module a b c d", "\nMODULE a b c d", "<html><body>MODULE a b c d", strings.Repeat("x", 1<<20)} {
		if h, err := store.ReadHead(strings.NewReader(text)); !errors.Is(err, breakpad.ErrNoModule) {
			t.Errorf("%.40q: %+v, %v", text, h, err)
		}
	}
	// What is beyond the bound is not read.
	pad := "MODULE a b c d\n" + "INFO GENERATOR "
	long := pad + strings.Repeat("x", store.MaxHeadBytes-len(pad)-len("\nINFO CODE_ID 12 e\n")) + "\nINFO CODE_ID 12 e\n"
	if h, err := store.ReadHead(strings.NewReader(long)); err != nil || h.CodeFile != "e" {
		t.Errorf("%d bytes: %.40q %v", len(long), h.CodeFile, err)
	}
	if h, err := store.ReadHead(strings.NewReader(strings.Replace(long, "xx", "xxxx", 1))); err != nil || h.CodeFile == "e" {
		t.Errorf("beyond the bound: %.40q %v", h.CodeFile, err)
	}
}

// What lies in a directory by other hands, or was torn, is a file of which nothing is known.
func TestFilesByOtherHandsInADirectory(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	o := store.Object{Path: symPath, SHA256: sum("by us"), By: "us"}
	put(t, s, o, []byte("by us"))
	holds(t, s, o, []byte("by us"))
	file := filepath.Join(root, symPath)
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil { //nolint:gosec // below a folder of the test
			t.Fatal(err)
		}
	}
	write(file, "by he") // as long
	holds(t, s, store.Object{Path: symPath}, []byte("by he"))
	put(t, s, o, []byte("by us"))
	note := filepath.Join(root, ".aftershock/note", symPath)
	whole, err := os.ReadFile(note)
	if err != nil {
		t.Fatal(err)
	}
	write(note, string(whole[:len(whole)-1]))
	holds(t, s, store.Object{Path: symPath}, []byte("by us"))
	write(note, string(whole))
	holds(t, s, o, []byte("by us"))
	write(filepath.Join(root, "b", debugID, "b.sym.gz"), string(packed(t, store.Gzip, symText)))
	holds(t, s, store.Object{Path: "b/" + debugID + "/b.sym", Encoding: store.Gzip}, packed(t, store.Gzip, symText))
	write(filepath.Join(root, "x.so", debugID, "x.so.dbg.gz"), "packed by itself")
	holds(t, s, store.Object{Path: "x.so/" + debugID + "/x.so.dbg.gz"}, []byte("packed by itself"))
	missing(t, s, "x.so/"+debugID+"/x.so.dbg")
	if err := s.Put(t.Context(), store.Object{Path: "x.so/" + debugID + "/x.so.dbg", Encoding: store.Gzip}, strings.NewReader("x")); !errors.Is(err, store.ErrBadObject) {
		t.Errorf("in place of another path: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(root, "c", debugID, "c.sym"), 0o700); err != nil {
		t.Fatal(err)
	}
	missing(t, s, "c/"+debugID+"/c.sym")
	missing(t, s, "b/"+debugID+"/c.sym")
	write(filepath.Join(root, "d"), "a file where a folder would be")
	missing(t, s, "d/"+debugID+"/d.sym")
	write(filepath.Join(root, "README"), "not of the layout")
	want := []string{"app.pdb/" + debugID + "/app.sym 5", "b/" + debugID + "/b.sym 124", "x.so/" + debugID + "/x.so.dbg.gz 16"}
	got := listed(t, s, "")
	got[1] = got[1][:strings.LastIndex(got[1], " ")] + " 124" // the compressor's size
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNamesOfStores(t *testing.T) {
	for _, name := range []string{"", "http://x/", "s3:bucket", "s3://", "s3://bucket?endpoint=x", "ftp://x"} {
		if s, err := store.Open(name); err == nil {
			t.Errorf("%q is the store %s", name, s.Name())
		}
	}
}
