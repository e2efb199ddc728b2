package main

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kfake"

	"aftershock/internal/embedded"
	"aftershock/processor"
	"aftershock/schema"
	"aftershock/stream"
)

// A number never changes its meaning: what another release announced is refused,
// with the way out, instead of being processed differently.
func TestUpRefusesVersionsOfAnotherRelease(t *testing.T) {
	if _, err := embedded.FindLibrary(""); err != nil {
		missing(t, "libchdb (make libchdb fetches it)")
	}
	for name, tc := range map[string]struct {
		change func(v *schema.SignatureVersion)
		want   string
	}{
		"another process version": {func(v *schema.SignatureVersion) { v.ProcessVersion = processor.Version + 1 }, "process version"},
		"another registry":        {func(v *schema.SignatureVersion) { v.RegistryHash = "0123456789abcdef" }, "annotation registry"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := kfake.NewCluster(kfake.NumBrokers(1))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			k := stream.Kafka{Brokers: c.ListenAddrs(), Log: zerolog.Nop()}
			if err := stream.CreateTopics(t.Context(), k, 1, schema.Topics(2)...); err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Operate(t.Context(), k, func(*schema.VersionEvent) (*schema.VersionEvent, error) {
				first := firstVersion(time.Now())
				tc.change(&first.Versions[0])
				return first, nil
			}); err != nil {
				t.Fatal(err)
			}
			out, err := program(t.Context(), "up", "--data-dir", t.TempDir(), "--brokers", c.ListenAddrs()[0],
				"--clickhouse-listen", freePort(t), "--replication", "1").CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != exitFailed || !strings.Contains(string(out), tc.want) || !strings.Contains(string(out), "empty --data-dir") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// A processor that cannot work on a version says so and stays not ready; it does
// not process it some other way.
func TestProcessorLeavesAVersionAloneThatItCannotLoad(t *testing.T) {
	good := firstVersion(time.Now()).Versions[0]
	if _, err := newProcessor(good, nil); err == nil {
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
		if _, err := newProcessor(v, nil); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
}
