package stream_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// One client reads single records, whatever the order and the partition, from many
// goroutines, and tells those that are gone.
func TestAKeptReaderFindsRecords(t *testing.T) {
	k, _ := streamtest.Broker(t, 3, schema.TopicRaw)
	var all []*kgo.Record
	for _, key := range numbered(0, 60) {
		all = append(all, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(key), Value: []byte("in " + key)})
	}
	streamtest.Put(t, k, all...)
	streamtest.DeleteBefore(t, k, schema.TopicRaw, all[0].Partition, 2)
	kept, done, err := k.Keep()
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	var readers sync.WaitGroup
	for w := range 4 {
		readers.Go(func() {
			for i := range all {
				want := all[(i*7+w*13)%len(all)]
				got, err := stream.RawAt(t.Context(), kept, schema.Position{Topic: want.Topic, Partition: want.Partition, Offset: want.Offset})
				gone := want.Partition == all[0].Partition && want.Offset < 2
				if gone != errors.Is(err, stream.ErrGone) || !gone && (err != nil || string(got.Key) != string(want.Key)) {
					t.Errorf("%s at %d/%d: %v", want.Key, want.Partition, want.Offset, err)
				}
			}
		})
	}
	readers.Wait()
}

// What a loop remembers is bounded, however many partitions it has, and the newest are
// remembered.
func TestWhatIsRememberedIsBounded(t *testing.T) {
	t.Parallel()
	remembered := stream.Remembered(100, 30_000, func(partition, n int) string { return fmt.Sprint(partition, "/", n) })
	total := 0
	for p, has := range remembered {
		total += has
		if has == 0 {
			t.Errorf("partition %d: nothing", p)
		}
	}
	if total > 1<<18 {
		t.Errorf("%d identities", total)
	}
}
