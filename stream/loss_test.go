package stream_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// A group whose offsets point at records that have expired was too slow: crashes
// are lost. It must not rewind or skip as if nothing were; other partitions go on, and the
// one goes on when somebody has decided.
func TestAPartitionWhoseRecordsExpiredUnreadRests(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 2, "in", "out", schema.TopicVersions)
	keys := func(partition int32, from, to int) (out []string) { // of a partition
		p := kgo.StickyKeyPartitioner(nil).ForTopic("in")
		for _, key := range numbered(from, to) {
			if int32(p.Partition(&kgo.Record{Key: []byte(key)}, 2)) == partition {
				out = append(out, key)
			}
		}
		return out
	}
	put(t, k, "in", numbered(0, 30)...)
	stop := run(t, copying(k))
	streamtest.Committed(t, k, "out", 30)
	stop()
	lost, others := keys(0, 30, 80), keys(1, 30, 80)
	put(t, k, "in", numbered(30, 80)...)
	start := int64(len(keys(0, 0, 30)) + 4)
	streamtest.DeleteBefore(t, k, "in", 0, start)
	tr := copying(k)
	var ready atomic.Pointer[error]
	tr.Ready = func(err error) { ready.Store(&err) }
	run(t, tr)
	got := streamtest.Keys(streamtest.Committed(t, k, "out", 30+len(others)))
	if want := slices.Sorted(slices.Values(slices.Concat(numbered(0, 30), others))); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if err := *ready.Load(); !errors.Is(err, stream.ErrDataLoss) {
		t.Errorf("ready: %v", err)
	}

	g, err := stream.NewGroups(k)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	gone, err := g.Gone(t.Context())
	if want := []stream.Gone{{Group: "g", Topic: "in", Partition: 0, Committed: start - 4, From: start, End: start - 4 + int64(len(lost))}}; err != nil || !slices.Equal(gone, want) {
		t.Fatalf("%+v, want %+v; %v", gone, want, err)
	}
	if _, err := stream.OperateWith(t.Context(), k, func(*schema.VersionEvent) (stream.Operation, error) {
		return stream.Operation{Event: &schema.VersionEvent{}, Offsets: map[string]map[string][]schema.PartitionOffset{"g": {"in": {{Partition: 0, Offset: start}}}}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	got = streamtest.Keys(streamtest.Committed(t, k, "out", 30+len(others)+len(lost)-4))
	if want := slices.Sorted(slices.Values(slices.Concat(numbered(0, 30), others, lost[4:]))); !slices.Equal(got, want) {
		t.Errorf("after the repair: %q, want %q", got, want)
	}
	if err := *ready.Load(); err != nil {
		t.Errorf("ready: %v", err)
	}
}

// The broker forgets the member while it works on a batch. The end of the
// transaction must not wait for ever for a heartbeat that nobody answers (with
// BlockRebalanceOnPoll it does), and the batch must come again.
func TestMemberThatIsForgottenInABatchComesBack(t *testing.T) {
	t.Parallel()
	k, c := streamtest.Broker(t, 1, "in", "out")
	all := numbered(0, 20)
	put(t, k, "in", all...)
	var forgotten atomic.Int64
	var inBatch atomic.Bool
	c.ControlKey(int16(kmsg.Heartbeat), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if !inBatch.Load() || forgotten.Load() >= 3 {
			return nil, nil, false
		}
		forgotten.Add(1)
		resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
		resp.ErrorCode = kerr.UnknownMemberID.Code
		return resp, nil, true
	})
	tr := copying(k)
	work := tr.Work
	tr.Work = func(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
		inBatch.Store(true)
		return work(ctx, in)
	}
	run(t, tr)
	if got := streamtest.Keys(streamtest.Committed(t, k, "out", len(all))); !slices.Equal(got, all) {
		t.Errorf("%d records: %q", len(got), got)
	}
	if forgotten.Load() == 0 {
		t.Error("the member was never forgotten: this shows nothing")
	}
}
