package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"aftershock/internal/bucket/buckettest"
	"aftershock/symbolcache"
	"aftershock/symbolserver/store"
)

const (
	debugID = "44E4EC8C2F41492B9369D6B9A059577C2"
	symPath = "app.pdb/" + debugID + "/app.sym"
	symText = "MODULE windows x86_64 " + debugID + " app.pdb\nINFO CODE_ID 651C9AF99241000 app with a space.exe\nFUNC 1000 10 0 main\n"
)

// What every store must do.
func TestStores(t *testing.T) {
	t.Run("directory", func(t *testing.T) {
		contract(t, func(t *testing.T) store.Store { return open(t, filepath.Join(t.TempDir(), "symbols")) })
	})
	t.Run("S3", func(t *testing.T) {
		server := buckettest.Start(t)
		n := 0
		contract(t, func(t *testing.T) store.Store {
			n++
			return open(t, server.Name(fmt.Sprintf("%s/symbols%d", buckettest.Bucket, n)))
		})
	})
}

func open(t *testing.T, name string) store.Store {
	t.Helper()
	s, err := store.Open(name)
	if err == nil {
		err = s.Check(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s store.Store, o store.Object, content []byte) {
	t.Helper()
	if err := s.Put(t.Context(), o, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
}

func sum(content string) string {
	h := sha256.Sum256([]byte(content))
	return hex.EncodeToString(h[:])
}

func packed(t *testing.T, encoding, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	switch encoding {
	case store.Gzip:
		w = gzip.NewWriter(&out)
	case store.Zstd:
		w, _ = zstd.NewWriter(&out)
	default:
		return []byte(text)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// holds compares what is at a path, by every way of asking.
func holds(t *testing.T, s store.Store, want store.Object, content []byte) {
	t.Helper()
	want.Bytes = int64(len(content))
	ignore := cmpopts.IgnoreFields(store.Object{}, "Modified")
	stat, err := s.Stat(t.Context(), want.Path)
	if diff := cmp.Diff(want, stat, ignore); err != nil || diff != "" || stat.Modified.IsZero() {
		t.Errorf("Stat: %v, modified %v\n%s", err, stat.Modified, diff)
	}
	got, body, err := s.Get(t.Context(), want.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if diff := cmp.Diff(stat, got); diff != "" {
		t.Errorf("Get is not Stat: %s", diff)
	}
	if err := iotest.TestReader(body, content); err != nil {
		t.Errorf("the content of Get: %v", err)
	}
	opened, err := s.Open(t.Context(), want.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	if all, err := io.ReadAll(opened); err != nil || !bytes.Equal(all, content) || opened.Bytes != want.Bytes {
		t.Errorf("Open: %d bytes of %d, said %d, %v", len(all), len(content), opened.Bytes, err)
	}
}

func missing(t *testing.T, s store.Store, path string) {
	t.Helper()
	if _, err := s.Stat(t.Context(), path); !errors.Is(err, symbolcache.ErrNotFound) {
		t.Errorf("Stat of %.80q: %v", path, err)
	}
	if _, body, err := s.Get(t.Context(), path); !errors.Is(err, symbolcache.ErrNotFound) {
		t.Errorf("Get of %.80q: %v, %v", path, err, body)
	}
	if _, err := s.Open(t.Context(), path); !errors.Is(err, symbolcache.ErrNotFound) {
		t.Errorf("Open of %.80q: %v", path, err)
	}
}

func listed(t *testing.T, s store.Store, prefix string) []string {
	t.Helper()
	var out []string
	if err := s.List(t.Context(), prefix, func(o store.Object) error {
		if o.Modified.IsZero() {
			t.Errorf("%s: no time", o.Path)
		}
		out = append(out, fmt.Sprintf("%s %d", o.Path, o.Bytes))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

var errStop = errors.New("stop")

func contract(t *testing.T, fresh func(t *testing.T) store.Store) {
	t.Run("a file is what was put", func(t *testing.T) {
		s := fresh(t)
		missing(t, s, symPath)
		for _, encoding := range []string{store.Identity, store.Gzip, store.Zstd, store.Identity} { // each in place of the one before
			o := store.Object{Path: symPath, Encoding: encoding, SHA256: sum(symText), By: "jane doe, ä \" % /"}
			content := packed(t, encoding, symText)
			o.Bytes = int64(len(content))
			put(t, s, o, content)
			holds(t, s, o, content)
		}
		put(t, s, store.Object{Path: symPath}, []byte("by nobody"))
		holds(t, s, store.Object{Path: symPath}, []byte("by nobody"))
		put(t, s, store.Object{Path: symPath}, nil)
		holds(t, s, store.Object{Path: symPath}, nil)
		large := []byte(strings.Repeat("0123456789abcdef", 3<<20)) // several parts
		put(t, s, store.Object{Path: symPath, By: "large"}, large)
		if o, err := s.Stat(t.Context(), symPath); err != nil || o.Bytes != int64(len(large)) || o.By != "large" {
			t.Errorf("%+v, %v", o, err)
		}
		if err := s.Delete(t.Context(), symPath); err != nil {
			t.Error(err)
		}
		missing(t, s, symPath)
		if err := s.Delete(t.Context(), symPath); err != nil {
			t.Errorf("what is not there: %v", err)
		}
	})
	t.Run("every kind of path", func(t *testing.T) {
		s := fresh(t)
		var want []string
		for _, path := range []string{
			symPath, "app.pdb/" + debugID + "/app.pdb", "app.pdb/" + debugID + "/app.pd_", "app with a space.exe/651C9AF99241000/app with a space.exe", "libx.so/" + debugID + "/libx.so.dbg.gz", "libx.so/" + debugID + "/libx.so.dbg",
			"buildid/00ff/executable", "buildid/00ff/debuginfo", "try/buildid/00ff/debuginfo", "try/" + symPath, "try/" + debugID + "/try.sym", ".aftershock/code/app.exe/651C9AF99241000", ".aftershock/try/code/app.exe/651C9AF99241000",
		} {
			put(t, s, store.Object{Path: path}, []byte(path))
			want = append(want, fmt.Sprintf("%s %d", path, len(path)))
		}
		slices.Sort(want)
		for _, line := range want {
			path := line[:strings.LastIndex(line, " ")]
			holds(t, s, store.Object{Path: path}, []byte(path))
		}
		if diff := cmp.Diff(want, listed(t, s, "")); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"try/" + debugID + "/try.sym 45", "try/app.pdb/" + debugID + "/app.sym 53", "try/buildid/00ff/debuginfo 26"}, listed(t, s, "try/")); diff != "" {
			t.Error(diff)
		}
		if got := listed(t, s, "none/"); len(got) > 0 {
			t.Error(got)
		}
		calls := 0
		if err := s.List(t.Context(), "", func(store.Object) error { calls++; return errStop }); !errors.Is(err, errStop) || calls != 1 {
			t.Errorf("%v after %d calls", err, calls)
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.List(cancelled, "", func(store.Object) error { return nil }); err == nil {
			t.Error("a listing that was ended looks whole")
		}
		for _, path := range want {
			if err := s.Delete(t.Context(), path[:strings.LastIndex(path, " ")]); err != nil {
				t.Error(err)
			}
		}
		if got := listed(t, s, ""); len(got) > 0 {
			t.Error(got)
		}
	})
	t.Run("what is no path", func(t *testing.T) {
		s := fresh(t)
		for _, path := range slices.Collect(maps.Keys(badPaths)) {
			missing(t, s, path)
			if err := s.Put(t.Context(), store.Object{Path: path}, strings.NewReader("x")); !errors.Is(err, store.ErrBadPath) {
				t.Errorf("Put of %.80q: %v", path, err)
			}
			if err := s.Delete(t.Context(), path); !errors.Is(err, store.ErrBadPath) {
				t.Errorf("Delete of %.80q: %v", path, err)
			}
		}
		for name, o := range map[string]store.Object{
			"encoding": {Encoding: "br"}, "upper case": {SHA256: strings.ToUpper(sum("x"))}, "63 digits": {SHA256: sum("x")[1:]}, "no digits": {SHA256: strings.Repeat("x", 64)},
			"by": {By: strings.Repeat("x", store.MaxByBytes+1)}, "size": {Bytes: -1},
		} {
			o.Path = symPath
			if err := s.Put(t.Context(), o, strings.NewReader("x")); !errors.Is(err, store.ErrBadObject) {
				t.Errorf("%s: %v", name, err)
			}
		}
		put(t, s, store.Object{Path: symPath, By: strings.Repeat("ä", store.MaxByBytes/2)}, nil)
		holds(t, s, store.Object{Path: symPath, By: strings.Repeat("ä", store.MaxByBytes/2)}, nil)
	})
	t.Run("a Put that fails changes nothing", func(t *testing.T) {
		s := fresh(t)
		before := store.Object{Path: symPath, SHA256: sum("before"), By: "jane"}
		put(t, s, before, []byte("before"))
		half := strings.NewReader(strings.Repeat("x", 20<<20))
		for name, r := range map[string]io.Reader{
			"at once": iotest.ErrReader(errStop), "later": io.MultiReader(half, iotest.ErrReader(errStop)),
		} {
			if err := s.Put(t.Context(), store.Object{Path: symPath}, r); !errors.Is(err, errStop) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, said := range []int64{4, 6} {
			if err := s.Put(t.Context(), store.Object{Path: symPath, Bytes: said}, strings.NewReader("12345")); !errors.Is(err, store.ErrBadObject) {
				t.Errorf("5 bytes for %d: %v", said, err)
			}
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Put(cancelled, store.Object{Path: symPath}, strings.NewReader("x")); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		holds(t, s, before, []byte("before"))
	})
	t.Run("of many who put, one wins whole", func(t *testing.T) {
		s := fresh(t)
		var g errgroup.Group
		for i := range 8 {
			g.Go(func() error {
				text := strings.Repeat(fmt.Sprint(i), 100_000+i)
				encoding := []string{store.Identity, store.Gzip}[i%2]
				return s.Put(context.Background(), store.Object{Path: symPath, Encoding: encoding, SHA256: sum(text), By: fmt.Sprint(i)}, bytes.NewReader(packed(t, encoding, text)))
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		o, body, err := s.Get(t.Context(), symPath)
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		text, err := store.Decode(body, o.Encoding)
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(text)
		if err != nil || sum(string(all)) != o.SHA256 || !strings.HasPrefix(string(all), o.By) {
			t.Errorf("%d bytes by %s, %v: not those of the note", len(all), o.By, err)
		}
	})
	t.Run("who reads while it is replaced finds the one or the other", func(t *testing.T) {
		s := fresh(t)
		contents := map[string][]byte{}
		encodings := []string{store.Zstd, store.Identity, store.Gzip}
		replace := func(i int) error {
			encoding := encodings[i%len(encodings)]
			return s.Put(context.Background(), store.Object{Path: symPath, Encoding: encoding}, bytes.NewReader(contents[encoding]))
		}
		for _, encoding := range encodings {
			contents[encoding] = packed(t, encoding, symText)
		}
		if err := replace(0); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			var err error
			for i := 1; i < 100 && err == nil; i++ {
				err = replace(i)
			}
			done <- err
		}()
		for {
			o, body, err := s.Get(t.Context(), symPath)
			if err != nil {
				t.Fatal(err)
			}
			all, err := io.ReadAll(body)
			body.Close() //nolint:gosec // opened for reading
			if err == nil && !bytes.Equal(all, contents[o.Encoding]) {
				t.Fatalf("said to be %q: %q", o.Encoding, all)
			}
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
				return
			default:
			}
		}
	})
	t.Run("index", func(t *testing.T) { index(t, fresh(t)) })
}
