package stream_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

func TestAuditEventsAreKeptInTheirOrder(t *testing.T) {
	k, _ := streamtest.Broker(t, 1, schema.TopicAudit)
	a, err := stream.NewAudit(k)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	at := time.UnixMilli(1_790_000_000_000).UTC()
	var want []schema.AuditEvent
	for i := range int64(5) {
		e := schema.AuditEvent{At: at, Who: "jane", By: "session", Role: "dumps", What: schema.AuditDump, Subject: "0bba929f-8721-460c-8e70-a43c90261122", Count: i}
		if err := a.Keep(t.Context(), &e); err != nil {
			t.Fatal(err)
		}
		want = append([]schema.AuditEvent{e}, want...)
		if i == 2 {
			streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicAudit, Value: []byte("of a later release")})
		}
	}
	got, err := a.Newest(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got, err = a.Newest(t.Context(), 2); err != nil || cmp.Diff(want[:2], got) != "" {
		t.Errorf("%v %v", got, err)
	}
}

// An event that the brokers refuse is not kept, and nobody may believe so.
func TestAnAuditEventThatIsRefused(t *testing.T) {
	k, c := streamtest.Broker(t, 1, schema.TopicAudit)
	c.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		res := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range req.(*kmsg.ProduceRequest).Topics {
			refused := kmsg.ProduceResponseTopic{Topic: topic.Topic, TopicID: topic.TopicID}
			for _, p := range topic.Partitions {
				refused.Partitions = append(refused.Partitions, kmsg.ProduceResponseTopicPartition{Partition: p.Partition, ErrorCode: kerr.TopicAuthorizationFailed.Code})
			}
			res.Topics = append(res.Topics, refused)
		}
		return res, nil, true
	})
	a, err := stream.NewAudit(k)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	var refused *stream.AccessError
	if err := a.Keep(t.Context(), &schema.AuditEvent{Who: "jane"}); !errors.As(err, &refused) || refused.Operation != "WRITE" {
		t.Error(err)
	}
}
