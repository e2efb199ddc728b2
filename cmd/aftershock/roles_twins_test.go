package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"aftershock/internal/freeport"
	"aftershock/stream/streamtest"
)

func TestTwinIsFoundByFencing(t *testing.T) {
	fenced := fmt.Errorf("group g: %w", kerr.FencedInstanceID)
	begin := time.Unix(1_800_000_000, 0)
	type failure struct {
		part string
		err  error
		at   time.Duration
	}
	for name, tc := range map[string]struct {
		failures []failure
		want     bool
	}{
		"once less":         {[]failure{{"a", fenced, 0}}, false},
		"often":             {[]failure{{"a", fenced, 0}, {"a", fenced, fencedWithin - 1}}, true},
		"as often, slowly":  {[]failure{{"a", fenced, 0}, {"a", fenced, fencedWithin}, {"a", fenced, 2 * fencedWithin}}, false},
		"by other parts":    {[]failure{{"a", fenced, 0}, {"b", fenced, 0}, {"c", fenced, 0}}, false},
		"other errors":      {[]failure{{"a", errors.New("x"), 0}, {"a", errors.New("x"), 0}, {"a", errors.New("x"), 0}}, false},
		"fenced producers":  {[]failure{{"a", kerr.ProducerFenced, 0}, {"a", kerr.InvalidProducerEpoch, 0}, {"a", kerr.ProducerFenced, 0}}, true},
		"after it is found": {[]failure{{"a", fenced, 0}, {"a", fenced, 0}, {"a", fenced, 0}, {"a", fenced, 0}, {"a", fenced, 0}}, true},
	} {
		w := newTwins()
		for _, f := range tc.failures {
			w.failed(f.part, f.err, begin.Add(f.at))
		}
		ctx, cancel := context.WithCancel(t.Context())
		if !tc.want {
			cancel()
		}
		if err := w.watch(ctx); (err != nil) != tc.want {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}

// Of two processes with one name at least one ends, and says why; the other, or none, goes on.
func TestTwinEnds(t *testing.T) {
	t.Parallel() // it waits, mostly
	k, _ := streamtest.Cluster(t)
	if err := prepare(t.Context(), k, topicFlags{Partitions: 2, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	type end struct {
		err error
		log *bytes.Buffer
	}
	ended := make(chan end, 2)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 2 {
		var log bytes.Buffer
		cmd := program(ctx, "process", "--brokers", k.Brokers[0], "--blob", t.TempDir(), "--metrics-listen", freeport.Address(t))
		cmd.Stderr = &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { ended <- end{cmd.Wait(), &log} }()
	}
	select {
	case e := <-ended:
		var exit *exec.ExitError
		if !errors.As(e.err, &exit) || exit.ExitCode() != exitFailed || !strings.Contains(e.log.String(), "another process runs with this one's --instance") {
			t.Errorf("%v\n%s", e.err, e.log)
		}
	case <-time.After(3 * time.Minute):
		t.Error("both go on")
	}
	cancel()
	<-ended
}

func TestInstanceIsThePodsNameUnderKubernetes(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if got := (instanceFlag{}).instance(); got != "0" {
		t.Errorf("by itself: %q", got)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if got := (instanceFlag{}).instance(); got != host {
		t.Errorf("in a pod: %q", got)
	}
	if got := (instanceFlag{Instance: "7"}).instance(); got != "7" {
		t.Errorf("named: %q", got)
	}
}
