package stream

import (
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/twmb/franz-go/pkg/kgo"
)

// KafkaMetrics are those of every Kafka client in a process, together: clients come
// and go with their sessions. (kprom's are of one client, and register when it is
// made.) A nil *KafkaMetrics counts nothing; it is safe for concurrent use.
type KafkaMetrics struct {
	connects    *prometheus.CounterVec
	disconnects prometheus.Counter
	sent, got   prometheus.Counter
	failures    *prometheus.CounterVec
	throttled   prometheus.Counter

	producedRecords, producedBytes, fetchedRecords, fetchedBytes *prometheus.CounterVec

	lag, unstable, behind, gone *prometheus.GaugeVec
	age                         *prometheus.HistogramVec

	mu      sync.Mutex
	clients map[*kgo.Client]bool
}

// Hooks of kgo that KafkaMetrics is.
var (
	_ kgo.HookNewClient           = (*KafkaMetrics)(nil)
	_ kgo.HookClientClosed        = (*KafkaMetrics)(nil)
	_ kgo.HookBrokerConnect       = (*KafkaMetrics)(nil)
	_ kgo.HookBrokerDisconnect    = (*KafkaMetrics)(nil)
	_ kgo.HookBrokerWrite         = (*KafkaMetrics)(nil)
	_ kgo.HookBrokerRead          = (*KafkaMetrics)(nil)
	_ kgo.HookBrokerThrottle      = (*KafkaMetrics)(nil)
	_ kgo.HookProduceBatchWritten = (*KafkaMetrics)(nil)
	_ kgo.HookFetchBatchRead      = (*KafkaMetrics)(nil)
)

// NewKafkaMetrics registers the metrics.
func NewKafkaMetrics(r prometheus.Registerer) *KafkaMetrics {
	f := promauto.With(r)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: "aftershock_kafka_" + name, Help: help})
	}
	counters := func(name, help, label string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: "aftershock_kafka_" + name, Help: help}, []string{label})
	}
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return f.NewGaugeVec(prometheus.GaugeOpts{Name: "aftershock_kafka_" + name, Help: help}, labels)
	}
	m := &KafkaMetrics{
		connects:    counters("connects_total", "Connections to brokers by result: ok, error.", "result"),
		disconnects: counter("disconnects_total", "Connections to brokers that ended."),
		sent:        counter("sent_bytes_total", "Bytes of requests to brokers."),
		got:         counter("received_bytes_total", "Bytes of answers of brokers."),
		failures:    counters("request_failures_total", "Requests that could not be written, or their answers not read, by operation: write, read.", "operation"),
		throttled:   counter("throttled_seconds_total", "Time that brokers asked clients to wait."),

		producedRecords: counters("produced_records_total", "Records acknowledged, by topic; those of transactions aborted later, too.", "topic"),
		producedBytes:   counters("produced_bytes_total", "Their bytes as sent, compressed, by topic.", "topic"),
		fetchedRecords:  counters("fetched_records_total", "Records fetched, with transaction markers, by topic.", "topic"),
		fetchedBytes:    counters("fetched_bytes_total", "Their bytes as received, compressed, by topic.", "topic"),

		lag:      gauges("lag_records", "Records, and transaction markers, behind the last one polled, as of its fetch, by group and partition of this member.", "group", "partition"),
		unstable: gauges("unstable_records", "Records of open transactions at the end of the partition, which nobody may read yet, as of the last fetch.", "group", "partition"),
		behind:   gauges("lag_seconds", "Age of the newest record of the last committed batch, by group.", "group"),
		gone:     gauges("lost_partitions", "Partitions that rest because offsets are out of range, until somebody decides (topics repair), by group.", "group"),
		age: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "aftershock_kafka_record_age_seconds", Help: "Age of records when their batch is committed, by group: for process groups the time since the door.",
			Buckets: prometheus.ExponentialBuckets(0.01, 4, 11),
		}, []string{"group"}),
		clients: map[*kgo.Client]bool{},
	}
	for name, of := range map[string]func(*kgo.Client) int64{
		"buffered_produce_records": (*kgo.Client).BufferedProduceRecords, "buffered_fetch_records": (*kgo.Client).BufferedFetchRecords,
		"buffered_produce_bytes": (*kgo.Client).BufferedProduceBytes, "buffered_fetch_bytes": (*kgo.Client).BufferedFetchBytes,
	} {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: "aftershock_kafka_" + name, Help: "What clients hold in memory: yet to be acknowledged, or to be polled."},
			func() float64 { return m.sum(of) })
	}
	return m
}

// lost says how many partitions of a group rest.
func (m *KafkaMetrics) lost(group string, partitions int) {
	if m != nil {
		m.gone.WithLabelValues(group).Set(float64(partitions))
	}
}

// hook makes clients report to m.
func (m *KafkaMetrics) hook() []kgo.Opt {
	if m == nil {
		return nil
	}
	return []kgo.Opt{kgo.WithHooks(m)}
}

func (m *KafkaMetrics) sum(of func(*kgo.Client) int64) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var n int64
	for cl := range m.clients {
		n += of(cl)
	}
	return float64(n)
}

// Polled notes how far a group's member is behind.
func (m *KafkaMetrics) Polled(group string, fetches kgo.Fetches) {
	if m == nil {
		return
	}
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		partition := strconv.Itoa(int(p.Partition))
		if n := len(p.Records); n > 0 {
			m.lag.WithLabelValues(group, partition).Set(float64(max(p.HighWatermark-p.Records[n-1].Offset-1, 0)))
		}
		m.unstable.WithLabelValues(group, partition).Set(float64(max(p.HighWatermark-p.LastStableOffset, 0)))
	})
}

// Committed notes how old the records of a committed batch are.
func (m *KafkaMetrics) Committed(group string, records []*kgo.Record) {
	if m == nil || len(records) == 0 {
		return
	}
	now, newest := time.Now(), records[0].Timestamp
	age := m.age.WithLabelValues(group)
	for _, r := range records {
		age.Observe(max(now.Sub(r.Timestamp), 0).Seconds())
		if r.Timestamp.After(newest) {
			newest = r.Timestamp
		}
	}
	m.behind.WithLabelValues(group).Set(max(now.Sub(newest), 0).Seconds())
}

// revoked forgets partitions that another member has now.
func (m *KafkaMetrics) revoked(group string, partitions []int32) {
	if m == nil {
		return
	}
	for _, p := range partitions {
		partition := strconv.Itoa(int(p))
		m.lag.DeleteLabelValues(group, partition)
		m.unstable.DeleteLabelValues(group, partition)
	}
}

// OnNewClient is kgo's hook, as those below.
func (m *KafkaMetrics) OnNewClient(cl *kgo.Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clients[cl] = true
}

// OnClientClosed forgets a client.
func (m *KafkaMetrics) OnClientClosed(cl *kgo.Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.clients, cl)
}

// OnBrokerConnect counts tries.
func (m *KafkaMetrics) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.connects.WithLabelValues(result).Inc()
}

// OnBrokerDisconnect counts.
func (m *KafkaMetrics) OnBrokerDisconnect(kgo.BrokerMetadata, net.Conn) { m.disconnects.Inc() }

// OnBrokerWrite counts what a request took.
func (m *KafkaMetrics) OnBrokerWrite(_ kgo.BrokerMetadata, _ int16, bytes int, _, _ time.Duration, err error) {
	m.sent.Add(float64(bytes))
	if err != nil {
		m.failures.WithLabelValues("write").Inc()
	}
}

// OnBrokerRead counts what an answer took.
func (m *KafkaMetrics) OnBrokerRead(_ kgo.BrokerMetadata, _ int16, bytes int, _, _ time.Duration, err error) {
	m.got.Add(float64(bytes))
	if err != nil {
		m.failures.WithLabelValues("read").Inc()
	}
}

// OnBrokerThrottle counts.
func (m *KafkaMetrics) OnBrokerThrottle(_ kgo.BrokerMetadata, wait time.Duration, _ bool) {
	m.throttled.Add(wait.Seconds())
}

// OnProduceBatchWritten counts.
func (m *KafkaMetrics) OnProduceBatchWritten(_ kgo.BrokerMetadata, topic string, _ int32, b kgo.ProduceBatchMetrics) {
	m.producedRecords.WithLabelValues(topic).Add(float64(b.NumRecords))
	m.producedBytes.WithLabelValues(topic).Add(float64(b.CompressedBytes))
}

// OnFetchBatchRead counts.
func (m *KafkaMetrics) OnFetchBatchRead(_ kgo.BrokerMetadata, topic string, _ int32, b kgo.FetchBatchMetrics) {
	m.fetchedRecords.WithLabelValues(topic).Add(float64(b.NumRecords))
	m.fetchedBytes.WithLabelValues(topic).Add(float64(b.CompressedBytes))
}
