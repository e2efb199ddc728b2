package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/internal/freeport"
)

func kafkaClient(t *testing.T, addr string, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(addr), kgo.FetchMaxWait(100 * time.Millisecond), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func createTopic(t *testing.T, addr, name string, config ...string) {
	t.Helper()
	settings := make(map[string]*string)
	for _, c := range config {
		k, v, _ := strings.Cut(c, "=")
		settings[k] = &v
	}
	if _, err := kadm.NewClient(kafkaClient(t, addr)).CreateTopic(t.Context(), 1, 1, settings, name); err != nil {
		t.Fatal(err)
	}
}

// values reads n values of a topic as a consumer that sees committed records only.
func values(t *testing.T, addr, topic string, n int) []string {
	t.Helper()
	client := kafkaClient(t, addr, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var got []string
	for len(got) < n {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%s: after %q: %v", topic, got, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	return got
}

func produce(t *testing.T, client *kgo.Client, topic, value string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr()
}

func transact(t *testing.T, client *kgo.Client, topic, value string, commit kgo.TransactionEndTry) {
	t.Helper()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := produce(t, client, topic, value); err != nil {
		t.Fatal(err)
	}
	if err := client.EndTransaction(t.Context(), commit); err != nil {
		t.Fatal(err)
	}
}

func TestBrokerSurvives(t *testing.T) {
	dir, addr := t.TempDir(), freeport.Address(t)
	begun := time.Now()
	child := startBroker(t, dir, addr, 0)
	t.Logf("broker ready after %s, %d MiB", time.Since(begun), rss(t, child.PID())>>20)
	createTopic(t, addr, "t")
	producer := kafkaClient(t, addr, kgo.TransactionalID("tx"))
	transact(t, producer, "t", "one", kgo.TryCommit)
	transact(t, producer, "t", "aborted", kgo.TryAbort)
	commitOffset(t, addr, 1)

	first := child.PID()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a restart", func() bool { return child.PID() != first && BrokerReady(addr)(t.Context()) == nil })
	transact(t, kafkaClient(t, addr, kgo.TransactionalID("tx")), "t", "two", kgo.TryCommit)
	stop(t, child)

	startBroker(t, dir, addr, 0)
	if got := values(t, addr, "t", 2); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("read %q", got)
	}
	offsets, err := kadm.NewClient(kafkaClient(t, addr)).FetchOffsets(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	if at, ok := offsets.Lookup("t", 0); !ok || at.At != 1 {
		t.Errorf("committed offset %v", at)
	}

	_, err = Start(t.Context(), ChildOptions{
		Name: "second", Exe: "/proc/self/exe",
		Env:   childConfig{Role: "broker", Dir: dir, Listen: freeport.Address(t)}.env(),
		Ready: func(context.Context) error { return errors.New("not yet") },
	})
	if err == nil || !strings.Contains(err.Error(), dir+" is in use by process") {
		t.Errorf("second broker on the same directory: %v", err)
	}
}

func commitOffset(t *testing.T, addr string, at int64) {
	t.Helper()
	offsets := make(kadm.Offsets)
	offsets.AddOffset("t", 0, at, -1)
	if _, err := kadm.NewClient(kafkaClient(t, addr)).CommitOffsets(t.Context(), "g", offsets); err != nil {
		t.Fatal(err)
	}
}

func TestBrokerAppliesRetention(t *testing.T) {
	addr := freeport.Address(t)
	startBroker(t, t.TempDir(), addr, 100*time.Millisecond)
	createTopic(t, addr, "short", "retention.ms=300")
	createTopic(t, addr, "long", "retention.ms=-1")
	client := kafkaClient(t, addr)
	old := time.Now().Add(-365 * 24 * time.Hour)
	for _, topic := range []string{"short", "long"} {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("old"), Timestamp: old}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	admin := kadm.NewClient(client)
	startOf := func(topic string) int64 {
		offsets, err := admin.ListStartOffsets(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		at, _ := offsets.Lookup(topic, 0)
		return at.Offset
	}
	waitFor(t, "the old record's end", func() bool { return startOf("short") == 1 })
	if got := startOf("long"); got != 0 {
		t.Errorf("the topic kept for ever starts at %d", got)
	}
	if err := produce(t, client, "short", "new"); err != nil {
		t.Error(err)
	}
}

func TestBrokerCompacts(t *testing.T) {
	addr := freeport.Address(t)
	startBroker(t, t.TempDir(), addr, 100*time.Millisecond)
	createTopic(t, addr, "c", "cleanup.policy=compact", "retention.ms=-1")
	client := kafkaClient(t, addr)
	for i := range 4 {
		r := &kgo.Record{Topic: "c", Key: []byte("k"), Value: fmt.Append(nil, i)}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "compaction", func() bool { return values(t, addr, "c", 1)[0] == "2" }) // the last batch stays as it is
}

func TestBrokerLimits(t *testing.T) {
	addr := freeport.Address(t)
	startBroker(t, t.TempDir(), addr, 0)
	createTopic(t, addr, "large", fmt.Sprintf("max.message.bytes=%d", maxMessageBytes))
	const overhead = 200 // of a batch around its one record
	client := kafkaClient(t, addr, kgo.ProducerBatchMaxBytes(2*maxMessageBytes), kgo.ProducerBatchCompression(kgo.NoCompression()))
	whole := string(bytes.Repeat([]byte("x"), maxMessageBytes-overhead))
	if err := produce(t, client, "large", whole); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if got := values(t, addr, "large", 1); got[0] != whole {
		t.Errorf("read %d bytes", len(got[0]))
	}
	if err := produce(t, client, "large", whole+strings.Repeat("x", overhead)); !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
	if err := produce(t, kafkaClient(t, addr, kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(1)), "nosuch", "x"); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("unknown topic: %v", err)
	}
}

func TestServersRefuseBadOptions(t *testing.T) {
	for name, o := range map[string]BrokerOptions{
		"no directory": {Listen: "127.0.0.1:9"},
		"no port":      {Dir: t.TempDir(), Listen: "127.0.0.1:0"},
		"other host":   {Dir: t.TempDir(), Listen: "0.0.0.0:9092"},
		"no address":   {Dir: t.TempDir()},
	} {
		if err := ServeBroker(t.Context(), o); err == nil {
			t.Errorf("broker, %s: no error", name)
		}
		if err := ServeClickHouse(t.Context(), ClickHouseOptions{Dir: o.Dir, Listen: o.Listen}); err == nil {
			t.Errorf("clickhouse, %s: no error", name)
		}
	}
}
