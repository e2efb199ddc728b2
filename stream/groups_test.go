package stream_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// transaction appends records to partition 0 of a topic and ends it so.
func transaction(t *testing.T, k stream.Kafka, end kgo.TransactionEndTry, records ...*kgo.Record) {
	t.Helper()
	cl, err := kgo.NewClient(append(k.Options(), kgo.TransactionalID("a test"), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(t.Context(), end); err != nil {
		t.Fatal(err)
	}
}

// placed looks at groups, and lets them stand at offsets of partition 0.
func placed(t *testing.T, k stream.Kafka) (g *stream.Groups, place func(group, topic string, offset int64)) {
	t.Helper()
	g, err := stream.NewGroups(k)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return g, func(group, topic string, offset int64) {
		t.Helper()
		var offsets kadm.Offsets
		offsets.AddOffset(topic, 0, offset, -1)
		if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), group, offsets); err != nil {
			t.Fatal(err)
		}
	}
}

// The ends of transactions, which no group commits, are nothing to be behind; records are, from
// the first that there still is, and those that were rolled back are not.
func TestHowFarAGroupIsBehind(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 2, "in")
	g, place := placed(t, k)
	record := func() *kgo.Record { return &kgo.Record{Topic: "in", Value: []byte("value")} }
	transaction(t, k, kgo.TryCommit, record(), record()) // offsets 0 and 1, and the end
	transaction(t, k, kgo.TryAbort, record())            // 3, and the end
	transaction(t, k, kgo.TryCommit, record())           // 5, and the end
	for at, want := range map[int64]map[int32]int64{-1: {0: 7}, 0: {0: 7}, 1: {0: 6}, 2: {0: 5}, 5: {0: 2}, 6: {}, 7: {}} {
		group := fmt.Sprint("at ", at)
		if at >= 0 {
			place(group, "in", at)
		}
		got, err := g.Behind(t.Context(), group, "in", map[int32]int64{0: 7, 1: 0})
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v, %v", group, got, want, err)
		}
	}
	for until, want := range map[int64]map[int32]int64{1: {0: 1}, 0: {}, 3: {0: 3}} {
		if got, err := g.Behind(t.Context(), "at 0", "in", map[int32]int64{0: until}); err != nil || !maps.Equal(got, want) {
			t.Errorf("until %d: %v, want %v, %v", until, got, want, err)
		}
	}
	streamtest.DeleteBefore(t, k, "in", 0, 5)
	if got, err := g.Behind(t.Context(), "at 0", "in", map[int32]int64{0: 7}); err != nil || got[0] != 2 {
		t.Errorf("what has expired is left: %v, %v", got, err)
	}
	// Of much that is left nothing is read.
	if got, err := g.Behind(t.Context(), "at 6", "in", map[int32]int64{0: 1007, 1: 1001}); err != nil || !maps.Equal(got, map[int32]int64{0: 1001, 1: 1001}) {
		t.Errorf("%v, %v", got, err)
	}
}

// What a group has not committed is summed over partitions, as old as its oldest record. Ends of
// transactions alone are nothing, nobody waits for a transaction that is open, and of much that
// is left only the beginning is read.
func TestTheLagOfAGroup(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 2, "in", "long")
	g, place := placed(t, k)
	at := func(partition int32, hours int) *kgo.Record {
		return &kgo.Record{Topic: "in", Partition: partition, Value: []byte("value"), Timestamp: hour(hours)}
	}
	transaction(t, k, kgo.TryCommit, at(0, 5), at(0, 2))           // offsets 0 and 1, and the end
	transaction(t, k, kgo.TryAbort, at(0, 1))                      // 3, and the end
	transaction(t, k, kgo.TryCommit, at(0, 6), at(1, 4), at(1, 7)) // 5, and the end; 0 and 1, and the end
	open, err := kgo.NewClient(append(k.Options(), kgo.TransactionalID("left open"), kgo.TransactionTimeout(10*time.Minute), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(open.Close)
	if err := open.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := open.ProduceSync(t.Context(), at(0, 0), at(1, 0)).FirstErr(); err != nil {
		t.Fatal(err)
	}
	want := func(group, topic string, records int64, oldest time.Time) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // long before the transaction ends
		defer cancel()
		got, err := g.Lag(ctx, group, topic)
		if err != nil || got.Records != records || !got.Oldest.Equal(oldest) {
			t.Errorf("%s: %+v, want %d and %v, %v", group, got, records, oldest, err)
		}
	}
	want("never was", "in", 10, hour(4))
	for offset, records := range map[int64]int64{1: 9, 2: 8, 5: 5, 6: 3, 7: 3} {
		group, oldest := fmt.Sprint("at ", offset), hour(4)
		if offset == 1 {
			oldest = hour(2)
		}
		place(group, "in", offset)
		want(group, "in", records, oldest)
	}
	streamtest.DeleteBefore(t, k, "in", 1, 2) // of partition 1 the end of a transaction is left
	want("at 5", "in", 2, hour(6))
	want("at 7", "in", 0, time.Time{})
	streamtest.DeleteBefore(t, k, "in", 0, 5)
	want("at 1", "in", 2, hour(6))

	var rolledBack []*kgo.Record
	for range 1001 {
		rolledBack = append(rolledBack, &kgo.Record{Topic: "long", Value: []byte("rolled back")})
	}
	transaction(t, k, kgo.TryAbort, rolledBack...)
	want("never was", "long", 1002, time.Time{})
	place("at 2", "long", 2)
	want("at 2", "long", 0, time.Time{})
}

// The older one of two lags is the older of both; none has no age.
func TestLagsAreSummed(t *testing.T) {
	t.Parallel()
	var sum stream.Lag
	for _, l := range []stream.Lag{{}, {Records: 2, Oldest: hour(2)}, {Records: 3, Oldest: hour(1)}, {Records: 4}, {Records: 5, Oldest: hour(3)}} {
		sum.Add(l)
	}
	if sum != (stream.Lag{Records: 14, Oldest: hour(1)}) {
		t.Errorf("%+v", sum)
	}
}

func TestOffsetsThatAreOutOfRange(t *testing.T) {
	t.Parallel()
	k, c := streamtest.Broker(t, 1, "in", "deleted")
	g, place := placed(t, k)
	put(t, k, "in", "a", "b", "c")
	streamtest.DeleteBefore(t, k, "in", 0, 1)
	for group, at := range map[string]int64{"before": 0, "first": 1, "end": 3, "behind": 4, "consumer.theirs": 0} {
		place(group, "in", at)
	}
	place("of nothing", "deleted", 7)
	if err := c.DeleteTopic("deleted"); err != nil {
		t.Fatal(err)
	}
	got, err := g.Gone(t.Context())
	want := []stream.Gone{
		{Group: "before", Topic: "in", Committed: 0, From: 1, End: 3}, {Group: "behind", Topic: "in", Committed: 4, From: 1, End: 3},
	}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v (-want +got)\n%s", err, d)
	}
}

// A record is there, or it is gone: before the first, behind the last, or no record at all.
func TestRecordsByTheirPlace(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, "in", "empty", schema.TopicRaw)
	for _, topic := range []string{"in", schema.TopicRaw} {
		transaction(t, k, kgo.TryCommit, &kgo.Record{Topic: topic, Key: []byte("0")}, &kgo.Record{Topic: topic, Key: []byte("1")})
		transaction(t, k, kgo.TryCommit, &kgo.Record{Topic: topic, Key: []byte("3")})
		streamtest.DeleteBefore(t, k, topic, 0, 1)
	}
	kept, end, err := k.Keep()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	for name, asking := range map[string]stream.Kafka{"anew": k, "kept": kept} {
		for _, topic := range []string{"in", schema.TopicRaw} {
			for offset, want := range map[int64]string{0: "", 1: "1", 2: "", 3: "3", 4: "", 5: "", 99: ""} {
				if name == "kept" && topic == schema.TopicRaw && offset == 5 {
					continue // a record can still come there, and is waited for
				}
				r, err := stream.RawAt(t.Context(), asking, schema.Position{Topic: topic, Offset: offset})
				if want == "" && (!errors.Is(err, stream.ErrGone) || !strings.HasPrefix(err.Error(), fmt.Sprintf("%s partition 0 offset %d: ", topic, offset))) || want != "" && (err != nil || string(r.Key) != want) {
					t.Errorf("%s: %s offset %d: %v, %v", name, topic, offset, r, err)
				}
			}
		}
	}
	if r, err := stream.FirstOf(t.Context(), k, "in", 0); err != nil || string(r.Key) != "1" {
		t.Errorf("%v, %v", r, err)
	}
	if r, err := stream.FirstOf(t.Context(), k, "empty", 0); err != nil || r != nil {
		t.Errorf("%v, %v", r, err)
	}
}

// The newest event is found behind whatever was rolled back since.
func TestTheNewestEventIsFoundBehindWhatWasRolledBack(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, schema.TopicVersions)
	versions(t, k, one)
	for n := range 40 {
		transaction(t, k, kgo.TryAbort, &kgo.Record{Topic: schema.TopicVersions, Value: []byte("rolled back")})
		if n != 2 && n != 3 && n != 39 {
			continue
		}
		if e, err := stream.NewestVersions(t.Context(), k); err != nil || e == nil || len(e.Versions) != 1 {
			t.Errorf("behind %d: %+v, %v", n+1, e, err)
		}
	}
	put(t, k, schema.TopicVersions, "no event")
	if e, err := stream.NewestVersions(t.Context(), k); e != nil || err == nil || !strings.HasPrefix(err.Error(), "versions log: offset 82: ") {
		t.Errorf("%+v, %v", e, err)
	}
}

// What is to be deleted and has members is refused; who leaves twice is out all the same.
func TestGroupsWithMembers(t *testing.T) {
	t.Parallel()
	k, c := streamtest.Broker(t, 1, "in")
	g, _ := placed(t, k)
	member, err := k.GroupClient("g", "in", "0")
	if err != nil {
		t.Fatal(err)
	}
	defer member.Close()
	if _, err := c.WaitGroupStable(t.Context(), "g", 1); err != nil {
		t.Fatal(err)
	}
	if members, err := g.Members(t.Context(), "g", "never was"); err != nil || !maps.Equal(members, map[string]int{"g": 1}) {
		t.Errorf("%v, %v", members, err)
	}
	if err := g.DeleteGroups(t.Context(), "g"); !errors.Is(err, kerr.NonEmptyGroup) || err.Error() != "delete group g: "+kerr.NonEmptyGroup.Error() {
		t.Error(err)
	}
	if names, err := g.Named(t.Context(), "g"); err != nil || !slices.Equal(names, []string{"g"}) {
		t.Errorf("%q, %v", names, err)
	}
}
