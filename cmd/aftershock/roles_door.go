package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"aftershock/blob"
	"aftershock/collector"
	"aftershock/internal/loopback"
	"aftershock/schema"
	"aftershock/spool"
	"aftershock/stream"
)

// collect is the door. With a spool it opens whether or not brokers are there;
// what lies in the spool goes to them when check says that they are as they should be.
func (r *roles) collect(ctx context.Context, f doorFlags, blobs blob.Store, check func(context.Context) error) (err error) {
	producer, err := r.kafka.Producer()
	if err != nil {
		return err
	}
	defer producer.Close()
	if f.Spool == "" {
		return r.door(ctx, f, blobs, func(ctx context.Context, raw *schema.RawCrash) error { return produce(ctx, producer, raw) })
	}
	s, err := spool.Open(spool.Options{
		Dir: f.Spool, Bytes: f.SpoolBytes,
		Produce: func(ctx context.Context, rec spool.Record, promise func(error)) {
			producer.Produce(ctx, rawRecord(rec), func(_ *kgo.Record, err error) { promise(refusal(err)) })
		},
		Ready: r.health.part("collector.spool"), Now: time.Now, Metrics: spool.NewMetrics(r.metrics), Log: r.log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.door(ctx, f, blobs, s.Append) })
	g.Go(func() error {
		if err := check(ctx); err != nil {
			return err
		}
		s.Run(ctx)
		return nil
	})
	return g.Wait()
}

// produce returns when the brokers have the crash, or when ctx is done. That ends
// the waiting and not the record: a record whose context ends fails all that are
// buffered behind it.
func produce(ctx context.Context, producer *kgo.Client, raw *schema.RawCrash) error {
	value, err := schema.Encode(raw)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	producer.Produce(context.WithoutCancel(ctx), rawRecord(spool.Record{CrashID: raw.CrashID, ReceivedAt: raw.ReceivedAt, Event: value}),
		func(_ *kgo.Record, err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("no broker has taken the crash: %w", ctx.Err())
	}
}

// door serves the collector.
func (r *roles) door(ctx context.Context, f doorFlags, blobs blob.Store, appendRaw func(context.Context, *schema.RawCrash) error) error {
	ready := r.health.part("collector")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", rootPage(doorPage))
	mux.Handle("/submit", r.tracing.receive(collector.New(collector.Options{
		Append: appendRaw,
		Blobs:  blobs, Annotations: schema.DefaultRegistry, InlineMax: f.InlineMax,
		Limits: collector.Limits{
			BodyBytes: f.MaxBody, InflatedBytes: 2 * f.MaxBody,
			Arriving: f.Arriving, PerAddress: f.PerAddress, BytesPerSecond: f.BodyRate, Grace: f.BodyGrace,
		},
		Folder: f.BodyDir, Ready: ready,
		Now: time.Now, Log: r.log, Metrics: r.metrics,
	})))
	// No client is a page, and answers tell nothing: by which name it is called is no matter.
	return serve(ctx, f.CollectorListen, loopback.NoPages(mux), r.log, func() { ready(nil) })
}

// rawRecord is a raw crash's record, always made anew: one that was given to the
// client keeps the context of that try.
func rawRecord(r spool.Record) *kgo.Record {
	return &kgo.Record{Topic: schema.TopicRaw, Key: []byte(r.CrashID), Value: r.Event, Timestamp: r.ReceivedAt}
}

// refusal tells errors about a record from those of brokers that are away, or that
// somebody must mend: those are what the spool is for.
func refusal(err error) error {
	if stream.Blames(err) {
		return fmt.Errorf("%w: %w", spool.ErrRefused, err)
	}
	return err
}

// checkDoor looks at the brokers as soon as there are some.
func (r *roles) checkDoor(ctx context.Context) error {
	for {
		err := stream.CheckStart(ctx, r.kafka, doorUses)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the end was asked for meanwhile
		case !errors.Is(err, stream.ErrNoBroker):
			return err
		}
		r.log.Warn().Err(err).Msg("crashes go to the spool")
	}
}
