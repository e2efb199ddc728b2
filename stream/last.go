package stream

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Last hands about the last n committed records of a topic to each, as many of every
// partition; all, when there are no more. each is called from one goroutine.
func Last(ctx context.Context, k Kafka, topic string, n int64, each func(*kgo.Record) error) error {
	spans, err := k.committedSpans(ctx, topic)
	if err != nil {
		return fmt.Errorf("the last of %s: %w", topic, err)
	}
	return k.last(ctx, topic, spans, n, each)
}

// last is Last of a topic whose spans are known; it changes them.
func (k Kafka) last(ctx context.Context, topic string, spans map[int32]Span, n int64, each func(*kgo.Record) error) error {
	part := (n + int64(len(spans)) - 1) / max(int64(len(spans)), 1)
	for p, s := range spans {
		spans[p] = Span{max(s.From, s.End-part), s.End}
	}
	if err := k.read(ctx, topic, spans, maxSilence, data(each)); err != nil {
		return fmt.Errorf("the last of %s: %w", topic, err)
	}
	return nil
}
