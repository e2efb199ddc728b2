package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"aftershock/schema"
	"aftershock/stream"
)

// replayKills says how many kills there are at least; make replay-check has more.
const replayKills = "AFTERSHOCK_REPLAY_KILLS"

// killing kills whoever takes part while an operation runs, at random moments.
type killing struct {
	u     *upProcess
	rand  *rand.Rand
	kills map[string]int
}

// during runs an operation until done says that it is done. The operator and the
// processes are killed meanwhile, and started again.
func (k *killing) during(operation func(ctx context.Context) error, done func() error) {
	t := k.u.t
	t.Helper()
	eventually(t, 5*time.Minute, func() error {
		// A server that is killed while up starts ends it: whoever runs it starts it again.
		select {
		case <-k.u.ended:
			k.u.start()
		default:
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- operation(ctx) }()
		after := time.Duration(k.rand.IntN(4000)) * time.Millisecond
		select {
		case err := <-ended: // before anybody was killed
			if doneErr := done(); doneErr != nil {
				return fmt.Errorf("%w; the operator said: %w", doneErr, err)
			}
			return nil
		case <-time.After(after):
		}
		switch victim := []string{"operator", "up", "broker", "clickhouse"}[k.rand.IntN(4)]; victim {
		case "operator":
			k.kills[victim]++
			cancel() // exec kills the process
			<-ended
		case "up":
			if k.u.cmd.Process.Kill() == nil {
				k.kills[victim]++
			}
			<-k.u.ended
			k.u.start()
			<-ended
		default:
			if pid, err := k.u.childPID(victim); err == nil && syscall.Kill(pid, syscall.SIGKILL) == nil {
				k.kills[victim]++
			}
			<-ended
		}
		return done()
	})
}

func (k *killing) total() (n int) {
	for _, kills := range k.kills {
		n += kills
	}
	return n
}

// operate runs a verb of replay until it ends or ctx does, which kills it.
func (u *upProcess) operate(ctx context.Context, verb ...string) error {
	args := append([]string{"replay"}, verb...)
	args = append(args, "--brokers", u.kafka)
	if verb[0] != "start" {
		args = append(args, "--clickhouse-url", u.clickhouseURL())
	}
	cmd := program(ctx, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %.300s", err, &errs)
	}
	return nil
}

// state is what the versions log says.
func (u *upProcess) state() (*schema.VersionEvent, error) {
	ctx, cancel := context.WithTimeout(u.t.Context(), 20*time.Second)
	defer cancel()
	return stream.NewestVersions(ctx, stream.Kafka{Brokers: []string{u.kafka}, Log: zerolog.Nop()})
}

// seen is everything that analysts see of every crash, but what names the version.
func (u *upProcess) seen() string {
	u.t.Helper()
	var text string
	eventually(u.t, time.Minute, func() (err error) {
		const all = "SELECT count(), groupBitXor(sipHash64(formatRow('JSONEachRow', * EXCEPT (signature_version, processed_topic, processed_offset%s)))) FROM %s.crashes FORMAT TSV"
		public, err := u.query(fmt.Sprintf(all, ", content_hash", "aftershock"))
		if err != nil {
			return err
		}
		protected, err := u.query(fmt.Sprintf(all, "", "aftershock_protected"))
		text = public + protected
		if rows, _, _ := strings.Cut(public, "\t"); !strings.HasPrefix(protected, rows+"\t") {
			return fmt.Errorf("%s rows are public, and protected: %s", rows, protected) // they are stored one after the other
		}
		return err
	})
	return strings.TrimSpace(text)
}

// Whatever is killed in a replay, a promotion, a rollback or a drop, the outcome is
// that of nobody being killed.
func TestReplaySurvivesKills(t *testing.T) {
	t.Parallel()
	want := 3
	if text := os.Getenv(replayKills); text != "" {
		var err error
		if want, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	u := startUp(t, "--symbols", sampleSymbols)
	k := stream.Kafka{Brokers: []string{u.kafka}, Log: zerolog.Nop()}
	n := len(newRush(t, 2).put(k, crashesToReplay(t)/3, time.Now().Add(-48*time.Hour), time.Now()))
	u.want(n)
	rules := splitRules(t)
	before := u.seen()

	// Undisturbed.
	u.mustReplay("start", "--ruleset", rules)
	u.mustReplay("promote", "2")
	after := u.seen()
	if after == before {
		t.Fatal("the promotion changed nothing")
	}
	u.agree()
	u.mustReplay("rollback")
	if got := u.seen(); got != before {
		t.Fatalf("rolled back: %s is seen, it was %s", got, before)
	}
	u.mustReplay("drop", "2")

	kill := &killing{u, rand.New(rand.NewPCG(3, 3)), map[string]int{}} //nolint:gosec // not a secret
	t.Cleanup(func() { t.Logf("killed: %v", kill.kills) })
	for version := int32(3); kill.total() < want; version++ {
		number := strconv.Itoa(int(version))
		source := []string{schema.SourceRaw, schema.SourceProcessed}[version%2]
		is := func(ok func(*schema.VersionEvent) bool, what string) func() error {
			return func() error {
				state, err := u.state()
				if err == nil && !ok(state) {
					err = fmt.Errorf("not %s", what)
				}
				return err
			}
		}
		kill.during(func(ctx context.Context) error {
			return u.operate(ctx, "start", "--ruleset", rules, "--source", source)
		},
			is(func(e *schema.VersionEvent) bool { return e.Version(version) != nil }, "started"))
		if state, err := u.state(); err != nil || state.Version(version+1) != nil {
			t.Fatalf("version %d was started more than once: %v", version, err)
		}
		kill.during(func(ctx context.Context) error { return u.operate(ctx, "promote", number) },
			is(func(e *schema.VersionEvent) bool { return e.Activation.Names(version) && e.Promotion == nil }, "promoted"))
		u.waitReady()
		u.want(n)
		eventually(t, time.Minute, func() error { return u.sees(after) })
		u.agree()
		state, err := u.state()
		if err != nil {
			t.Fatal(err)
		}
		epoch := strconv.FormatInt(state.Activation.Epoch, 10)
		kill.during(func(ctx context.Context) error { return u.operate(ctx, "rollback", "--epoch", epoch) },
			is(func(e *schema.VersionEvent) bool { return !e.Activation.Names(version) && e.Promotion == nil }, "rolled back"))
		u.waitReady()
		u.want(n)
		eventually(t, time.Minute, func() error { return u.sees(before) })
		u.agree()
		kill.during(func(ctx context.Context) error { return u.operate(ctx, "drop", number) },
			is(func(e *schema.VersionEvent) bool { return e.Version(version).State == schema.StateDropped }, "dropped"))
		u.waitReady()
		if text, err := u.query("SELECT count() FROM crash_rows WHERE signature_version = " + number); err != nil || strings.TrimSpace(text) != "0" {
			t.Errorf("rows of what was dropped: %s, %v", text, err)
		}
	}
	out, err := u.replay("status", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var status statusJSON
	if err := json.Unmarshal([]byte(out), &status); err != nil || len(status.Versions) != 1 || status.Promoting != nil {
		t.Errorf("in the end: %s, %v", out, err)
	}
}

// sees tells whether that is what is seen.
func (u *upProcess) sees(want string) error {
	if got := u.seen(); got != want {
		return fmt.Errorf("%s is seen, want %s", got, want)
	}
	return nil
}
