package blob_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"aftershock/blob"
	"aftershock/internal/bucket/buckettest"
)

// keyOf is the key of content in a crash of its own.
func keyOf(t *testing.T, crash int, day string, content []byte) string {
	t.Helper()
	key, err := blob.Key(fmt.Sprintf("%08x-0000-4000-8000-000000%s", crash, day), "upload_file_minidump", sha256.Sum256(content))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// open opens a store by its name, as the verbs do.
func open(t testing.TB, name string) blob.Backend {
	t.Helper()
	b, err := blob.Open(name)
	if err == nil {
		err = b.Check(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What every backend must do.
func TestBackends(t *testing.T) {
	t.Run("directory", func(t *testing.T) { backend(t, open(t, filepath.Join(t.TempDir(), "blobs"))) })
	t.Run("S3", func(t *testing.T) {
		s := buckettest.Start(t)
		t.Run("bucket", func(t *testing.T) { backend(t, open(t, s.Name(buckettest.Bucket))) })
		t.Run("prefix", func(t *testing.T) { backend(t, open(t, s.Name(buckettest.Bucket+"/some/where"))) })
	})
}

func backend(t *testing.T, b blob.Backend) {
	put := func(t *testing.T, key string, data []byte) {
		t.Helper()
		if err := b.Put(t.Context(), key, data); err != nil {
			t.Fatal(err)
		}
	}
	holds := func(t *testing.T, key string, want []byte) {
		t.Helper()
		if got, err := b.Get(t.Context(), key, int64(len(want))); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes of %d, %v", key, len(got), len(want), err)
		}
	}
	t.Run("a blob put twice is there once", func(t *testing.T) {
		key := keyOf(t, 1, "261101", []byte("twice"))
		put(t, key, []byte("twice"))
		put(t, key, []byte("twice"))
		holds(t, key, []byte("twice"))
	})
	t.Run("many writers of one blob", func(t *testing.T) {
		data := bytes.Repeat([]byte("many"), 50_000)
		key := keyOf(t, 2, "261101", data)
		var g errgroup.Group
		for range 16 {
			g.Go(func() error { return b.Put(t.Context(), key, data) })
		}
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
		holds(t, key, data)
	})
	t.Run("a read takes so many bytes and no more", func(t *testing.T) {
		data := []byte("limited")
		key := keyOf(t, 3, "261101", data)
		put(t, key, data)
		holds(t, key, data)
		for _, limit := range []int64{int64(len(data)) - 1, 0} {
			if _, err := b.Get(t.Context(), key, limit); !errors.Is(err, blob.ErrTooLarge) || !strings.Contains(err.Error(), key) {
				t.Errorf("%d bytes: %v", limit, err)
			}
		}
	})
	t.Run("a missing blob", func(t *testing.T) {
		key := keyOf(t, 4, "261101", nil)
		if _, err := b.Get(t.Context(), key, 1); !errors.Is(err, blob.ErrNotFound) || !strings.Contains(err.Error(), key) {
			t.Error(err)
		}
	})
	t.Run("an empty blob", func(t *testing.T) {
		key := keyOf(t, 5, "261101", []byte{})
		put(t, key, nil)
		put(t, key, []byte{})
		holds(t, key, nil)
	})
	t.Run("a large blob", func(t *testing.T) {
		data := bytes.Repeat([]byte("large dump "), 25<<20/11)
		key := keyOf(t, 6, "261101", data)
		put(t, key, data)
		holds(t, key, data)
	})
	t.Run("keys that Key does not make", func(t *testing.T) {
		good := keyOf(t, 7, "261101", nil)
		for _, key := range append(badKeys, "/"+good, good+"0", good+"/", good[:len(good)-1], strings.Replace(good, "01", "02", 1),
			strings.Replace(good, "upload", "../../x", 1), strings.Replace(good, "upload", strings.Repeat("u", 60), 1)) {
			_, got := b.Get(t.Context(), key, 1)
			for what, err := range map[string]error{"put": b.Put(t.Context(), key, nil), "get": got, "delete": b.Delete(t.Context(), blob.Entry{Path: key})} {
				if !errors.Is(err, blob.ErrBadKey) {
					t.Errorf("%s %q: %v", what, key, err)
				}
			}
		}
	})
	t.Run("what was cancelled has not happened", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		key := keyOf(t, 8, "261101", nil)
		_, get := b.Get(ctx, key, 1)
		_, days := b.Days(ctx)
		for what, err := range map[string]error{
			"put": b.Put(ctx, key, nil), "get": get, "days": days, "delete": b.Delete(ctx, blob.Entry{Path: key}),
			"list": b.List(ctx, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), func(blob.Entry) error { return nil }),
		} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := b.Get(t.Context(), key, 1); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("stored nevertheless: %v", err)
		}
	})
	t.Run("blobs are listed by day and can be deleted", func(t *testing.T) { listed(t, b) })
}

// badKeys are no keys whatever the day.
var badKeys = []string{
	"", "/", "x", "/etc/passwd", "raw/v1/../../x", "raw/v1/a//b", "other/x", "raw/v1/./x", "raw/v1/2026/11/22", "raw/v1/2026/11/22/" + crashID,
	"raw/v1/2026/11/22/" + crashID + "/..", "raw/v1/2026/11/22/" + crashID + "/x-0123456789abcdeF", "raw/v1/2026/11/22/" + crashID + "/ü-0123456789abcdef",
	"raw/v1/2026/11/22/0bba929f-8721-460c-8e70-a43c90991399/x-0123456789abcdef", "raw/v1/2026/11/22/" + crashID + "/x-0123456789abcdef\n",
}

func listed(t *testing.T, b blob.Backend) {
	var stored []string
	day := time.Date(2020, 2, 29, 0, 0, 0, 0, time.UTC)
	var g errgroup.Group
	g.SetLimit(8)
	for crash := range 1100 { // more than a page of S3 and a chunk of a folder
		key := keyOf(t, crash, "200229", []byte("x"))
		g.Go(func() error { return b.Put(t.Context(), key, []byte("x")) })
		stored = append(stored, key)
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	other := keyOf(t, 0, "191231", []byte("other"))
	if err := b.Put(t.Context(), other, []byte("other")); err != nil {
		t.Fatal(err)
	}
	list := func(day time.Time) (paths []string) {
		t.Helper()
		err := b.List(t.Context(), day, func(e blob.Entry) error {
			if e.Bytes != 1 {
				t.Errorf("listed %+v", e)
			}
			paths = append(paths, e.Path)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(paths)
		return paths
	}
	if got := list(day); !slices.Equal(got, stored) {
		t.Errorf("listed %d blobs, want %d", len(got), len(stored))
	}
	if got := list(day.AddDate(0, 0, 1)); len(got) != 0 {
		t.Errorf("a day without blobs has %q", got)
	}
	days, err := b.Days(t.Context())
	want := []time.Time{time.Date(2019, 12, 31, 0, 0, 0, 0, time.UTC), day, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	if err != nil || !slices.EqualFunc(days, want, time.Time.Equal) {
		t.Errorf("days %v, want %v, %v", days, want, err)
	}
	stop := errors.New("stop")
	if err := b.List(t.Context(), day, func(blob.Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the caller's error: %v", err)
	}
	for range 2 { // what is gone is no error
		if err := b.Delete(t.Context(), blob.Entry{Path: other}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Get(t.Context(), other, 5); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("a deleted blob: %v", err)
	}
	if err := b.List(t.Context(), day, func(e blob.Entry) error { return b.Delete(t.Context(), e) }); err != nil {
		t.Fatal(err)
	}
	if got := list(day); len(got) != 0 {
		t.Errorf("%d blobs are left after all were deleted while they were listed", len(got))
	}
	if days, err := b.Days(t.Context()); err != nil || !slices.EqualFunc(days, want[2:], time.Time.Equal) {
		t.Errorf("days after the blobs of two were deleted: %v, %v", days, err)
	}
}

func TestNamesThatAreNoStore(t *testing.T) {
	for _, name := range []string{"", "http://host/bucket", "s3:bucket", "s3://", "s3://bucket?x=y", "ftp://s3cr3t@x", "s3://bucket/a//b", "s3://bucket/a/../b", "s3://bucket/" + strings.Repeat("p", 513)} {
		if _, err := blob.Open(name); !errors.Is(err, blob.ErrBadName) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := blob.Open("s3://bucket/" + strings.Repeat("p", 512)); err != nil {
		t.Error(err)
	}
}
