package stream_test

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/stream"
	"aftershock/stream/streamtest"
)

func TestSampleLiesEvenlyOverATopic(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 2, "topic")
	const all = 4000
	var records []*kgo.Record
	for i := range all {
		records = append(records, &kgo.Record{Topic: "topic", Key: fmt.Append(nil, i), Value: []byte("v")})
	}
	streamtest.Put(t, k, records...)
	for _, c := range []struct{ n, least, most int }{{all, all, all}, {2 * all, all, all}, {400, 400, 450}, {1, 1, 32}} {
		var offsets []int64
		if err := stream.Sample(t.Context(), k, "topic", int64(c.n), func(r *kgo.Record) error {
			offsets = append(offsets, r.Offset)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if len(offsets) < c.least || len(offsets) > c.most {
			t.Errorf("sample of %d: %d records", c.n, len(offsets))
		}
		if c.n != 400 {
			continue
		}
		early := 0
		for _, o := range offsets {
			if o < all/4 { // half of either partition
				early++
			}
		}
		if early < len(offsets)*2/5 || early > len(offsets)*3/5 {
			t.Errorf("%d of %d lie in the first half", early, len(offsets))
		}
	}
}
