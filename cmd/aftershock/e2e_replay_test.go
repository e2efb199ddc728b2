package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"aftershock/replay"
	"aftershock/schema"
	"aftershock/signature"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
)

// replayCrashes says how many crashes are replayed; make replay-check has 50,000.
const replayCrashes = "AFTERSHOCK_REPLAY_CRASHES"

func crashesToReplay(t *testing.T) int {
	t.Helper()
	text := os.Getenv(replayCrashes)
	if text == "" {
		return 1500
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// replay runs a verb of replay on what up runs.
func (u *upProcess) replay(verb ...string) (string, error) {
	args := append([]string{"replay"}, verb...)
	args = append(args, "--brokers", u.kafka)
	if slices.Contains([]string{"promote", "rollback", "drop", "diff"}, verb[0]) {
		args = append(args, "--clickhouse-url", u.clickhouseURL())
	}
	cmd := program(u.t.Context(), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("replay %v: %w: %s", verb, err, &errs)
	}
	return out.String(), nil
}

func (u *upProcess) mustReplay(verb ...string) string {
	u.t.Helper()
	out, err := u.replay(verb...)
	if err != nil {
		u.t.Fatal(err)
	}
	return out
}

// signatures are how many crashes are seen with each.
func (u *upProcess) signatures(view string) map[string]int {
	u.t.Helper()
	out := map[string]int{}
	var text string
	eventually(u.t, time.Minute, func() (err error) {
		text, err = u.query("SELECT count(), signature FROM " + view + " GROUP BY signature FORMAT TSV")
		return err
	})
	for line := range strings.Lines(text) {
		n, signature, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		count, err := strconv.Atoi(n)
		if err != nil {
			u.t.Fatal(err)
		}
		out[signature] = count
	}
	return out
}

// caughtUp waits until a version has handled everything.
func (u *upProcess) caughtUp(version int32) {
	u.t.Helper()
	eventually(u.t, 10*time.Minute, func() error {
		out, err := u.replay("status", "--json")
		if err != nil {
			return err
		}
		var status statusJSON
		if err := json.Unmarshal([]byte(out), &status); err != nil {
			return err
		}
		for _, v := range status.Versions {
			if left, all := v.Left(); v.Number == version && left == 0 {
				return nil
			} else if v.Number == version {
				return fmt.Errorf("version %d: %d of %d left", version, left, all)
			}
		}
		return fmt.Errorf("no version %d", version)
	})
}

// watching asks what is seen over and over: no query may fail, no crash that was
// seen may vanish, none may be there twice.
type watching struct {
	stop func() // waits, and tells
}

func watch(u *upProcess, readers int) *watching {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var queries sync.Map
	for reader := range readers {
		all.Go(func() {
			seen := 0
			for n := 0; ctx.Err() == nil; n++ {
				queries.Store(reader, n)
				text, err := u.query("SELECT count(), uniqExact(crash_id) FROM crashes FORMAT TSV")
				if err != nil {
					u.t.Errorf("a query failed: %v", err)
					return
				}
				var rows, ids int
				if _, err := fmt.Sscan(text, &rows, &ids); err != nil {
					u.t.Errorf("%q: %v", text, err)
					return
				}
				if rows != ids || rows < seen {
					u.t.Errorf("%d rows of %d crashes are seen, after %d", rows, ids, seen)
					return
				}
				seen = rows
				time.Sleep(20 * time.Millisecond) // there is other work for the machine
			}
		})
	}
	return &watching{stop: func() {
		cancel()
		all.Wait()
		queries.Range(func(_, n any) bool {
			if n.(int) < 3 {
				u.t.Errorf("a reader asked only %d times", n)
			}
			return true
		})
	}}
}

// load submits crashes as a door does until stopped, and returns how many.
func load(r *rush, k stream.Kafka) (stop func() int) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int)
	go func() {
		n := 0
		for ctx.Err() == nil {
			n += len(r.put(k, 5, time.Now(), time.Now().Add(time.Millisecond)))
			select {
			case <-ctx.Done():
			case <-time.After(250 * time.Millisecond):
			}
		}
		done <- n
	}()
	return func() int { cancel(); return <-done }
}

// published are the newest public events by crash id: signature version and
// signature.
func (u *upProcess) published() map[string]string {
	u.t.Helper()
	out := map[string]string{}
	for _, r := range u.topic(schema.TopicTelemetry) {
		e, err := schema.Decode[schema.TelemetryCrash](r.Value)
		if err != nil {
			u.t.Fatal(err)
		}
		out[string(r.Key)] = fmt.Sprintf("v%d %s", e.SignatureVersion, e.Signature)
	}
	return out
}

// agree waits until the public topic says of every crash what analysts see.
func (u *upProcess) agree() {
	u.t.Helper()
	eventually(u.t, 2*time.Minute, func() error {
		text, err := u.query("SELECT crash_id, concat('v', toString(signature_version), ' ', signature) FROM crashes FORMAT TSVRaw")
		if err != nil {
			return err
		}
		published := u.published()
		rows := 0
		for line := range strings.Lines(text) {
			id, want, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			if rows++; published[id] != want {
				return fmt.Errorf("%s is published as %q, and seen as %q", id, published[id], want)
			}
		}
		if len(published) != rows {
			return fmt.Errorf("%d crashes are published, %d are seen", len(published), rows)
		}
		return nil
	})
}

func TestReplayAndPromote(t *testing.T) {
	t.Parallel()
	replayAndPromote(t, startUp(t, "--symbols", sampleSymbols), schema.SourceRaw)
}

func TestReplayFromProcessedAndPromote(t *testing.T) {
	t.Parallel()
	replayAndPromote(t, startUp(t, "--symbols", sampleSymbols), schema.SourceProcessed)
}

func TestReplayOnRealKafka(t *testing.T) {
	t.Parallel()
	replayAndPromote(t, startUpOnKafka(t, "--symbols", sampleSymbols), schema.SourceProcessed)
}

// replayAndPromote: a rule change splits one signature into three and merges two,
// with live load going on and readers asking.
func replayAndPromote(t *testing.T, u *upProcess, source string) {
	t.Helper()
	k := stream.Kafka{Brokers: []string{u.kafka}, Log: zerolog.Nop()}
	r := newRush(t, 1)
	n := crashesToReplay(t)
	u.want(len(r.put(k, n, time.Now().Add(-48*time.Hour), time.Now())))
	rules := splitRules(t)
	before := u.signatures("crashes")
	want := map[string]int{}
	for signature, crashes := range before {
		want[signature] = crashes
	}

	// What the plan says must be what comes.
	var plan struct {
		Sampled, Changed int
		Changes          []signature.Change
	}
	if err := json.Unmarshal([]byte(u.mustReplay("plan", "--ruleset", rules, "--sample", "1000000", "--json")), &plan); err != nil {
		t.Fatal(err)
	}
	if plan.Sampled != n || plan.Changed != before["opener"]+before["small"]+before["large"] {
		t.Errorf("the plan looked at %d crashes, and %d change: %v", plan.Sampled, plan.Changed, before)
	}
	kinds := map[string]signature.ChangeKind{"opener": signature.Split, "grow": signature.Merged}
	for _, c := range plan.Changes {
		if want, ok := kinds[c.Signature]; ok && c.Kind != want && c.Kind != signature.New && c.Kind != signature.Vanished {
			t.Errorf("%q is %s, want %s", c.Signature, c.Kind, want)
		}
		if c.Kind == signature.New || c.Kind == signature.Merged {
			want[c.Signature] = c.Crashes
		}
		if c.Kind == signature.Vanished {
			delete(want, c.Signature)
		}
	}
	past := time.Now().Add(time.Second).UTC().Format(time.RFC3339)
	eventually(t, time.Minute, func() error { // what comes from here on is told apart by whole seconds
		if time.Now().UTC().Format(time.RFC3339) <= past {
			return errors.New("not yet")
		}
		return nil
	})

	stopLoad := load(r, k)
	readers := watch(u, 3)
	begun := time.Now()
	u.mustReplay("plan", "--ruleset", rules, "--sample", "20000")
	t.Logf("a plan with a sample of 20,000 took %v", time.Since(begun))
	begun = time.Now()
	u.mustReplay("start", "--ruleset", rules, "--source", source, "--share", "0.5")
	u.caughtUp(2)
	t.Logf("%d crashes were replayed in %v, live ones beside", n, time.Since(begun))
	u.sameAsPlanned(plan.Changes, past)
	if _, err := u.replay("drop", "1"); err == nil {
		t.Error("what is seen was dropped")
	}
	t.Log(u.mustReplay("promote", "2"))
	came := n + stopLoad()
	readers.stop()
	u.want(came)
	got := u.signatures("crashes WHERE signature_version = 2")
	if extra := total(got) - total(want); extra != came-n {
		t.Errorf("%d crashes are seen, want %d", total(got), came)
	}
	for signature, crashes := range want {
		if got[signature] < crashes {
			t.Errorf("%q: %d crashes, want %d and what came since", signature, got[signature], crashes)
		}
	}
	for _, gone := range []string{"opener", "small", "large"} {
		if got[gone] > 0 {
			t.Errorf("%q: still %d crashes", gone, got[gone])
		}
	}
	u.agree()
	if out, err := program(t.Context(), "verify", "--brokers", u.kafka, "--clickhouse-url", u.clickhouseURL(), "--version", "2").CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}

	if source == schema.SourceRaw {
		u.mustReplay("start", "--ruleset", rules)
		u.caughtUp(3)
		u.sameBytes(2, 3, came)
		u.mustReplay("drop", "3")
	}

	// And back, with crashes coming.
	stopLoad, readers = load(r, k), watch(u, 3)
	u.mustReplay("rollback")
	came += stopLoad()
	readers.stop()
	u.want(came)
	if got := u.signatures("crashes"); got["opener"] < before["opener"] || got["grow"] > 0 {
		t.Errorf("rolled back: %v, before it was %v", got, before)
	}
	u.agree()
	u.mustReplay("drop", "2")
	if text, err := u.query("SELECT count() FROM crash_rows WHERE signature_version = 2"); err != nil || strings.TrimSpace(text) != "0" {
		t.Errorf("rows of what was dropped: %s, %v", text, err)
	}
	u.want(came)
}

// sameAsPlanned holds what two versions made of the crashes received until then
// against the preview.
func (u *upProcess) sameAsPlanned(plan []signature.Change, until string) {
	u.t.Helper()
	eventually(u.t, time.Minute, func() error { // the sink may have some rows to come
		out, err := u.replay("diff", "1", "2", "--to", until, "--json", "--limit", "1000")
		if err != nil {
			return err
		}
		var diff struct{ Changes []signature.Change }
		if err := json.Unmarshal([]byte(out), &diff); err != nil {
			return err
		}
		for _, changes := range [][]signature.Change{plan, diff.Changes} {
			for i := range changes {
				for j := range changes[i].Moves { // of which the line is told where there is an example
					changes[i].Moves[j].Cause, changes[i].Moves[j].Added = signature.ListLine{}, false
				}
			}
		}
		if d := cmp.Diff(plan, diff.Changes); d != "" {
			return fmt.Errorf("the plan is not what came (-plan +diff):\n%s", d)
		}
		return nil
	})
}

// sameBytes holds the processed crashes of two versions with the same rules against
// each other: nothing but the version's number may differ.
func (u *upProcess) sameBytes(a, b int32, crashes int) {
	u.t.Helper()
	events := func(version int32) map[string][32]byte {
		out := map[string][32]byte{}
		for _, r := range u.topic(schema.ProcessedTopic(version)) {
			p, err := schema.Decode[schema.ProcessedCrash](r.Value)
			if err != nil {
				u.t.Fatal(err)
			}
			p.SignatureVersion = 0
			value, err := schema.Encode(p)
			if err != nil {
				u.t.Fatal(err)
			}
			out[p.CrashID] = sha256.Sum256(value)
		}
		return out
	}
	one, other := events(a), events(b)
	if len(one) != crashes || len(other) != crashes {
		u.t.Errorf("%d and %d crashes were processed, want %d", len(one), len(other), crashes)
	}
	for id, sum := range one {
		if other[id] != sum {
			u.t.Errorf("%s: other bytes the second time", id)
		}
	}
}

// want waits until that many crashes are seen, each once.
func (u *upProcess) want(n int) {
	u.t.Helper()
	eventually(u.t, 5*time.Minute, func() error {
		text, err := u.query("SELECT count(), uniqExact(crash_id) FROM crashes FORMAT TSV")
		if err != nil {
			return err
		}
		var rows, ids int
		if _, err := fmt.Sscan(text, &rows, &ids); err != nil {
			return err
		}
		if rows != n || ids != n {
			return fmt.Errorf("%d rows of %d crashes, want %d", rows, ids, n)
		}
		return nil
	})
}

func total(of map[string]int) (sum int) {
	for _, n := range of {
		sum += n
	}
	return sum
}

var errTorn = errors.New("torn")

// Two operators at the same time: one wins, the other is told, nothing is torn.
func TestTwoOperatorsStartAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	dir := splitRules(t)
	const operators = 4
	codes := make(chan error, operators)
	for range operators {
		go func() {
			var stdout, stderr bytes.Buffer
			code := Main([]string{"replay", "start", "--ruleset", dir, "--brokers", p.kafka.Brokers[0]}, &stdout, &stderr)
			switch {
			case code == 0:
				codes <- nil
			case strings.Contains(stderr.String(), "another operator"):
				codes <- stream.ErrOtherOperator
			default:
				codes <- fmt.Errorf("%w: exit %d: %s", errTorn, code, &stderr)
			}
		}()
	}
	won := 0
	for range operators {
		switch err := <-codes; {
		case err == nil:
			won++
		case !errors.Is(err, stream.ErrOtherOperator):
			t.Error(err)
		}
	}
	state, err := stream.NewestVersions(t.Context(), p.kafka)
	if err != nil {
		t.Fatal(err)
	}
	if won == 0 || len(state.Versions) != 1+won {
		t.Errorf("%d operators won, and there are %d versions", won, len(state.Versions))
	}
	for i, v := range state.Versions {
		if v.Number != int32(i+1) {
			t.Errorf("version %d has number %d", i+1, v.Number)
		}
	}
}

// Two operators promote two versions at the same time: one is seen in the end, or
// both, one after the other; nothing is held for ever.
func TestTwoOperatorsPromoteAtOnce(t *testing.T) {
	t.Parallel()
	u := startUp(t, "--symbols", sampleSymbols)
	k := stream.Kafka{Brokers: []string{u.kafka}, Log: zerolog.Nop()}
	n := len(newRush(t, 4).put(k, 200, time.Now().Add(-time.Hour), time.Now()))
	u.want(n)
	rules := splitRules(t)
	u.mustReplay("start", "--ruleset", rules)
	u.mustReplay("start", "--ruleset", rules)
	errs := map[int32]error{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, version := range []int32{2, 3} {
		all.Go(func() {
			_, err := u.replay("promote", strconv.Itoa(int(version)))
			mu.Lock()
			defer mu.Unlock()
			errs[version] = err
		})
	}
	all.Wait()
	state, err := u.state()
	if err != nil {
		t.Fatal(err)
	}
	won := 0
	for version, err := range errs {
		if err == nil {
			won++
			continue
		}
		if !strings.Contains(err.Error(), "another operator") && !strings.Contains(err.Error(), "under way") {
			t.Errorf("the operator of version %d was told: %v", version, err)
		}
	}
	ranges := state.Activation.Ranges
	if won == 0 || state.Promotion != nil || len(ranges) != 1 || errs[ranges[0].SignatureVersion] != nil || state.Version(ranges[0].SignatureVersion).State != schema.StateLive {
		t.Errorf("%d won: %+v, promotion %v", won, state.Activation, state.Promotion)
	}
	u.want(n)
	u.agree()
}

// A version is promoted for some time only: the rest stays what it was, also of
// crashes that come late.
func TestPromotePartOfTime(t *testing.T) {
	t.Parallel()
	u := startUp(t, "--symbols", sampleSymbols)
	k := stream.Kafka{Brokers: []string{u.kafka}, Log: zerolog.Nop()}
	r := newRush(t, 5)
	now := time.Now()
	day := func(n int) time.Time { return now.AddDate(0, 0, -n) }
	came := len(r.put(k, 300, day(10), now))
	u.want(came)
	before := u.seen()
	since := day(5).UTC().Format(time.RFC3339)
	u.mustReplay("start", "--ruleset", splitRules(t), "--from", since)
	u.mustReplay("promote", "2")
	came += len(r.put(k, 20, day(9), day(6)))
	came += len(r.put(k, 20, day(4), now))
	u.want(came)
	torn, err := u.query("SELECT count() FROM crashes WHERE (received_at < parseDateTimeBestEffort('" + since + "')) != (signature_version = 1)")
	if err != nil || strings.TrimSpace(torn) != "0" {
		t.Errorf("%s crashes are seen in the other version, %v", torn, err)
	}
	u.agree()
	verify := func() {
		t.Helper()
		eventually(t, time.Minute, func() error {
			out, err := program(t.Context(), "verify", "--brokers", u.kafka, "--clickhouse-url", u.clickhouseURL()).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			if state, err := u.state(); err != nil || strings.Count(string(out), "is whole") != len(live(state)) {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		})
	}
	verify()
	if state, err := u.state(); err != nil || state.Version(1).State != schema.StateArchived {
		t.Errorf("version 1: %+v, %v", state.Version(1).State, err)
	}
	groups, err := stream.NewGroups(k)
	if err != nil {
		t.Fatal(err)
	}
	defer groups.Close()
	for _, prefix := range []string{"process.v1", "reprocess.v1", "sink.clickhouse.v1", "sink.telemetry.v1."} {
		if left, err := groups.Named(t.Context(), prefix); err != nil || len(left) > 0 {
			t.Errorf("an archived version has groups: %q, %v", left, err)
		}
	}
	if text, err := u.query("SELECT count() FROM crashes WHERE signature_version = 1 AND processed_topic = 'crash.processed.archived'"); err != nil || strings.TrimSpace(text) == "0" {
		t.Errorf("%s crashes came late into the archived range, %v", text, err)
	}
	if out, errs, code := u.verb("verify", "--version", "1", "--clickhouse-url", "http://"+u.clickhouse); code != 0 {
		t.Errorf("an archived version: exit code %d, %s%s", code, out, errs)
	}
	u.mustReplay("rollback")
	u.want(came)
	if one, err := u.query("SELECT uniqExact(signature_version) FROM crashes"); err != nil || strings.TrimSpace(one) != "1" {
		t.Errorf("%s versions are seen, %v", one, err)
	}
	verify()
	u.agree()
	u.mustReplay("drop", "2")
	if err := u.sees(before); err == nil {
		t.Error("what came since is not seen")
	}
}

// A rollback of which there is much to catch up on shows first what both versions have, and
// when it is killed then, the next one does the rest.
func TestRollbackShowsThePastFirst(t *testing.T) {
	t.Parallel()
	u := startUp(t, "--symbols", sampleSymbols)
	k := stream.Kafka{Brokers: []string{u.kafka}, Log: zerolog.Nop()}
	r := newRush(t, 8)
	now := time.Now()
	came := len(r.put(k, 200, now.AddDate(0, 0, -3), now.AddDate(0, 0, -1)))
	u.want(came)
	u.mustReplay("start", "--ruleset", splitRules(t))
	u.mustReplay("promote", "2")
	came += len(r.put(k, 100, now.Add(-time.Hour), now.Add(-5*time.Minute))) // version 1 lacks them
	u.want(came)
	db, err := clickhouse.Open("http://"+u.clickhouse, schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, kill := context.WithCancel(t.Context())
	operator := replay.Operator{Kafka: k, DB: db, Who: "test", Now: time.Now, Log: zerolog.Nop(), Tell: func(text string) {
		if strings.Contains(text, "what both versions have is seen again") {
			kill()
		}
	}}
	_, err = operator.Rollback(ctx, 0, replay.PromoteOptions{CatchUp: time.Minute, Hold: time.Minute, AtOnce: -1})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("killed between its halves: %v", err)
	}
	u.want(came)
	seen := func(where string) string {
		t.Helper()
		text, err := u.query("SELECT groupUniqArray(signature_version) FROM crashes WHERE received_at " + where)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(text)
	}
	if old, late := seen("< now() - INTERVAL 12 HOUR"), seen("> now() - INTERVAL 12 HOUR"); old != "[1]" || late != "[2]" {
		t.Errorf("after the first half: %s of the past and %s of what came since", old, late)
	}
	u.mustReplay("rollback")
	u.want(came)
	if all := seen("> 0"); all != "[1]" {
		t.Errorf("after the rollback: %s", all)
	}
	u.agree()
}

// live are the versions that are processed.
func live(state *schema.VersionEvent) (out []int32) {
	for i := range state.Versions {
		if v := &state.Versions[i]; v.Processed() {
			out = append(out, v.Number)
		}
	}
	return out
}

// A crash that is seen must not vanish: a promotion that would let it is refused
// with its id, and everything goes on as before.
func TestPromoteRefusesWhatWouldVanish(t *testing.T) {
	t.Parallel()
	u := startUp(t, "--symbols", sampleSymbols)
	k := stream.Kafka{Brokers: []string{u.kafka}, Log: zerolog.Nop()}
	r := newRush(t, 6)
	ids := r.put(k, 100, time.Now().Add(-48*time.Hour), time.Now().Add(-time.Hour))
	u.want(len(ids))
	rules := splitRules(t)
	u.mustReplay("start", "--ruleset", rules)
	u.caughtUp(2)
	eventually(t, time.Minute, func() error {
		text, err := u.query("SELECT count() FROM crash_rows FINAL WHERE signature_version = 2")
		if err == nil && strings.TrimSpace(text) != strconv.Itoa(len(ids)) {
			err = fmt.Errorf("%s rows of version 2", text)
		}
		return err
	})
	gone := ids[17]
	u.execute("ALTER TABLE aftershock.crash_rows DELETE WHERE signature_version = 2 AND crash_id = '" + gone + "' SETTINGS mutations_sync = 2")
	if _, err := u.replay("promote", "2"); err == nil || !strings.Contains(err.Error(), gone) || !strings.Contains(err.Error(), "--accept-missing 1") {
		t.Fatalf("promoted without %s: %v", gone, err)
	}
	state, err := u.state()
	if err != nil || state.Promotion != nil || state.Version(1).State != schema.StateLive {
		t.Fatalf("after the refusal: %+v, %v", state, err)
	}
	u.want(len(ids) + len(r.put(k, 10, time.Now(), time.Now()))) // what comes is seen

	// A replay that runs can be dropped.
	u.mustReplay("start", "--ruleset", rules, "--share", "0.1")
	u.mustReplay("drop", "3")
	if topics, err := u.replay("status"); err != nil || strings.Contains(topics, "version 3:") {
		t.Errorf("what was dropped: %s, %v", topics, err)
	}

	u.mustReplay("promote", "2", "--accept-missing", "1")
	u.want(len(ids) + 10 - 1)
	out, err := program(t.Context(), "replay", "lineage", "opener", "--clickhouse-url", u.clickhouseURL()).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "opener | disk") {
		t.Errorf("what became of opener: %v\n%s", err, out)
	}
	if out, err := u.replay("drop", "2"); err == nil {
		t.Errorf("what is seen was dropped: %s", out)
	}
}

// A release that brings something newer changes nothing by itself, and says so.
func TestStatusNamesWhatIsNewer(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	status := func() string {
		t.Helper()
		out, errs, code := p.run("replay", "status")
		if code != 0 {
			t.Fatalf("exit %d: %s", code, errs)
		}
		return out
	}
	if out := status(); strings.Contains(out, startCommand) {
		t.Errorf("nothing is newer: %s", out)
	}
	if _, err := stream.Operate(t.Context(), p.kafka, func(now *schema.VersionEvent) (*schema.VersionEvent, error) {
		next := now.Clone()
		next.Versions[0].RulesetHash = "an older one"
		return next, nil
	}); err != nil {
		t.Fatal(err)
	}
	if out := status(); !strings.Contains(out, startCommand) || !strings.Contains(out, "NOBODY PROCESSES IT") {
		t.Errorf("the rules of this release are newer: %s", out)
	}
}
