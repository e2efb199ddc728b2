package stream_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/blob"
	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// foreign is a raw crash of a door that is not ours.
func foreign(n int) *schema.RawCrash {
	dump := []byte("MDMP of a foreign door")
	return &schema.RawCrash{
		CrashID: crashID(n), Kind: schema.KindReport, ReceivedAt: received(n), Annotations: map[string]string{"ProductName": "Acme"},
		Dumps:    []schema.Dump{{Name: schema.MainDump, Size: int64(len(dump)), SHA256: sha256.Sum256(dump), Encoding: schema.EncodingNone, Inline: dump}},
		Throttle: schema.Throttle{Rule: "accept_everything", Rate: 1, Result: schema.ThrottleAccept},
	}
}

// breach is a way to break the contract: of the event, or of its record.
type breach struct {
	name   string
	event  func(raw *schema.RawCrash)
	record func(r *kgo.Record)
	code   string // what raw check calls it; "" when it finds nothing
	dead   string // the class of its dead letter; "" when it is processed
}

func breaches() []breach {
	blobKey := func(raw *schema.RawCrash) *string {
		key, _ := blob.Key(raw.CrashID, raw.Dumps[0].Name, raw.Dumps[0].SHA256)
		return &key
	}
	main := func(change func(raw *schema.RawCrash, d *schema.Dump)) func(*schema.RawCrash) {
		return func(raw *schema.RawCrash) { change(raw, &raw.Dumps[0]) }
	}
	annotation := func(name, value string) func(*schema.RawCrash) {
		return func(raw *schema.RawCrash) { raw.Annotations[name] = value }
	}
	value := func(change func(b []byte) []byte) func(*kgo.Record) {
		return func(r *kgo.Record) { r.Value = change(r.Value) }
	}
	throttle := func(rule string, rate float64, result string) func(*schema.RawCrash) {
		return func(raw *schema.RawCrash) { raw.Throttle = schema.Throttle{Rule: rule, Rate: rate, Result: result} }
	}
	return []breach{
		{name: "none"},
		{name: "no key", record: func(r *kgo.Record) { r.Key = nil }, code: stream.RawKey, dead: schema.DeadCrashID},
		{name: "another key", record: func(r *kgo.Record) { r.Key = []byte(crashID(99)) }, code: stream.RawKey, dead: schema.DeadCrashID},
		{name: "a binary key", record: func(r *kgo.Record) { r.Key = []byte{0, 1, 2} }, code: stream.RawKey, dead: schema.DeadCrashID},
		{name: "no value", record: func(r *kgo.Record) { r.Value = nil }, code: stream.RawUndecodable, dead: schema.DeadRawUndecodable},
		{name: "an empty value", record: value(func([]byte) []byte { return []byte{} }), code: stream.RawUndecodable, dead: schema.DeadRawUndecodable},
		{name: "JSON", record: value(func([]byte) []byte { return []byte(`{"crash_id":"x"}`) }), code: stream.RawUndecodable, dead: schema.DeadRawUndecodable},
		{name: "an unknown schema", record: value(func(b []byte) []byte { return append([]byte{0, 0, 1, 0, 0}, b[5:]...) }), code: stream.RawUndecodable, dead: schema.DeadRawUndecodable},
		{name: "another event's schema", record: value(func(b []byte) []byte { return append([]byte{0, 0, 0, 0, 6}, b[5:]...) }), code: stream.RawUndecodable, dead: schema.DeadRawUndecodable},
		{name: "no wire format", record: value(func(b []byte) []byte { return b[5:] }), code: stream.RawUndecodable, dead: schema.DeadRawUndecodable},
		{name: "cut", record: value(func(b []byte) []byte { return b[:len(b)/2] }), code: stream.RawUndecodable, dead: schema.DeadRawUndecodable},
		{name: "cut by a byte", record: value(func(b []byte) []byte { return b[:len(b)-1] }), code: stream.RawUndecodable, dead: schema.DeadRawUndecodable},
		{name: "more behind it", record: value(func(b []byte) []byte { return append(b, 1) }), code: stream.RawUndecodable, dead: schema.DeadRawUndecodable},
		{name: "a length that lies", record: value(func(b []byte) []byte { b[5] = 0xff; return b }), code: stream.RawUndecodable, dead: schema.DeadRawUndecodable},
		{name: "no crash id", event: func(raw *schema.RawCrash) { raw.CrashID = "" }, code: stream.RawCrashID, dead: schema.DeadCrashID},
		{name: "a crash id in capitals", event: func(raw *schema.RawCrash) { raw.CrashID = strings.ToUpper("de1bb258-cbbf-4589-a673-34f800261122") }, code: stream.RawCrashID, dead: schema.DeadCrashID},
		{name: "a prefix", event: func(raw *schema.RawCrash) { raw.CrashID = "bp-" + raw.CrashID }, code: stream.RawCrashID, dead: schema.DeadCrashID},
		{name: "a crash id without dashes", event: func(raw *schema.RawCrash) { raw.CrashID = strings.ReplaceAll(raw.CrashID, "-", "0") }, code: stream.RawCrashID, dead: schema.DeadCrashID},
		{name: "a day that is none", event: func(raw *schema.RawCrash) { raw.CrashID = raw.CrashID[:30] + "269999" }, code: stream.RawCrashID, dead: schema.DeadCrashID},
		{name: "another day", event: func(raw *schema.RawCrash) { raw.CrashID = raw.CrashID[:30] + "200101" }, record: func(r *kgo.Record) { r.Key = []byte(crashID(0)[:30] + "200101") }, code: stream.RawDay},
		{name: "the next day, an hour late", event: func(raw *schema.RawCrash) { raw.ReceivedAt = dayOfCrashes.Add(13 * time.Hour) }, record: func(r *kgo.Record) { r.Timestamp = dayOfCrashes.Add(13 * time.Hour) }},
		{name: "the next day, later", event: func(raw *schema.RawCrash) { raw.ReceivedAt = dayOfCrashes.Add(13*time.Hour + 1e6) }, record: func(r *kgo.Record) { r.Timestamp = dayOfCrashes.Add(13*time.Hour + 1e6) }, code: stream.RawDay},
		{name: "another timestamp", record: func(r *kgo.Record) { r.Timestamp = r.Timestamp.Add(time.Millisecond) }, code: stream.RawTimestamp},
		{name: "a time before all", event: func(raw *schema.RawCrash) { raw.ReceivedAt = time.UnixMilli(-1 << 40) }, code: stream.RawDay},
		{name: "too large", event: annotation("a", strings.Repeat("x", schema.MaxRawBytes)), code: stream.RawTooLarge},
		{name: "an annotation without a name", event: annotation("", "x"), code: stream.RawAnnotation},
		{name: "a name of 128", event: annotation(strings.Repeat("n", 128), "x")},
		{name: "a name of 129", event: annotation(strings.Repeat("n", 129), "x"), code: stream.RawAnnotation},
		{name: "a name of control characters", event: annotation("a\nb", "x"), code: stream.RawAnnotation},
		{name: "a name of no text", event: annotation("\xff", "x"), code: stream.RawAnnotation},
		{name: "a value of no text", event: annotation("a", "\xff"), code: stream.RawAnnotation},
		{name: "what is never stored", event: annotation("Email", "jane@example.org"), code: stream.RawNeverStored},
		{name: "no dumps", event: func(raw *schema.RawCrash) { raw.Dumps = nil }},
		{name: "a dump of another size", event: main(func(_ *schema.RawCrash, d *schema.Dump) { d.Size++ }), code: stream.RawDumpBytes, dead: schema.DeadBlobCorrupt},
		{name: "of a negative size", event: main(func(_ *schema.RawCrash, d *schema.Dump) { d.Size = -1 }), code: stream.RawDumpBytes, dead: schema.DeadRawUndecodable},
		{name: "of a huge size", event: main(func(_ *schema.RawCrash, d *schema.Dump) { d.Size = math.MaxInt64 }), code: stream.RawDumpBytes, dead: schema.DeadRawUndecodable},
		{name: "of another digest", event: main(func(_ *schema.RawCrash, d *schema.Dump) { d.SHA256[0]++ }), code: stream.RawDumpBytes, dead: schema.DeadBlobCorrupt},
		{name: "no zstd", event: main(func(_ *schema.RawCrash, d *schema.Dump) { d.Encoding = schema.EncodingZstd }), code: stream.RawDumpBytes, dead: schema.DeadBlobCorrupt},
		{name: "bytes nowhere", event: main(func(_ *schema.RawCrash, d *schema.Dump) { d.Inline = nil }), code: stream.RawDump, dead: schema.DeadBlobCorrupt},
		{name: "bytes in both places", event: main(func(raw *schema.RawCrash, d *schema.Dump) { d.Blob = blobKey(raw) }), code: stream.RawDump, dead: schema.DeadBlobMissing},
		{name: "a blob that is not there", event: main(func(raw *schema.RawCrash, d *schema.Dump) { d.Blob, d.Inline = blobKey(raw), nil }), code: stream.RawBlob, dead: schema.DeadBlobMissing},
		{name: "a key that is none", event: main(func(_ *schema.RawCrash, d *schema.Dump) { d.Blob, d.Inline = new("../../etc/passwd"), nil }), code: stream.RawBlob, dead: schema.DeadBlobCorrupt},
		{name: "a dump's name that is reserved", event: main(func(_ *schema.RawCrash, d *schema.Dump) { d.Name = "raw_crash" }), code: stream.RawDump},
		{name: "of other characters", event: main(func(_ *schema.RawCrash, d *schema.Dump) { d.Name = "a/b" }), code: stream.RawDump},
		{name: "too long", event: main(func(_ *schema.RawCrash, d *schema.Dump) { d.Name = strings.Repeat("d", 31) }), code: stream.RawDump},
		{name: "long", event: main(func(_ *schema.RawCrash, d *schema.Dump) { d.Name = strings.Repeat("d", 30) })},
		{name: "twice", event: func(raw *schema.RawCrash) { raw.Dumps = append(raw.Dumps, raw.Dumps[0]) }, code: stream.RawDump},
		{name: "an overflow that is not there", event: func(raw *schema.RawCrash) {
			key, _ := blob.Key(raw.CrashID, "annotation_long", schema.SHA256{})
			raw.AnnotationOverflow = []schema.AnnotationRef{{Name: "long", Size: 5, Blob: key}}
		}, code: stream.RawBlob, dead: schema.DeadBlobMissing},
		{name: "a rule that is a sentence", event: throttle("my name is jane", 1, "accept"), code: stream.RawThrottle},
		{name: "no rule", event: throttle("", 1, "accept"), code: stream.RawThrottle},
		{name: "a rate of none", event: throttle("a", 0, "accept"), code: stream.RawThrottle},
		{name: "a rate above 1", event: throttle("a", 1.5, "accept"), code: stream.RawThrottle},
		{name: "a rate that is no number", event: throttle("a", math.NaN(), "accept"), code: stream.RawThrottle},
		{name: "another result", event: throttle("a", 1, "perhaps"), code: stream.RawThrottle},
		{name: "a kind that is none", event: func(raw *schema.RawCrash) { raw.Kind = "jane" }, code: stream.RawKind},
		{name: "a ping without a stack", event: func(raw *schema.RawCrash) { raw.Kind = schema.KindPing }},
		{name: "a note that is a sentence", event: func(raw *schema.RawCrash) { raw.Notes = []string{"jane was here"} }, code: stream.RawNote},
		{name: "many notes", event: func(raw *schema.RawCrash) { raw.Notes = slices.Repeat([]string{schema.NoteDumpRenamed}, 10_000) }},
		{name: "an envelope", event: func(raw *schema.RawCrash) { raw.Envelope = []byte("sealed") }},
	}
}

// of is the record of crash n that breaks the contract so.
func (b *breach) of(t *testing.T, n int) *kgo.Record {
	t.Helper()
	raw := foreign(n)
	if b.event != nil {
		b.event(raw)
	}
	value, err := schema.Encode(raw)
	if err != nil {
		t.Fatal(err)
	}
	r := &kgo.Record{Topic: schema.TopicRaw, Key: []byte(raw.CrashID), Value: value, Timestamp: raw.ReceivedAt}
	if b.record != nil {
		b.record(r)
	}
	return r
}

func TestWhatBreaksTheContractIsNamed(t *testing.T) {
	t.Parallel()
	blobs, err := blob.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range breaches() {
		found, err := stream.CheckRaw(t.Context(), b.of(t, 0), 1, schema.DefaultRegistry, blobs)
		if err != nil {
			t.Fatal(err)
		}
		var codes []string
		for _, v := range found {
			codes = append(codes, v.Code)
			if strings.Contains(v.What, "jane") {
				t.Errorf("%s: %q quotes a value", b.name, v.What)
			}
		}
		if b.code == "" && codes != nil || b.code != "" && !slices.Contains(codes, b.code) {
			t.Errorf("%s: %v, want %s", b.name, found, b.code)
		}
	}
	// The partition is Kafka's own for the key.
	r := (&breach{}).of(t, 0)
	for p := range int32(4) {
		r.Partition = p
		found, err := stream.CheckRaw(t.Context(), r, 4, schema.DefaultRegistry, nil)
		if want := kgo.StickyKeyPartitioner(nil).ForTopic(schema.TopicRaw).Partition(r, 4) == int(p); err != nil || want != (len(found) == 0) {
			t.Errorf("partition %d: %v, %v", p, found, err)
		}
	}
}

// A record that breaks the contract is processed or a dead letter, and those behind it are
// processed.
func TestWhatBreaksTheContractCostsNothingElse(t *testing.T) {
	t.Parallel()
	all := breaches()
	if len(all) < 50 {
		t.Fatalf("%d ways", len(all))
	}
	k, _ := streamtest.Broker(t, 1, schema.TopicRaw, schema.TopicReprocess, schema.ProcessedTopic(1), schema.TopicDeadLetter)
	blobs, err := blob.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var honest []string
	want := map[string]string{} // offset → class
	processed := 0
	for i, b := range all {
		r := b.of(t, 2*i)
		if slices.Contains([]string{"another day", "a time before all"}, b.name) {
			continue // it is of a crash, or a time, that this test does not count
		}
		streamtest.Put(t, k, r)
		if b.dead != "" {
			want[fmt.Sprint(r.Offset)] = b.dead
		} else {
			processed++
		}
		streamtest.Put(t, k, (&breach{}).of(t, 2*i+1))
		honest = append(honest, crashID(2*i+1))
	}
	p := processorOf(k, nil, 1)
	p.Blobs = blobs
	p.Guard = stream.Guard{InARow: 5, Share: 0.9, SelfTest: func(context.Context) error { return errors.New("the build is at fault") }}
	streamtest.Run(t, p.Run)
	got := streamtest.Keys(streamtest.Committed(t, k, schema.ProcessedTopic(1), processed+len(honest)))
	for _, id := range honest {
		if !slices.Contains(got, id) {
			t.Errorf("%s is not processed", id)
		}
	}
	dead := map[string]string{}
	for _, r := range streamtest.Committed(t, k, schema.TopicDeadLetter, len(want)) {
		dead[header(r, stream.HeaderOffset)] = header(r, stream.HeaderClass)
	}
	for offset, class := range want {
		if dead[offset] != class {
			t.Errorf("offset %s: dead letter %q, want %q", offset, dead[offset], class)
		}
	}
	if len(dead) != len(want) {
		t.Errorf("%d dead letters, want %d", len(dead), len(want))
	}
}

func TestTheContractNamesEveryViolation(t *testing.T) {
	text, err := os.ReadFile("../docs/raw-events.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range stream.RawViolations {
		if line := fmt.Sprintf("| `%s` | %s |\n", v.Code, v.Doc); !strings.Contains(string(text), line) {
			t.Errorf("docs/raw-events.md lacks\n%s", line)
		}
	}
}
