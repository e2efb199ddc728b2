package sinks

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// DeferredGroup is the consumer group of who counts deferred crashes.
const DeferredGroup = "sink.clickhouse.deferred"

// Deferred are the raw crashes that the door's rules deferred, as rows of which only what
// says so is set: identity, time, kind, rule and rate. What is no raw crash, or has no id, is
// passed over: whoever processes it makes a dead letter of it.
var Deferred = Source{Group: DeferredGroup, Topic: schema.TopicRaw, Row: func(r *kgo.Record) (*schema.ProcessedCrash, error) {
	raw, err := schema.Decode[schema.RawCrash](r.Value)
	if err != nil || !raw.Deferred() || string(r.Key) != raw.CrashID {
		return nil, nil
	}
	if _, err := schema.CrashDay(raw.CrashID); err != nil {
		return nil, nil
	}
	row := &schema.ProcessedCrash{
		CrashID: raw.CrashID, Kind: schema.KindOf(raw.Kind), ReceivedAt: raw.ReceivedAt,
		Raw: schema.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset},
	}
	row.ThrottleRule, row.ThrottleRate = raw.Throttle.Shown()
	return row, nil
}}
