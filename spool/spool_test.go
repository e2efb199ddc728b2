package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"aftershock/schema"
)

// broker is one that can be away.
type broker struct {
	mu     sync.Mutex
	away   bool
	refuse map[string]bool
	doubt  map[string]func(error) // sent to a broker that died: it will tell later
	loses  map[string]bool        // crash ids whose answer is lost when it dies
	took   []string               // crash ids, as often as it took them
	times  map[string]time.Time
	events map[string][]byte
	tries  int
	fails  error             // what it answers instead
	single bool              // it refuses batches: what is sent at once
	batch  map[time.Time]int // how many are
}

func (b *broker) produce(ctx context.Context, r Record, promise func(error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries++
	switch {
	case b.fails != nil:
		go promise(b.fails)
	case b.loses[r.CrashID]:
		delete(b.loses, r.CrashID)
		if b.doubt == nil {
			b.doubt = map[string]func(error){}
		}
		b.doubt[r.CrashID] = promise
	case b.away:
		go func() {
			<-ctx.Done()
			promise(ctx.Err())
		}()
	case b.single:
		if b.batch == nil {
			b.batch = map[time.Time]int{}
		}
		at := time.Now()
		b.batch[at]++
		go func() {
			time.Sleep(time.Millisecond)
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.batch[at] > 1 || b.refuse[r.CrashID] {
				promise(fmt.Errorf("MESSAGE_TOO_LARGE: %w", ErrRefused))
				return
			}
			b.take(r)
			promise(nil)
		}()
	case b.refuse[r.CrashID]:
		go promise(fmt.Errorf("MESSAGE_TOO_LARGE: %w", ErrRefused))
	default:
		b.take(r)
		go promise(nil)
	}
}

func (b *broker) take(r Record) {
	b.took = append(b.took, r.CrashID)
	if b.times == nil {
		b.times, b.events = map[string]time.Time{}, map[string][]byte{}
	}
	b.times[r.CrashID], b.events[r.CrashID] = r.ReceivedAt, bytes.Clone(r.Event)
}

func (b *broker) set(away bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away = away
}

func (b *broker) log() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.took)
}

func crash(n int) *schema.RawCrash {
	return &schema.RawCrash{
		CrashID:    fmt.Sprintf("%08x-0000-4000-8000-000000261123", n),
		ReceivedAt: time.Date(2026, 11, 23, 1, 2, 3, n*1e6, time.UTC),
		Throttle:   schema.Throttle{Rule: "accept_everything", Rate: 1, Result: "accept"},
	}
}

func ids(from, to int) (out []string) {
	for n := from; n <= to; n++ {
		out = append(out, crash(n).CrashID)
	}
	return out
}

func open(t *testing.T, dir string, b *broker, change ...func(*Options)) *Spool {
	t.Helper()
	o := Options{Dir: dir, Bytes: DefaultBytes, Produce: b.produce, Now: time.Now, Log: zerolog.Nop()}
	for _, c := range change {
		c(&o)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// run drains until the test's bubble ends.
func run(t *testing.T, s *Spool) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { s.Run(ctx) })
	return func() { cancel(); done.Wait() }
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != lockName {
			names = append(names, e.Name())
		}
	}
	return names
}

// value is that of a gauge or a counter; of failures, name has the operation behind a blank.
func value(t *testing.T, r prometheus.Gatherer, name string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	name, operation, _ := strings.Cut(name, " ")
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := m.GetLabel()
			if f.GetName() == name && (len(labels) == 0 || labels[0].GetValue() == operation) {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no metric %s %s", name, operation)
	return 0
}

// holds compares what the metrics say, names without their prefix.
func holds(t *testing.T, when string, r prometheus.Gatherer, want map[string]float64) {
	t.Helper()
	for name, n := range want {
		if got := value(t, r, "aftershock_spool_"+name); got != n {
			t.Errorf("%s: %s is %v, want %v", when, name, got, n)
		}
	}
}

func appendAll(t *testing.T, s *Spool, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		if err := s.Append(t.Context(), crash(n)); err != nil {
			t.Fatalf("crash %d: %v", n, err)
		}
	}
}

func TestCrashesOfAnOutageArriveInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, dir := &broker{}, filepath.Join(t.TempDir(), "spool")
		s := open(t, dir, b)
		stop := run(t, s)
		defer stop()
		synctest.Wait()
		appendAll(t, s, 1, 2)
		if got := files(t, dir); len(got) != 0 {
			t.Errorf("the broker is there, and the spool holds %q", got)
		}
		b.set(true)
		appendAll(t, s, 3, 200)
		if n := len(files(t, dir)); n != 198 {
			t.Errorf("%d files, want 198", n)
		}
		b.set(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := b.log(); !slices.Equal(got, ids(1, 200)) {
			t.Errorf("the broker took %d: %q", len(got), got)
		}
		if got := files(t, dir); len(got) != 0 {
			t.Errorf("left over: %q", got)
		}
		want := crash(77)
		event, err := schema.Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		if !b.times[want.CrashID].Equal(want.ReceivedAt) || !bytes.Equal(b.events[want.CrashID], event) {
			t.Errorf("crash 77 arrived with time %v and %d bytes", b.times[want.CrashID], len(b.events[want.CrashID]))
		}
		tries := b.tries
		appendAll(t, s, 201, 201)
		if b.tries != tries+1 || len(files(t, dir)) != 0 {
			t.Error("a crash after the outage does not go to the broker directly")
		}
	})
}

func TestOnlyTheFirstClientWaitsForABrokerThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &broker{}
		s := open(t, t.TempDir(), b)
		stop := run(t, s)
		defer stop()
		synctest.Wait()
		b.set(true)
		start := time.Now()
		appendAll(t, s, 1, 1)
		if took := time.Since(start); took != brokerDeadline {
			t.Errorf("the first waited %v, want %v", took, brokerDeadline)
		}
		start = time.Now()
		appendAll(t, s, 2, 100)
		if took := time.Since(start); took != 0 {
			t.Errorf("99 more waited %v", took)
		}
	})
}

// A crash that was sent when the broker died is sent again by the client itself.
func TestACrashInDoubtIsNotSentTwice(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer error
	}{{"taken after all", nil}, {"not taken", errors.New("the connection is lost")}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, dir := &broker{}, t.TempDir()
				s := open(t, dir, b)
				stop := run(t, s)
				defer stop()
				synctest.Wait()
				id := crash(1).CrashID
				b.loses = map[string]bool{id: true}
				appendAll(t, s, 1, 1)
				appendAll(t, s, 2, 2)
				time.Sleep(time.Minute)
				if got := b.log(); !slices.Equal(got, ids(2, 2)) {
					t.Fatalf("while 1 was in doubt, the broker took %q", got)
				}
				if c.answer == nil {
					b.took = append(b.took, id)
				}
				b.doubt[id](c.answer)
				time.Sleep(time.Minute)
				if got := b.log(); !slices.Equal(got, []string{crash(2).CrashID, id}) {
					t.Errorf("the broker took %q", got)
				}
				if got := files(t, dir); len(got) != 0 {
					t.Errorf("left over: %q", got)
				}
			})
		})
	}
}

func TestARefusedCrashIsTheClientsToKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, dir := &broker{refuse: map[string]bool{crash(1).CrashID: true}}, t.TempDir()
		s := open(t, dir, b)
		stop := run(t, s)
		defer stop()
		synctest.Wait()
		if err := s.Append(t.Context(), crash(1)); !errors.Is(err, ErrRefused) {
			t.Errorf("error %v", err)
		}
		if got := files(t, dir); len(got) != 0 {
			t.Errorf("it is in the spool: %q", got)
		}
	})
}

func TestWhatCannotBeSentIsSetAsideAndBlocksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, dir := &broker{refuse: map[string]bool{crash(1).CrashID: true}}, t.TempDir()
		r := prometheus.NewRegistry()
		metrics := NewMetrics(r)
		s := open(t, dir, b) // not running: everything goes to the folder
		appendAll(t, s, 1, 6)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		names := files(t, dir)
		damage := func(name string, change func([]byte) []byte) {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name), change(data), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		damage(names[1], func(d []byte) []byte { return d[:len(d)-1] })
		damage(names[2], func(d []byte) []byte { d[len(d)-1] ^= 1; return d })
		damage(names[3], func([]byte) []byte { return nil })
		if err := os.Rename(filepath.Join(dir, names[4]), filepath.Join(dir, fileName(4, crash(99).CrashID))); err != nil {
			t.Fatal(err)
		}
		damage(names[5], func(d []byte) []byte {
			if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("foreign"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "notes.txt.bad"), []byte("earlier"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("/dev/zero", filepath.Join(dir, fileName(3, crash(98).CrashID))); err != nil {
				t.Fatal(err)
			}
			return d
		})
		s = open(t, dir, b, func(o *Options) { o.Metrics = metrics })
		stop := run(t, s)
		defer stop()
		time.Sleep(time.Minute)
		if got := b.log(); !slices.Equal(got, ids(6, 6)) {
			t.Errorf("the broker took %q", got)
		}
		left := files(t, dir)
		if len(left) != 8 || slices.ContainsFunc(left, func(n string) bool { return !strings.HasSuffix(n, asideSuffix) }) {
			t.Errorf("in the folder: %q", left)
		}
		if text, err := os.ReadFile(filepath.Join(dir, "notes.txt.bad")); err != nil || string(text) != "earlier" {
			t.Errorf("an older file that was set aside: %q, %v", text, err)
		}
		if !slices.Contains(left, "notes.txt.1.bad") {
			t.Errorf("two of one name: %q", left)
		}
		// One of the files is empty, and takes no room.
		holds(t, "at last", r, map[string]float64{
			"set_aside": 8, "records": 0, "bytes": 7 * blockBytes, "drained_total": 1,
			"failures_total read": 4, "failures_total refused": 2, "failures_total send": 0,
		})
	})
}

// A broker refuses a batch as a whole, and one record may be at fault, or none.
func TestOfABatchThatIsRefusedEachIsTriedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, dir := &broker{single: true, refuse: map[string]bool{crash(3).CrashID: true}}, t.TempDir()
		s := open(t, dir, b)
		appendAll(t, s, 1, 5)
		stop := run(t, s)
		defer stop()
		time.Sleep(time.Minute)
		if got, want := b.log(), slices.Concat(ids(1, 2), ids(4, 5)); !slices.Equal(got, want) {
			t.Errorf("the broker took %q, want %q", got, want)
		}
		if got := files(t, dir); !slices.Equal(got, []string{fileName(2, crash(3).CrashID) + asideSuffix}) {
			t.Errorf("left: %q", got)
		}
	})
}

// A door that is not ready gets no reports: nothing but Run could find out that the
// disk is well again.
func TestADiskThatFailedOnceDoesNotKeepTheDoorShut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &broker{}
		var ready error
		s := open(t, t.TempDir(), b, func(o *Options) { o.Ready = func(err error) { ready = err } })
		s.folder.step = func(string) error { return errors.New("no space left on device") }
		if err := s.Append(t.Context(), crash(1)); err == nil || ready == nil {
			t.Fatalf("error %v, ready %v", err, ready)
		}
		stop := run(t, s)
		defer stop()
		synctest.Wait()
		if ready != nil {
			t.Errorf("ready: %v", ready)
		}
		appendAll(t, s, 2, 2) // the broker takes it
	})
}

// journal keeps what is logged, also while Run runs.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func logged(log *journal) func(*Options) {
	return func(o *Options) { o.Log = zerolog.New(log) }
}

// Operators learn of an outage once, and of its end; nobody's log fills meanwhile.
func TestAnOutageIsLoggedOnceAndItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		b, r := &broker{}, prometheus.NewRegistry()
		s := open(t, t.TempDir(), b, logged(&log), func(o *Options) { o.Metrics = NewMetrics(r) })
		stop := run(t, s)
		defer stop()
		synctest.Wait()
		const left, back = "the broker does not take crashes", "crashes go to the broker"
		told := func(when string, away, here int) {
			t.Helper()
			if n, m := strings.Count(log.String(), left), strings.Count(log.String(), back); n != away || m != here {
				t.Errorf("%s: told %d times that the broker is away and %d times that it is here\n%s", when, n, m, &log)
			}
		}
		told("at the start", 0, 1)
		b.set(true)
		appendAll(t, s, 1, 3)
		told("in the outage", 1, 1)
		holds(t, "in the outage", r, map[string]float64{"records": 3, "bytes": 3 * blockBytes, "spooled_total": 3, "drained_total": 0})
		b.set(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		told("after it", 1, 2)
		holds(t, "after it", r, map[string]float64{"records": 0, "bytes": 0, "spooled_total": 3, "drained_total": 3})
	})
}

// While the broker is away, it is asked every six seconds: five for its answer, and a pause.
func TestABrokerThatIsAwayIsAskedInPeace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, r := &broker{away: true}, prometheus.NewRegistry()
		s := open(t, t.TempDir(), b, func(o *Options) { o.Metrics = NewMetrics(r) })
		appendAll(t, s, 1, 1)
		stop := run(t, s)
		defer stop()
		time.Sleep(time.Minute - time.Second)
		synctest.Wait()
		if b.tries != 10 {
			t.Errorf("asked %d times in a minute", b.tries)
		}
		if n := value(t, r, "aftershock_spool_failures_total send"); n < 9 {
			t.Errorf("%v failures to send", n)
		}
	})
}

// A broker that answers at once that it did not take a crash is in no doubt about it.
func TestACrashThatTheBrokerDidNotTakeIsSentLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &broker{}
		s := open(t, t.TempDir(), b)
		stop := run(t, s)
		defer stop()
		synctest.Wait()
		b.fails = errors.New("not the leader")
		appendAll(t, s, 1, 1)
		if s.folder.empty() {
			t.Error("it is not in the spool")
		}
		b.mu.Lock()
		b.fails = nil
		b.mu.Unlock()
		time.Sleep(time.Minute)
		if got := b.log(); !slices.Equal(got, ids(1, 1)) {
			t.Errorf("the broker took %q", got)
		}
	})
}

func TestACrashThatIsNoEventIsNotAnswered(t *testing.T) {
	b, dir := &broker{}, t.TempDir()
	s := open(t, dir, b)
	raw := crash(1)
	raw.Dumps = []schema.Dump{{Name: schema.MainDump, Encoding: "brotli"}}
	if err := s.Append(t.Context(), raw); err == nil {
		t.Error("it was answered")
	}
	if got := files(t, dir); len(got) != 0 {
		t.Errorf("it is in the spool: %q", got)
	}
}

// Once the broker has taken a crash of the spool, new ones do not wait for the others.
func TestNewCrashesDoNotWaitForTheSpool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, dir := &broker{}, t.TempDir()
		s := open(t, dir, b)
		appendAll(t, s, 1, 65)
		if !s.drain(t.Context()) {
			t.Error("nothing moved")
		}
		if n := len(files(t, dir)); n != 1 {
			t.Errorf("%d files are left of 65, want 1", n)
		}
		appendAll(t, s, 66, 66)
		if got := b.log(); len(got) != 65 || got[64] != crash(66).CrashID {
			t.Errorf("the broker took %d", len(got))
		}
		if !s.drain(t.Context()) || s.drain(t.Context()) {
			t.Error("want the last one moved, and then nothing")
		}
	})
}

// A file that somebody removed, or put something else in the place of, is no crash.
func TestWhatIsNotThereAnyMoreIsNotSent(t *testing.T) {
	const lost = "somebody removed a crash"
	for name, tc := range map[string]struct {
		change func(path string) error
		bytes  float64
		log    string
	}{
		"removed":     {os.Remove, 0, lost},
		"a folder":    {func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, blockBytes, "is a directory"},
		"a byte more": {func(path string) error { return os.Truncate(path, maxFileBytes+1) }, blockBytes, errDamaged.Error()},
		"another's":   {func(path string) error { return os.WriteFile(path, encode(Record{CrashID: crash(2).CrashID}), 0o600) }, blockBytes, errDamaged.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			var log journal
			b, dir, r := &broker{}, t.TempDir(), prometheus.NewRegistry()
			s := open(t, dir, b, logged(&log), func(o *Options) { o.Metrics = NewMetrics(r) })
			appendAll(t, s, 1, 1)
			if err := tc.change(filepath.Join(dir, files(t, dir)[0])); err != nil {
				t.Fatal(err)
			}
			s.drain(t.Context())
			if b.tries != 0 {
				t.Error("something was sent")
			}
			if !s.folder.empty() {
				t.Error("it is tried again")
			}
			holds(t, "then", r, map[string]float64{"records": 0, "bytes": tc.bytes, "failures_total read": 1})
			if !strings.Contains(log.String(), tc.log) || !strings.Contains(log.String(), crash(1).CrashID) {
				t.Errorf("logged: %s", &log)
			}
		})
	}
}

func TestMetricsAreThereBeforeAnythingFails(t *testing.T) {
	r := prometheus.NewRegistry()
	open(t, t.TempDir(), &broker{}, func(o *Options) { o.Bytes, o.Metrics = MinBytes, NewMetrics(r) })
	holds(t, "at first", r, map[string]float64{
		"records": 0, "bytes": 0, "limit_bytes": float64(MinBytes), "oldest_timestamp_seconds": 0, "set_aside": 0, "spooled_total": 0, "drained_total": 0,
		"failures_total store": 0, "failures_total read": 0, "failures_total send": 0, "failures_total refused": 0, "failures_total remove": 0,
	})
}

func TestTheAgeOfTheOldestCrashIsTold(t *testing.T) {
	b, dir, r := &broker{}, t.TempDir(), prometheus.NewRegistry()
	now := time.Date(2026, 11, 23, 1, 2, 3, 5e6, time.UTC)
	s := open(t, dir, b, func(o *Options) { o.Metrics, o.Now = NewMetrics(r), func() time.Time { return now } })
	oldest := func(want float64) {
		t.Helper()
		holds(t, "then", r, map[string]float64{"oldest_timestamp_seconds": want})
	}
	appendAll(t, s, 1, 1)
	oldest(1795395723.005)
	now = now.Add(time.Second)
	appendAll(t, s, 2, 2)
	oldest(1795395723.005)
	s.drain(t.Context())
	oldest(0)
}
