package embedded

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/internal/freeport"
)

// What a transaction had written when the broker was killed is never seen, and
// hides nothing that the same producer commits later, however often that happens.
func TestBrokerRollsBackWhatAKillLeftOpen(t *testing.T) {
	dir, addr := t.TempDir(), freeport.Address(t)
	broker := startBroker(t, dir, addr, time.Hour)
	createTopic(t, addr, "t")
	var want []string
	for _, round := range []string{"1", "2", "3"} {
		// The same transactional id: after a restart it is the same producer.
		client := kafkaClient(t, addr, kgo.TransactionalID("tx"))
		transact(t, client, "t", "committed "+round, kgo.TryCommit)
		want = append(want, "committed "+round)
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := produce(t, client, "t", "open "+round); err != nil {
			t.Fatal(err)
		}
		pid := broker.PID()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for broker.PID() == pid || broker.PID() == 0 {
			time.Sleep(10 * time.Millisecond)
		}
		client.CloseAllowingRebalance()
		again := kafkaClient(t, addr, kgo.TransactionalID("tx"))
		transact(t, again, "t", "after "+round, kgo.TryCommit)
		again.Close()
		want = append(want, "after "+round)
		if got := values(t, addr, "t", len(want)); !slices.Equal(got, want) {
			t.Fatalf("after kill %s: read %q, want %q", round, got, want)
		}
	}
	// A clean end needs no healing, and changes nothing.
	stop(t, broker)
	startBroker(t, dir, addr, time.Hour)
	if got := values(t, addr, "t", len(want)); !slices.Equal(got, want) {
		t.Errorf("after a clean end: read %q, want %q", got, want)
	}
}
