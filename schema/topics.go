package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Topics. The processed topic of a signature version is ProcessedTopic(n).
const (
	TopicRaw        = "crash.raw"
	TopicReprocess  = "crash.reprocess"
	TopicVersions   = "crash.versions"
	TopicTelemetry  = "crash.telemetry"
	TopicDeadLetter = "crash.deadletter"
	TopicHeal       = "crash.heal"
	TopicRulesets   = "crash.rulesets"
	TopicSymbols    = "crash.symbols"
	TopicAudit      = "crash.audit"
)

const processedPrefix = "crash.processed.v"

// ProcessedTopic is the topic that signature version n's results go to; of Archived, those
// of all archived versions.
func ProcessedTopic(n int32) string {
	if n == Archived {
		return "crash.processed.archived"
	}
	return processedPrefix + strconv.Itoa(int(n))
}

// IsProcessedTopic tells whether a topic is some version's.
func IsProcessedTopic(topic string) bool { return strings.HasPrefix(topic, processedPrefix) }

// Sizes of records. The client compares a batch before compression with its
// limit, the broker compares it after: both are set to the same figure.
const (
	// MaxRawBytes bounds a raw crash: what does not fit goes to blobs. It
	// fits a broker's default limit with room for headers.
	MaxRawBytes = 512 << 10
	// MaxProcessedBytes bounds a processed crash's value.
	MaxProcessedBytes = 6 << 20
	// MaxMessageBytes is max.message.bytes of every topic: small records
	// travel in batches, and a client fills a batch up to this.
	MaxMessageBytes = 8 << 20
)

// Topic is a topic with the settings that Aftershock relies on.
type Topic struct {
	Name       string
	Partitions int32
	Settings   map[string]string
}

const day = 24 * time.Hour

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// keyedTopics, and the processed ones, have equally many partitions: results lie
// in the partition of their crash, where a consumer looks for them.
var keyedTopics = []string{TopicRaw, TopicReprocess, TopicTelemetry}

// Keyed tells whether the topic must have as many partitions as crash.raw.
func Keyed(topic string) bool {
	return slices.Contains(keyedTopics, topic) || IsProcessedTopic(topic) || topic == ProcessedTopic(Archived)
}

// Topics lists every topic but the processed ones, each with its settings;
// partitions is that of the topics keyed by crash id.
func Topics(partitions int32) []Topic {
	large := strconv.Itoa(MaxMessageBytes)
	return []Topic{
		{TopicRaw, partitions, map[string]string{
			"cleanup.policy": "delete", "retention.ms": millis(180 * day),
			"message.timestamp.type": "CreateTime", "max.message.bytes": large,
		}},
		{TopicReprocess, partitions, map[string]string{
			"cleanup.policy": "delete", "retention.ms": millis(30 * day), "max.message.bytes": large,
		}},
		// Kept for ever: the only truth about versions. It carries whole rulesets.
		{TopicVersions, 1, map[string]string{"cleanup.policy": "delete", "retention.ms": "-1", "max.message.bytes": large}},
		// Kept for ever as well: what the versions' rules are, by hash.
		{TopicRulesets, 1, map[string]string{"cleanup.policy": "compact", "max.message.bytes": large}},
		{TopicTelemetry, partitions, map[string]string{
			"cleanup.policy": "compact,delete", "retention.ms": millis(180 * day), "max.message.bytes": large,
		}},
		{TopicHeal, partitions, map[string]string{
			"cleanup.policy": "delete", "retention.ms": millis(30 * day), "max.message.bytes": large,
		}},
		// One partition: its offset says up to where somebody has heard of symbols.
		{TopicSymbols, 1, map[string]string{
			"cleanup.policy": "compact,delete", "retention.ms": millis(180 * day), "max.message.bytes": large,
		}},
		// One partition: who reads it sees it in its order. Longer than a year, so that a
		// year can be looked at as a whole.
		{TopicAudit, 1, map[string]string{"cleanup.policy": "delete", "retention.ms": millis(400 * day), "max.message.bytes": large}},
		Processed(Archived, partitions),
		{TopicDeadLetter, partitions, map[string]string{
			"cleanup.policy": "delete", "retention.ms": millis(180 * day), "max.message.bytes": large,
		}},
	}
}

// Processed is the topic of signature version n. Its records bear the time of
// their append: a replay of old crashes must not expire at birth.
func Processed(n, partitions int32) Topic {
	return Topic{ProcessedTopic(n), partitions, map[string]string{
		"cleanup.policy": "delete", "retention.ms": millis(30 * day),
		"message.timestamp.type": "LogAppendTime", "max.message.bytes": strconv.Itoa(MaxMessageBytes),
	}}
}

// Consumer groups.

// GroupHeal consumes the requests of crashes that lacked symbols for a while.
const GroupHeal = "heal"

// GroupSymbols consumes what symbols have come, and asks for the crashes that lacked them.
const GroupSymbols = "heal.symbols"

// named is the end of a group's name that is signature version n's, or of all archived
// versions.
func named(n int32) string {
	if n == Archived {
		return "archived"
	}
	return fmt.Sprintf("v%d", n)
}

// ProcessGroup consumes the raw topic for signature version n.
func ProcessGroup(n int32) string { return "process." + named(n) }

// ReprocessGroup consumes the reprocess requests for signature version n.
func ReprocessGroup(n int32) string { return "reprocess." + named(n) }

// ResignGroup consumes the base version's processed topic, to sign its crashes again
// for signature version n.
func ResignGroup(n int32) string { return "resign." + named(n) }

// TelemetryGroup publishes what activations show in version n since that epoch:
// what is shown anew is published from its topic's start.
func TelemetryGroup(n int32, epoch int64) string {
	if n == Archived {
		return "sink.telemetry.archived"
	}
	return fmt.Sprintf("sink.telemetry.v%d.e%d", n, epoch)
}

// SinkGroup consumes version n's processed topic for the named sink.
func SinkGroup(sink string, n int32) string { return fmt.Sprintf("sink.%s.%s", sink, named(n)) }
