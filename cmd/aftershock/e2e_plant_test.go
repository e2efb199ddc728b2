package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/blob"
	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// plant is a broker with topics and version 1, for the verbs that look after them.
type plant struct {
	t     *testing.T
	kafka stream.Kafka
	blobs string
}

func newPlant(t *testing.T) *plant {
	t.Helper()
	k, _ := streamtest.Broker(t, 1)
	if err := prepare(t.Context(), k, topicFlags{Partitions: 2, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	return &plant{t, k, t.TempDir()}
}

// run runs a verb on the plant.
func (p *plant) run(args ...string) (out, errs string, code int) {
	p.t.Helper()
	return p.runAlone(append(args, "--brokers", p.kafka.Brokers[0])...)
}

// runAlone runs a verb that knows no brokers.
func (p *plant) runAlone(args ...string) (out, errs string, code int) {
	p.t.Helper()
	var stdout, stderr bytes.Buffer
	code = Main(args, &stdout, &stderr)
	return stdout.String(), stderr.String(), code
}

const secret = "canary-5e1d"

var autumn = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func autumnID(n int) string { return fmt.Sprintf("%08x-0000-4000-8000-000000261122", n) }

// rawCrash is a raw crash with a private value, a dump in the event and one in
// the blob store, which hold "inline <n>" and "blob <n>".
func (p *plant) rawCrash(n int) *schema.RawCrash {
	p.t.Helper()
	id := autumnID(n)
	inline, stored := fmt.Appendf(nil, "inline %d", n), fmt.Appendf(nil, "blob %d", n)
	key, err := blob.Key(id, "upload_file_minidump_browser", sha256.Sum256(stored))
	if err != nil {
		p.t.Fatal(err)
	}
	store, err := blob.Open(p.blobs)
	if err != nil {
		p.t.Fatal(err)
	}
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	defer enc.Close()
	if err := store.Put(p.t.Context(), key, stored); err != nil {
		p.t.Fatal(err)
	}
	return &schema.RawCrash{
		CrashID: id, ReceivedAt: autumn, Notes: []string{schema.NoteAnnotationTwice},
		Annotations: map[string]string{"URL": secret, "ProductName": secret + "-product", "Unknown": secret},
		Payload:     schema.Payload{Kind: "multipart", Size: 99, UserAgent: secret},
		Dumps: []schema.Dump{
			{Name: schema.MainDump, Size: int64(len(inline)), SHA256: sha256.Sum256(inline), Encoding: schema.EncodingZstd, Inline: enc.EncodeAll(inline, nil)},
			{Name: "upload_file_minidump_browser", Size: int64(len(stored)), SHA256: sha256.Sum256(stored), Encoding: schema.EncodingNone, Blob: &key},
		},
	}
}

// put appends the raw crashes of the numbers.
func (p *plant) put(numbers ...int) (records []*kgo.Record) {
	p.t.Helper()
	for _, n := range numbers {
		value, err := schema.Encode(p.rawCrash(n))
		if err != nil {
			p.t.Fatal(err)
		}
		records = append(records, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(autumnID(n)), Value: value, Timestamp: autumn})
	}
	streamtest.Put(p.t, p.kafka, records...)
	return records
}

// requests are those that were made, as text.
func (p *plant) requests() (out []string) {
	p.t.Helper()
	err := stream.EachCommitted(p.t.Context(), p.kafka, schema.TopicReprocess, func(r *kgo.Record) error {
		q, err := schema.Decode[schema.ReprocessRequest](r.Value)
		if err != nil || q.CrashID != string(r.Key) {
			return fmt.Errorf("%+v, %w", q, err)
		}
		out = append(out, fmt.Sprintf("%.8s %d/%d %v attempt %d %s", q.CrashID, q.Raw.Partition, q.Raw.Offset, q.Versions, q.Attempt, q.Reason))
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	slices.Sort(out)
	return out
}
