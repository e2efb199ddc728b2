package stream_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// refusals are how brokers refuse requests of these kinds: what they name, and the whole.
func refusals(when func(kmsg.Request) bool, keys ...kmsg.Key) (out []kfake.Fault) {
	for _, key := range keys {
		fault := kfake.Fault{Keys: []kmsg.Key{key}, Err: kerr.TopicAuthorizationFailed, Count: 1, When: when}
		switch key {
		case kmsg.OffsetFetch, kmsg.DescribeGroups, kmsg.ListGroups, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.DeleteGroups:
			fault.Err = kerr.GroupAuthorizationFailed
		case kmsg.InitProducerID, kmsg.EndTxn:
			fault.Err = kerr.TransactionalIDAuthorizationFailed
		default:
		}
		out = append(out, fault)
		if key != kmsg.OffsetFetch { // an answer that is refused as a whole is an empty one there
			fault.TopLevel = true
			out = append(out, fault)
		}
	}
	return out
}

// refusedEach asks the brokers something again and again, and they refuse the first, the second,
// … request of these kinds. Each time it is an error, and no half answer.
func refusedEach(t *testing.T, c *kfake.Cluster, ask func(ctx context.Context) error, keys ...kmsg.Key) (refused int) {
	t.Helper()
	for n := 1; n < 100; n++ {
		var mu sync.Mutex
		numbers := map[kmsg.Request]int{}
		var what string // is refused
		h := c.Fault(refusals(func(req kmsg.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			if _, known := numbers[req]; !known {
				numbers[req] = len(numbers) + 1
			}
			if numbers[req] == n {
				what = kmsg.NameForKey(req.Key())
			}
			return numbers[req] == n
		}, keys...)...)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		err := ask(ctx)
		cancel()
		hits := h.Hits()
		h.Remove()
		switch {
		case hits == 0 && err != nil:
			t.Fatalf("nothing was refused: %v", err)
		case hits == 0:
			return n - 1
		case err == nil:
			t.Errorf("request %d (%s) was refused, and nobody was told", n, what)
		case errors.Is(err, context.DeadlineExceeded):
			t.Errorf("request %d (%s) was refused, and waited for: %v", n, what, err)
		}
	}
	t.Error("it has no end")
	return 0
}

var errHalf = errors.New("half an answer")

// What is asked about topics and groups is told as a whole, or is an error.
func TestQuestionsAreAnsweredOrRefused(t *testing.T) {
	t.Parallel()
	topic := schema.ProcessedTopic(1)
	k, c := streamtest.Broker(t, 1, schema.TopicVersions, schema.TopicRulesets, schema.TopicRaw, schema.TopicReprocess, schema.TopicDeadLetter, topic)
	versions(t, k, one)
	sendRaw(t, k, 1, 2, 3)
	put(t, k, topic, "a", "b", "c")
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	admin := kadm.NewClient(cl)
	come := func(group, topic string, offset int64) {
		t.Helper()
		var offsets kadm.Offsets
		offsets.AddOffset(topic, 0, offset, -1)
		if err := admin.CommitAllOffsets(t.Context(), group, offsets); err != nil {
			t.Fatal(err)
		}
	}
	come("g", topic, 1)
	come("consumer.theirs", topic, 99)
	come("lost", topic, 9)
	come("gone", schema.TopicRaw, 0)
	streamtest.DeleteBefore(t, k, schema.TopicRaw, 0, 1)
	kept, end, err := k.Keep()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	g, err := stream.NewGroups(kept)
	if err != nil {
		t.Fatal(err)
	}
	half := func(is bool, err error) error {
		if err == nil && is {
			return errHalf
		}
		return err
	}
	count := func(read func(each func(*kgo.Record) error) error, want int) error {
		n := 0
		err := read(func(*kgo.Record) error { n++; return nil })
		return half(n != want, err)
	}
	for name, tc := range map[string]struct {
		ask   func(ctx context.Context) error
		keys  []kmsg.Key
		least int
	}{
		"where a topic ends": {func(ctx context.Context) error {
			s, err := g.Spans(ctx, schema.TopicRaw)
			return half(s[0] != stream.Span{From: 1, End: 3}, err)
		}, []kmsg.Key{kmsg.ListOffsets}, 2},
		"where a time is": {func(ctx context.Context) error {
			at, err := g.At(ctx, schema.TopicRaw, hour(3))
			return half(at[0] != 2, err)
		}, []kmsg.Key{kmsg.ListOffsets}, 1},
		"how far a group is": {func(ctx context.Context) error {
			at, err := g.Offsets(ctx, "g", topic)
			return half(at[0] != 1, err)
		}, []kmsg.Key{kmsg.OffsetFetch}, 1},
		"who is in a group": {func(ctx context.Context) error {
			members, err := g.Members(ctx, "g", "never was")
			return half(len(members) != 0, err)
		}, []kmsg.Key{kmsg.DescribeGroups}, 1},
		"which groups there are": {func(ctx context.Context) error {
			names, err := g.Named(ctx, "g")
			return half(len(names) != 2, err)
		}, []kmsg.Key{kmsg.ListGroups}, 1},
		"how far it is behind": {func(ctx context.Context) error {
			behind, err := g.Behind(ctx, "g", topic, map[int32]int64{0: 3})
			return half(behind[0] != 2, err)
		}, []kmsg.Key{kmsg.ListOffsets, kmsg.OffsetFetch}, 3},
		"its lag": {func(ctx context.Context) error {
			lag, err := g.Lag(ctx, "g", topic)
			return half(lag.Records != 2, err)
		}, []kmsg.Key{kmsg.ListOffsets, kmsg.OffsetFetch}, 3},
		"what is gone": {func(ctx context.Context) error {
			gone, err := g.Gone(ctx)
			return half(len(gone) != 2 || gone[0].Group != "gone" || gone[1].Group != "lost" || gone[1].Committed != 9, err)
		}, []kmsg.Key{kmsg.ListGroups, kmsg.OffsetFetch}, 4},
		"the first record": {func(ctx context.Context) error {
			r, err := stream.FirstOf(ctx, kept, schema.TopicRaw, 0)
			return half(err == nil && string(r.Key) != crashID(2), err)
		}, []kmsg.Key{kmsg.ListOffsets}, 2},
		"the newest versions": {func(ctx context.Context) error {
			e, err := stream.NewestVersions(ctx, kept)
			return half(err == nil && len(e.Versions) != 1, err)
		}, []kmsg.Key{kmsg.ListOffsets}, 2},
		"a record": {func(ctx context.Context) error {
			r, err := stream.RawAt(ctx, kept, schema.Position{Topic: topic, Offset: 1})
			return half(err == nil && string(r.Key) != "b", err)
		}, []kmsg.Key{kmsg.ListOffsets}, 2},
		"a crash": {func(ctx context.Context) error {
			r, err := stream.FindRaw(ctx, kept, crashID(3))
			return half(err == nil && r.Offset != 2, err)
		}, []kmsg.Key{kmsg.ListOffsets}, 4},
		"all of a topic": {func(ctx context.Context) error {
			return count(func(each func(*kgo.Record) error) error { return stream.EachCommitted(ctx, kept, topic, each) }, 3)
		}, []kmsg.Key{kmsg.ListOffsets}, 2},
		"what came since": {func(ctx context.Context) error {
			return count(func(each func(*kgo.Record) error) error {
				return stream.EachSince(ctx, kept, schema.TopicRaw, hour(3), each)
			}, 1)
		}, []kmsg.Key{kmsg.ListOffsets}, 3},
		"what lies behind": {func(ctx context.Context) error {
			return count(func(each func(*kgo.Record) error) error {
				return stream.EachFrom(ctx, kept, topic, map[int32]int64{0: 1}, each)
			}, 2)
		}, []kmsg.Key{kmsg.ListOffsets}, 2},
		"a sample": {func(ctx context.Context) error {
			return count(func(each func(*kgo.Record) error) error { return stream.Sample(ctx, kept, topic, 9, each) }, 3)
		}, []kmsg.Key{kmsg.ListOffsets}, 2},
		"some of a sample": {func(ctx context.Context) error {
			return stream.Sample(ctx, kept, topic, 1, func(*kgo.Record) error { return nil })
		}, []kmsg.Key{kmsg.ListOffsets}, 2},
		"how long a topic keeps": {func(ctx context.Context) error {
			_, err := stream.Retention(ctx, kept, topic)
			return err
		}, []kmsg.Key{kmsg.DescribeConfigs}, 1},
		"a ruleset": {func(ctx context.Context) error {
			_, err := stream.Ruleset(ctx, kept, &schema.SignatureVersion{Number: 7, RulesetHash: "none"})
			if err != nil && err.Error() == "signature version 7: its ruleset none is not in crash.rulesets" {
				return nil
			}
			return half(err == nil, err)
		}, []kmsg.Key{kmsg.ListOffsets}, 2},
		"requests": {func(ctx context.Context) error {
			return stream.Request(ctx, k, []schema.ReprocessRequest{{CrashID: crashID(1)}})
		}, []kmsg.Key{kmsg.Produce}, 1},
		"an operation": {func(ctx context.Context) error {
			_, err := stream.OperateWith(ctx, k, func(now *schema.VersionEvent) (stream.Operation, error) {
				next := now.Clone()
				next.Versions[0].Ruleset, next.Versions[0].RulesetHash = []schema.RulesetFile{{Name: "a", Text: "b"}}, fmt.Sprint(time.Now().UnixNano())
				return stream.Operation{Event: next, Offsets: map[string]map[string][]schema.PartitionOffset{"of an operation": {schema.TopicRaw: {{Offset: 1}}}}}, nil
			})
			return err
		}, []kmsg.Key{kmsg.InitProducerID, kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			if n := refusedEach(t, c, tc.ask, tc.keys...); n < tc.least {
				t.Errorf("%d requests were refused, want %d: the test tests nothing", n, tc.least)
			}
		})
	}
	// What is deleted is deleted, or refused; what is not there is neither.
	refusedEach(t, c, func(ctx context.Context) error { return g.DeleteGroups(ctx, "g", "never was") }, kmsg.DeleteGroups)
	refusedEach(t, c, func(ctx context.Context) error { return g.Delete(ctx, topic, "lost") }, kmsg.DeleteGroups, kmsg.DeleteTopics)
	if names, err := g.Named(t.Context(), ""); err != nil || len(names) != 3 || c.TopicInfo(topic) != nil {
		t.Errorf("%q are left, %v", names, err)
	}
	if err := g.Delete(t.Context(), topic, "never was"); err != nil {
		t.Error(err)
	}
	for name, ask := range map[string]func() error{
		"its end":     func() error { _, err := g.Spans(t.Context(), topic); return err },
		"its records": func() error { return stream.EachCommitted(t.Context(), k, topic, nil) },
	} {
		if err := ask(); !errors.Is(err, kerr.UnknownTopicOrPartition) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, err := g.Replicas(t.Context(), schema.TopicRaw); err != nil || n != 1 {
		t.Errorf("%d replicas, %v", n, err)
	}
}

// A verification is whole or an error.
func TestAVerificationIsWholeOrRefused(t *testing.T) {
	t.Parallel()
	k, c := streamtest.Broker(t, 1, schema.TopicVersions, schema.TopicRaw, schema.TopicReprocess, schema.ProcessedTopic(1), schema.TopicTelemetry, schema.TopicDeadLetter)
	versions(t, k, one)
	sendRaw(t, k, 1, 2, 3)
	stop := streamtest.Run(t, processorOf(k, streamtest.Following(t, k), 1).Run)
	streamtest.Committed(t, k, schema.ProcessedTopic(1), 3)
	passedBy(t, k, schema.ProcessGroup(1), schema.TopicRaw, 3)
	stop() // it is not the one to be refused
	put(t, k, schema.TopicTelemetry, "another crash")
	_, place := placed(t, k)
	place(schema.TelemetryGroup(1, 1), schema.ProcessedTopic(1), 3)
	for name, v := range map[string]*stream.Verifier{
		"all of it":    {Kafka: k, Version: 1, Sink: "none"},
		"some of it":   {Kafka: k, Version: 1, From: hour(2), To: hour(9)},
		"what is seen": {Kafka: k, Version: 1, Activation: schema.Activation{Ranges: []schema.ActiveRange{{From: schema.TimeBegin, To: schema.TimeEnd, SignatureVersion: 1, Epoch: 1}}}},
	} {
		t.Run(name, func(t *testing.T) {
			want := map[string]int64{"all of it": 3, "some of it": 2, "what is seen": 3}[name]
			refusedEach(t, c, func(ctx context.Context) error {
				return v.Run(ctx, func(found *stream.Verified) error {
					if found.Raw != want || found.Processed != want || found.Missing.Count != 0 || found.Lag != 0 {
						return fmt.Errorf("%w: %+v", errHalf, found)
					}
					return nil
				})
			}, kmsg.ListOffsets, kmsg.OffsetFetch)
			topics := []string{schema.TopicRaw, schema.ProcessedTopic(1)}
			if name == "what is seen" {
				topics = append(topics, schema.TopicTelemetry)
			}
			for _, topic := range topics {
				h := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Err: kerr.TopicAuthorizationFailed, Count: -1})
				if err := v.Run(t.Context(), func(*stream.Verified) error { return nil }); !errors.Is(err, kerr.TopicAuthorizationFailed) {
					t.Errorf("without %s: %v", topic, err)
				}
				h.Remove()
			}
			if err := v.Run(t.Context(), func(*stream.Verified) error { return errHalf }); !errors.Is(err, errHalf) {
				t.Errorf("the caller's error is lost: %v", err)
			}
		})
	}
}

// A cluster is checked as a whole, or that it cannot be is an error.
func TestACheckIsWholeOrRefused(t *testing.T) {
	t.Parallel()
	k, c := cluster(t, 1)
	refusedEach(t, c, func(ctx context.Context) error {
		findings, err := stream.CheckTopics(ctx, k, stream.CheckOptions{AllowReplication1: true})
		if err == nil && len(findings) > 0 {
			return nil // what is hidden is told as a finding
		}
		return err
	}, kmsg.ListOffsets)
	uses := stream.Uses{Topics: []stream.Use{{Topic: schema.TopicRaw, Read: true, Write: true}}, Wanted: func(*schema.VersionEvent, schema.SignatureVersion) bool { return true }}
	refusedEach(t, c, func(ctx context.Context) error { return stream.CheckStart(ctx, k, uses) }, kmsg.ListOffsets)
	if n := refusedEach(t, c, func(ctx context.Context) error {
		return stream.CreateTopics(ctx, k, 1, schema.Topics(2)...)
	}, kmsg.CreateTopics); n == 0 {
		t.Error("the test tests nothing")
	}
}
