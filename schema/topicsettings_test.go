package schema_test

import (
	"testing"

	"aftershock/schema"
)

func TestSettingsMayBeMoreThanTheTableAsks(t *testing.T) {
	topics := map[string]schema.Topic{"processed": schema.Processed(1, 0), "other": {Name: "other", Settings: map[string]string{"segment.bytes": "1"}}}
	for _, topic := range schema.Topics(0) {
		topics[topic.Name] = topic
	}
	const fine, warning, loses, stops = "fine", "warning", "loses", "stops"
	for name, tc := range map[string]struct{ topic, setting, is, want string }{
		"raw kept as long":                    {schema.TopicRaw, "retention.ms", "15552000000", fine},
		"raw kept a moment less":              {schema.TopicRaw, "retention.ms", "15551999999", loses},
		"raw kept longer":                     {schema.TopicRaw, "retention.ms", "15552000001", fine},
		"raw kept for ever":                   {schema.TopicRaw, "retention.ms", "-1", fine},
		"raw kept for nonsense":               {schema.TopicRaw, "retention.ms", "long", loses},
		"processed kept less":                 {"processed", "retention.ms", "1", warning},
		"telemetry kept less":                 {schema.TopicTelemetry, "retention.ms", "1", warning},
		"versions kept for long, not ever":    {schema.TopicVersions, "retention.ms", "9223372036854775807", loses},
		"versions kept for ever":              {schema.TopicVersions, "retention.ms", "-1", fine},
		"raw kept for a number and more":      {schema.TopicRaw, "retention.ms", "15552000000a", loses},
		"small messages":                      {schema.TopicRaw, "max.message.bytes", "8388607", stops},
		"messages as large as ours":           {schema.TopicRaw, "max.message.bytes", "8388608", fine},
		"larger messages":                     {schema.TopicRaw, "max.message.bytes", "8388609", fine},
		"raw compacted":                       {schema.TopicRaw, "cleanup.policy", "compact", stops},
		"raw compacted too":                   {schema.TopicRaw, "cleanup.policy", "delete,compact", stops},
		"versions compacted":                  {schema.TopicVersions, "cleanup.policy", "compact", stops},
		"dead letters compacted":              {schema.TopicDeadLetter, "cleanup.policy", "compact,delete", loses},
		"telemetry in another order":          {schema.TopicTelemetry, "cleanup.policy", "delete, compact", fine},
		"telemetry not compacted":             {schema.TopicTelemetry, "cleanup.policy", "delete", warning},
		"telemetry never deleted":             {schema.TopicTelemetry, "cleanup.policy", "compact", warning},
		"versions never deleted":              {schema.TopicVersions, "cleanup.policy", "", fine},
		"rulesets not compacted":              {schema.TopicRulesets, "cleanup.policy", "delete", warning},
		"a setting that only was made so":     {"other", "segment.bytes", "2", warning},
		"a setting as it was made":            {"other", "segment.bytes", "1", fine},
		"raw with the time of its append":     {schema.TopicRaw, "message.timestamp.type", "LogAppendTime", stops},
		"raw with its own time":               {schema.TopicRaw, "message.timestamp.type", "CreateTime", fine},
		"processed with the time of creation": {"processed", "message.timestamp.type", "CreateTime", loses},
	} {
		t.Run(name, func(t *testing.T) {
			d, deviates := topics[tc.topic].Deviates(tc.setting, tc.is)
			got := fine
			switch {
			case deviates && d.Stops:
				got = stops
			case deviates && d.Loses:
				got = loses
			case deviates:
				got = warning
			}
			if got != tc.want {
				t.Errorf("%s, want %s (%+v)", got, tc.want, d)
			}
			if deviates && (d.Why == "" || d.Want == "") {
				t.Errorf("no reason is given: %+v", d)
			}
		})
	}
}

func TestTopicsHoldTheirOwnTable(t *testing.T) {
	for _, topic := range append(schema.Topics(4), schema.Processed(1, 4)) {
		for setting, value := range topic.Settings {
			if d, deviates := topic.Deviates(setting, value); deviates {
				t.Errorf("%s: %s=%s deviates from itself: %+v", topic.Name, setting, value, d)
			}
		}
		if topic.Settings["max.message.bytes"] == "" {
			t.Errorf("%s: clients send batches of %d bytes, and it has the broker's limit", topic.Name, schema.MaxMessageBytes)
		}
	}
}
