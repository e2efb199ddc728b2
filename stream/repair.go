package stream

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// MaxRequests bounds the reprocess requests that are made at a time.
const MaxRequests = 100_000

// Repair asks for the raw crashes that lack something to be processed again, and
// tells how many there were of those: the first limit ones of the partition.
//
// A request mends every kind of hole: what comes of it is appended with a higher
// revision, and goes to every sink as a live result does. That a row could be made
// again from the processed topic alone is no gain: that topic forgets first.
func (v *Verifier) Repair(ctx context.Context, found *Verified, limit int) (int, error) {
	holes := found.holes.all()
	if holes.Count == 0 || limit <= 0 {
		return 0, nil
	}
	last := found.End
	if n := len(holes.Ranges); holes.Count == holes.counted() {
		last = holes.Ranges[n-1].Last + 1
	}
	var requests []schema.ReprocessRequest
	at := map[int32]Span{found.Partition: {holes.Ranges[0].First, last}}
	err := v.Kafka.read(ctx, schema.TopicRaw, at, maxSilence, data(func(r *kgo.Record) error {
		if found.holes.has(r.Offset) && len(requests) < limit {
			requests = append(requests, schema.ReprocessRequest{
				CrashID: string(r.Key), Versions: []int32{v.Version}, Reason: "verify",
				Raw: schema.Position{Topic: schema.TopicRaw, Partition: r.Partition, Offset: r.Offset},
			})
		}
		return nil
	}))
	if err == nil {
		err = Request(ctx, v.Kafka, requests)
	}
	if err != nil {
		return 0, fmt.Errorf("repair partition %d: %w", found.Partition, err)
	}
	return len(requests), nil
}
