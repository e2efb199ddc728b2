package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/schema"
	"aftershock/signature"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// resting is what a fleet leaves when nobody runs: topics, groups that have come as far as
// a test says, and an operator. His clock goes on by a second each time that he looks.
type resting struct {
	t        *testing.T
	k        stream.Kafka
	c        *kfake.Cluster
	o        *Operator
	admin    *kadm.Client
	producer *kgo.Client

	mu    sync.Mutex
	clock time.Time
	told  []string
}

// rest has the topics that there are always, of two partitions where crashes have them, and
// the processed ones of the versions.
func rest(t *testing.T, now *schema.VersionEvent, processed ...int32) *resting {
	t.Helper()
	keyed := []string{schema.TopicRaw, schema.TopicReprocess, schema.TopicDeadLetter, schema.ProcessedTopic(schema.Archived)}
	for _, n := range processed {
		keyed = append(keyed, schema.ProcessedTopic(n))
	}
	k, c := streamtest.Cluster(t, kfake.SeedTopics(2, keyed...), kfake.SeedTopics(1, schema.TopicVersions, schema.TopicRulesets))
	r := &resting{t: t, k: k, c: c, clock: at(20)}
	r.o = &Operator{Kafka: k, Who: "ada", Why: "a test", Log: zerolog.Nop(), Now: r.now, Tell: r.tell}
	var err error
	if r.producer, err = kgo.NewClient(append(k.Options(), kgo.RecordPartitioner(kgo.ManualPartitioner()))...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.producer.Close)
	r.admin = kadm.NewClient(r.producer)
	if now != nil {
		r.state(now)
	}
	return r
}

func (r *resting) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock = r.clock.Add(time.Second)
	return r.clock
}

func (r *resting) tell(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, text)
}

// said tells whether the operator was told something, beside what he waits for.
func (r *resting) said(prefix, suffix string) {
	r.t.Helper()
	if !slices.ContainsFunc(r.told, func(text string) bool { return strings.HasPrefix(text, prefix) && strings.HasSuffix(text, suffix) }) {
		r.t.Errorf("told %q, and not %s…%s", r.told, prefix, suffix)
	}
}

// heard is what the operator was told, but for what he waits for.
func (r *resting) heard() []string {
	return slices.DeleteFunc(slices.Clone(r.told), func(text string) bool { return strings.HasPrefix(text, "waiting for ") })
}

// state writes the versions log's newest event.
func (r *resting) state(e *schema.VersionEvent) {
	r.t.Helper()
	next := e.Clone()
	if next.At.IsZero() {
		next.At = r.now()
	}
	if _, err := stream.Operate(r.t.Context(), r.k, func(*schema.VersionEvent) (*schema.VersionEvent, error) { return next, nil }); err != nil {
		r.t.Fatal(err)
	}
}

// newest is the versions log's newest event.
func (r *resting) newest() *schema.VersionEvent {
	r.t.Helper()
	e, err := stream.NewestVersions(r.t.Context(), r.k)
	if err != nil {
		r.t.Fatal(err)
	}
	return e
}

// events are the last operations of the log, with their subjects.
func (r *resting) events(n int) string {
	r.t.Helper()
	var out []string
	if err := r.o.since(r.t.Context(), time.Time{}, func(e *schema.VersionEvent) { out = append(out, fmt.Sprintf("%s %d", e.Operation, e.Subject)) }); err != nil {
		r.t.Fatal(err)
	}
	return strings.Join(out[max(0, len(out)-n):], ", ")
}

// put appends records to their partitions.
func (r *resting) put(records ...*kgo.Record) {
	r.t.Helper()
	if err := r.producer.ProduceSync(r.t.Context(), records...).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
}

// raw appends raw crashes to a partition, received on these days.
func (r *resting) raw(partition int32, days ...int) {
	r.t.Helper()
	for _, day := range days {
		r.put(&kgo.Record{Topic: schema.TopicRaw, Partition: partition, Key: []byte(crashID(day, "261122")), Value: []byte("raw"), Timestamp: at(day)})
	}
}

// deferred appends a raw crash that the door's rules deferred.
func (r *resting) deferred(partition int32, day int) {
	r.t.Helper()
	id := crashID(day, "261122")
	value, err := schema.Encode(&schema.RawCrash{CrashID: id, ReceivedAt: at(day), Throttle: schema.Throttle{Rule: "later", Rate: 1, Result: schema.ThrottleDefer}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.put(&kgo.Record{Topic: schema.TopicRaw, Partition: partition, Key: []byte(id), Value: value, Timestamp: at(day)})
}

// fill appends records that say nothing.
func (r *resting) fill(topic string, partition int32, n int) {
	r.t.Helper()
	for range n {
		r.put(&kgo.Record{Topic: topic, Partition: partition, Value: []byte("anything")})
	}
}

// ask appends requests for these versions to a partition.
func (r *resting) ask(partition int32, id string, versions ...int32) {
	r.t.Helper()
	value, err := schema.Encode(&schema.ReprocessRequest{CrashID: id, Raw: schema.Position{Topic: schema.TopicRaw}, Versions: versions, Attempt: 3, Reason: "asked"})
	if err != nil {
		r.t.Fatal(err)
	}
	r.put(&kgo.Record{Topic: schema.TopicReprocess, Partition: partition, Key: []byte(id), Value: value})
}

// come lets a group have come to these offsets of the partitions 0, 1, …; of a partition
// with a negative one it has committed nothing.
func (r *resting) come(group, topic string, offsets ...int64) {
	r.t.Helper()
	var commit kadm.Offsets
	for p, offset := range offsets {
		if offset >= 0 {
			commit.AddOffset(topic, int32(p), offset, -1)
		}
	}
	if err := r.admin.CommitAllOffsets(r.t.Context(), group, commit); err != nil {
		r.t.Fatal(err)
	}
}

// at is how far a group has come in a topic.
func (r *resting) at(group, topic string) (out []schema.PartitionOffset) {
	r.t.Helper()
	committed, err := r.admin.FetchOffsetsForTopics(r.t.Context(), group, topic)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, o := range committed.Sorted() {
		if o.At >= 0 {
			out = append(out, schema.PartitionOffset{Partition: o.Partition, Offset: o.At})
		}
	}
	return out
}

// groups are those that there are.
func (r *resting) groups() []string {
	r.t.Helper()
	listed, err := r.admin.ListGroups(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return listed.Groups()
}

// requests are those of crash.reprocess from some offset on, in the order of their crash ids.
func (r *resting) requests(n int) (out []schema.ReprocessRequest) {
	r.t.Helper()
	for _, record := range streamtest.Committed(r.t, r.k, schema.TopicReprocess, n) {
		request, err := schema.Decode[schema.ReprocessRequest](record.Value)
		if err != nil {
			continue // what a test has put there
		}
		if string(record.Key) != request.CrashID {
			r.t.Errorf("the key of %+v is %s", request, record.Key)
		}
		out = append(out, *request)
	}
	slices.SortFunc(out, func(a, b schema.ReprocessRequest) int { return strings.Compare(a.CrashID, b.CrashID) })
	return out
}

// operated is what most operations are held against: the event.
func (r *resting) operated(operation string, subject int32) *schema.VersionEvent {
	r.t.Helper()
	e := r.newest()
	if e.Operation != operation || e.Subject != subject || e.Who != "ada" || e.Why != "a test" || !e.At.After(at(20)) || e.At.After(at(21)) {
		r.t.Errorf("%s of %d by %s at %v, because of %q; want %s of %d by ada", e.Operation, e.Subject, e.Who, e.At, e.Why, operation, subject)
	}
	return e
}

// refuses tells whether an operation is refused, in these words, and has changed nothing.
func (r *resting) refuses(do func() error, want string) {
	r.t.Helper()
	before := r.newest()
	if err := do(); err == nil || err.Error() != want {
		r.t.Errorf("%v, want %s", err, want)
	}
	if d := cmp.Diff(before, r.newest()); d != "" {
		r.t.Errorf("refused, and yet:\n%s", d)
	}
}

// asking are the requests with which each question of an operator begins.
var asking = []kmsg.Key{
	kmsg.ListOffsets, kmsg.OffsetFetch, kmsg.DescribeGroups, kmsg.ListGroups, kmsg.InitProducerID, kmsg.CreateTopics, kmsg.DeleteTopics, kmsg.DeleteGroups,
}

// refusedEach does an operation again and again, and the brokers refuse the first, the second,
// … of what it asks them, until nothing is left to refuse. What is refused either fails or is
// whole all the same: it is never half done and well. whole tells, and lets the operation be
// done once more.
func (r *resting) refusedEach(do func(ctx context.Context) error, whole func() error) {
	r.t.Helper()
	for n := 1; n < 200; n++ {
		var mu sync.Mutex
		numbers := map[kmsg.Request]int{}
		var what string // is refused
		nth := func(req kmsg.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			if _, known := numbers[req]; !known && begins(req) {
				numbers[req] = len(numbers) + 1
			}
			if numbers[req] == n {
				what = kmsg.NameForKey(req.Key())
			}
			return numbers[req] == n
		}
		refusal := r.c.Fault(refusals(asking, nth)...)
		ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
		err := do(ctx)
		cancel()
		refused := refusal.Hits() > 0
		refusal.Remove()
		if err != nil && !refused {
			r.t.Fatalf("request %d: nothing was refused: %v", n, err)
		}
		if err == nil {
			if err := whole(); err != nil {
				r.t.Fatalf("request %d (%s) was refused, and nobody was told: %v", n, what, err)
			}
		}
		if !refused {
			return
		}
	}
	r.t.Error("it has no end")
}

// begins tells whether a question begins with a request: where a topic ends is asked behind
// where it begins.
func begins(req kmsg.Request) bool {
	of, ok := req.(*kmsg.ListOffsetsRequest)
	return !ok || len(of.Topics) == 0 || of.Topics[0].Partitions[0].Timestamp != -1
}

// refuse lets the brokers refuse the n-th request of a kind, once.
func (r *resting) refuse(key kmsg.Key, n int) *kfake.FaultHandle {
	var mu sync.Mutex
	numbers := map[kmsg.Request]int{}
	return r.c.Fault(refusals([]kmsg.Key{key}, func(req kmsg.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if _, known := numbers[req]; !known {
			numbers[req] = len(numbers) + 1
		}
		return numbers[req] == n
	})...)
}

// refusals are those of requests of some kinds, each as brokers refuse it: whole, or what it
// names.
func refusals(keys []kmsg.Key, when func(kmsg.Request) bool) (out []kfake.Fault) {
	for _, key := range keys {
		fault := kfake.Fault{Keys: []kmsg.Key{key}, Err: kerr.TopicAuthorizationFailed, Count: 1, When: when}
		if slices.Contains(ofGroups, key) {
			fault.Err = kerr.GroupAuthorizationFailed
		}
		out = append(out, fault)
		if key != kmsg.OffsetFetch { // an answer that is refused as a whole is an empty one there
			fault.TopLevel = true
			out = append(out, fault)
		}
	}
	return out
}

// ofGroups are requests about groups.
var ofGroups = []kmsg.Key{kmsg.OffsetFetch, kmsg.DescribeGroups, kmsg.ListGroups, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.DeleteGroups}

// groupsOn looks at groups until the test ends.
func groupsOn(t *testing.T, k stream.Kafka) *stream.Groups {
	t.Helper()
	g, err := stream.NewGroups(k)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// announced is a first version that is seen, of some rules.
func announced(t *testing.T) *schema.VersionEvent {
	t.Helper()
	rules := rulesOf(t, "abort\n")
	return &schema.VersionEvent{
		Operation: schema.OpAnnounce, At: at(1),
		Versions: []schema.SignatureVersion{{
			Number: 1, State: schema.StateLive, Source: schema.SourceRaw, Share: 1, ProcessVersion: 7, RegistryHash: schema.DefaultRegistry.Hash(), RulesetHash: rules.Hash(), Ruleset: files(rules),
		}},
		Activation: schema.Activation{Epoch: 1, Ranges: []schema.ActiveRange{ranged(begin, end, 1, 1)}},
	}
}

// rulesOf is a ruleset with these prefixes.
func rulesOf(t testing.TB, prefixes string) *signature.Ruleset {
	t.Helper()
	r, err := signature.FromFiles(map[string]string{"prefix_signature_re.txt": prefixes})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// with changes a state.
func with(e *schema.VersionEvent, change func(e *schema.VersionEvent)) *schema.VersionEvent {
	next := e.Clone()
	change(next)
	return next
}

// patience is how long something is waited for in vain: also a busy machine asks for it in
// that time.
const patience = 20 * pollPause

// waited tells whether an operator has waited in vain for something, and said what was left of
// it: all the same when his time was over just while he asked.
func waited(err error, what, left, cause string) bool {
	if err == nil || !strings.HasPrefix(err.Error(), "waiting for "+what+": ") || !strings.HasSuffix(err.Error(), ": "+cause) {
		return false
	}
	asking := strings.TrimSuffix(strings.TrimPrefix(err.Error(), "waiting for "+what+": "), ": "+cause)
	return asking == left || strings.Contains(asking, context.DeadlineExceeded.Error())
}

// differs is cmp.Diff of what has gone through the log, where an empty list is none.
func differs(want, got any) string { return cmp.Diff(want, got, cmpopts.EquateEmpty()) }

// back writes an earlier state as the newest event.
func (r *resting) back(e *schema.VersionEvent) {
	r.t.Helper()
	r.state(with(e, func(e *schema.VersionEvent) { e.At = r.now() }))
}

var errNotWhole = errors.New("it is not done")
