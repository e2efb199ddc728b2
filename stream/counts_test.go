package stream

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// counted are the samples of a registry without buckets and sums, which are of times.
func counted(t *testing.T, r *prometheus.Registry) string {
	t.Helper()
	found, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, family := range found {
		for _, m := range family.GetMetric() {
			line := strings.TrimPrefix(family.GetName(), "aftershock_")
			for _, l := range m.GetLabel() {
				line += " " + l.GetValue()
			}
			var value float64
			switch {
			case m.GetCounter() != nil:
				value = m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				value = m.GetGauge().GetValue()
			default:
				value = float64(m.GetHistogram().GetSampleCount())
			}
			if value != 0 {
				out = append(out, line+" "+strconv.FormatFloat(value, 'f', 0, 64))
			}
		}
	}
	return strings.Join(out, "\n")
}

// samples is how many a metric has.
func samples(t *testing.T, r *prometheus.Registry, name string) int {
	t.Helper()
	found, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range found {
		if family.GetName() == name {
			return len(family.GetMetric())
		}
	}
	return 0
}

func TestLoopsAreCounted(t *testing.T) {
	r := prometheus.NewRegistry()
	m := NewMetrics(r)
	m.batch("g", 7, true, time.Second)
	m.batch("g", 5, false, time.Second)
	m.rebuilt("g")
	m.skipped("g", 3)
	m.skipped("other", 0)
	m.waited("g")
	m.stopped("g")
	m.crash(time.Second, "")
	m.crash(time.Second, "a class")
	m.crash(time.Second, "a class")
	m.leftOut("g")
	want := `stream_batch_seconds g 2
stream_crash_seconds 3
stream_crashes_total a class 2
stream_crashes_total processed 1
stream_duplicates_total g 3
stream_guard_tripped g 1
stream_left_out_total g 1
stream_records_total g 7
stream_sessions_rebuilt_total g 1
stream_transactions_total abort g 1
stream_transactions_total commit g 1
stream_waits_total g 1`
	got := counted(t, r)
	got = strings.ReplaceAll(got, "transactions_total g abort", "transactions_total abort g")
	got = strings.ReplaceAll(got, "transactions_total g commit", "transactions_total commit g")
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if n := samples(t, r, "aftershock_stream_duplicates_total"); n != 1 {
		t.Errorf("nothing was left out of %d groups", n-1)
	}
	var none *Metrics
	none.batch("g", 1, true, 0)
	none.rebuilt("g")
	none.skipped("g", 1)
	none.waited("g")
	none.stopped("g")
	none.crash(0, "")
	none.leftOut("g")
}

func TestClientsAreCounted(t *testing.T) {
	r := prometheus.NewRegistry()
	m := NewKafkaMetrics(r)
	m.lost("g", 2)
	m.OnBrokerConnect(kgo.BrokerMetadata{}, 0, nil, nil)
	m.OnBrokerConnect(kgo.BrokerMetadata{}, 0, nil, errors.New("away"))
	m.OnBrokerConnect(kgo.BrokerMetadata{}, 0, nil, errors.New("away"))
	m.OnBrokerDisconnect(kgo.BrokerMetadata{}, nil)
	m.OnBrokerWrite(kgo.BrokerMetadata{}, 0, 10, 0, 0, nil)
	m.OnBrokerWrite(kgo.BrokerMetadata{}, 0, 5, 0, 0, errors.New("away"))
	m.OnBrokerRead(kgo.BrokerMetadata{}, 0, 20, 0, 0, nil)
	m.OnBrokerRead(kgo.BrokerMetadata{}, 0, 7, 0, 0, errors.New("away"))
	m.OnBrokerThrottle(kgo.BrokerMetadata{}, 3*time.Second, true)
	m.OnProduceBatchWritten(kgo.BrokerMetadata{}, "t", 0, kgo.ProduceBatchMetrics{NumRecords: 4, CompressedBytes: 40})
	m.OnFetchBatchRead(kgo.BrokerMetadata{}, "t", 0, kgo.FetchBatchMetrics{NumRecords: 6, CompressedBytes: 60})
	fetched := func(p int32, high, stable int64, last ...int64) kgo.FetchPartition {
		out := kgo.FetchPartition{Partition: p, HighWatermark: high, LastStableOffset: stable}
		for _, offset := range last {
			out.Records = append(out.Records, &kgo.Record{Offset: offset})
		}
		return out
	}
	m.Polled("g", kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: "t", Partitions: []kgo.FetchPartition{fetched(0, 10, 9, 3, 4), fetched(1, 8, 8, 7), fetched(2, 5, 2), fetched(3, 9, 9, 0)}}}}})
	m.revoked("g", []int32{3})
	m.Committed("g", nil)
	m.Committed("g", []*kgo.Record{{Timestamp: time.Now().Add(time.Hour)}, {Timestamp: time.Now()}})
	want := `kafka_connects_total error 2
kafka_connects_total ok 1
kafka_disconnects_total 1
kafka_fetched_bytes_total t 60
kafka_fetched_records_total t 6
kafka_lag_records g 0 5
kafka_lost_partitions g 2
kafka_produced_bytes_total t 40
kafka_produced_records_total t 4
kafka_received_bytes_total 27
kafka_record_age_seconds g 2
kafka_request_failures_total read 1
kafka_request_failures_total write 1
kafka_sent_bytes_total 15
kafka_throttled_seconds_total 3
kafka_unstable_records g 0 1
kafka_unstable_records g 2 3`
	if got := counted(t, r); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if n := samples(t, r, "aftershock_kafka_lag_records"); n != 2 {
		t.Errorf("%d partitions with a lag", n)
	}
	hour := time.Now().Add(-time.Hour)
	m.Committed("g", []*kgo.Record{{Timestamp: hour.Add(-time.Hour)}, {Timestamp: hour}, {Timestamp: hour.Add(-time.Hour)}})
	if !strings.Contains(counted(t, r), "kafka_lag_seconds g 3600") {
		t.Errorf("it is an hour behind: %s", counted(t, r))
	}
	var none *KafkaMetrics
	none.lost("g", 1)
	none.Polled("g", nil)
	none.Committed("g", []*kgo.Record{{}})
	none.revoked("g", []int32{1})
	if none.hook() != nil || len(m.hook()) != 1 {
		t.Error("who counts nothing needs no hook")
	}
}
