package stream

import (
	"context"
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kgo"
)

// sampleStretches is how many stretches of a partition a sample is made of.
const sampleStretches = 16

// Sample hands about n committed records of a topic to each, in stretches that lie
// evenly over every partition; all, when there are no more. each is called from
// one goroutine.
func Sample(ctx context.Context, k Kafka, topic string, n int64, each func(*kgo.Record) error) error {
	spans, err := k.committedSpans(ctx, topic)
	if err != nil {
		return fmt.Errorf("sample of %s: %w", topic, err)
	}
	all := int64(0)
	for _, s := range spans {
		all += s.End - s.From
	}
	if all <= n {
		if err := k.read(ctx, topic, spans, maxSilence, data(each)); err != nil {
			return fmt.Errorf("sample of %s: %w", topic, err)
		}
		return nil
	}
	part := float64(n) / float64(all)
	for i := range int64(sampleStretches) {
		stretch := map[int32]Span{}
		for p, s := range spans {
			length := s.End - s.From
			from, next := s.From+length*i/sampleStretches, s.From+length*(i+1)/sampleStretches
			stretch[p] = Span{from, from + int64(math.Ceil(float64(next-from)*part))}
		}
		if err := k.read(ctx, topic, stretch, maxSilence, data(each)); err != nil {
			return fmt.Errorf("sample of %s: %w", topic, err)
		}
	}
	return nil
}
