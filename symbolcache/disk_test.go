package symbolcache_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"aftershock/symbolcache"
)

// long is the text of a module with n functions; it is another one for each n.
func long(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "MODULE Linux x86_64 %s app%d\n", debugID, n)
	for i := range n {
		fmt.Fprintf(&b, "FUNC %x 10 0 function_%d_of_%d\n", 0x1000+16*i, i, n)
	}
	return b.String()
}

// longs is a source of long texts: app7 has 700 functions.
func longs() *source {
	s := &source{}
	s.answer = func(_ context.Context, path string) (string, error) {
		var n int
		if _, err := fmt.Sscanf(path, "app%d/", &n); err != nil {
			return "", symbolcache.ErrNotFound
		}
		return long(100 * n), nil
	}
	return s
}

// compiled lists the compiled files of a cache.
func compiled(t testing.TB, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == symbolcache.Extension {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// bytesOf adds up sizes.
func bytesOf(t testing.TB, files []string) (n int64) {
	t.Helper()
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		n += info.Size()
	}
	return n
}

func TestARestartFindsTheFiles(t *testing.T) {
	s := says(text, nil)
	o := symbolcache.Options{Dir: t.TempDir()}
	first := get(t, open(t, o, s), key(1))
	second := get(t, open(t, o, s), key(1))
	if second.Outcome != symbolcache.Found || second.SHA256 != first.SHA256 || s.asked.Load() != 1 {
		t.Errorf("%+v, asked %d times", second, s.asked.Load())
	}
	// Other sources may have other symbols for the same module.
	other := &source{name: "other", answer: s.answer}
	if get(t, open(t, o, other), key(1)); other.asked.Load() != 1 {
		t.Error("the other source's file is served")
	}
	if get(t, open(t, o, s, other), key(1)); s.asked.Load() != 2 {
		t.Error("one source's file is served for two")
	}
}

func TestDamagedFilesAreCompiledAgain(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"truncated": func(b []byte) []byte { return b[:len(b)-1] },
		"empty":     func([]byte) []byte { return nil },
		"too long":  func(b []byte) []byte { return append(b, 0) },
		"foreign":   func([]byte) []byte { return []byte(strings.Repeat("something else\n", 100)) },
		"text":      func([]byte) []byte { return []byte(text) },
		"older":     func(b []byte) []byte { binary.LittleEndian.PutUint32(b[8:], symbolcache.Version-1); return b },
		"newer":     func(b []byte) []byte { binary.LittleEndian.PutUint32(b[8:], symbolcache.Version+1); return b },
		"footer":    func(b []byte) []byte { b[len(b)-20] ^= 1; return b },
	} {
		t.Run(name, func(t *testing.T) {
			o := symbolcache.Options{Dir: t.TempDir()}
			get(t, open(t, o, says(text, nil)), key(1))
			path := compiled(t, o.Dir)[0]
			bad := func() {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, damage(b), 0o600); err != nil {
					t.Fatal(err)
				}
				if f, err := symbolcache.Open(path); err == nil {
					f.Close() //nolint:gosec // a mapping
					t.Fatal("the damage is not seen")
				}
			}
			bad()
			s := says(text, nil)
			if got := get(t, open(t, o, s), key(1)); got.Outcome != symbolcache.Found || s.asked.Load() != 1 {
				t.Errorf("%s, asked %d times", got.Outcome, s.asked.Load())
			}
			if err := symbolcache.VerifyFile(path); err != nil {
				t.Error(err)
			}
			bad()
			if got := get(t, open(t, o, says("", symbolcache.ErrNotFound)), key(1)); got.Outcome != symbolcache.Missing || got.File != nil {
				t.Errorf("without a source: %+v", got)
			}
		})
	}
}

func TestBytesOnDiskAreBounded(t *testing.T) {
	s := longs()
	all := symbolcache.Options{Dir: t.TempDir()}
	c := open(t, all, s)
	for i := range 12 {
		get(t, c, key(i+1))
	}
	total := bytesOf(t, compiled(t, all.Dir))

	o := symbolcache.Options{Dir: t.TempDir(), MaxBytes: total / 2}
	// Two caches on one directory are as two processes.
	caches := []*symbolcache.Cache{open(t, o, s), open(t, o, s)}
	for round := range 3 {
		for i := range 12 {
			if got := get(t, caches[(i+round)%2], key(i+1)); got.Outcome != symbolcache.Found {
				t.Fatal(got.Outcome)
			}
			if n := bytesOf(t, compiled(t, o.Dir)); n > o.MaxBytes {
				t.Fatalf("%d bytes, bound %d", n, o.MaxBytes)
			}
		}
	}
	// A smaller bound holds from the next file on.
	o.MaxBytes = total / 4
	if get(t, open(t, o, s), key(13)); bytesOf(t, compiled(t, o.Dir)) > o.MaxBytes {
		t.Errorf("%d bytes, bound %d", bytesOf(t, compiled(t, o.Dir)), o.MaxBytes)
	}
}

func TestWhatWasUsedLongestAgoLeavesFirst(t *testing.T) {
	s := longs()
	o := symbolcache.Options{Dir: t.TempDir()}
	c := open(t, o, s)
	get(t, c, key(1))
	get(t, c, key(2))
	get(t, c, key(3))
	files := compiled(t, o.Dir)
	byUse := map[string]int{} // oldest: app2, then app3, app1
	for _, path := range files {
		f, err := symbolcache.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		n := map[string]int{"app100": 3, "app200": 1, "app300": 2}[f.Name]
		byUse[path] = n
		f.Close() //nolint:gosec // a mapping
		if err := os.Chtimes(path, time.Now().Add(time.Duration(n)*time.Hour-10*time.Hour), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	o.MaxBytes = bytesOf(t, files) + 1
	c = open(t, o, s)
	get(t, c, key(1)) // counts as a use
	for path, n := range byUse {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if used := time.Unix(info.Sys().(*syscall.Stat_t).Atim.Unix()); (n == 3) != (time.Since(used) < time.Hour) {
			t.Errorf("%s was used at %v", path, used)
		}
	}
	get(t, c, key(4)) // needs one or two of them
	left := 0
	for _, path := range files {
		if _, err := os.Stat(path); err == nil {
			left++
			if byUse[path] == 1 {
				t.Errorf("%s was used longest ago", path)
			}
		} else if byUse[path] == 3 {
			t.Error("what was used last has left")
		}
	}
	if left == 3 {
		t.Error("nothing has left")
	}
}

func TestAFileInUseIsEvictedAndStays(t *testing.T) {
	s := longs()
	o := symbolcache.Options{Dir: t.TempDir()}
	get(t, open(t, o, s), key(8))
	o.MaxBytes = bytesOf(t, compiled(t, o.Dir)) + 100
	c := open(t, o, s)
	used := c.Get(t.Context(), key(8))
	get(t, c, key(7))
	if n := bytesOf(t, compiled(t, o.Dir)); n > o.MaxBytes {
		t.Errorf("%d bytes, bound %d", n, o.MaxBytes)
	}
	asked := s.asked.Load()
	again := c.Get(t.Context(), key(8))
	if s.asked.Load() != asked+1 {
		t.Error("the evicted file is still found")
	}
	if err := used.File.Verify(); err != nil || !used.File.HasFunction(0x1004) {
		t.Error("who uses the evicted file lost it: ", err)
	}
	used.Release()
	used.Release()
	if err := again.File.Verify(); err != nil {
		t.Error("released twice, another's file is gone: ", err)
	}
	again.Release()
}

func TestAFileThatDoesNotFitIsAnError(t *testing.T) {
	s := longs()
	o := symbolcache.Options{Dir: t.TempDir()}
	get(t, open(t, o, s), key(5))
	size := bytesOf(t, compiled(t, o.Dir))
	for bound, want := range map[int64]symbolcache.Outcome{size: symbolcache.Found, size - 1: symbolcache.Error} {
		o := symbolcache.Options{Dir: t.TempDir(), MaxBytes: bound}
		c := open(t, o, s, s)
		get(t, c, key(1))
		asked := s.asked.Load()
		if got := get(t, c, key(5)); got.Outcome != want {
			t.Errorf("%d bytes for a file of %d: %s", bound, size, got.Outcome)
		}
		if s.asked.Load() != asked+1 {
			t.Error("the next source was asked although the disk was full")
		}
		if litter, err := os.ReadDir(filepath.Join(o.Dir, "tmp")); err != nil || len(litter) > 0 {
			t.Errorf("left behind: %v %v", litter, err)
		}
	}
}

func TestAFullDiskIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("mounting a small disk: %v", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH) //nolint:errcheck // a temporary folder
	s := longs()
	c := open(t, symbolcache.Options{Dir: dir}, s)
	outcomes := map[symbolcache.Outcome]int{}
	for i := range 20 {
		outcomes[get(t, c, key(i+1)).Outcome]++
	}
	if outcomes[symbolcache.Found] == 0 || outcomes[symbolcache.Error] == 0 || len(outcomes) != 2 {
		t.Errorf("outcomes %v", outcomes)
	}
	for _, path := range compiled(t, dir) {
		if err := symbolcache.VerifyFile(path); err != nil {
			t.Error(err)
		}
	}
	if litter, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(litter) > 0 {
		t.Errorf("left behind: %v %v", litter, err)
	}
	if err := c.Close(); err != nil { // what it has mapped needs room too
		t.Error(err)
	}
	if got := get(t, open(t, symbolcache.Options{Dir: dir, MaxBytes: 150 << 10}, s), key(20)); got.Outcome != symbolcache.Found {
		t.Errorf("with room: %s", got.Outcome)
	}
}

func TestADirectoryThatCannotBeUsedIsSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var disk *symbolcache.DiskError
	if _, err := symbolcache.New(symbolcache.Options{Dir: file, Sources: []symbolcache.Source{longs()}}); !errors.As(err, &disk) || !errors.Is(err, unix.ENOTDIR) {
		t.Error(err)
	}
}
