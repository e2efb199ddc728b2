package main

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
)

// processAgain has crashes processed again that somebody names in a page: all of them, or none when
// one is not in crash.raw.
func processAgain(kafka stream.Kafka) func(ctx context.Context, ids []string) error {
	return func(ctx context.Context, ids []string) error {
		var requests []schema.ReprocessRequest
		missing, err := stream.FindRaws(ctx, kafka, ids, func(rec *kgo.Record) error {
			requests = append(requests, schema.ReprocessRequest{CrashID: string(rec.Key), Raw: positionOf(rec), Reason: "asked for in a page"})
			return nil
		})
		if err = errors.Join(append(missing, err)...); err != nil {
			return err
		}
		return stream.Request(ctx, kafka, requests)
	}
}
