// Package streamtest is Kafka for tests: a real protocol broker in the test's
// process, and what is committed in its topics.
package streamtest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/schema"
	"aftershock/stream"
)

// Broker starts a broker with the named topics and stops it when the test ends.
// Faults are made with the cluster that it returns.
func Broker(t testing.TB, partitions int32, topics ...string) (stream.Kafka, *kfake.Cluster) {
	t.Helper()
	return Cluster(t, kfake.SeedTopics(partitions, topics...))
}

// Cluster is Broker with options: TLS, users, other settings.
func Cluster(t testing.TB, opts ...kfake.Opt) (stream.Kafka, *kfake.Cluster) {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return stream.Kafka{Brokers: c.ListenAddrs(), Log: zerolog.Nop()}, c
}

// Put appends records, each acknowledged before the next is sent.
func Put(t testing.TB, k stream.Kafka, records ...*kgo.Record) {
	t.Helper()
	p, err := k.Producer()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, r := range records {
		if err := p.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	// patience is how long Committed waits for each record that is missing.
	patience = 20 * time.Second
	// afterwards is how long it then looks for records too many.
	afterwards = 500 * time.Millisecond
)

// Committed waits until it has read n committed records of a topic and all that
// were committed when it was called, and returns those that are there a moment
// later; those of one partition are in their order.
func Committed(t testing.TB, k stream.Kafka, topic string, n int) []*kgo.Record {
	t.Helper()
	cl, err := kgo.NewClient(append(k.Options(), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(100*time.Millisecond), kgo.KeepControlRecords())...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	unread := committedEnds(t, cl, topic)
	var out []*kgo.Record
	for {
		wait := patience
		if len(out) >= n && len(unread) == 0 {
			wait = afterwards
		}
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		fetches := cl.PollFetches(ctx)
		late := ctx.Err() != nil
		cancel()
		fetches.EachRecord(func(r *kgo.Record) {
			if end, ok := unread[r.Partition]; ok && r.Offset+1 >= end {
				delete(unread, r.Partition)
			}
			if !r.Attrs.IsControl() {
				out = append(out, r)
			}
		})
		if late {
			if len(out) < n || len(unread) > 0 {
				t.Fatalf("%s has %d records, want %d; not read to the end: partitions and ends %v", topic, len(out), n, unread)
			}
			return out
		}
	}
}

// committedEnds returns the last stable offset of each partition of a topic that has
// a record before it.
func committedEnds(t testing.TB, cl *kgo.Client, topic string) map[int32]int64 {
	t.Helper()
	adm := kadm.NewClient(cl)
	starts, err := adm.ListStartOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	ends, err := adm.ListCommittedOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	out := map[int32]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		if start, ok := starts.Lookup(topic, end.Partition); ok && end.Offset > start.Offset {
			out[end.Partition] = end.Offset
		}
	})
	return out
}

// Run runs a loop until stop is called or the test ends, and fails the test when the
// loop does, or does not return.
func Run(t testing.TB, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(30 * time.Second):
			t.Error("Run does not return")
		}
	})
	t.Cleanup(stop)
	return stop
}

// Following follows the versions log until the test ends, and has seen its newest
// event.
func Following(t testing.TB, k stream.Kafka) *stream.Following {
	t.Helper()
	f := stream.NewFollowing(k)
	Run(t, func(ctx context.Context) error { f.Run(ctx); return nil })
	seen, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	f.Each(seen, func(*schema.VersionEvent) { cancel() })
	if f.Newest() == nil {
		t.Fatal("the versions log is empty")
	}
	return f
}

// Members is how many members a group has.
func Members(t testing.TB, k stream.Kafka, group string) int {
	t.Helper()
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	groups, err := kadm.NewClient(cl).DescribeGroups(t.Context(), group)
	if err == nil {
		err = groups.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	return len(groups[group].Members)
}

// DeleteBefore lets the records of a partition below an offset expire.
func DeleteBefore(t testing.TB, k stream.Kafka, topic string, partition int32, offset int64) {
	t.Helper()
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: topic, Partition: partition, At: offset})
	res, err := kadm.NewClient(cl).DeleteRecords(t.Context(), offsets)
	if err == nil {
		err = res.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Keys are the records' keys, sorted.
func Keys(records []*kgo.Record) []string {
	var out []string
	for _, r := range records {
		out = append(out, string(r.Key))
	}
	slices.Sort(out)
	return out
}

// AnswerAsKafka lets the broker answer who asks how far a group has come as Apache Kafka
// does: of a partition for which the group has committed nothing, -1, also when there
// never was such a group. kfake leaves those out. committed tells which groups have.
func AnswerAsKafka(c *kfake.Cluster, committed func(group string) bool) {
	c.ControlKey(int16(kmsg.OffsetFetch), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := kreq.(*kmsg.OffsetFetchRequest)
		if len(req.Groups) != 1 || committed(req.Groups[0].Group) {
			return nil, nil, false
		}
		res := req.ResponseKind().(*kmsg.OffsetFetchResponse)
		group := kmsg.NewOffsetFetchResponseGroup()
		group.Group = req.Groups[0].Group
		for _, t := range req.Groups[0].Topics {
			topic := kmsg.NewOffsetFetchResponseGroupTopic()
			topic.Topic, topic.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				none := kmsg.NewOffsetFetchResponseGroupTopicPartition()
				none.Partition, none.Offset = p, -1
				topic.Partitions = append(topic.Partitions, none)
			}
			group.Topics = append(group.Topics, topic)
		}
		res.Groups = append(res.Groups, group)
		return res, nil, true
	})
}
