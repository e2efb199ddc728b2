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

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
)

// Row is a processed crash and where it lies.
type Row struct {
	Processed *schema.ProcessedCrash
	Position  schema.Position
}

// Sink stores processed crashes.
type Sink interface {
	// Write stores the rows and returns when they would survive a crash of the
	// sink. It is idempotent. After an error the same rows come again.
	Write(ctx context.Context, rows []Row) error
}

// Options of Run.
type Options struct {
	Kafka stream.Kafka
	// Name is the sink's: its consumer group is schema.SinkGroup(Name, Version).
	Name     string
	Version  int32
	Instance string
	Sink     Sink
	Ready    func(error)
	Metrics  *Metrics
	Log      zerolog.Logger
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
// written comes again to the next member.
func Run(ctx context.Context, o Options) error {
	group, topic := schema.SinkGroup(o.Name, o.Version), schema.ProcessedTopic(o.Version)
	cl, err := o.Kafka.GroupClient(group, topic, o.Instance)
	if err != nil {
		return err
	}
	defer cl.Close()
	o.ready(nil)
	for {
		b, err := o.collect(ctx, cl)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, kerr.OffsetOutOfRange) {
			return fmt.Errorf("group %s: %w: %w", group, stream.ErrDataLoss, err)
		}
		if err != nil {
			return fmt.Errorf("group %s: %w", group, stream.Named(err, "READ", topic, group, ""))
		}
		if !o.write(ctx, cl, b) {
			return nil
		}
		if err := cl.CommitRecords(ctx, b.records...); err != nil && ctx.Err() == nil {
			// A rebalance took the partitions: whoever has them now writes the
			// same rows again.
			o.Log.Info().Err(err).Str("group", group).Msg("offsets not committed")
		} else if err == nil {
			o.Kafka.Metrics.Committed(group, b.records)
		}
		o.Metrics.wrote(o.Name, len(b.rows), len(b.dead))
	}
}

func (o *Options) ready(err error) {
	if o.Ready != nil {
		o.Ready(err)
	}
}

// batch is what one write takes.
type batch struct {
	records []*kgo.Record // all, for the offsets
	rows    []Row
	dead    []*kgo.Record // dead letters of records that cannot be read
	bytes   int
}

// collect polls until the batch is full, or old enough and not empty.
func (o *Options) collect(ctx context.Context, cl *kgo.Client) (batch, error) {
	var b batch
	var age context.Context
	for len(b.records) < maxRows && b.bytes < maxBytes {
		poll := ctx
		if age != nil {
			poll = age
		}
		fetches := cl.PollRecords(poll, maxRows-len(b.records))
		if ctx.Err() != nil {
			return b, ctx.Err()
		}
		for _, e := range fetches.Errors() {
			if age != nil && age.Err() != nil && errors.Is(e.Err, age.Err()) {
				return b, nil
			}
			return b, fmt.Errorf("fetch %s partition %d: %w", e.Topic, e.Partition, e.Err)
		}
		o.Kafka.Metrics.Polled(schema.SinkGroup(o.Name, o.Version), fetches)
		for _, r := range fetches.Records() {
			b.add(r, o.Version)
		}
		if age == nil && len(b.records) > 0 {
			var cancel context.CancelFunc
			age, cancel = context.WithTimeout(ctx, maxAge)
			defer cancel()
		}
	}
	return b, nil
}

func (b *batch) add(r *kgo.Record, version int32) {
	b.records = append(b.records, r)
	b.bytes += len(r.Value)
	p, err := schema.Decode[schema.ProcessedCrash](r.Value)
	if err == nil {
		_, err = schema.CrashDay(p.CrashID)
	}
	if err != nil {
		b.dead = append(b.dead, stream.DeadLetter(r, schema.DeadProcessedBad, "sink", version))
		return
	}
	b.rows = append(b.rows, Row{p, schema.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}})
}

// write tries until the rows are stored and the dead letters appended; false
// means that ctx is done.
func (o *Options) write(ctx context.Context, cl *kgo.Client, b batch) bool {
	for backoff := 200 * time.Millisecond; ; backoff = min(backoff*2, maxBackoff) {
		start := time.Now()
		err := o.writeOnce(ctx, cl, b)
		o.ready(err)
		if err == nil {
			o.Metrics.took(o.Name, time.Since(start))
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		o.Metrics.failed(o.Name)
		o.Log.Warn().Err(err).Str("sink", o.Name).Int("rows", len(b.rows)).Msg("rows not stored, trying again")
		select {
		case <-ctx.Done():
			return false
		case <-time.After(backoff):
		}
	}
}

func (o *Options) writeOnce(ctx context.Context, cl *kgo.Client, b batch) error {
	ctx, cancel := context.WithTimeout(ctx, writeDeadline)
	defer cancel()
	if len(b.rows) > 0 {
		if err := o.Sink.Write(ctx, b.rows); err != nil {
			return err
		}
	}
	if len(b.dead) > 0 {
		again := make([]*kgo.Record, len(b.dead))
		for i, r := range b.dead {
			// A record keeps the context of its first try, which is over by the second.
			again[i] = &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: r.Headers}
		}
		if err := cl.ProduceSync(ctx, again...).FirstErr(); err != nil {
			return fmt.Errorf("dead letters: %w", stream.Named(err, "WRITE", schema.TopicDeadLetter, "", ""))
		}
	}
	return nil
}

// Metrics of every sink in a process. A nil *Metrics counts nothing.
type Metrics struct {
	rows, dead, failures *prometheus.CounterVec
	seconds              *prometheus.HistogramVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	return &Metrics{
		rows: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_sinks_rows_total", Help: "Rows stored, by sink; a row may be stored again after a restart.",
		}, []string{"sink"}),
		dead: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_sinks_dead_letters_total", Help: "Records that a sink dead-lettered, by sink.",
		}, []string{"sink"}),
		failures: f.NewCounterVec(prometheus.CounterOpts{
			Name: "aftershock_sinks_write_failures_total", Help: "Writes that failed and are tried again, by sink.",
		}, []string{"sink"}),
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "aftershock_sinks_write_seconds", Help: "Time of a write, by sink.", Buckets: prometheus.ExponentialBuckets(0.002, 4, 8),
		}, []string{"sink"}),
	}
}

func (m *Metrics) wrote(sink string, rows, dead int) {
	if m != nil {
		m.rows.WithLabelValues(sink).Add(float64(rows))
		m.dead.WithLabelValues(sink).Add(float64(dead))
	}
}

func (m *Metrics) took(sink string, d time.Duration) {
	if m != nil {
		m.seconds.WithLabelValues(sink).Observe(d.Seconds())
	}
}

func (m *Metrics) failed(sink string) {
	if m != nil {
		m.failures.WithLabelValues(sink).Inc()
	}
}
