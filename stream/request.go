package stream

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// Request appends reprocess requests and returns when all replicas have them. One
// that is appended twice does no harm: the second result has the higher revision.
// After an error some may have been appended.
func Request(ctx context.Context, k Kafka, requests []schema.ReprocessRequest) error {
	if len(requests) == 0 {
		return nil
	}
	producer, err := k.Producer()
	if err != nil {
		return err
	}
	defer producer.Close()
	records, err := requestRecords(requests)
	if err != nil {
		return err
	}
	if err := producer.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("append to %s: %w", schema.TopicReprocess, err)
	}
	return nil
}

// requestRecords are the requests, keyed as the raw crashes are, and so in their
// partitions.
func requestRecords(requests []schema.ReprocessRequest) ([]*kgo.Record, error) {
	records := make([]*kgo.Record, len(requests))
	for i := range requests {
		value, err := schema.Encode(&requests[i])
		if err != nil {
			return nil, err
		}
		records[i] = &kgo.Record{Topic: schema.TopicReprocess, Key: []byte(requests[i].CrashID), Value: value}
	}
	return records, nil
}
