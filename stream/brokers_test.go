package stream_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// Who names no brokers is told so, and what he wanted.
func TestNothingIsAskedWithoutBrokers(t *testing.T) {
	t.Parallel()
	var log streamtest.Log
	k := stream.Kafka{Log: zerolog.New(&log)}
	none := func(*kgo.Record) error { return nil }
	p := processorOf(k, nil, 1)
	for want, ask := range map[string]func(ctx context.Context) error{
		"kafka: ":               func(context.Context) error { _, _, err := k.Keep(); return err },
		"consumer groups: ":     func(context.Context) error { _, err := stream.NewGroups(k); return err },
		"consumer group g: ":    func(context.Context) error { _, err := k.GroupClient("g", "t", "0"); return err },
		"producer: ":            func(context.Context) error { _, err := k.Producer(); return err },
		"producer: config ":     func(ctx context.Context) error { return stream.Request(ctx, k, []schema.ReprocessRequest{{}}) },
		"versions log: ":        func(ctx context.Context) error { _, err := stream.NewestVersions(ctx, k); return err },
		"versions log: config ": func(ctx context.Context) error { _, err := stream.Operate(ctx, k, announce(time.Now())); return err },
		"create topics: ":       func(ctx context.Context) error { return stream.CreateTopics(ctx, k, 1, schema.Topics(1)...) },
		"check topics: ": func(ctx context.Context) error {
			_, err := stream.CheckTopics(ctx, k, stream.CheckOptions{})
			return err
		},
		"config ":          func(ctx context.Context) error { return stream.CheckStart(ctx, k, stream.Uses{}) },
		"retention of t: ": func(ctx context.Context) error { _, err := stream.Retention(ctx, k, "t"); return err },
		"find crashes: ":   func(ctx context.Context) error { _, err := stream.FindRaw(ctx, k, crashID(1)); return err },
		"first of t: ":     func(ctx context.Context) error { _, err := stream.FirstOf(ctx, k, "t", 0); return err },
		"t partition 0 offset 7: ": func(ctx context.Context) error {
			_, err := stream.RawAt(ctx, k, schema.Position{Topic: "t", Offset: 7})
			return err
		},
		"read t: ":        func(ctx context.Context) error { return stream.EachCommitted(ctx, k, "t", none) },
		"read t: config ": func(ctx context.Context) error { return stream.EachFrom(ctx, k, "t", nil, none) },
		"sample of t: ":   func(ctx context.Context) error { return stream.Sample(ctx, k, "t", 1, none) },
		"signature version 3: its ": func(ctx context.Context) error {
			_, err := stream.Ruleset(ctx, k, &schema.SignatureVersion{Number: 3})
			return err
		},
		"verify: ":           func(ctx context.Context) error { return (&stream.Verifier{Kafka: k, Version: 1}).Run(ctx, nil) },
		"reprocess: ":        func(ctx context.Context) error { return (&stream.Reprocessor{Processor: *p}).Run(ctx) },
		"reprocess: kafka: ": func(ctx context.Context) error { return (&stream.Archivist{Processor: *p}).Run(ctx) },
		"resign: ": func(ctx context.Context) error {
			return resignerOf(k, nil, &schema.SignatureVersion{Number: 2, Base: 1}).Run(ctx)
		},
		"versions log: config e": func(ctx context.Context) error { _, err := stream.NewFollowing(k).Current(ctx, time.Now()); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if err := ask(ctx); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		cancel()
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stream.ErrUnwanted)
	k.Leave(ctx, "g", "0")
	says(t, &log, `"level":"warn"`, "group not left")
}
