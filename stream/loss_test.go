package stream_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// A group whose offsets point at records that have expired was too slow: crashes
// are lost. It must not rewind or skip and go on as if nothing were.
func TestRecordsThatExpiredUnreadStopTheLoop(t *testing.T) {
	k, _ := streamtest.Broker(t, 1, "in", "out")
	put(t, k, "in", numbered(0, 5)...)
	stop := run(t, copying(k))
	streamtest.Committed(t, k, "out", 5)
	stop()
	put(t, k, "in", numbered(5, 20)...)
	streamtest.DeleteBefore(t, k, "in", 0, 12)
	ended := make(chan error, 1)
	go func() { ended <- copying(k).Run(t.Context()) }()
	select {
	case err := <-ended:
		if !errors.Is(err, stream.ErrDataLoss) {
			t.Errorf("%v, want ErrDataLoss", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the loop goes on")
	}
	if got := streamtest.Committed(t, k, "out", 0); len(got) > 5 {
		t.Errorf("%d records: what came after the gap was taken", len(got))
	}
}

// The broker forgets the member while it works on a batch. The end of the
// transaction must not wait for ever for a heartbeat that nobody answers (with
// BlockRebalanceOnPoll it does), and the batch must come again.
func TestMemberThatIsForgottenInABatchComesBack(t *testing.T) {
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
