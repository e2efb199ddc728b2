// Package telemetry publishes the public view of processed crashes: it consumes
// a signature version's processed topic and appends to crash.telemetry, exactly
// once, keyed by crash id. Everything that leaves here went through
// redact.Public.
package telemetry

import (
	"context"
	"fmt"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/redact"
	"aftershock/schema"
	"aftershock/stream"
)

// Name of the sink.
const Name = "telemetry"

// Options of Run.
type Options struct {
	Kafka    stream.Kafka
	Version  int32
	Instance string
	// Active is the activation of now; crashes that it shows in another
	// version are not published from this one.
	Active func() schema.Activation
	// Annotations is the registry of today: what it no longer calls public is
	// not published, whatever the event says.
	Annotations *schema.Registry
	// Guard stops it when too much is dead-lettered.
	Guard   stream.Guard
	Ready   func(error)
	Metrics *stream.Metrics
	Log     zerolog.Logger
}

// Run publishes until ctx is done; see stream.Transform.Run.
func Run(ctx context.Context, o Options) error {
	t := stream.Transform{
		Kafka: o.Kafka, Group: schema.SinkGroup(Name, o.Version), Topic: schema.ProcessedTopic(o.Version), Instance: o.Instance,
		Outputs: []string{schema.TopicTelemetry},
		Work:    func(_ context.Context, in *kgo.Record) ([]*kgo.Record, error) { return o.publish(in), nil },
		Workers: 1, Stage: Name, Version: o.Version, Guard: o.Guard, Ready: o.Ready, Metrics: o.Metrics, Log: o.Log,
	}
	return t.Run(ctx)
}

// publish makes the telemetry record of a processed one, or its dead letter;
// nothing, if another version is seen for that crash.
func (o *Options) publish(in *kgo.Record) []*kgo.Record {
	p, err := schema.Decode[schema.ProcessedCrash](in.Value)
	if err != nil {
		o.Log.Error().Err(err).Str("topic", in.Topic).Int32("partition", in.Partition).Int64("offset", in.Offset).Msg("processed crash dead-lettered")
		return []*kgo.Record{stream.DeadLetter(in, schema.DeadProcessedBad, Name, o.Version)}
	}
	if o.Active().Seen(p.ReceivedAt) != o.Version {
		return nil
	}
	public, err := redact.Public(p, o.Annotations)
	if err != nil {
		return []*kgo.Record{stream.DeadLetter(in, schema.DeadProcessedBad, Name, o.Version)}
	}
	value, err := schema.Encode(public)
	if err != nil {
		return []*kgo.Record{stream.DeadLetter(in, schema.DeadProcessedBad, Name, o.Version)}
	}
	out := &kgo.Record{Topic: schema.TopicTelemetry, Key: in.Key, Value: value, Timestamp: p.ReceivedAt}
	return []*kgo.Record{stream.Identify(out, fmt.Sprintf("%s/%d/%d", p.CrashID, p.SignatureVersion, p.Revision))}
}
