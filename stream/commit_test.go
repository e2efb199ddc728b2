package stream_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// other is a second member of group g that commits what it polls, until stop.
func other(t *testing.T, k stream.Kafka) (stop func()) {
	t.Helper()
	cl, err := k.GroupClient("g", "in", "B")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if records := cl.PollFetches(ctx).Records(); len(records) > 0 {
				if err := stream.Commit(ctx, cl, "in", records); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		}
	}()
	return func() {
		cancel()
		<-done
		cl.Close()
		if _, err := kadm.NewClient(asking(t, k)).LeaveGroup(context.Background(), kadm.LeaveGroup("g").InstanceIDs("B")); err != nil {
			t.Error(err)
		}
	}
}

func asking(t *testing.T, k stream.Kafka) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// until waits for what must come.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// offsetsOf are what group g has committed of two partitions.
func offsetsOf(t *testing.T, admin *kadm.Client) (at [2]int64) {
	t.Helper()
	found, err := admin.FetchOffsets(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	for p := range at {
		if o, ok := found.Lookup("in", int32(p)); ok {
			at[p] = o.At
		}
	}
	return at
}

// Brokers ask of which generation a commit is, and not who has the partition: a member that
// lost one while it worked must not commit for it, neither what it has done nor its mark.
func TestAMemberDoesNotMoveBackWhatAnotherHas(t *testing.T) {
	t.Parallel()
	for p := range int32(2) { // that the member marks; the other one gets one of the two
		t.Run(fmt.Sprint("partition ", p), func(t *testing.T) {
			t.Parallel()
			memberDoesNotMoveBack(t, p)
		})
	}
}

func memberDoesNotMoveBack(t *testing.T, marked int32) {
	t.Helper()
	k, _ := streamtest.Broker(t, 2, "in", "out")
	admin := kadm.NewClient(asking(t, k))
	members := func(n int) {
		t.Helper()
		until(t, fmt.Sprint(n, " members"), func() bool {
			described, err := admin.DescribeGroups(t.Context(), "g")
			return err == nil && described["g"].State == "Stable" && len(described["g"].Members) == n
		})
	}
	working, release := make(chan struct{}, 1), make(chan struct{})
	a := copying(k)
	work := a.Work
	a.Work = func(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
		select {
		case working <- struct{}{}:
		default:
		}
		<-release
		return work(ctx, in)
	}
	stopA := run(t, a)
	members(1)
	// The client tells of what it loses once a transaction: somebody comes and goes before.
	stopB := other(t, k)
	members(2)
	stopB()
	members(1)
	to, err := kgo.NewClient(append(k.Options(), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	send := func(partition int32, from int) {
		t.Helper()
		for _, key := range numbered(from, from+20) {
			if err := to.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Partition: partition, Key: []byte(key)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	send(marked, 0)
	<-working
	send(1-marked, 20)
	stopB = other(t, k)
	members(2)
	until(t, "the other member's partition", func() bool { at := offsetsOf(t, admin); return at[0] > 5 || at[1] > 5 })
	close(release)
	send(0, 40)
	send(1, 60)
	until(t, "all is done", func() bool { at := offsetsOf(t, admin); return at[0]+at[1] >= 80 })
	before := offsetsOf(t, admin)
	stopA()
	if after := offsetsOf(t, admin); after[0] < before[0] || after[1] < before[1] {
		t.Errorf("offsets %d went back to %d", before, after)
	}
	stopB()
}
