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
	return request(ctx, k, requests)
}

func request(ctx context.Context, k Kafka, requests []schema.ReprocessRequest, headers ...kgo.RecordHeader) error {
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
	for _, r := range records {
		r.Headers = headers
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
		var err error
		if records[i], err = requestRecord(schema.TopicReprocess, &requests[i]); err != nil {
			return nil, err
		}
	}
	return records, nil
}

func requestRecord(topic string, request *schema.ReprocessRequest) (*kgo.Record, error) {
	value, err := schema.Encode(request)
	if err != nil {
		return nil, err
	}
	return &kgo.Record{Topic: topic, Key: []byte(request.CrashID), Value: value}, nil
}

// ownRequest is the record of a request that a loop makes by itself. Its texts are ours, so
// that it can be encoded.
func ownRequest(topic string, request schema.ReprocessRequest) []*kgo.Record {
	r, err := requestRecord(topic, &request)
	if err != nil {
		return nil
	}
	return []*kgo.Record{r}
}
