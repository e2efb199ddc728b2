package spool

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
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
				b, dir, r := &broker{away: true}, t.TempDir(), prometheus.NewRegistry()
				var ready error
				s := open(t, dir, b, func(o *Options) { o.Metrics, o.Ready = NewMetrics(r), func(err error) { ready = err } })
				disk := errors.New("no space left on device")
				s.folder.step = func(at string) error {
					if at == step {
						return disk
					}
					return nil
				}
				err := s.Append(t.Context(), crash(1))
				if !errors.Is(err, disk) || !strings.HasPrefix(err.Error(), "the broker is away, and spool: ") {
					t.Errorf("error %v", err)
				}
				holds(t, "then", r, map[string]float64{"failures_total store": 1, "spooled_total": 0})
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
		var log journal
		b, dir, r := &broker{}, t.TempDir(), prometheus.NewRegistry()
		s := open(t, dir, b, logged(&log), func(o *Options) { o.Metrics = NewMetrics(r) })
		appendAll(t, s, 1, 2)
		broken := true
		s.folder.step = func(at string) error {
			if broken && at == "acknowledged" {
				return errors.New("read-only file system")
			}
			return nil
		}
		for range 3 {
			if s.drain(t.Context()) {
				t.Error("something moved")
			}
		}
		if got := files(t, dir); len(got) != 2 {
			t.Errorf("while nothing can be removed: %q", got)
		}
		holds(t, "while nothing can be removed", r, map[string]float64{"records": 2, "drained_total": 0, "failures_total remove": 3})
		if !strings.Contains(log.String(), "crashes that the broker has cannot be removed") {
			t.Errorf("logged: %s", &log)
		}
		broken = false
		s.drain(t.Context())
		if got := b.log(); !slices.Equal(got, ids(1, 2)) {
			t.Errorf("the broker took %q", got)
		}
		if got := files(t, dir); len(got) != 0 {
			t.Errorf("left over: %q", got)
		}
		holds(t, "at last", r, map[string]float64{"records": 0, "bytes": 0, "drained_total": 2})
	})
}

// What the disk does to a file whose crash the broker has just taken.
func TestAFileThatTheBrokerHasIsForgottenWithItsFile(t *testing.T) {
	for name, tc := range map[string]struct {
		step           string
		change         func(path string) error
		moved          bool
		left, failures float64
	}{
		"gone already": {"acknowledged", os.Remove, true, 0, 0},
		"a folder that is not empty": {"acknowledged", func(path string) error {
			return errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "x"), 0o700))
		}, false, 1, 1},
		"a folder that cannot be synced": {"removed", func(string) error { return errors.New("input/output error") }, false, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, dir, r := &broker{}, t.TempDir(), prometheus.NewRegistry()
				s := open(t, dir, b, func(o *Options) { o.Metrics = NewMetrics(r) })
				appendAll(t, s, 1, 1)
				path := filepath.Join(dir, files(t, dir)[0])
				s.folder.step = func(at string) error {
					if at == tc.step {
						return tc.change(path)
					}
					return nil
				}
				if moved := s.drain(t.Context()); moved != tc.moved {
					t.Errorf("moved: %v", moved)
				}
				holds(t, "then", r, map[string]float64{"records": tc.left, "bytes": tc.left * blockBytes, "failures_total remove": tc.failures})
			})
		})
	}
}

// Two crashes are stored at once, and one of them fails: the room of the other stays taken.
func TestTheRoomOfACrashThatFailedIsFree(t *testing.T) {
	r := prometheus.NewRegistry()
	s := open(t, t.TempDir(), &broker{}, func(o *Options) { o.Metrics = NewMetrics(r) })
	first := true
	s.folder.step = func(at string) error {
		if at != "written" || !first {
			return nil
		}
		first = false
		appendAll(t, s, 2, 2)
		holds(t, "while both are stored", r, map[string]float64{"records": 1, "bytes": 2 * blockBytes})
		return errors.New("no space left on device")
	}
	if err := s.Append(t.Context(), crash(1)); err == nil {
		t.Error("it was answered")
	}
	holds(t, "then", r, map[string]float64{"records": 1, "bytes": blockBytes})
}

func TestAFileThatIsThereIsNotWrittenOver(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, &broker{})
	path := filepath.Join(dir, fileName(0, crash(1).CrashID))
	if err := os.WriteFile(path+tornSuffix, []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), crash(1)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v", err)
	}
	if !s.folder.empty() {
		t.Error("it was stored")
	}
}

func TestNumbersGoOnWhereTheLastProcessStopped(t *testing.T) {
	b, dir, r := &broker{}, t.TempDir(), prometheus.NewRegistry()
	s := open(t, dir, b)
	appendAll(t, s, 1, 3)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ready := 0
	s = open(t, dir, b, func(o *Options) {
		o.Metrics = NewMetrics(r)
		o.Ready = func(err error) {
			if ready++; err != nil {
				t.Error(err)
			}
		}
	})
	if ready != 1 {
		t.Errorf("the spool calls itself ready %d times", ready)
	}
	holds(t, "at the start", r, map[string]float64{"records": 3, "bytes": 3 * blockBytes})
	appendAll(t, s, 4, 4)
	var want []string
	for n := range 4 {
		want = append(want, fileName(uint64(n), crash(n+1).CrashID))
	}
	if got := files(t, dir); !slices.Equal(got, want) {
		t.Errorf("in the folder: %q, want %q", got, want)
	}
}

// What lies in a spool and is none of its files is set aside at once; folders are left alone.
func TestForeignFilesOfASpoolAreSetAsideAtOnce(t *testing.T) {
	dir, r := t.TempDir(), prometheus.NewRegistry()
	if err := open(t, dir, &broker{}).Close(); err != nil {
		t.Fatal(err)
	}
	link := fileName(7, crash(7).CrashID)
	torn := fileName(8, crash(8).CrashID) + tornSuffix
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("x"), 0o600),
		os.WriteFile(filepath.Join(dir, "notes.torn"), []byte("x"), 0o600),
		os.WriteFile(filepath.Join(dir, torn), []byte("x"), 0o600),
		os.Symlink("/dev/zero", filepath.Join(dir, link)),
		os.Mkdir(filepath.Join(dir, "lost+found"), 0o700),
	); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, &broker{}, func(o *Options) { o.Metrics = NewMetrics(r) })
	if got, want := files(t, dir), []string{link + ".bad", "lost+found", "notes.torn.bad", "notes.txt.bad"}; !slices.Equal(got, want) {
		t.Errorf("in the folder: %q, want %q", got, want)
	}
	holds(t, "then", r, map[string]float64{"set_aside": 3, "records": 0, "bytes": 3 * blockBytes})
	if !s.folder.empty() {
		t.Error("some of it would be sent")
	}
}

// taken makes files of all names that a file can be set aside under, but for so many.
func taken(t *testing.T, dir, name string, left int) {
	t.Helper()
	for n := range 1000 - left {
		to := fmt.Sprintf("%s.%d.bad", name, n)
		if n == 0 {
			to = name + ".bad"
		}
		if err := os.Symlink("anything", filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
}

// A thousand files of one name can be set aside; one more stays where it is, is told of,
// and is not sent again.
func TestAFileThatCannotBeSetAsideIsLeftAlone(t *testing.T) {
	for left, stays := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var log journal
			b, dir := &broker{refuse: map[string]bool{crash(1).CrashID: true}}, t.TempDir()
			s := open(t, dir, b, logged(&log))
			appendAll(t, s, 1, 1)
			name := files(t, dir)[0]
			taken(t, dir, name, left)
			for range 3 {
				s.drain(t.Context())
			}
			if b.tries != 1 {
				t.Errorf("%d places left: sent %d times", left, b.tries)
			}
			if _, err := os.Lstat(filepath.Join(dir, name)); (err == nil) != stays || s.folder.empty() == stays {
				t.Errorf("%d places left: it stays: %v, %v", left, err, !s.folder.empty())
			}
			if strings.Contains(log.String(), "cannot be set aside") != stays {
				t.Errorf("%d places left: logged: %s", left, &log)
			}
			appendAll(t, s, 2, 2)
			s.drain(t.Context())
			if got := b.log(); !slices.Equal(got, ids(2, 2)) {
				t.Errorf("%d places left: the broker took %q", left, got)
			}
		})
	}
}

// Nor does it keep the door shut.
func TestAForeignFileThatCannotBeSetAsideIsToldOf(t *testing.T) {
	var log journal
	dir := t.TempDir()
	if err := open(t, dir, &broker{}).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, strings.Repeat("x", 255)), nil, 0o600); err != nil { // the longest name
		t.Fatal(err)
	}
	open(t, dir, &broker{}, logged(&log))
	if !strings.Contains(log.String(), "a file cannot be taken up") {
		t.Errorf("logged: %s", &log)
	}
}

func TestACrashWhoseFileIsGoneCannotBeSetAside(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, &broker{})
	appendAll(t, s, 1, 1)
	e := s.folder.oldest(func(*entry) bool { return true })[0]
	if err := os.Remove(filepath.Join(dir, e.name)); err != nil {
		t.Fatal(err)
	}
	if s.folder.setAside(e, "refused"); !e.stuck {
		t.Error("it was set aside")
	}
}

// A drain takes 64 crashes, or as many as exceed 4 MiB.
func TestADrainTakesABoundedBatch(t *testing.T) {
	s := open(t, t.TempDir(), &broker{})
	all := func(*entry) bool { return true }
	for n := range 6 { // exactly 1 MiB each on the disk
		if err := s.folder.put(Record{CrashID: crash(n).CrashID, Event: make([]byte, 1<<20-headerBytes)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.folder.oldest(all)); n != 5 {
		t.Errorf("%d of 1 MiB each", n)
	}
	s.folder.entries[0].bytes++
	if n := len(s.folder.oldest(all)); n != 4 {
		t.Errorf("%d of a little more", n)
	}
	if n := len(s.folder.oldest(func(e *entry) bool { return e != s.folder.entries[0] })); n != 5 {
		t.Errorf("%d when the first is not wanted", n)
	}
}

func TestSizesAreThoseOfTheDisk(t *testing.T) {
	for n, want := range map[int64]int64{0: 0, 1: 4096, 4096: 4096, 4097: 8192} {
		if got := onDisk(n); got != want {
			t.Errorf("%d bytes take %d, want %d", n, got, want)
		}
	}
	// The largest event has 8 MiB, and a head before it.
	if MinBytes != 8<<20+4096 || DefaultBytes != 1<<30 {
		t.Errorf("at least %d, by default %d", MinBytes, DefaultBytes)
	}
}

// A file of an earlier release is read by every later one.
func TestTheFormOfAFileNeverChanges(t *testing.T) {
	r := Record{CrashID: crash(1).CrashID, ReceivedAt: crash(1).ReceivedAt, Event: []byte("event")}
	rest := append(binary.BigEndian.AppendUint64(nil, 1795395723001), "event"...)
	sum := sha256.Sum256(append([]byte(r.CrashID), rest...))
	want := slices.Concat([]byte("aftershock spool 1\n"), sum[:], rest)
	if got := encode(r); !bytes.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got, err := decode(r.CrashID, want); err != nil || !got.ReceivedAt.Equal(r.ReceivedAt) || string(got.Event) != "event" || got.CrashID != r.CrashID {
		t.Errorf("%+v, %v", got, err)
	}
	empty := encode(Record{CrashID: r.CrashID})
	if _, err := decode(r.CrashID, empty); err != nil {
		t.Errorf("an event of no bytes: %v", err)
	}
	if _, err := decode(r.CrashID, empty[:len(empty)-1]); !errors.Is(err, errDamaged) {
		t.Errorf("a head that is cut: %v", err)
	}
	if _, err := decode(r.CrashID, append([]byte("aftershock spool 2\n"), want[len(magic):]...)); !errors.Is(err, errDamaged) {
		t.Errorf("another form: %v", err)
	}
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
	for name, want := range map[string]bool{"photos": false, "lost+found": true} { // a file system of its own has the latter
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		s, err := Open(Options{Dir: dir, Bytes: MinBytes})
		if (err == nil) != want {
			t.Errorf("a folder with %s in it: %v", name, err)
		}
		if err == nil {
			_ = s.Close()
		}
	}
}

// Nobody else on the machine may read crashes, and names and logs say nothing of them.
func TestTheSpoolIsPrivate(t *testing.T) {
	var log bytes.Buffer
	b, dir := &broker{}, filepath.Join(t.TempDir(), "spool")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	made := filepath.Join(t.TempDir(), "var", "spool")
	open(t, made, b)
	for path, want := range map[string]fs.FileMode{filepath.Dir(made): 0o700, made: 0o700, filepath.Join(made, lockName): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
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
		if number, id, ok := parseName(bad); ok || number != 0 || id != "" {
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
	if err := syncFolder(filepath.Join(file, "spool")); !errors.As(err, &path) {
		t.Errorf("a folder that is not there: %v", err)
	}
}
