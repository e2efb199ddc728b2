package main

import (
	"context"
	"errors"

	"aftershock/stream"
)

// processAgain has crashes processed again that somebody names in a page: all of them, or none when
// one is not in crash.raw.
func processAgain(kafka stream.Kafka) func(ctx context.Context, ids []string) error {
	return func(ctx context.Context, ids []string) error {
		requests, missing, err := found(ctx, kafka, ids)
		if err = errors.Join(append(missing, err)...); err != nil {
			return err
		}
		for i := range requests {
			requests[i].Reason = "asked for in a page"
		}
		return stream.Request(ctx, kafka, requests)
	}
}
