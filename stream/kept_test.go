package stream_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

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

// Who asks for records in order is answered from few answers of the brokers, and is told of
// those that are gone among them.
func TestAKeptReaderKeepsWhatCameAlong(t *testing.T) {
	k, c := streamtest.Broker(t, 1, schema.TopicRaw)
	const records = 300
	var all []*kgo.Record
	for _, key := range numbered(0, records) {
		all = append(all, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(key), Value: make([]byte, 1000)})
	}
	streamtest.Put(t, k, all...)
	streamtest.DeleteBefore(t, k, schema.TopicRaw, 0, 2)
	kept, done, err := k.Keep()
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	var fetches atomic.Int64
	c.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		fetches.Add(1)
		return nil, nil, false
	})
	for i := range all {
		got, err := stream.RawAt(t.Context(), kept, schema.Position{Topic: schema.TopicRaw, Offset: int64(i)})
		if gone := i < 2; gone != errors.Is(err, stream.ErrGone) || !gone && (err != nil || string(got.Key) != string(all[i].Key)) {
			t.Errorf("offset %d: %v", i, err)
		}
	}
	if n := fetches.Load(); n > records/10 {
		t.Errorf("%d answers for %d records", n, records)
	}
	if _, err := stream.RawAt(t.Context(), kept, schema.Position{Topic: schema.TopicRaw, Offset: 10 * records}); !errors.Is(err, stream.ErrGone) {
		t.Errorf("behind the end: %v", err)
	}
}

// What is kept of answers is bounded in bytes and in number, and the newest are.
func TestAnswersThatAreKept(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]struct{ answers, bytes, kept int }{
		"at the bytes":     {3, stream.KeptBytes / 2, 2},
		"one byte more":    {3, stream.KeptBytes/2 + 1, 1},
		"one that is more": {2, stream.KeptBytes + 1, 1},
		"at the number":    {stream.KeptAnswers, 1, stream.KeptAnswers},
		"one more":         {stream.KeptAnswers + 1, 1, stream.KeptAnswers},
	} {
		var want []int64
		for n := of.answers - of.kept; n < of.answers; n++ {
			want = append(want, int64(n))
		}
		if got := stream.AnswersKept(of.answers, of.bytes); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
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
