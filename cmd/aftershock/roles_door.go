package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
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
func (r *roles) collect(ctx context.Context, f doorFlags, blobs blob.Backend, check func(context.Context) error) (err error) {
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
func (r *roles) door(ctx context.Context, f doorFlags, blobs blob.Backend, appendRaw func(context.Context, *schema.RawCrash) error) error {
	ready := r.health.part("collector")
	o := collector.Options{
		Append: appendRaw,
		Blobs:  blobs, Annotations: schema.DefaultRegistry, InlineMax: f.InlineMax,
		Limits: f.limits(), Folder: f.BodyDir, Ready: ready, Repeats: f.RetryWindow, Sentry: f.Sentry, Origins: f.CORSOrigin,
		Checks: []collector.Check{{Name: "broker", Ask: r.askBroker}, {Name: "blobs", Ask: blobs.Check}},
		Now:    time.Now, Log: r.log, Metrics: r.metrics,
	}
	var err error
	if o.Proxies, err = f.proxies(); err != nil {
		return err
	}
	if o.IDToken, err = f.token(); err != nil {
		return err
	}
	if o.Release, err = release().short(); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	o.Live = r.liveRegistry
	g.Go(func() error { r.followRegistries(ctx); return nil })
	if f.Throttle != "" {
		rules, err := r.followRules(ctx, g, f.Throttle)
		if err != nil {
			return err
		}
		o.Rules = rules
	}
	door := collector.New(o)
	server := newServer(doorHandler(door, r.tracing))
	server.MaxHeaderBytes = f.MaxHead
	if f.TLSCert != "" {
		server.TLSConfig, err = serveCertificate(f.TLSCert, f.TLSKey, r.log)
		if err != nil {
			return err
		}
	}
	g.Go(func() error { return serveWith(ctx, f.CollectorListen, server, r.log, func() { ready(nil) }) })
	return g.Wait()
}

// doorHandler is the door, with a page that says what it is. No client of it is a web page, but
// those that are let in, and answers tell nothing: by which name it is called is no matter.
func doorHandler(door *collector.Collector, t *tracing) http.Handler {
	page, traced := rootPage(doorPage), t.receive(door)
	all := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			page(w, r)
		case r.Method == http.MethodPost:
			traced.ServeHTTP(w, r)
		default:
			door.ServeHTTP(w, r)
		}
	})
	strict := loopback.NoPages(all)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if origin := r.Header.Get("Origin"); origin != "" && door.AllowsOrigin(origin) {
			all.ServeHTTP(w, r)
			return
		}
		strict.ServeHTTP(w, r)
	})
}

// askBroker tells whether the brokers answer, and have the topic.
func (r *roles) askBroker(ctx context.Context) error {
	g, err := stream.NewGroups(r.kafka)
	if err != nil {
		return err
	}
	defer g.Close()
	_, err = g.Spans(ctx, schema.TopicRaw)
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*stream.AccessError)):
		return &collector.CheckError{Reason: "access denied", Err: err}
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return &collector.CheckError{Reason: "the topic is missing", Err: err}
	}
	return &collector.CheckError{Reason: "no broker answers", Err: err}
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
