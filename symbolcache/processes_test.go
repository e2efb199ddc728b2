package symbolcache_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aftershock/symbolcache"
)

// asLoader makes the test binary a process that loads files: the cache is for
// several, and they can be killed.
const asLoader = "AFTERSHOCK_TEST_AS_LOADER"

func TestMain(m *testing.M) {
	if os.Getenv(asLoader) != "" {
		os.Exit(load(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// load is the process: it asks a server for a module, or for ever for any of many.
func load(args []string) int {
	dir, server, bound, modules := args[0], args[1], args[2], args[3]
	maxBytes, err1 := strconv.ParseInt(bound, 10, 64)
	n, err2 := strconv.Atoi(modules)
	if err1 != nil || err2 != nil {
		return 2
	}
	source, err := symbolcache.NewSource(server)
	if err != nil {
		return 2
	}
	c, err := symbolcache.New(symbolcache.Options{Dir: dir, Sources: []symbolcache.Source{source}, MaxBytes: maxBytes})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("ready")
	ctx := context.Background()
	for n > 1 {
		for range 4 {
			go func() { c.Get(ctx, key(1+rand.IntN(n))).Release() }() //nolint:gosec // not a secret
		}
		l := c.Get(ctx, key(1+rand.IntN(n))) //nolint:gosec // not a secret
		if l.File != nil && l.File.Verify() != nil {
			fmt.Println("damaged")
		}
		l.Release()
	}
	fmt.Println(c.Get(ctx, key(1)).Outcome)
	return 0
}

// loader starts such a process and waits until it has opened the cache.
func loader(t *testing.T, dir, server string, maxBytes int64, modules int) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], dir, server, fmt.Sprint(maxBytes), fmt.Sprint(modules)) //nolint:gosec // ourselves
	cmd.Env = append(os.Environ(), asLoader+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "ready\n" {
		t.Fatal(line, err)
	}
	return cmd, lines
}

func TestOneLoadForManyProcesses(t *testing.T) {
	var asked atomic.Int64
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		<-release
		send(w, []byte(text))
	}))
	defer server.Close()
	dir := t.TempDir()
	var all []*exec.Cmd
	var outs []*bufio.Reader
	for range 5 {
		cmd, out := loader(t, dir, server.URL, 1<<20, 1)
		all, outs = append(all, cmd), append(outs, out)
	}
	close(release)
	for i, cmd := range all {
		if line, err := outs[i].ReadString('\n'); line != "found\n" {
			t.Error(line, err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("%d requests", asked.Load())
	}
}

// Processes are killed in the middle of whatever they do; the directory is whole
// and below its bound at all times.
func TestKilledProcessesLeaveAConsistentCache(t *testing.T) {
	const modules = 20
	texts := make([][]byte, modules+1)
	for i := range texts {
		texts[i] = []byte(long(50 + 100*i))
		if i%3 == 0 {
			texts[i] = gzipped(t, string(texts[i]))
		}
	}
	var served atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		var n int
		if _, err := fmt.Sscanf(strings.TrimPrefix(r.URL.Path, "/"), "app%d/", &n); err != nil || n > modules {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		send(w, texts[n])
	}))
	defer server.Close()
	o := symbolcache.Options{Dir: t.TempDir(), MaxBytes: 400 << 10}
	rounds := 25
	if testing.Short() {
		rounds = 3
	}
	for range rounds {
		var cmds []*exec.Cmd
		var outs []*bufio.Reader
		for range 3 {
			cmd, out := loader(t, o.Dir, server.URL, o.MaxBytes, modules)
			cmds, outs = append(cmds, cmd), append(outs, out)
		}
		for before := served.Load(); served.Load() == before; { // else nothing would be under way
			time.Sleep(time.Millisecond)
		}
		for i, cmd := range cmds {
			time.Sleep(time.Duration(rand.IntN(30_000)) * time.Microsecond) //nolint:gosec // not a secret
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if said, err := io.ReadAll(outs[i]); err != nil || len(said) > 0 {
				t.Errorf("%s %v", said, err)
			}
			cmd.Wait() //nolint:errcheck,gosec // killed
		}
		files := compiled(t, o.Dir)
		if n := bytesOf(t, files); n > o.MaxBytes {
			t.Errorf("%d bytes, bound %d", n, o.MaxBytes)
		}
		for _, path := range files {
			if err := symbolcache.VerifyFile(path); err != nil {
				t.Error(err)
			}
		}
	}
	if len(compiled(t, o.Dir)) == 0 {
		t.Fatal("nothing was loaded")
	}
	c := open(t, o, web(t, server.URL))
	if litter, err := os.ReadDir(filepath.Join(o.Dir, "tmp")); err != nil || len(litter) > 0 {
		t.Errorf("left behind: %v %v", litter, err)
	}
	for i := range modules {
		if got := get(t, c, key(i+1)); got.Outcome != symbolcache.Found {
			t.Errorf("module %d: %s", i+1, got.Outcome)
		}
	}
}

// An evicted file needs room on the disk until it is unmapped.
func TestFilesThatAnotherProcessEvictedAreUnmapped(t *testing.T) {
	if _, err := os.Stat("/proc/self/maps"); err != nil {
		t.Skip("no /proc")
	}
	deleted := func(dir string) (n int) {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(maps)) {
			if strings.Contains(line, dir) && strings.Contains(line, "(deleted)") {
				n++
			}
		}
		return n
	}
	now := time.Now()
	s := longs()
	o := symbolcache.Options{Dir: t.TempDir(), Now: func() time.Time { return now }}
	c := open(t, o, s)
	get(t, c, key(8))
	used := c.Get(t.Context(), key(7))
	o.MaxBytes = 1 + bytesOf(t, compiled(t, o.Dir)[:1])
	other := open(t, o, s)
	get(t, other, key(6))
	if deleted(o.Dir) == 0 {
		t.Fatal("nothing was evicted")
	}
	now = now.Add(time.Minute)
	get(t, c, key(6))
	if n := deleted(o.Dir); n > 1 {
		t.Errorf("%d evicted files are mapped, one is in use", n)
	}
	if err := used.File.Verify(); err != nil {
		t.Error(err)
	}
	used.Release()
}
