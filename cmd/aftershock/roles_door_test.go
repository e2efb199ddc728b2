package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/schema"
	"aftershock/stream/streamtest"
)

// One report that is waited for no longer costs no other: all of them are in the
// client's buffer together.
func TestReportThatIsGivenUpCostsNoNeighbour(t *testing.T) {
	kafka, cluster := streamtest.Broker(t, 1, schema.TopicRaw)
	var away atomic.Bool
	var refused atomic.Int32
	away.Store(true)
	cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if !away.Load() {
			return nil, nil, false
		}
		refused.Add(1)
		req := r.(*kmsg.ProduceRequest)
		res := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range req.Topics {
			out := kmsg.NewProduceResponseTopic()
			out.Topic, out.TopicID = topic.Topic, topic.TopicID
			for _, p := range topic.Partitions {
				part := kmsg.NewProduceResponseTopicPartition()
				part.Partition, part.ErrorCode = p.Partition, kerr.NotLeaderForPartition.Code
				out.Partitions = append(out.Partitions, part)
			}
			res.Topics = append(res.Topics, out)
		}
		return res, nil, true
	})
	producer, err := kafka.Producer()
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	crash := func() *schema.RawCrash {
		return &schema.RawCrash{CrashID: schema.NewCrashID(time.Now(), 0), ReceivedAt: time.Now()}
	}
	gaveUp, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { first <- produce(gaveUp, producer, crash()) }()
	patient := make(chan error, 5)
	for range cap(patient) {
		go func() { patient <- produce(t.Context(), producer, crash()) }()
	}
	for refused.Load() == 0 || producer.BufferedProduceRecords() < 6 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up: %v", err)
	}
	away.Store(false)
	for range cap(patient) {
		if err := <-patient; err != nil {
			t.Errorf("a neighbour: %v", err)
		}
	}
	streamtest.Committed(t, kafka, schema.TopicRaw, 6) // also the one that was given up: nobody was told its id
}
