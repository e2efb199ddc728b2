package symbolcache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestBudgetOfCompilers(t *testing.T) {
	b := newBudget(800, 2) // 100 each, and 600
	var first, second func()
	check := func(bytes int64, leave *func(), allowed int64, wantErr error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		got, err := b.need(ctx, bytes, leave)
		if got != allowed || !errors.Is(err, wantErr) {
			t.Errorf("%d: got %d, %v", bytes, got, err)
		}
	}
	check(100, &first, 100, nil)
	check(100, &second, 100, nil)
	check(101, &first, 700, nil)
	check(101, &second, 0, context.DeadlineExceeded) // waits for the first
	check(700, &first, 700, nil)
	check(701, &first, 0, ErrTooLarge)
	first()
	check(101, &second, 700, nil)
	if many := newBudget(1600, 8); many.share != 100 || many.rest != 800 {
		t.Errorf("of 8: %d each, and %d", many.share, many.rest)
	}
}

// TestHostileTextsAreRefusedByTheirMemory has a text for each thing that can be
// had in masses; each is refused before it is read to its end.
func TestHostileTextsAreRefusedByTheirMemory(t *testing.T) {
	const allowed = 2 << 20
	many := func(format string) string {
		var b strings.Builder
		b.WriteString("MODULE Linux x86_64 0 app\nFUNC 1000 ffff0000 0 f\n")
		for i := 0; b.Len() < 4<<20; i++ {
			b.WriteString(strings.ReplaceAll(strings.ReplaceAll(format, "#", strconv.FormatInt(int64(0x1000+i), 16)), "@", strconv.Itoa(i)))
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"PUBLIC of one name": many("PUBLIC # 0 p\n"), "PUBLIC": many("PUBLIC # 0 p#\n"), "FUNC": many("FUNC # 1 0 f\n"), "lines": many("# 1 7 0\n"),
		"inlined calls": many("INLINE 0 1 0 0 # 1\n"), "ranges": many("INLINE 0 1 0 0" + strings.Repeat(" # 1", 1000) + "\n"),
		"origins": many("INLINE_ORIGIN @ in\n"), "files": many("FILE @ a\n"), "files that are not defined": many("# 1 7 @\n"),
		"INIT": many("STACK CFI INIT # 1 .cfa: $rsp 8 + .ra: .cfa 8 - ^\n"), "rules": many("STACK CFI INIT # 1 .cfa: $rsp # + .ra: .cfa 8 - ^\n"),
		"rows": many("STACK CFI INIT 1 1 .cfa: 1\n" + strings.Repeat("STACK CFI # .cfa: 1\n", 100)),
		"WIN":  many("STACK WIN 4 # 1 0 0 0 0 0 0 1 $eip # =\n"), "long names": many("PUBLIC # 0 #" + strings.Repeat("x", 100<<10) + "\n"),
	} {
		m := &meter{need: func(bytes int64) (int64, error) {
			if bytes > allowed {
				return 0, ErrTooLarge
			}
			return allowed, nil
		}}
		text := strings.NewReader(text)
		if err := compile(newOutput(&strings.Builder{}), text, m, nil); !errors.Is(err, ErrTooLarge) || text.Len() == 0 {
			t.Errorf("%s: %v, %d bytes left, %d held", name, err, text.Len(), m.held)
		}
	}
}

// TestTextThatTakesAllMemoryIsMalformed, and others go on beside it.
func TestTextThatTakesAllMemoryIsMalformed(t *testing.T) {
	root := t.TempDir()
	write := func(name string, publics int) Key {
		key := Key{DebugFile: name, DebugID: "313131313131313131313131313131310"}
		var b strings.Builder
		b.WriteString("MODULE Linux x86_64 0 app\n")
		for i := range publics {
			fmt.Fprintf(&b, "PUBLIC %x 0 p%x\n", i, i)
		}
		path := filepath.Join(root, name, key.DebugID, name+".sym")
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return key
	}
	var reason error
	c, err := New(Options{
		Dir: t.TempDir(), Sources: []Source{Dir(root)}, MaxCompileBytes: 16 << 20,
		Failed: func(_ int, _ string, err error) { reason = err },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for key, want := range map[Key]Outcome{write("small", 1000): Found, write("large", 40_000): Found, write("huge", 200_000): Malformed} {
		l := c.Get(t.Context(), key)
		l.Release()
		if l.Outcome != want {
			t.Errorf("%s: %s, want %s", key.DebugFile, l.Outcome, want)
		}
	}
	if !errors.Is(reason, ErrTooLarge) || !strings.Contains(reason.Error(), "of memory") {
		t.Error(reason)
	}
}

// Caches beside each other have as many compilers as one, and as much memory for them.
func TestCachesBesideEachOtherShareCompilers(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "app", "313131313131313131313131313131310")
	if err := os.MkdirAll(path, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "app.sym"), []byte("MODULE Linux x86_64 0 app\nPUBLIC 10 0 p\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	first, err := New(Options{MaxCompiles: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := New(Options{Dir: t.TempDir(), Sources: []Source{Dir(root)}, Beside: first})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	leave, err := first.compiles.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := make(chan Outcome, 1)
	go func() {
		l := second.Get(t.Context(), Key{DebugFile: "app", DebugID: "313131313131313131313131313131310"})
		l.Release()
		found <- l.Outcome
	}()
	select {
	case got := <-found:
		t.Fatalf("%s, while the other one's compiler was busy", got)
	case <-time.After(100 * time.Millisecond):
	}
	leave()
	if got := <-found; got != Found {
		t.Error(got)
	}
	if second.budget != first.budget {
		t.Error("their memory is not the same")
	}
}
