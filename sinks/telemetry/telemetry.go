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
	Instance string
	// Versions says what is shown. Crashes that are shown in Version since the Epoch are
	// published: what comes to be shown anew, has another epoch and a group of its own,
	// which begins at the topic's start.
	Versions *stream.Following
	Version  int32
	Epoch    int64
	// Annotations is the registry of today: what it no longer calls public is
	// not published, whatever the event says.
	Annotations *schema.Registry
	// Registries is the registry by which a crash is shown that was made with the one of a hash;
	// nil is Annotations for all.
	Registries func(ctx context.Context, hash string) (*schema.Registry, error)
	// Guard stops it when too much is dead-lettered.
	Guard   stream.Guard
	Ready   func(error)
	Metrics *stream.Metrics
	Log     zerolog.Logger
}

// Run publishes until ctx is done; see stream.Transform.Run. What another version
// published of the same crashes cannot come after ours: the activation changes when
// that one has published all that it ever makes of them (replay.Operator.Promote).
func Run(ctx context.Context, o Options) error {
	group, topic := schema.TelemetryGroup(o.Version, o.Epoch), schema.ProcessedTopic(o.Version)
	t := stream.Transform{
		Kafka: o.Kafka, Group: group, Topic: topic, Instance: o.Instance,
		Outputs: []string{schema.TopicTelemetry}, Versions: o.Versions,
		Work:    o.publish,
		Workers: 1, Stage: Name, Version: o.Version, Guard: o.Guard, Ready: o.Ready, Metrics: o.Metrics, Log: o.Log,
	}
	return t.Run(ctx)
}

// publish makes the telemetry record of a processed one, or its dead letter;
// nothing, if that crash is not shown in the version, or since another epoch.
func (o *Options) publish(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
	p, err := schema.Decode[schema.ProcessedCrash](in.Value)
	if err != nil {
		o.Log.Error().Err(err).Str("topic", in.Topic).Int32("partition", in.Partition).Int64("offset", in.Offset).Msg("processed crash dead-lettered")
		return []*kgo.Record{stream.DeadLetter(in, schema.DeadProcessedBad, Name, o.Version)}, nil
	}
	shown := o.Versions.Newest().Activation.Range(p.ReceivedAt)
	switch {
	case shown == nil || shown.SignatureVersion != p.SignatureVersion:
		return nil, nil
	case o.Version != schema.Archived && (shown.SignatureVersion != o.Version || shown.Epoch != o.Epoch):
		return nil, nil
	}
	registry := o.Annotations
	if o.Registries != nil {
		if registry, err = o.Registries(ctx, p.RegistryHash); err != nil {
			return nil, &stream.PassingError{Err: err}
		}
	}
	public, err := redact.Public(p, registry)
	if err != nil {
		return []*kgo.Record{stream.DeadLetter(in, schema.DeadProcessedBad, Name, o.Version)}, nil //nolint:nilerr // its dead letter tells
	}
	value, err := schema.Encode(public)
	if err != nil {
		return []*kgo.Record{stream.DeadLetter(in, schema.DeadProcessedBad, Name, o.Version)}, nil //nolint:nilerr // its dead letter tells
	}
	out := &kgo.Record{Topic: schema.TopicTelemetry, Key: in.Key, Value: value, Timestamp: p.ReceivedAt}
	// Shown again after another version, it is published again.
	return []*kgo.Record{stream.Identify(out, fmt.Sprintf("%s/%d/%d/%d", p.CrashID, p.SignatureVersion, p.Revision, shown.Epoch))}, nil
}
