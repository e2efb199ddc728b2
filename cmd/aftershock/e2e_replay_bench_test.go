package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/internal/embedded"
	"aftershock/internal/freeport"
	"aftershock/schema"
	"aftershock/signature"
	"aftershock/stream"
	"aftershock/symbolcache"
)

// replayFleet is an embedded broker in a process of its own, and the process role in this one.
type replayFleet struct {
	b      *testing.B
	k      stream.Kafka
	admin  *kadm.Client
	client *kgo.Client
	dumps  []schema.Dump
	sent   int
}

const fleetPartitions = 4

func newReplayFleet(b *testing.B) *replayFleet {
	b.Helper()
	addr := freeport.Address(b)
	ctx, cancel := context.WithCancel(b.Context())
	broker := program(ctx, "embedded", "broker", "--sync-writes", "--dir", b.TempDir(), "--listen", addr)
	if err := broker.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cancel(); broker.Wait() }) //nolint:errcheck // it was killed
	k := stream.Kafka{Brokers: []string{addr}, Log: zerolog.New(os.Stderr).Level(zerolog.WarnLevel)}
	for embedded.BrokerReady(addr)(ctx) != nil {
		time.Sleep(20 * time.Millisecond)
	}
	if err := prepare(ctx, k, topicFlags{Partitions: fleetPartitions, Replication: 1}); err != nil {
		b.Fatal(err)
	}
	client, err := k.Producer()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	f := &replayFleet{b: b, k: k, client: client, admin: kadm.NewClient(client)}
	names, err := filepath.Glob("../../testdata/crashes/*.dmp")
	if err != nil {
		b.Fatal(err)
	}
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		f.dumps = append(f.dumps, schema.Dump{
			Name: schema.MainDump, Size: int64(len(data)), SHA256: sha256.Sum256(data), Encoding: schema.EncodingZstd, Inline: encoder.EncodeAll(data, nil),
		})
	}
	return f
}

// crash is the next raw crash: the sample dumps in turns, with annotations that differ.
func (f *replayFleet) crash() *kgo.Record {
	n := f.sent
	f.sent++
	at := time.Now().UTC().Truncate(time.Millisecond)
	id := fmt.Sprintf("%08x-0000-4000-8000-%05x0%s", n, n, at.Format("060102"))
	value, err := schema.Encode(&schema.RawCrash{
		CrashID: id, ReceivedAt: at, Dumps: []schema.Dump{f.dumps[n%len(f.dumps)]}, Throttle: schema.Throttle{Rule: "accept_everything", Rate: 1},
		Annotations: map[string]string{
			"ProductName": "orchard", "Version": fmt.Sprintf("2.%d.0", n%7), "BuildID": fmt.Sprint(int64(20261100000000) + int64(n%97)), "ReleaseChannel": []string{"nightly", "beta", "release"}[n%3],
			"URL": fmt.Sprintf("https://example.org/%d", n), "UptimeTS": fmt.Sprint(n), "Email": fmt.Sprintf("someone%d@example.org", n), "z": fmt.Sprint(n * 7919),
		},
	})
	if err != nil {
		f.b.Fatal(err)
	}
	return &kgo.Record{Topic: schema.TopicRaw, Key: []byte(id), Value: value, Timestamp: at}
}

func (f *replayFleet) send(n int) {
	records := make([]*kgo.Record, 0, n)
	for range n {
		records = append(records, f.crash())
	}
	if err := f.client.ProduceSync(f.b.Context(), records...).FirstErr(); err != nil {
		f.b.Fatal(err)
	}
}

// passed waits until a group has come to the end that a topic has now, and returns the
// time that it took.
func (f *replayFleet) passed(group, topic string, slack int64) time.Duration {
	start := time.Now()
	ends, err := f.admin.ListCommittedOffsets(f.b.Context(), topic)
	if err != nil {
		f.b.Fatal(err)
	}
	for {
		offsets, err := f.admin.FetchOffsetsForTopics(f.b.Context(), group, topic)
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			f.b.Fatal(err)
		}
		left := int64(0)
		ends.Each(func(o kadm.ListedOffset) {
			at, _ := offsets.Lookup(topic, o.Partition)
			left += max(o.Offset-slack-max(at.At, 0), 0)
		})
		if left == 0 {
			return time.Since(start)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (f *replayFleet) offsets(topic string) []schema.PartitionOffset {
	ends, err := f.admin.ListCommittedOffsets(f.b.Context(), topic)
	if err != nil {
		f.b.Fatal(err)
	}
	var out []schema.PartitionOffset
	ends.Each(func(o kadm.ListedOffset) {
		out = append(out, schema.PartitionOffset{Partition: o.Partition, Offset: o.Offset})
	})
	return out
}

// start begins a version with other rules.
func (f *replayFleet) start(v schema.SignatureVersion) {
	if err := stream.CreateTopics(f.b.Context(), f.k, 1, schema.Processed(v.Number, fleetPartitions)); err != nil {
		f.b.Fatal(err)
	}
	if _, err := stream.Operate(f.b.Context(), f.k, func(state *schema.VersionEvent) (*schema.VersionEvent, error) {
		next := state.Clone()
		first := next.Versions[0]
		v.State, v.ProcessVersion, v.RegistryHash = schema.StateLive, first.ProcessVersion, first.RegistryHash
		files := map[string]string{}
		for _, file := range first.Ruleset {
			if file.Name == "prefix_signature_re.txt" {
				file.Text += "\norchard::.*\n"
			}
			v.Ruleset = append(v.Ruleset, file)
			files[file.Name] = file.Text
		}
		ruleset, err := signature.FromFiles(files)
		if err != nil {
			return nil, err
		}
		v.RulesetHash = ruleset.Hash()
		next.Operation, next.Subject, next.Versions = schema.OpStart, v.Number, append(next.Versions, v)
		return next, nil
	}); err != nil {
		f.b.Fatal(err)
	}
}

// end stops a version.
func (f *replayFleet) end(number int32) {
	if _, err := stream.Operate(f.b.Context(), f.k, func(state *schema.VersionEvent) (*schema.VersionEvent, error) {
		next := state.Clone()
		next.Version(number).State = schema.StateEnded
		return next, nil
	}); err != nil {
		f.b.Fatal(err)
	}
}

// process runs the process role.
func (f *replayFleet) process() (stop func()) {
	symbols, err := symbolcache.New(symbolcache.Options{Dir: f.b.TempDir(), Sources: []symbolcache.Source{symbolcache.Dir("../../testdata/symbols")}})
	if err != nil {
		f.b.Fatal(err)
	}
	registry := newRegistry()
	roles := newRoles(f.k, "0", f.k.Log, registry, nil)
	ctx, cancel := context.WithCancel(f.b.Context())
	var all sync.WaitGroup
	all.Go(func() { roles.versions.Run(ctx) })
	all.Go(func() {
		roles.process(ctx, processFlags{Memory: 512 << 20, LaneShare: 0.5}, deadLetterFlags{DeadLettersInARow: 50, DeadLettersShare: 0.5}, nil, &caches{symbols: symbols})
	})
	return sync.OnceFunc(func() {
		cancel()
		all.Wait()
		symbols.Close()
	})
}

// BenchmarkReplay makes a version from raw crashes and another one from processed ones,
// and looks at how long live crashes take beside the first.
func BenchmarkReplay(b *testing.B) {
	const crashes, live = 40_000, 1500
	f := newReplayFleet(b)
	for sent := 0; sent < crashes; sent += 2000 {
		f.send(2000)
	}
	stop := f.process()
	defer stop()
	took := f.passed(schema.ProcessGroup(1), schema.TopicRaw, 0)
	b.ReportMetric(crashes/took.Seconds(), "processed/s")
	b.ReportMetric(float64(f.bytes(schema.ProcessedTopic(1)))/crashes, "B/event")

	f.latencies(live / 5)
	for name, ms := range f.latencies(live) {
		b.ReportMetric(ms, "alone-"+name+"-ms")
	}

	v := schema.SignatureVersion{Number: 2, Source: schema.SourceProcessed, Share: 1, Base: 1}
	v.Begins, v.BaseEnds, v.BaseRequests = f.offsets(schema.TopicRaw), f.offsets(schema.ProcessedTopic(1)), f.offsets(schema.TopicReprocess)
	f.start(v)
	took = f.passed(schema.ResignGroup(2), schema.ProcessedTopic(1), 0)
	b.ReportMetric(float64(f.sent)/took.Seconds(), "resigned/s")

	f.end(2)
	f.start(schema.SignatureVersion{Number: 3, Source: schema.SourceRaw, Share: 0.5})
	began := time.Now()
	time.Sleep(2 * time.Second) // to begin a version takes a moment, and is another matter
	for name, ms := range f.latencies(live) {
		b.ReportMetric(ms, "beside-"+name+"-ms")
	}
	f.passed(schema.ProcessGroup(3), schema.TopicRaw, 0)
	b.ReportMetric(float64(f.sent)/time.Since(began).Seconds(), "replayed/s")
	b.ReportMetric(0, "ns/op")
}

// latencies sends live crashes, 100 a second, and says when the processed ones come.
func (f *replayFleet) latencies(n int) map[string]float64 {
	cl, err := kgo.NewClient(append(f.k.Options(), kgo.ConsumeTopics(schema.ProcessedTopic(1)), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeStartOffset(kgo.NewOffset().AtEnd()))...)
	if err != nil {
		f.b.Fatal(err)
	}
	defer cl.Close()
	warm, cancel := context.WithTimeout(f.b.Context(), time.Second)
	cl.PollFetches(warm)
	cancel()
	var mu sync.Mutex
	sent := map[string]time.Time{}
	go func() {
		for range n {
			r := f.crash()
			mu.Lock()
			sent[string(r.Key)] = time.Now()
			mu.Unlock()
			f.client.Produce(f.b.Context(), r, nil)
			time.Sleep(10 * time.Millisecond)
		}
	}()
	var took []time.Duration
	for len(took) < n {
		cl.PollFetches(f.b.Context()).EachRecord(func(r *kgo.Record) {
			mu.Lock()
			defer mu.Unlock()
			if at, ok := sent[string(r.Key)]; ok {
				took = append(took, time.Since(at))
			}
		})
	}
	slices.Sort(took)
	at := func(q float64) float64 { return float64(took[int(q*float64(n-1))].Microseconds()) / 1000 }
	return map[string]float64{"p50": at(0.5), "p99": at(0.99)}
}

// bytes are those of the values in a topic.
func (f *replayFleet) bytes(topic string) (n int64) {
	if err := stream.EachCommitted(f.b.Context(), f.k, topic, func(r *kgo.Record) error { n += int64(len(r.Value)); return nil }); err != nil {
		f.b.Fatal(err)
	}
	return n
}
