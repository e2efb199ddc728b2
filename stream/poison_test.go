package stream_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// poisonBrokers is set for a process that is to be killed by a record.
const poisonBrokers = "AFTERSHOCK_TEST_POISON_BROKERS"

// TestPoisonedProcess is no test but that process.
func TestPoisonedProcess(t *testing.T) {
	brokers := os.Getenv(poisonBrokers)
	if brokers == "" {
		t.Skip("not the process that a record is to kill")
	}
	tr := killing(stream.Kafka{Brokers: strings.Split(brokers, ","), Log: zerolog.Nop()})
	if err := tr.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// killing copies, but for a record that ends the process.
func killing(k stream.Kafka) *stream.Transform {
	tr := copying(k)
	tr.Stage, tr.Version = "copy", 2
	work := tr.Work
	tr.Work = func(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
		if strings.HasPrefix(string(in.Key), "poison") {
			if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
				return nil, err
			}
			select {}
		}
		return work(ctx, in)
	}
	return tr
}

// A record that kills each process that works on it is dead-lettered after some, and the
// others, among which it came, are worked on.
func TestARecordThatKillsIsDeadLettered(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 2, "in", "out", schema.TopicDeadLetter)
	all := numbered(0, 40)
	put(t, k, "in", slices.Concat(all[:17], []string{"poison 1"}, all[17:30], []string{"poison 2"}, all[30:])...)
	kills := 0
	for ; ; kills++ {
		if kills > 20 {
			t.Fatal("it kills for ever")
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPoisonedProcess$", "-test.count=1") //nolint:gosec // the test itself
		cmd.Env = append(os.Environ(), poisonBrokers+"="+strings.Join(k.Brokers, ","))
		ended := make(chan error, 1)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { ended <- cmd.Wait() }()
		done := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			if reaches(ctx, k, "out", len(all)) {
				close(done)
			}
		}()
		select {
		case <-ended:
			cancel()
			continue
		case <-done:
			cancel()
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			<-ended
		}
		break
	}
	if got := streamtest.Keys(streamtest.Committed(t, k, "out", len(all))); !slices.Equal(got, all) {
		t.Errorf("%d records: %q", len(got), got)
	}
	dead := streamtest.Committed(t, k, schema.TopicDeadLetter, 2)
	if got := streamtest.Keys(dead); !slices.Equal(got, []string{"poison 1", "poison 2"}) {
		t.Fatalf("dead: %q", got)
	}
	for _, r := range dead {
		if header(r, stream.HeaderClass) != schema.DeadPoison || header(r, stream.HeaderAttempt) != "4" || header(r, stream.HeaderSignatureVersion) != "2" {
			t.Errorf("headers %v", r.Headers)
		}
	}
	if kills < 4 || kills > 12 {
		t.Errorf("two records killed %d processes", kills)
	}
}

// reaches waits until a topic has n committed records.
func reaches(ctx context.Context, k stream.Kafka, topic string, n int) bool {
	cl, err := kgo.NewClient(append(k.Options(), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		return false
	}
	defer cl.Close()
	for n > 0 && ctx.Err() == nil {
		n -= len(cl.PollFetches(ctx).Records())
	}
	return n <= 0
}

// An attempt that ends in any other way than with the process does not count.
func TestWhatOnlyWaitsIsNotPoison(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, "in", "out", schema.TopicDeadLetter)
	put(t, k, "in", "0000")
	for range 8 {
		tr := copying(k)
		waiting := make(chan struct{}, 100)
		tr.Work = func(context.Context, *kgo.Record) ([]*kgo.Record, error) {
			waiting <- struct{}{}
			return nil, &stream.PassingError{Err: context.DeadlineExceeded}
		}
		stop := run(t, tr)
		<-waiting
		stop()
	}
	run(t, copying(k))
	if got := streamtest.Committed(t, k, "out", 1); len(got) != 1 {
		t.Errorf("%d records", len(got))
	}
	if dead := streamtest.Committed(t, k, schema.TopicDeadLetter, 0); len(dead) > 0 {
		t.Errorf("%d dead letters", len(dead))
	}
}
