package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	if _, err := prepare(t.Context(), k, topicFlags{Partitions: 2, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	return &plant{t, k, t.TempDir()}
}

// run runs a verb on the plant.
func (p *plant) run(args ...string) (out, errs string, code int) {
	p.t.Helper()
	var stdout, stderr bytes.Buffer
	code = Main(append(args, "--brokers", p.kafka.Brokers[0]), &stdout, &stderr)
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

func TestGetDescribesACrashWithoutItsValues(t *testing.T) {
	p := newPlant(t)
	p.put(1, 2)
	for _, args := range [][]string{{"get", autumnID(2)}, {"get", "bp-" + autumnID(2), "--json"}} {
		out, errs, code := p.run(args...)
		if code != 0 || strings.Contains(out+errs, secret) {
			t.Errorf("%v: exit code %d, %s%s", args, code, out, errs)
		}
		sum := fmt.Sprintf("%x", sha256.Sum256([]byte("inline 2")))
		for _, want := range []string{autumnID(2), "crash.raw", "URL", "protected", "ProductName", "public", "Unknown", sum, "zstd", "raw/v1/2026/11/22", schema.NoteAnnotationTwice} {
			if !strings.Contains(out, want) {
				t.Errorf("%v: no %s in\n%s", args, want, out)
			}
		}
		if out, _, _ = p.run(append(args, "--values")...); strings.Count(out, secret) != 4 {
			t.Errorf("--values: %s", out)
		}
	}
	var facts rawFacts
	out, _, _ := p.run("get", autumnID(1), "--json")
	if err := json.Unmarshal([]byte(out), &facts); err != nil || len(facts.Annotations) != 3 || !facts.ReceivedAt.Equal(autumn) || facts.Annotations[2].Size != int64(len(secret)) {
		t.Errorf("%v: %s", err, out)
	}
	for name, args := range map[string][]string{autumnID(3) + ": no raw crash has this id": {autumnID(3)}, "want 36 characters": {"crash"}} {
		want := exitFailed
		if args[0] == "crash" {
			want = exitUsage
		}
		if _, errs, code := p.run("get", args[0]); code != want || !strings.Contains(errs, name) {
			t.Errorf("%v: exit code %d, %s", args, code, errs)
		}
	}
}

func TestGetGivesDumpsBackAsTheyCame(t *testing.T) {
	p := newPlant(t)
	p.put(1)
	file := filepath.Join(t.TempDir(), "out.dmp")
	other := []string{"--dump-name", "upload_file_minidump_browser", "--dump", "-"}
	for name, tc := range map[string]struct {
		args []string
		out  string
		code int
		errs string
	}{
		"the main dump":            {[]string{"--dump", "-"}, "inline 1", 0, ""},
		"to a file":                {[]string{"--dump", file}, "", 0, ""},
		"another, of the store":    {append(other, "--blob", p.blobs), "blob 1", 0, ""},
		"without a store":          {other, "", exitFailed, "--blob"},
		"a store that is not that": {append(other, "--blob", t.TempDir()), "", exitFailed, "blob not found"},
		"a dump that is none":      {[]string{"--dump", "-", "--dump-name", "x"}, "", exitFailed, "upload_file_minidump_browser"},
	} {
		out, errs, code := p.run(append([]string{"get", autumnID(1)}, tc.args...)...)
		if out != tc.out || code != tc.code || !strings.Contains(errs, tc.errs) {
			t.Errorf("%s: exit code %d, %q, %s", name, code, out, errs)
		}
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "inline 1" {
		t.Errorf("%q, %v", data, err)
	}
	raw := p.rawCrash(2)
	raw.Dumps[0].SHA256[0]++
	value, err := schema.Encode(raw)
	if err != nil {
		t.Fatal(err)
	}
	streamtest.Put(t, p.kafka, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(autumnID(2)), Value: value, Timestamp: autumn})
	if out, errs, code := p.run("get", autumnID(2), "--dump", "-"); code != exitFailed || out != "" || !strings.Contains(errs, "SHA-256") {
		t.Errorf("other bytes: exit code %d, %q, %s", code, out, errs)
	}
}

func TestReprocessAsksForTheCrashesThatItFinds(t *testing.T) {
	p := newPlant(t)
	at := map[int]string{}
	for i, r := range p.put(1, 2, 3) {
		at[i+1] = fmt.Sprintf("%d/%d", r.Partition, r.Offset)
	}
	list := filepath.Join(t.TempDir(), "ids")
	writeFile(t, list, []byte("bp-"+autumnID(2)+"\n\n"+autumnID(3)+"\n"))
	args := []string{"reprocess", autumnID(1), autumnID(77), autumnID(2), "--file", list, "--versions", "1", "--reason", "new symbols"}
	out, errs, code := p.run(append(args, "--dry-run")...)
	if code != exitFailed || strings.Count(out, "would ask for") != 3 || !strings.Contains(errs, autumnID(77)) || len(p.requests()) != 0 {
		t.Errorf("dry run: exit code %d, %s%s", code, out, errs)
	}
	out, errs, code = p.run(args...)
	if code != exitFailed || strings.Count(out, "asked for") != 3 || !strings.Contains(errs, autumnID(77)+": no raw crash has this id") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	var want []string
	for n := 1; n <= 3; n++ {
		want = append(want, fmt.Sprintf("%08x %s [1] attempt 0 new symbols", n, at[n]))
	}
	if got := p.requests(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if out, errs, code := p.run("reprocess", autumnID(1)); code != 0 || len(p.requests()) != 4 {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	for name, args := range map[string][]string{
		"no ids":                    {},
		"no id":                     {"crash"},
		"a version that is none":    {autumnID(1), "--versions", "2"},
		"a reason one byte too big": {autumnID(1), "--reason", strings.Repeat("x", maxReasonBytes+1)},
	} {
		if _, errs, code := p.run(append([]string{"reprocess"}, args...)...); code != exitUsage {
			t.Errorf("%s: exit code %d, %s", name, code, errs)
		}
	}
	if _, errs, code := p.run("reprocess", autumnID(1), "--dry-run", "--reason", strings.Repeat("x", maxReasonBytes)); code != 0 {
		t.Errorf("the longest reason: exit code %d, %s", code, errs)
	}
}

func TestCrashIDsAreBounded(t *testing.T) {
	ids := []string{autumnID(1), "bp-" + autumnID(1), autumnID(2), autumnID(3)}
	if got, err := crashIDs(ids[:3], "", 2); err != nil || !slices.Equal(got, []string{autumnID(1), autumnID(2)}) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := crashIDs(ids, "", 2); err == nil {
		t.Error("one more was taken")
	}
}
