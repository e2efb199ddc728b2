package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/web"
)

// failures are the newest dead letters that came of crash.raw: crashes that could not be processed.
func failures(kafka stream.Kafka) func(ctx context.Context, most int) ([]web.Failure, error) {
	return func(ctx context.Context, most int) (all []web.Failure, err error) {
		err = stream.Last(ctx, kafka, schema.TopicDeadLetter, int64(most), func(r *kgo.Record) error {
			if l, err := stream.ReadLetter(r); err == nil && l.From.Topic == schema.TopicRaw {
				all = append(all, web.Failure{CrashID: string(r.Key), At: r.Timestamp})
			}
			return nil
		})
		return all, err
	}
}
