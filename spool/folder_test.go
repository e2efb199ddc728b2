package spool

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// killed is what a step ends with as a kill would: nothing after it happens.
type killed struct{}

func TestAnAnsweredCrashSurvivesAKillAtEveryStep(t *testing.T) {
	for _, step := range []string{"created", "written", "renamed", "stored", "acknowledged", "removed", "never"} {
		t.Run(step, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, dir := &broker{}, t.TempDir()
				s := open(t, dir, b)
				appendAll(t, s, 1, 3) // the folder holds some already
				answered := ids(1, 3)
				s.folder.step = func(at string) error {
					if at == step {
						panic(killed{})
					}
					return nil
				}
				dies := func(do func()) {
					defer func() {
						if p := recover(); p != nil && p != (killed{}) {
							panic(p)
						}
					}()
					do()
				}
				dies(func() {
					if err := s.Append(t.Context(), crash(4)); err == nil {
						answered = append(answered, crash(4).CrashID)
					}
				})
				dies(func() { s.drain(t.Context()) })
				if err := s.Close(); err != nil { // a dead process holds no lock
					t.Fatal(err)
				}

				s = open(t, dir, b)
				stop := run(t, s)
				defer stop()
				time.Sleep(time.Minute)
				took := map[string]int{}
				for _, id := range b.log() {
					took[id]++
				}
				for _, id := range answered {
					if took[id] == 0 {
						t.Errorf("%s was answered and is lost", id)
					}
				}
				again := step == "acknowledged"
				for id, n := range took {
					if n > 2 || n == 2 && !again {
						t.Errorf("%s was sent %d times", id, n)
					}
				}
				if got := files(t, dir); len(got) != 0 {
					t.Errorf("left over: %q", got)
				}
			})
		})
	}
}

// A disk that fails at a step: the client is told, and nothing of its crash is left.
func TestACrashThatCannotBeStoredIsNotAnswered(t *testing.T) {
	for _, step := range []string{"created", "written", "renamed", "stored"} {
		t.Run(step, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, dir := &broker{away: true}, t.TempDir()
				var ready error
				s := open(t, dir, b, func(o *Options) { o.Ready = func(err error) { ready = err } })
				disk := errors.New("no space left on device")
				s.folder.step = func(at string) error {
					if at == step {
						return disk
					}
					return nil
				}
				if err := s.Append(t.Context(), crash(1)); !errors.Is(err, disk) {
					t.Errorf("error %v", err)
				}
				if ready == nil {
					t.Error("the spool calls itself ready")
				}
				if got := files(t, dir); len(got) != 0 || s.folder.bytes != 0 {
					t.Errorf("left: %q, %d bytes", got, s.folder.bytes)
				}
				step = "none"
				appendAll(t, s, 2, 2)
				if ready != nil {
					t.Errorf("the spool is not ready again: %v", ready)
				}
			})
		})
	}
}

func TestAFileThatCannotBeRemovedIsSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, dir := &broker{}, t.TempDir()
		s := open(t, dir, b)
		appendAll(t, s, 1, 2)
		broken := true
		s.folder.step = func(at string) error {
			if broken && at == "acknowledged" {
				return errors.New("read-only file system")
			}
			return nil
		}
		for range 3 {
			s.drain(t.Context())
		}
		if got := files(t, dir); len(got) != 2 {
			t.Errorf("while nothing can be removed: %q", got)
		}
		broken = false
		s.drain(t.Context())
		if got := b.log(); !slices.Equal(got, ids(1, 2)) {
			t.Errorf("the broker took %q", got)
		}
		if got := files(t, dir); len(got) != 0 {
			t.Errorf("left over: %q", got)
		}
	})
}

func TestTheSpoolIsFullAtItsLimitAndNotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, dir := &broker{}, t.TempDir()
		var ready error
		s := open(t, dir, b, func(o *Options) { o.Bytes = MinBytes; o.Ready = func(err error) { ready = err } })
		places := int(MinBytes / blockBytes)
		appendAll(t, s, 1, places)
		if err := s.Append(t.Context(), crash(places+1)); !errors.Is(err, ErrFull) {
			t.Errorf("one past the limit: %v", err)
		}
		if !errors.Is(ready, ErrFull) {
			t.Errorf("ready: %v", ready)
		}
		if n := len(files(t, dir)); n != places {
			t.Errorf("%d files, want %d", n, places)
		}
		s.drain(t.Context())
		if ready != nil {
			t.Errorf("there is room, and the spool is not ready: %v", ready)
		}
		appendAll(t, s, places+1, places+1)
	})
	if _, err := Open(Options{Dir: t.TempDir(), Bytes: MinBytes - 1}); err == nil || !strings.Contains(err.Error(), "want at least") {
		t.Errorf("a spool without room for one crash: %v", err)
	}
}

func TestAnEventOfTheLargestSizeIsTakenAndNoLargerOne(t *testing.T) {
	b := &broker{}
	s := open(t, t.TempDir(), b, func(o *Options) { o.Bytes = MinBytes })
	r := Record{CrashID: crash(1).CrashID, Event: make([]byte, maxEventBytes+1)}
	if err := s.folder.put(r, nil); err == nil || errors.Is(err, ErrFull) {
		t.Errorf("one byte too many: %v", err)
	}
	r.Event = r.Event[1:]
	if err := s.folder.put(r, nil); err != nil {
		t.Fatal(err)
	}
	s.drain(t.Context())
	if n := len(b.events[r.CrashID]); n != maxEventBytes {
		t.Errorf("%d bytes arrived", n)
	}
}

func TestTwoCollectorsCannotShareASpool(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, &broker{})
	_, err := Open(Options{Dir: dir, Bytes: MinBytes})
	if err == nil || !strings.Contains(err.Error(), "another collector uses it") {
		t.Errorf("error %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, &broker{})
}

func TestSomebodyElsesFolderIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "thesis.tex")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir, Bytes: MinBytes}); err == nil || !strings.Contains(err.Error(), "not empty and not a spool") {
		t.Errorf("error %v", err)
	}
	if got := files(t, dir); !slices.Equal(got, []string{"thesis.tex"}) {
		t.Errorf("in the folder: %q", got)
	}
}

// Nobody else on the machine may read crashes, and names and logs say nothing of them.
func TestTheSpoolIsPrivate(t *testing.T) {
	var log bytes.Buffer
	b, dir := &broker{}, filepath.Join(t.TempDir(), "spool")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, b, func(o *Options) { o.Log = zerolog.New(io.Writer(&log)) })
	raw := crash(1)
	raw.Annotations = map[string]string{"URL": "canary"}
	if err := s.Append(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
	name := files(t, dir)[0]
	if info, err = os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	if want := "0000000000000000-" + raw.CrashID; name != want {
		t.Errorf("its name is %q, want %q", name, want)
	}
	if err := os.Truncate(filepath.Join(dir, name), 100); err != nil {
		t.Fatal(err)
	}
	s.drain(t.Context())
	if strings.Contains(log.String(), "canary") || !strings.Contains(log.String(), "set aside") {
		t.Errorf("logged: %s", &log)
	}
}

// A name that no crash of ours has is somebody else's file.
func TestNamesOfCrashes(t *testing.T) {
	good := fileName(255, crash(1).CrashID)
	if number, id, ok := parseName(good); !ok || number != 255 || id != crash(1).CrashID {
		t.Errorf("%s: %d, %s, %v", good, number, id, ok)
	}
	for _, bad := range []string{
		"", good + "x", good[1:], strings.ToUpper(good),
		strings.Replace(good, "-", "_", 1),
		"+" + good[1:],
		good[:len(good)-6] + "261399", // no such day
	} {
		if _, _, ok := parseName(bad); ok {
			t.Errorf("%q was taken for a crash", bad)
		}
	}
}

func TestAFolderThatCannotBeMadeIsTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var path *fs.PathError
	if err := makeFolder(filepath.Join(file, "spool")); !errors.As(err, &path) || path.Op != "mkdir" {
		t.Errorf("%v", err)
	}
}
