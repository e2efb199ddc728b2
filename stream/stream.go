// Package stream moves crashes from topic to topic exactly once.
//
// Transform (transform.go) is the loop: it polls records, works on them in
// parallel, and commits what came of them and the offsets in one transaction.
// Processor (process.go) is the Transform from raw to processed crashes;
// sinks/telemetry is another. What cannot be handled goes to the dead letter
// topic in the same transaction (deadletter.go): nothing is ever skipped.
//
// The versions log (versions.go) says which signature versions exist and which
// are seen. Following (following.go) is a process's eye on it, and is asked before
// anything is committed; PerVersion (perversion.go) keeps the loops of each version
// running. Resigner (resign.go) makes a version from another one's processed crashes.
//
// The package knows Kafka and nothing of dumps: what is to be done with a raw
// crash is a function handed in.
package stream

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// Kafka says how to reach the brokers.
type Kafka struct {
	// Brokers are host:port seeds.
	Brokers  []string
	Security Security
	// Metrics are told what the clients do; may be nil.
	Metrics *KafkaMetrics
	// Tracing makes spans of what happens to records; may be nil.
	Tracing *Tracing
	Log     zerolog.Logger

	fetchBytes int32 // of an answer; 0 for the default
	kept       *kept // nil: each question connects anew
}

// Timeouts of group members and transactions. A member killed blocks readers of
// what it was writing only until its transaction times out, and its partitions
// until its session does; both are therefore short. Work is done before the
// transaction begins, so that it lasts milliseconds.
const (
	sessionTimeout     = 6 * time.Second // brokers refuse less by default
	heartbeatInterval  = 1500 * time.Millisecond
	transactionTimeout = 6 * time.Second
	rebalanceTimeout   = 30 * time.Second
)

// clientID is what clients call themselves.
const clientID = "aftershock"

// Options are the client options that every role shares: limits that match the
// topics' (the client checks a batch before compression), and logging.
func (k Kafka) Options() []kgo.Opt {
	opts := slices.Concat(k.Metrics.hook(), k.Tracing.hook(), k.Security.options())
	perAnswer, perPartition := int32(fetchMaxBytes), int32(fetchMaxPartitionBytes)
	if k.fetchBytes > 0 {
		perAnswer, perPartition = k.fetchBytes, k.fetchBytes
	}
	return append([]kgo.Opt{
		kgo.SeedBrokers(k.Brokers...),
		kgo.ClientID(clientID),
		kgo.WithLogger(kafkaLog{k.Log}),
		kgo.ProducerBatchMaxBytes(schema.MaxMessageBytes),
		kgo.ProducerBatchCompression(kgo.ZstdCompression(), kgo.NoCompression()),
		kgo.FetchMaxBytes(perAnswer),
		kgo.FetchMaxPartitionBytes(perPartition),
		kgo.DisableClientMetrics(),
		kgo.MetadataMinAge(250 * time.Millisecond), // a topic made a moment ago is found soon
		kgo.RequestTimeoutOverhead(5 * time.Second),
		kgo.RetryTimeout(20 * time.Second),
	}, opts...)
}

// What a consumer holds in memory: a fetch and the one behind it. A record
// larger than a limit is still returned, alone.
const (
	fetchMaxBytes          = 16 << 20
	fetchMaxPartitionBytes = 4 << 20
)

// groupOptions are those of every consumer group. Both offset options must be
// set: a group starts at the log's start, and an offset out of range means that
// crashes were lost, which must stop the consumer and not rewind it.
func (k Kafka) groupOptions(group, topic, instance string) []kgo.Opt {
	gone := func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
		k.Metrics.revoked(group, partitions[topic])
	}
	return []kgo.Opt{
		kgo.OnPartitionsRevoked(gone),
		kgo.OnPartitionsLost(gone),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topic),
		kgo.InstanceID(instance),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.SessionTimeout(sessionTimeout),
		kgo.HeartbeatInterval(heartbeatInterval),
		kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.DisableAutoCommit(),
	}
}

// GroupClient is a plain member of a consumer group, for sinks whose writes are
// idempotent: read committed, offsets committed by hand.
func (k Kafka) GroupClient(group, topic, instance string) (*kgo.Client, error) {
	c, err := kgo.NewClient(append(k.Options(), k.groupOptions(group, topic, instance)...)...)
	if err != nil {
		return nil, fmt.Errorf("consumer group %s: %w", group, err)
	}
	return c, nil
}

// Producer is a client that appends with acknowledgement by all replicas.
func (k Kafka) Producer() (*kgo.Client, error) {
	// Somebody waits for each record: a batch is what has come while the one before is
	// under way, and does not wait for more (the client's default is 10 ms).
	// Dumps in a record are compressed already: trying harder would cost as much as all else
	// that the door does with a small report, and save nothing.
	fastest := kgo.ZstdCompression().WithLevel(int(zstd.SpeedFastest))
	c, err := kgo.NewClient(append(k.Options(), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0), kgo.ProducerBatchCompression(fastest, kgo.NoCompression()))...)
	if err != nil {
		return nil, fmt.Errorf("producer: %w", err)
	}
	return c, nil
}

// kafkaLog hands the client's log to ours: its information is our debugging.
type kafkaLog struct{ log zerolog.Logger }

func (l kafkaLog) Level() kgo.LogLevel {
	if l.log.GetLevel() <= zerolog.DebugLevel {
		return kgo.LogLevelInfo
	}
	return kgo.LogLevelWarn
}

func (l kafkaLog) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	e := l.log.Debug()
	if level <= kgo.LogLevelWarn {
		e = l.log.Warn()
	}
	e.Fields(keyvals).Str("part", "kafka client").Msg(strings.TrimSpace(msg))
}
