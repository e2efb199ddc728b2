package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/processor/pingstack/pingtest"
	"aftershock/schema"
	"aftershock/stream"
)

// The environment of make chaos: for how long, and the seed of the schedule.
const (
	chaosFor  = "AFTERSHOCK_CHAOS_FOR"
	chaosSeed = "AFTERSHOCK_CHAOS_SEED"
	chaosS3   = "AFTERSHOCK_CHAOS_S3" // blobs in S3 instead of on a small disk
)

// shortChaos is what fits make test.
const shortChaos = 25 * time.Second

// Whatever dies, halts, fills up or goes away, and whenever: in the end every crash
// that the door took is once in ClickHouse and once in the public topic, or a dead
// letter, and every crash that it answered is among them.
func TestChaos(t *testing.T) { chaos(t, false) }

// TestChaosRealKafka is the same with a real Kafka; make chaos-kafka runs it.
func TestChaosRealKafka(t *testing.T) {
	if os.Getenv(chaosFor) == "" {
		t.Skip("make chaos-kafka runs it")
	}
	chaos(t, true)
}

func chaos(t *testing.T, realKafka bool) {
	length, seed := shortChaos, uint64(1)
	if text := os.Getenv(chaosFor); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		seed = rand.Uint64() //nolint:gosec // it is printed
	}
	if text := os.Getenv(chaosSeed); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%s=%d for %v", chaosSeed, seed, length)
	f := startFleet(t, realKafka, os.Getenv(chaosS3) != "")
	over := make(chan struct{})
	var answered []string
	var load sync.WaitGroup
	load.Go(func() { answered = f.load(over) })
	counts := f.havoc(rand.New(rand.NewPCG(seed, 1)), length) //nolint:gosec // the same schedule for the same seed
	close(over)
	load.Wait()
	t.Logf("%s; %d reports answered", counts, len(answered))
	f.waitReady()
	var sum string
	eventually(t, 4*time.Minute, func() (err error) {
		sum, err = f.account(answered)
		return err
	})
	t.Log(sum)
	// And the operator's own proof says the same.
	eventually(t, time.Minute, func() error {
		out, err := program(t.Context(), "--log-level", "error", "verify", "--brokers", f.kafka, "--clickhouse-url", "http://"+f.clickhouse).CombinedOutput()
		if err != nil {
			return fmt.Errorf("verify: %w\n%s", err, out)
		}
		return nil
	})
	if len(answered) < 20 {
		t.Errorf("only %d reports were answered: that shows nothing", len(answered))
	}
}

// load sends reports from some senders until over, each again until a door answers,
// and returns the answered ids. Every tenth dump goes to the blob store, and every fifth is
// a ping instead.
func (f *fleet) load(over <-chan struct{}) (answered []string) {
	var bodies [][]byte
	var contentType []string
	add := func(dump []byte) {
		b, c := reportBody(f.t, dump)
		bodies, contentType = append(bodies, b), append(contentType, c)
	}
	for _, path := range samples(f.t) {
		dump, err := os.ReadFile(path)
		if err != nil {
			f.t.Error(err)
			return nil
		}
		add(dump)
	}
	small := len(bodies)
	for range 3 {
		path := f.t.TempDir() + "/large.dmp"
		writeLargeDump(f.t, path, 300<<10)
		dump, err := os.ReadFile(path)
		if err != nil {
			f.t.Error(err)
			return nil
		}
		add(dump)
	}
	ping := string(pingOf(f.t, samples(f.t)[0], pingtest.Desktop, map[string]any{"document_id": pingMark}))
	client := &http.Client{Timeout: 15 * time.Second}
	var mu sync.Mutex
	var senders sync.WaitGroup
	var n atomic.Int64
	for range 3 {
		senders.Go(func() {
			for {
				select {
				case <-over:
					return
				case <-time.After(30 * time.Millisecond):
				}
				i := int(n.Add(1))
				which := i % small
				if i%10 == 0 {
					which = small + i/10%3
				}
				path, body, kind := "/submit", bodies[which], contentType[which]
				if i%5 == 1 {
					path, body, kind = "/ping", []byte(strings.Replace(ping, pingMark, uuid.NewString(), 1)), "application/json"
				}
				for try := 0; ; try++ {
					if id := post(client, f.doors[(i+try)%len(f.doors)]+path, body, kind); id != "" {
						mu.Lock()
						answered = append(answered, id)
						mu.Unlock()
						break
					}
					select {
					case <-over:
						return // never answered: nobody was promised anything
					case <-time.After(100 * time.Millisecond):
					}
				}
			}
		})
	}
	senders.Wait()
	return answered
}

// pingMark stands for a ping's own id.
const pingMark = "its own id"

func post(client *http.Client, url string, body []byte, contentType string) (id string) {
	res, err := client.Post("http://"+url, contentType, bytes.NewReader(body))
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	answer := make([]byte, 100)
	n, _ := res.Body.Read(answer)
	id, ok := strings.CutPrefix(strings.TrimSpace(string(answer[:n])), "CrashID=bp-")
	if !ok || res.StatusCode != http.StatusOK {
		return ""
	}
	return id
}

// havoc harms one victim after the other, and returns what it did. What takes a
// while goes on beside the next harm.
func (f *fleet) havoc(r *rand.Rand, length time.Duration) string {
	var kills, stops, terms, outages, slow, full int
	var harms sync.WaitGroup
	between := func(least, most time.Duration) time.Duration {
		return least + time.Duration(r.Int64N(int64(most-least)))
	}
	busy := map[string]*atomic.Bool{} // one harm a victim at a time
	for _, v := range f.victims {
		busy[v.name()] = &atomic.Bool{}
	}
	var diskBusy atomic.Bool
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(between(300*time.Millisecond, 1500*time.Millisecond)) {
		v := f.victims[r.IntN(len(f.victims))]
		role := f.roles[r.IntN(len(f.roles))]
		what, d := r.IntN(20), between(time.Second, 9*time.Second)
		begin := func(on *atomic.Bool, harm func()) bool {
			if !on.CompareAndSwap(false, true) {
				return false
			}
			harms.Go(func() { defer on.Store(false); harm() })
			return true
		}
		switch {
		case what < 10:
			kills += count(begin(busy[v.name()], func() { v.kill(0) }))
		case what < 13:
			stops += count(begin(busy[v.name()], func() { v.stop(d) }))
		case what < 15:
			terms += count(begin(busy[role.name()], func() { role.signal(syscall.SIGTERM) }))
		case what < 17: // a server goes away and comes back
			server := f.victims[r.IntN(2)]
			if begin(busy[server.name()], func() { server.kill(d / 2) }) {
				outages++
				kills++
			}
		case what < 19: // ClickHouse takes its time
			clickhouse := f.victims[1]
			slow += count(begin(busy[clickhouse.name()], func() {
				for range 10 {
					clickhouse.stop(d / 12)
					time.Sleep(50 * time.Millisecond)
				}
			}))
		case f.disk != nil && f.disk.mounted:
			full += count(begin(&diskBusy, func() { f.disk.fill(); time.Sleep(d / 2); f.disk.free() }))
		}
	}
	harms.Wait()
	return fmt.Sprintf("%d kill -9 (%d with an outage), %d halts, %d SIGTERM, %d times slow, %d times disk full", kills, outages, stops, terms, slow, full)
}

func count(done bool) int {
	if done {
		return 1
	}
	return 0
}

// history is where the records of a crash lie, and who produced them.
func (f *fleet) history(k stream.Kafka, id string) string {
	var out strings.Builder
	for _, topic := range []string{schema.TopicRaw, schema.ProcessedTopic(1), schema.TopicTelemetry} {
		var copies []*kgo.Record
		err := stream.EachCommitted(f.t.Context(), k, topic, func(r *kgo.Record) error {
			if string(r.Key) == id {
				copies = append(copies, r)
				fmt.Fprintf(&out, "%s %d/%d at %v, producer %d epoch %d", topic, r.Partition, r.Offset, r.Timestamp.Format("15:04:05.000"), r.ProducerID, r.ProducerEpoch)
				if topic == schema.ProcessedTopic(1) {
					p, err := schema.DecodeHead(r.Value)
					fmt.Fprintf(&out, " raw %+v revision %d (%v)", p.Raw, p.Revision, err)
				}
				out.WriteString("\n")
			}
			return nil
		})
		if err != nil {
			fmt.Fprintf(&out, "%s: %v\n", topic, err)
		}
		if len(copies) > 1 && topic != schema.TopicRaw {
			f.between(&out, copies[0], copies[len(copies)-1])
		}
	}
	return out.String()
}

// between writes what lies around two records of a partition, with the ends of
// transactions.
func (f *fleet) between(out *strings.Builder, first, last *kgo.Record) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(f.kafka), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{first.Topic: {first.Partition: kgo.NewOffset().At(max(first.Offset-8, 0))}}))
	if err != nil {
		return
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(f.t.Context(), 10*time.Second)
	defer cancel()
	for end := false; !end && ctx.Err() == nil; {
		for _, r := range cl.PollFetches(ctx).Records() {
			what := string(r.Key)
			if r.Attrs.IsControl() {
				what = fmt.Sprintf("end of a transaction, %x (1: commit)", r.Key)
			}
			fmt.Fprintf(out, "  %d at %v, producer %d epoch %d: %s\n", r.Offset, r.Timestamp.Format("15:04:05.000"), r.ProducerID, r.ProducerEpoch, what)
			if end = r.Offset > last.Offset+8; end {
				break
			}
		}
	}
}

// account compares what came in with what came out. It fails while something is
// missing, and ends the test when something is there that must not be.
func (f *fleet) account(answered []string) (sum string, err error) {
	k := stream.Kafka{Brokers: []string{f.kafka}, Log: zerolog.Nop()}
	count := func(topic string) (map[string]int, error) {
		ids := map[string]int{}
		ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
		defer cancel()
		return ids, stream.EachCommitted(ctx, k, topic, func(r *kgo.Record) error { ids[string(r.Key)]++; return nil })
	}
	raw, err := count(schema.TopicRaw)
	if err != nil {
		return "", err
	}
	processed, err1 := count(schema.ProcessedTopic(1))
	published, err2 := count(schema.TopicTelemetry)
	dead, err3 := count(schema.TopicDeadLetter)
	text, err4 := httpGet("http://" + f.clickhouse + "/?query=" + url.QueryEscape("SELECT crash_id, count() FROM (SELECT crash_id FROM aftershock.crashes UNION ALL SELECT crash_id FROM aftershock.pings) GROUP BY crash_id"))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return "", err
	}
	rows := map[string]int{}
	for _, line := range lines(text) {
		id, n, _ := strings.Cut(line, "\t")
		if rows[id], err = strconv.Atoi(n); err != nil {
			return "", err
		}
	}
	again := 0
	for id, n := range raw {
		again += n - 1
		switch {
		case dead[id] > 0:
		case rows[id] == 0 || published[id] == 0 || processed[id] == 0:
			return "", fmt.Errorf("%s: %d times processed, %d rows, published %d times (%d raw, %d processed, %d rows, %d published)",
				id, processed[id], rows[id], published[id], len(raw), len(processed), len(rows), len(published))
		}
		if rows[id] > 1 || published[id] > 1 || processed[id] > 1 {
			f.t.Fatalf("%s: %d times processed, %d rows, published %d times\n%s", id, processed[id], rows[id], published[id], f.history(k, id))
		}
	}
	for _, id := range answered {
		if raw[id] == 0 {
			f.t.Fatalf("%s was answered and is lost", id)
		}
	}
	for name, ids := range map[string]map[string]int{"rows": rows, "published": published, "processed": processed} {
		if len(ids) > len(raw) {
			f.t.Fatalf("%s: %d crashes, %d came in", name, len(ids), len(raw))
		}
	}
	return fmt.Sprintf("%d crashes came in (%d answered, %d records twice), %d processed, %d rows, %d published, %d dead letters: 0 missing, 0 double",
		len(raw), len(answered), again, len(processed), len(rows), len(published), len(dead)), nil
}
