package stream

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

const (
	// sampleStretches is how many stretches of a partition a sample is made of.
	sampleStretches = 16
	// sampleReaders is how many of them are read at a time: most of a short one is to wait.
	sampleReaders = 4
	// sampleFetchBytes are in an answer. What lies behind a stretch comes along, and is unpacked
	// for nothing.
	sampleFetchBytes = 1 << 20
)

// Sample hands about n committed records of a topic to each, in stretches that lie
// evenly over every partition; all, when there are no more. each is called once at a time.
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
	k.fetchBytes = sampleFetchBytes
	part := float64(n) / float64(all)
	readers, ctx := errgroup.WithContext(ctx)
	readers.SetLimit(sampleReaders)
	var one sync.Mutex
	for i := range int64(sampleStretches) {
		stretch := map[int32]Span{}
		for p, s := range spans {
			length := s.End - s.From
			from, next := s.From+length*i/sampleStretches, s.From+length*(i+1)/sampleStretches
			stretch[p] = Span{from, from + int64(math.Ceil(float64(next-from)*part))}
		}
		readers.Go(func() error {
			return k.read(ctx, topic, stretch, maxSilence, data(func(r *kgo.Record) error {
				one.Lock()
				defer one.Unlock()
				return each(r)
			}))
		})
	}
	if err := readers.Wait(); err != nil {
		return fmt.Errorf("sample of %s: %w", topic, err)
	}
	return nil
}
