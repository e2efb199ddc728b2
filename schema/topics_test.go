package schema_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
)

// What operators find on their brokers.
func TestTopicsAreMadeAsDocumented(t *testing.T) {
	const day = 86_400_000 // milliseconds
	days := func(n int) string { return fmt.Sprint(n * day) }
	type made struct {
		Partitions        int32
		Policy, Retention string
	}
	want := map[string]made{
		schema.TopicRaw:            {8, "delete", days(180)},
		schema.TopicReprocess:      {8, "delete", days(30)},
		schema.TopicVersions:       {1, "delete", "-1"},
		schema.TopicRulesets:       {1, "compact", ""},
		schema.TopicTelemetry:      {8, "compact,delete", days(180)},
		schema.TopicHeal:           {8, "delete", days(30)},
		schema.TopicSymbols:        {1, "compact,delete", days(180)},
		schema.TopicAudit:          {1, "delete", days(400)},
		schema.TopicDeadLetter:     {8, "delete", days(180)},
		"crash.processed.archived": {8, "delete", days(30)},
		"crash.processed.v3":       {8, "delete", days(30)},
	}
	got := map[string]made{}
	for _, topic := range append(schema.Topics(8), schema.Processed(3, 8)) {
		got[topic.Name] = made{topic.Partitions, topic.Settings["cleanup.policy"], topic.Settings["retention.ms"]}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Results lie in the partition of their crash.
func TestTopicsOfCrashesHaveTheirPartitions(t *testing.T) {
	for topic, want := range map[string]bool{
		schema.TopicRaw: true, schema.TopicReprocess: true, schema.TopicTelemetry: true,
		schema.ProcessedTopic(1): true, schema.ProcessedTopic(schema.Archived): true,
		schema.TopicVersions: false, schema.TopicRulesets: false, schema.TopicDeadLetter: false, schema.TopicHeal: false, schema.TopicSymbols: false, schema.TopicAudit: false,
		"crash.processed": false,
	} {
		if schema.Keyed(topic) != want {
			t.Errorf("%s: want %v", topic, want)
		}
	}
}

// Offsets lie under these names: a release that changed one would begin anew.
func TestGroupsHaveTheirNamesForEver(t *testing.T) {
	for name, of := range map[string]func(n int32) string{
		"process.":         schema.ProcessGroup,
		"reprocess.":       schema.ReprocessGroup,
		"resign.":          schema.ResignGroup,
		"sink.table.":      func(n int32) string { return schema.SinkGroup("table", n) },
		"crash.processed.": schema.ProcessedTopic,
	} {
		for n, end := range map[int32]string{0: "archived", 1: "v1", 12: "v12"} {
			if got := of(n); got != name+end {
				t.Errorf("%s, want %s", got, name+end)
			}
		}
	}
	for n, want := range map[int32]string{0: "sink.telemetry.archived", 1: "sink.telemetry.v1.e7"} {
		if got := schema.TelemetryGroup(n, 7); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if schema.Archived != 0 {
		t.Error("archived versions share the number 0, which no version has")
	}
}

// A processed crash leaves a message a quarter for what comes around it.
func TestAProcessedCrashFitsAMessage(t *testing.T) {
	if room := schema.MaxMessageBytes - schema.MaxProcessedBytes; room != schema.MaxMessageBytes/4 {
		t.Errorf("%d bytes of %d are left", room, schema.MaxMessageBytes)
	}
}
