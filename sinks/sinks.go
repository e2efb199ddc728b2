// Package sinks runs what consumes processed crashes.
//
// Run delivers every processed crash of a signature version to a Sink at least
// once: it polls, writes, and commits the offsets only after the write. So a
// Sink's writes must be idempotent: the same rows, cut into other batches, may
// come again. Kafka to Kafka is exactly once instead: see sinks/telemetry.
package sinks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
)

// Row is a processed crash and where it lies.
type Row struct {
	Processed *schema.ProcessedCrash
	Position  schema.Position

	record *kgo.Record
}

// Sink stores processed crashes.
type Sink interface {
	// Write stores the rows and returns when they would survive a crash of the
	// sink. It is idempotent. After an error the same rows come again; after a
	// RefusedError in halves, until those that are to blame stand alone.
	Write(ctx context.Context, rows []Row) error
}

// RefusedError is a Sink's about rows of which it will never take at least one.
type RefusedError struct {
	// Code says why, without any value of a row.
	Code string
	Err  error
}

func (e *RefusedError) Error() string { return "refused (" + e.Code + "): " + e.Err.Error() }

func (e *RefusedError) Unwrap() error { return e.Err }

// Options of Run.
type Options struct {
	Kafka stream.Kafka
	// Name is the sink's: its consumer group is schema.SinkGroup(Name, Version).
	Name     string
	Version  int32
	Instance string
	Sink     Sink
	// Source is what is consumed; nil: the processed crashes of Version.
	Source *Source
	// Versions is asked before rows are written: none are of a version that is gone. Nil
	// asks nobody.
	Versions *stream.Following
	// Guard stops the sink when it refuses too much.
	Guard   stream.Guard
	Ready   func(error)
	Metrics *Metrics
	Log     zerolog.Logger

	losses *stream.Losses // of the session
}

// Source is a topic that a sink consumes besides processed crashes.
type Source struct {
	Group, Topic string
	// Row makes the row of a record's value; nil without an error passes over the record.
	Row func(r *kgo.Record) (*schema.ProcessedCrash, error)
}

// source is what is consumed.
func (o *Options) source() Source {
	if o.Source != nil {
		return *o.Source
	}
	return Source{
		Group: schema.SinkGroup(o.Name, o.Version), Topic: schema.ProcessedTopic(o.Version),
		Row: func(r *kgo.Record) (*schema.ProcessedCrash, error) {
			return schema.Decode[schema.ProcessedCrash](r.Value)
		},
	}
}

// A batch is written when it has maxRows or maxBytes, or is maxAge old.
const (
	maxRows  = 20_000
	maxBytes = 16 << 20
	maxAge   = 300 * time.Millisecond
	// writeDeadline bounds one write: it is tried again after that.
	writeDeadline = time.Minute
	maxBackoff    = 5 * time.Second
)

// Run consumes until ctx is done; then it returns nil. What was read and not
// written comes again to the next member. When ctx is cancelled with
// stream.ErrUnwanted, it leaves the group. Partitions whose offsets are out of range
// rest, see stream.Losses.
func Run(ctx context.Context, o Options) error {
	group := o.source().Group
	defer o.Kafka.Leave(ctx, group, o.Instance) // when the client is closed
	if o.Source == nil {                        // else its row would be one of them
		o.Guard.SelfTest = o.selfTest
	}
	watch := stream.Watch{Guard: o.Guard}
	for {
		err := o.session(ctx, &watch)
		if !stream.Repaired(err) || ctx.Err() != nil {
			return err
		}
		o.Log.Info().Err(err).Str("group", group).Msg("going on")
	}
}

// session is one membership.
func (o *Options) session(ctx context.Context, watch *stream.Watch) error {
	from := o.source()
	group, topic := from.Group, from.Topic
	cl, err := o.Kafka.GroupClient(group, topic, o.Instance)
	if err != nil {
		return err
	}
	defer cl.Close()
	o.losses = o.Kafka.NewLosses(group, topic, o.Log)
	o.ready(nil)
	for {
		b, err := o.collect(ctx, cl, from)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("group %s: %w", group, stream.Named(err, "READ", topic, group, ""))
		}
		if err := o.write(ctx, cl, &b, watch); errors.Is(err, stream.ErrGuard) {
			cl.Close() // another member may be well
			o.stopped(ctx, err)
			return nil
		} else if err != nil {
			return nil // ctx is done
		}
		if err := stream.Commit(ctx, cl, topic, b.records); err != nil && ctx.Err() == nil {
			// Whoever has the partitions next writes the same rows again.
			o.Log.Info().Err(err).Str("group", group).Msg("offsets not committed")
		} else if err == nil {
			o.Kafka.Metrics.Committed(group, b.records)
		}
	}
}

func (o *Options) ready(err error) {
	if err == nil {
		err = o.losses.Err()
	}
	if o.Ready != nil {
		o.Ready(err)
	}
}

// batch is what one write takes.
type batch struct {
	records []*kgo.Record // all, for the offsets
	rows    []Row
	dead    map[*kgo.Record]*kgo.Record // dead letters of records that cannot be read
	bytes   int
}

// collect polls until the batch is full, or old enough and not empty.
func (o *Options) collect(ctx context.Context, cl *kgo.Client, from Source) (batch, error) {
	var b batch
	var age context.Context
	for len(b.records) < maxRows && b.bytes < maxBytes {
		poll, cancel := age, context.CancelFunc(func() {})
		if age == nil {
			poll, cancel = o.losses.Patience(ctx)
		}
		fetches := cl.PollRecords(poll, maxRows-len(b.records))
		err := o.losses.Look(ctx, poll, cl, fetches)
		cancel()
		if ctx.Err() != nil {
			return b, ctx.Err()
		}
		if err != nil {
			return b, err
		}
		if o.losses.Err() != nil {
			o.ready(nil)
		}
		// Of a poll that ends with the batch's age too: the client has passed these records,
		// and what it commits next is behind them.
		o.Kafka.Metrics.Polled(from.Group, fetches)
		for _, r := range fetches.Records() {
			b.add(r, from, o.Version)
		}
		if age != nil && age.Err() != nil {
			return b, nil
		}
		if age == nil && len(b.records) > 0 {
			var cancel context.CancelFunc
			age, cancel = context.WithTimeout(ctx, maxAge)
			defer cancel()
		}
	}
	return b, nil
}

func (b *batch) add(r *kgo.Record, from Source, version int32) {
	b.records = append(b.records, r)
	b.bytes += len(r.Value)
	p, err := from.Row(r)
	if err == nil && p == nil {
		return
	}
	if err == nil {
		_, err = schema.CrashDay(p.CrashID)
	}
	if err != nil {
		if b.dead == nil {
			b.dead = map[*kgo.Record]*kgo.Record{}
		}
		b.dead[r] = stream.DeadLetter(r, schema.DeadProcessedBad, stage, version)
		return
	}
	b.rows = append(b.rows, Row{p, schema.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}, r})
}
