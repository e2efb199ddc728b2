package stream_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// metric sums a metric over the series with all of the labels; for histograms it is
// their count. series is how many there are.
func metric(t *testing.T, r prometheus.Gatherer, name string, labels map[string]string) (sum float64, series int) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	each:
		for _, m := range f.GetMetric() {
			have := map[string]string{}
			for _, l := range m.GetLabel() {
				have[l.GetName()] = l.GetValue()
			}
			for k, v := range labels {
				if have[k] != v {
					continue each
				}
			}
			series++
			sum += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum, series
}

// Clients come and go, and count together.
func TestAllClientsCountTogether(t *testing.T) {
	k, _ := streamtest.Broker(t, 1, "in", "out")
	r := prometheus.NewRegistry()
	k.Metrics = stream.NewKafkaMetrics(r)
	put(t, k, "in", "a", "b", "c")
	stop := run(t, copying(k))
	streamtest.Committed(t, k, "out", 3)
	stop()
	put(t, k, "in", "d")
	for _, c := range []struct {
		name   string
		labels map[string]string
		want   float64
	}{
		{"aftershock_kafka_produced_records_total", map[string]string{"topic": "in"}, 4},
		{"aftershock_kafka_produced_records_total", map[string]string{"topic": "out"}, 3},
		{"aftershock_kafka_record_age_seconds", map[string]string{"group": "g"}, 3},
		{"aftershock_kafka_buffered_produce_records", nil, 0},
		{"aftershock_kafka_connects_total", map[string]string{"result": "error"}, 0},
	} {
		// A client counts a batch a moment after it has said that it is there.
		got, _ := metric(t, r, c.name, c.labels)
		for deadline := time.Now().Add(10 * time.Second); got != c.want && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			got, _ = metric(t, r, c.name, c.labels)
		}
		if got != c.want {
			t.Errorf("%s%v is %v, want %v", c.name, c.labels, got, c.want)
		}
	}
	if n, _ := metric(t, r, "aftershock_kafka_fetched_records_total", map[string]string{"topic": "in"}); n < 3 {
		t.Errorf("%v records fetched of 3", n)
	}
	if n, _ := metric(t, r, "aftershock_kafka_connects_total", map[string]string{"result": "ok"}); n < 3 {
		t.Errorf("%v connections of three clients", n)
	}
	if _, series := metric(t, r, "aftershock_kafka_lag_records", nil); series != 0 {
		t.Errorf("a member that has left still tells the lag of %d partitions", series)
	}
}

func TestLagIsWhatLiesBehindTheLastRecordPolled(t *testing.T) {
	r := prometheus.NewRegistry()
	m := stream.NewKafkaMetrics(r)
	fetched := func(partition int32, high, stable int64, offsets ...int64) kgo.FetchPartition {
		p := kgo.FetchPartition{Partition: partition, HighWatermark: high, LastStableOffset: stable}
		for _, o := range offsets {
			p.Records = append(p.Records, &kgo.Record{Offset: o})
		}
		return p
	}
	m.Polled("g", kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: "in", Partitions: []kgo.FetchPartition{
		fetched(0, 10, 8, 5, 6), fetched(1, 7, 7, 6), fetched(2, 9, 4),
	}}}}})
	m.Committed("g", []*kgo.Record{{Timestamp: time.Now().Add(-time.Hour)}, {Timestamp: time.Now().Add(-time.Minute)}, {Timestamp: time.Now().Add(time.Hour)}})
	for _, c := range []struct {
		name, partition string
		want            float64
		series          int
	}{
		{"lag_records", "0", 3, 1},
		{"unstable_records", "0", 2, 1},
		{"lag_records", "1", 0, 1},
		{"unstable_records", "1", 0, 1},
		{"lag_records", "2", 0, 0},
		{"unstable_records", "2", 5, 1}, // no record: what was said before of the lag stands
	} {
		got, series := metric(t, r, "aftershock_kafka_"+c.name, map[string]string{"group": "g", "partition": c.partition})
		if got != c.want || series != c.series {
			t.Errorf("%s of partition %s is %v in %d series, want %v", c.name, c.partition, got, series, c.want)
		}
	}
	if got, _ := metric(t, r, "aftershock_kafka_lag_seconds", nil); got != 0 {
		t.Errorf("a record from the future is %v s behind", got)
	}
	m.Committed("g", []*kgo.Record{{Timestamp: time.Now().Add(-time.Hour)}, {Timestamp: time.Now().Add(-time.Minute)}})
	if got, _ := metric(t, r, "aftershock_kafka_lag_seconds", nil); got < 60 || got > 120 {
		t.Errorf("the newest record is %v s behind, want a minute", got)
	}
}
