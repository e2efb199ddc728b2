package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"aftershock/internal/embedded"
	"aftershock/internal/freeport"
	"aftershock/processor"
	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// A number never changes its meaning: what another release announced is not
// processed differently. It is said how to begin a version that can be, and nothing
// else suffers from it.
func TestUpLeavesVersionsOfAnotherReleaseAlone(t *testing.T) {
	t.Parallel()
	if _, err := embedded.FindLibrary(""); err != nil {
		missing(t, "libchdb (make libchdb fetches it)")
	}
	k, _ := streamtest.Cluster(t)
	if err := prepare(t.Context(), k, topicFlags{Partitions: 2, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	if err := stream.CreateTopics(t.Context(), k, 1, schema.Processed(2, 2), schema.Processed(3, 2)); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Operate(t.Context(), k, func(state *schema.VersionEvent) (*schema.VersionEvent, error) {
		next := state.Clone()
		older, foreign := next.Versions[0], next.Versions[0]
		older.Number, older.ProcessVersion = 2, processor.Version-1
		foreign.Number, foreign.RegistryHash = 3, "0123456789abcdef"
		next.Versions = append(next.Versions, older, foreign)
		return next, nil
	}); err != nil {
		t.Fatal(err)
	}
	observed := freeport.Address(t)
	var log syncBuffer
	ctx, cancel := context.WithCancel(t.Context())
	cmd := program(ctx, "up", "--data-dir", t.TempDir(), "--brokers", k.Brokers[0], "--collector-listen", freeport.Address(t), "--registry-listen", freeport.Address(t),
		"--clickhouse-listen", freeport.Address(t), "--analyst-listen", "off", "--symbols-listen", "off", "--web-listen", "off", "--metrics-listen", observed, "--replication", "1")
	cmd.Stderr = &log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait() //nolint:errcheck // another test's matter
	defer cancel()
	eventually(t, time.Minute, func() error {
		said, err := httpGet("http://" + observed + "/readyz") // nobody sees them: it is ready
		if err != nil {
			return err
		}
		for _, want := range []string{"process.v1: ready", "process.v2: " + string(partUnseen), "reprocess.v3: " + string(partUnseen), "sink.clickhouse.v2: ready"} {
			if !strings.Contains(said, want+"\n") {
				return fmt.Errorf("no %q: %s", want, said)
			}
		}
		return nil
	})
	show := func(version int32) {
		t.Helper()
		if _, err := stream.Operate(t.Context(), k, func(state *schema.VersionEvent) (*schema.VersionEvent, error) {
			next := state.Clone()
			next.Activation.Epoch++
			next.Activation.Ranges[0].SignatureVersion, next.Activation.Ranges[0].Epoch = version, next.Activation.Epoch
			return next, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	metric := func(line string) error {
		said, err := httpGet("http://" + observed + "/metrics")
		if err == nil && !strings.Contains(said, line) {
			err = fmt.Errorf("no %s", line)
		}
		return err
	}
	show(2)
	eventually(t, time.Minute, func() error {
		said, err := httpGet("http://" + observed + "/readyz")
		if err == nil || !strings.Contains(err.Error(), "process.v2: "+string(partUnserved)+"\n") || !strings.Contains(err.Error(), "process.v3: "+string(partUnseen)+"\n") {
			return errors.New("version 2 is seen, and not missed: " + fmt.Sprint(err, said))
		}
		return metric(`aftershock_version_unserved{part="process.v2"} 1`)
	})
	show(1)
	eventually(t, time.Minute, func() error {
		if _, err := httpGet("http://" + observed + "/readyz"); err != nil {
			return err
		}
		if metric("aftershock_version_unserved{") == nil || metric(`aftershock_ready{part="process.v2"}`) == nil {
			return errors.New("alerts go on for a version that nobody sees any more")
		}
		return nil
	})
	if n := strings.Count(log.String(), "signature version not served"); n != 2 {
		t.Errorf("2 versions are not served, which is said %d times", n)
	}
	for _, want := range []string{startCommand, fmt.Sprint("process version ", processor.Version-1), "annotation registry 0123456789ab"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, log.String())
		}
	}
}

func TestNewerRulesAreOfferedOnce(t *testing.T) {
	shipped := firstVersion(time.Now()).Versions[0]
	old := shipped
	old.RulesetHash = "old"
	older := shipped
	older.ProcessVersion--
	gone := shipped
	gone.State = schema.StateDropped
	for name, tc := range map[string]struct {
		versions []schema.SignatureVersion
		want     bool
	}{
		"the shipped ones":                    {[]schema.SignatureVersion{shipped}, false},
		"older rules":                         {[]schema.SignatureVersion{old}, true},
		"older processing":                    {[]schema.SignatureVersion{older}, true},
		"somebody's own after the shipped":    {[]schema.SignatureVersion{shipped, old}, false},
		"the shipped ones, which are dropped": {[]schema.SignatureVersion{old, gone}, true},
	} {
		if got := offers(&schema.VersionEvent{Versions: tc.versions}); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A processor that cannot work on a version says so and stays not ready; it does
// not process it some other way.
func TestProcessorLeavesAVersionAloneThatItCannotLoad(t *testing.T) {
	k, _ := streamtest.Broker(t, 1, schema.TopicRulesets)
	registries := stream.NewRegistries(k, schema.DefaultRegistry)
	good := firstVersion(time.Now()).Versions[0]
	if _, err := newProcessor(t.Context(), k, registries, good, processor.Symbols{}); err == nil {
		t.Log("the shipped version loads") // what follows must fail for its own reason
	} else {
		t.Fatal(err)
	}
	for name, change := range map[string]func(v *schema.SignatureVersion){
		"another process version":        func(v *schema.SignatureVersion) { v.ProcessVersion++ },
		"another registry":               func(v *schema.SignatureVersion) { v.RegistryHash = "x" },
		"a ruleset with another content": func(v *schema.SignatureVersion) { v.RulesetHash = "x" },
		"a line that does not compile": func(v *schema.SignatureVersion) {
			v.Ruleset = []schema.RulesetFile{{Name: "prefix_signature_re.txt", Text: "("}}
		},
	} {
		v := good
		change(&v)
		if _, err := newProcessor(t.Context(), k, registries, v, processor.Symbols{}); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
}
