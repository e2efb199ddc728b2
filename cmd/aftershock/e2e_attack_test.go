package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"aftershock/schema"
)

// The environment of make attack: for how long, the seed of what is sent, and of which kinds.
const (
	attackFor  = "AFTERSHOCK_ATTACK_FOR"
	attackSeed = "AFTERSHOCK_ATTACK_SEED"
	attackOnly = "AFTERSHOCK_ATTACK_ONLY" // a pattern of kinds: which one is it that hurts?
)

const (
	// shortAttack is what fits make test.
	shortAttack = 20 * time.Second
	// honestEvery is how often an honest report comes, honestSeen how soon after its
	// answer an analyst must see it. Beside other tests, which take the processors, only
	// that it is seen says something.
	honestEvery     = 50 * time.Millisecond
	honestSeen      = 30 * time.Second
	honestSeenShort = hostileEnd
	// hostileEnd is how long what hostile reports cost may go on behind them.
	hostileEnd = 5 * time.Minute
)

// peakBounds are the most that each process may ever hold, in MiB, with the default
// flags. They say nothing of a build with the race detector.
var peakBounds = map[string]int{"up": 1024, "broker": 512, "clickhouse": 2048}

// Whatever else is sent to up, each honest crash is seen, memory stays bounded, and
// what users typed or had open is in no public place.
func TestAttack(t *testing.T) {
	t.Parallel()
	length, seen, seed := shortAttack, honestSeenShort, uint64(1)
	if text := os.Getenv(attackFor); text == "" && underRace() {
		t.Skip("make attack runs it: a load that is bounded by time says nothing of a build with the race detector")
	} else if text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		seen, seed = honestSeen, rand.Uint64() //nolint:gosec // it is printed
	}
	if text := os.Getenv(attackSeed); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%s=%d for %v", attackSeed, seed, length)
	symbols := newHostileSymbols(t)
	u := startUp(t, append([]string{"--symbols", sampleSymbols}, symbols.flags()...)...)
	mark := newDecoys(seed, 0).word()[:decoyMark]
	attackers := newAttackers(t, u, seed, mark)
	peaks := watchPeaks(t, u)
	over := make(chan struct{})
	var senders sync.WaitGroup
	for _, a := range attackers {
		senders.Go(func() { a.run(over) })
	}
	honest := honestReports(t, u, over, &senders)
	time.Sleep(length)
	close(over)
	senders.Wait()
	honest.wait(t, seen)
	var answered []string
	for _, a := range attackers {
		answered = append(answered, a.ids...)
	}
	u.waitEnded(answered)
	high := peaks()

	var table strings.Builder
	fmt.Fprintf(&table, "%-28s %6s %9s  %s\n", "attack", "sent", "slowest", "answers")
	for _, a := range attackers {
		fmt.Fprintf(&table, "%-28s %6d %9v  %s\n", a.name, a.sent, a.slowest.Round(time.Millisecond), tally(a.answers))
		for _, bad := range a.bad {
			t.Errorf("%s: %s", a.name, bad)
		}
		if a.sent == 0 {
			t.Errorf("%s: nothing was sent", a.name)
		}
	}
	fmt.Fprintf(&table, "honest reports: %d sent, %d refused, %d seen; answered in %v at most, seen %v after it at most\n",
		honest.sent, honest.refused, len(honest.seen), honest.slowest.Round(time.Millisecond), honest.latest.Round(time.Millisecond))
	for _, name := range []string{"up", "broker", "clickhouse"} {
		fmt.Fprintf(&table, "peak memory of %-12s %5d MiB, bound %d\n", name, high[name], peakBounds[name])
		if !underRace() && (high[name] == 0 || high[name] > peakBounds[name]) {
			t.Errorf("%s had %d MiB, want %d at most", name, high[name], peakBounds[name])
		}
	}
	if n := symbols.trapped(); n > 0 {
		t.Errorf("%d requests went where a symbol server redirected to", n)
	}
	places := u.publicPlaces(attackers)
	bytes := 0
	for place, text := range places {
		bytes += len(text)
		for _, found := range mark.in(text) {
			t.Errorf("%s holds a decoy: %q", place, found)
		}
	}
	fmt.Fprintf(&table, "decoys: looked for in %d places, %d kB\n", len(places), bytes>>10)
	if !strings.Contains(places["table crashes"], honestProduct) || !strings.Contains(places["topic"], honestProduct) {
		t.Error("a public value is not where it should be: the test looks at the wrong places")
	}
	if _, err := httpGet("http://" + u.observed + "/readyz"); err != nil {
		t.Errorf("not ready afterwards: %v", err)
	}
	t.Logf("\n%s", &table)
}

// underRace tells whether the race detector is in this build.
func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "-race" && s.Value == "true" })
}

// slowed is how often something comes when every access of memory is watched.
func slowed(every time.Duration) time.Duration {
	if underRace() {
		every *= 4
	}
	return every
}

func tally(of map[string]int) string {
	var out []string
	for what, n := range of {
		out = append(out, fmt.Sprintf("%d× %s", n, what))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

const honestProduct = "Orchard"

// honest are the reports of everybody else. Its fields are read when wait has returned.
type honest struct {
	u       *upProcess
	mu      sync.Mutex
	at      map[string]time.Time // answered
	last    time.Time            // of these
	seen    map[string]bool
	sent    int
	refused int
	slowest time.Duration // to answer
	latest  time.Duration // to be seen
	stop    chan struct{}
	watched chan struct{}
}

// honestReports sends them steadily until over, and looks for them all the while.
func honestReports(t *testing.T, u *upProcess, over <-chan struct{}, senders *sync.WaitGroup) *honest {
	t.Helper()
	h := &honest{u: u, at: map[string]time.Time{}, seen: map[string]bool{}, stop: make(chan struct{}), watched: make(chan struct{})}
	var bodies []submission
	for _, path := range samples(t) {
		dump, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, newSubmission(map[string]string{"ProductName": honestProduct, "Version": "2.1.0"}, dump))
	}
	senders.Go(func() {
		tick := time.NewTicker(slowed(honestEvery))
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-over:
				return
			case <-tick.C:
				senders.Go(func() { h.send(bodies[i%len(bodies)]) })
			}
		}
	})
	go h.watch()
	return h
}

func (h *honest) send(r submission) {
	begin := time.Now()
	id, _, _ := r.post(h.u)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent++
	h.slowest = max(h.slowest, time.Since(begin))
	if id == "" {
		h.refused++
	} else {
		h.last = time.Now()
		h.at[id] = h.last
	}
}

func (h *honest) watch() {
	defer close(h.watched)
	for ; ; time.Sleep(400 * time.Millisecond) {
		text, err := h.u.query("SELECT crash_id FROM aftershock.crashes WHERE product = '" + honestProduct + "'")
		if h.look(lines(text), err) {
			return
		}
	}
}

// look counts what is seen, and tells whether somebody waits and there is nothing
// left to see.
func (h *honest) look(ids []string, err error) (done bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range ids {
		if at, ok := h.at[id]; ok && err == nil && !h.seen[id] {
			h.seen[id] = true
			h.latest = max(h.latest, time.Since(at))
		}
	}
	select {
	case <-h.stop:
	default:
		return false
	}
	return len(h.seen) == len(h.at) || time.Since(h.last) > hostileEnd
}

// wait returns when all are seen or can be no more, and says what is wrong.
func (h *honest) wait(t *testing.T, within time.Duration) {
	t.Helper()
	close(h.stop)
	<-h.watched
	switch {
	case h.refused > 0:
		t.Errorf("%d of %d honest reports were refused", h.refused, h.sent)
	case h.sent < 20:
		t.Errorf("only %d honest reports were sent: that shows nothing", h.sent)
	}
	if missing := len(h.at) - len(h.seen); missing > 0 {
		t.Errorf("%d of %d honest crashes were not seen within %v", missing, len(h.at), hostileEnd)
	}
	if h.latest > within {
		t.Errorf("an honest crash was seen %v after its answer, want %v at most", h.latest, within)
	}
}

// waitEnded waits until each of these crashes is a row or a dead letter: what was
// answered with 200 has an end, hostile or not.
func (u *upProcess) waitEnded(ids []string) {
	u.t.Helper()
	eventually(u.t, hostileEnd, func() error {
		text, err := u.query("SELECT crash_id FROM aftershock.crashes UNION ALL SELECT crash_id FROM aftershock.pings")
		if err != nil {
			return err
		}
		ended := map[string]bool{}
		for _, id := range lines(text) {
			ended[id] = true
		}
		for _, r := range u.topic(schema.TopicDeadLetter) {
			ended[string(r.Key)] = true
		}
		left := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return ended[id] })
		if len(left) > 0 {
			return fmt.Errorf("%d of %d hostile crashes have no end, as %s", len(left), len(ids), left[0])
		}
		return nil
	})
}

// watchPeaks follows the memory of up and its servers. A server that was started again
// fails the test. The returned function ends it, and says the most of each in MiB.
func watchPeaks(t *testing.T, u *upProcess) func() map[string]int {
	t.Helper()
	pids := map[string]int{"up": u.cmd.Process.Pid}
	for _, verb := range []string{"broker", "clickhouse"} {
		pid, err := u.childPID(verb)
		if err != nil {
			t.Fatal(err)
		}
		pids[verb] = pid
	}
	return func() map[string]int {
		high := map[string]int{}
		for name, pid := range pids {
			if now, err := u.childPID(name); name != "up" && (err != nil || now != pid) {
				t.Errorf("%s was started again (%v)", name, err)
			}
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, line := range lines(string(text)) {
				if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
					high[name], _ = strconv.Atoi(strings.Fields(kb)[0])
					high[name] >>= 10
				}
			}
		}
		return high
	}
}

// publicPlaces is all that anybody may read.
func (u *upProcess) publicPlaces(attackers []*attacker) map[string]string {
	u.t.Helper()
	places := map[string]string{"log": u.log.String()}
	var err error
	for _, page := range []string{"metrics", "readyz", "healthz"} {
		var status error
		if places[page], status = httpGet("http://" + u.observed + "/" + page); status != nil {
			places[page] = status.Error()
		}
	}
	var topic bytes.Buffer
	for _, r := range u.topic(schema.TopicTelemetry) {
		topic.Write(r.Key)
		topic.Write(r.Value)
		for _, h := range r.Headers {
			topic.WriteString(h.Key)
			topic.Write(h.Value)
		}
	}
	places["topic"] = topic.String()
	tables, err := u.query("SELECT name FROM system.tables WHERE database = 'aftershock'")
	if err != nil {
		u.t.Fatal(err)
	}
	for _, table := range lines(tables) {
		if places["table "+table], err = u.query("SELECT * FROM aftershock." + table + " FORMAT JSONEachRow"); err != nil {
			u.t.Fatal(err)
		}
	}
	for _, a := range attackers {
		places["answers to "+a.name] = a.said.String()
	}
	return places
}

// attacker sends one kind of hostile input again and again.
type attacker struct {
	name  string
	every time.Duration
	send  func(a *attacker) (answer string, err error) // what it came to, for the table
	u     *upProcess
	decoys

	sent    int
	answers map[string]int
	slowest time.Duration
	ids     []string // answered with 200
	said    strings.Builder
	bad     []string
}

func (a *attacker) run(over <-chan struct{}) {
	for {
		begin := time.Now()
		answer, err := a.send(a)
		if err != nil && !errors.Is(err, io.EOF) {
			answer = "no answer"
		}
		a.sent++
		a.slowest = max(a.slowest, time.Since(begin))
		a.answers[cmp.Or(answer, "no answer")]++
		select {
		case <-over:
			return
		case <-time.After(a.every):
		}
	}
}

// post sends a report, and remembers what the door said.
func (a *attacker) post(r submission) (string, error) {
	id, status, said := r.post(a.u)
	if id != "" {
		a.ids = append(a.ids, id)
	}
	a.said.WriteString(said)
	if status == 0 {
		return "", io.ErrUnexpectedEOF
	}
	return strconv.Itoa(status), nil
}

// ask sends a request as a page in a browser would, and takes it ill if it succeeds.
func (a *attacker) ask(r *http.Request) (string, error) {
	res, err := testClient.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	said, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	a.said.Write(said)
	if res.StatusCode < 300 && len(a.bad) < 10 {
		a.bad = append(a.bad, fmt.Sprintf("%s to %s with %v: %s", r.Method, r.URL.Host, r.Header, res.Status))
	}
	return strconv.Itoa(res.StatusCode), err
}
