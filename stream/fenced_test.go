package stream_test

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// Two processes with one instance id fence each other at work on a record, again and again.
// It has killed neither of them, and is worked on.
func TestWhoIsFencedWasNotKilled(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, "in", "out", schema.TopicDeadLetter)
	put(t, k, "in", "0000")
	type twin struct {
		begun, release chan struct{}
		stop           func()
	}
	twins := [2]twin{}
	for i := range twins {
		twins[i] = twin{begun: make(chan struct{}, 100), release: make(chan struct{})}
	}
	start := func(i int) {
		tr := copying(k)
		tr.Log = zerolog.New(zerolog.NewTestWriter(t)).With().Int("twin", i).Logger()
		stream.RunsIn(tr, string(rune('a'+i)))
		work := tr.Work
		tr.Work = func(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
			twins[i].begun <- struct{}{}
			<-twins[i].release
			return work(ctx, in)
		}
		twins[i].stop = streamtest.Run(t, tr.Run)
	}
	for n := range 8 { // one after the other begins and fences the other, who then is told so, and begins again
		i := n % 2
		if n < 2 {
			start(i)
		} else {
			twins[i].release <- struct{}{}
		}
		select {
		case <-twins[i].begun:
		case <-time.After(time.Minute):
			t.Fatalf("the record was not begun the %d. time; %d dead letters", n+1, len(streamtest.Committed(t, k, schema.TopicDeadLetter, 0)))
		}
	}
	close(twins[0].release)
	twins[0].stop() // or they go on until both were fenced too often
	close(twins[1].release)
	if got := streamtest.Keys(streamtest.Committed(t, k, "out", 1)); len(got) != 1 {
		t.Errorf("%q", got)
	}
	if dead := streamtest.Committed(t, k, schema.TopicDeadLetter, 0); len(dead) > 0 {
		t.Errorf("%d dead letters", len(dead))
	}
}
