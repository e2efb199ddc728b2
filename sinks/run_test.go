package sinks_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// readiness keeps what a sink says of itself.
type readiness struct {
	mu   sync.Mutex
	said []error
}

func (r *readiness) say(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, err)
}

// last is what it said last; false while it said nothing.
func (r *readiness) last() (error, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.said) == 0 {
		return nil, false
	}
	return r.said[len(r.said)-1], true
}

func TestASinkIsReadyBeforeAnythingComes(t *testing.T) {
	t.Parallel()
	k := broker(t)
	var ready readiness
	streamtest.Run(t, func(ctx context.Context) error {
		return sinks.Run(ctx, sinks.Options{Kafka: k, Name: "test", Version: 1, Instance: "0", Sink: &table{rows: map[string]int{}}, Log: zerolog.Nop(), Ready: ready.say})
	})
	eventually(t, "ready", func() bool { err, said := ready.last(); return said && err == nil })
}

// Records that expired before the sink had them are lost: it says so, and does not go on as
// if nothing were.
func TestASinkWhoseRecordsExpiredSaysSo(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, schema.ProcessedTopic(1), schema.TopicVersions)
	put(t, k, noon, 1, 2)
	s := &table{rows: map[string]int{}}
	stop := run(t, k, s)
	eventually(t, "two rows", func() bool { return s.count() == 2 })
	eventually(t, "offsets committed", func() bool { return committedAny(t, k) && lag(t, k) == 0 })
	stop()
	put(t, k, noon, 3, 4, 5)
	streamtest.DeleteBefore(t, k, schema.ProcessedTopic(1), 0, 4)
	var ready readiness
	streamtest.Run(t, func(ctx context.Context) error {
		return sinks.Run(ctx, sinks.Options{Kafka: k, Name: "test", Version: 1, Instance: "0", Sink: s, Log: zerolog.Nop(), Ready: ready.say})
	})
	eventually(t, "the loss is told", func() bool { err, _ := ready.last(); return errors.Is(err, stream.ErrDataLoss) })
	if n := s.count(); n != 2 {
		t.Errorf("%d rows", n)
	}
}

// What is no loss and cannot be mended by waiting ends the sink, with words of what it lacks.
func TestASinkThatMayNotReadEnds(t *testing.T) {
	t.Parallel()
	k, c := streamtest.Broker(t, 1, schema.ProcessedTopic(1))
	put(t, k, noon, 1)
	c.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		for _, rt := range req.(*kmsg.FetchRequest).Topics {
			st := kmsg.NewFetchResponseTopic()
			st.Topic, st.TopicID = rt.Topic, rt.TopicID
			for _, rp := range rt.Partitions {
				sp := kmsg.NewFetchResponseTopicPartition()
				sp.Partition, sp.ErrorCode = rp.Partition, kerr.TopicAuthorizationFailed.Code
				st.Partitions = append(st.Partitions, sp)
			}
			resp.Topics = append(resp.Topics, st)
		}
		return resp, nil, true
	})
	err := sinks.Run(t.Context(), sinks.Options{Kafka: k, Name: "test", Version: 1, Instance: "0", Sink: &table{rows: map[string]int{}}, Log: zerolog.Nop()})
	if !errors.Is(err, kerr.TopicAuthorizationFailed) || !strings.Contains(err.Error(), "group sink.test.v1: ") {
		t.Errorf("error %v", err)
	}
}

func TestASinkWithoutABrokerEnds(t *testing.T) {
	o := sinks.Options{Kafka: stream.Kafka{Brokers: []string{"not an address:at all"}}, Name: "test", Version: 1, Sink: &table{}, Log: zerolog.Nop()}
	if err := sinks.Run(t.Context(), o); err == nil {
		t.Error("it runs")
	}
}

// How far a sink is behind, and how old its rows are, is told of its group.
func TestASinkTellsHowFarItIs(t *testing.T) {
	t.Parallel()
	k := broker(t)
	r := prometheus.NewRegistry()
	k.Metrics = stream.NewKafkaMetrics(r)
	put(t, k, noon, 1, 2, 3)
	s := &table{rows: map[string]int{}}
	stop := run(t, k, s)
	eventually(t, "three rows", func() bool { return s.count() == 3 })
	eventually(t, "offsets committed", func() bool { return committedAny(t, k) && lag(t, k) == 0 })
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	stop()
	ages, lags := uint64(0), 0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if len(m.GetLabel()) == 0 || m.GetLabel()[0].GetValue() != "sink.test.v1" {
				continue
			}
			switch f.GetName() {
			case "aftershock_kafka_record_age_seconds":
				ages += m.GetHistogram().GetSampleCount()
			case "aftershock_kafka_lag_records":
				lags++
			}
		}
	}
	if ages != 3 || lags == 0 {
		t.Errorf("%d ages of records, lags of %d partitions", ages, lags)
	}
}
