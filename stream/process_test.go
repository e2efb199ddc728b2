package stream_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/blob"
	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// shelf is a blob store in memory.
type shelf struct {
	mu    sync.Mutex
	blobs map[string][]byte
	fails int // the next so many reads fail
}

func (s *shelf) Put(_ context.Context, key string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[key] = data
	return nil
}

func (s *shelf) Get(_ context.Context, key string, maxBytes int64) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails > 0 {
		s.fails--
		return nil, errors.New("the store is away")
	}
	data, ok := s.blobs[key]
	switch {
	case !ok:
		return nil, blob.ErrNotFound
	case int64(len(data)) > maxBytes:
		return nil, blob.ErrTooLarge
	}
	return bytes.Clone(data), nil
}

func zstdOf(t *testing.T, b []byte) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return e.EncodeAll(b, nil)
}

// rawCrash is an event with one dump in one of the ways that a dump can travel.
func rawCrash(t *testing.T, n int, dump schema.Dump) (id string, value []byte) {
	t.Helper()
	id = fmt.Sprintf("%08x-0000-4000-8000-000000261122", n)
	raw := &schema.RawCrash{CrashID: id, ReceivedAt: time.UnixMilli(1_790_000_000_000).UTC(), Dumps: []schema.Dump{dump}}
	value, err := schema.Encode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return id, value
}

func TestEveryRawCrashIsProcessedOrDeadLettered(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 2, schema.TopicRaw, schema.ProcessedTopic(1), schema.TopicDeadLetter)
	data := bytes.Repeat([]byte("stack "), 5000)
	sum := schema.SHA256(sha256.Sum256(data))
	store := &shelf{blobs: map[string][]byte{
		"good": zstdOf(t, data), "plain": data, "rotten": zstdOf(t, data[:100]), "torn": zstdOf(t, data)[:20], "huge": make([]byte, len(data)+1),
	}, fails: 1}
	at := func(key string) *string { return &key }
	of := func(encoding schema.Encoding, inline []byte, key *string) schema.Dump {
		return schema.Dump{Name: schema.MainDump, Size: int64(len(data)), SHA256: sum, Encoding: encoding, Inline: inline, Blob: key}
	}
	bomb := of(schema.EncodingZstd, zstdOf(t, make([]byte, 50<<20)), nil)
	cases := map[string]struct {
		dump schema.Dump
		want string // class of the dead letter, or "" for processed
	}{
		"inline":                  {of(schema.EncodingNone, data, nil), ""},
		"inline, compressed":      {of(schema.EncodingZstd, zstdOf(t, data), nil), ""},
		"a blob":                  {of(schema.EncodingZstd, nil, at("good")), ""},
		"a plain blob":            {of(schema.EncodingNone, nil, at("plain")), ""},
		"no such blob":            {of(schema.EncodingZstd, nil, at("absent")), schema.DeadBlobMissing},
		"a blob of other bytes":   {of(schema.EncodingZstd, nil, at("rotten")), schema.DeadBlobCorrupt},
		"a torn blob":             {of(schema.EncodingZstd, nil, at("torn")), schema.DeadBlobCorrupt},
		"a blob that is too long": {of(schema.EncodingNone, nil, at("huge")), schema.DeadBlobCorrupt},
		"a bomb":                  {bomb, schema.DeadBlobCorrupt},
		"other inline bytes":      {of(schema.EncodingNone, data[1:], nil), schema.DeadBlobCorrupt},
		"a size that cannot be":   {schema.Dump{Name: schema.MainDump, Size: 1 << 40, Encoding: schema.EncodingNone}, schema.DeadRawUndecodable},
		"panic":                   {of(schema.EncodingNone, data, nil), schema.DeadPanic},
		"failure":                 {of(schema.EncodingNone, data, nil), schema.DeadProcess},
		"too slow":                {of(schema.EncodingNone, data, nil), schema.DeadDeadline},
		"too large":               {of(schema.EncodingNone, data, nil), schema.DeadEventTooLarge},
	}
	want, does, sent := map[string]string{}, map[string]string{}, map[string][]byte{}
	var records []*kgo.Record
	n := 0
	for name, tc := range cases {
		n++
		id, value := rawCrash(t, n, tc.dump)
		want[id], does[id], sent[id] = tc.want, name, value
		records = append(records, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(id), Value: value})
	}
	for name, record := range map[string]*kgo.Record{
		"garbage":      {Topic: schema.TopicRaw, Key: []byte("garbage"), Value: []byte("no event"), Headers: []kgo.RecordHeader{{Key: "theirs", Value: []byte("kept")}}},
		"a hostile id": {Topic: schema.TopicRaw, Key: []byte("hostile")},
		// A schema that this release does not know, as a newer one writes.
		"a newer event": {Topic: schema.TopicRaw, Key: []byte("newer"), Value: []byte{0, 0, 0, 0x27, 0x0f, 1, 'x'}},
	} {
		if record.Value == nil {
			value, err := schema.Encode(&schema.RawCrash{CrashID: "../../etc/passwd"})
			if err != nil {
				t.Fatal(err)
			}
			record.Value = value
		}
		want[string(record.Key)] = map[string]string{
			"garbage": schema.DeadRawUndecodable, "a hostile id": schema.DeadCrashID, "a newer event": schema.DeadRawUndecodable,
		}[name]
		sent[string(record.Key)] = record.Value
		records = append(records, record)
	}
	streamtest.Put(t, k, records...)

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	loop := &stream.Processor{
		Kafka: k, Instance: "0", Version: 1, Workers: stream.NewWorkers(4, 1), Blobs: store, Deadline: 300 * time.Millisecond, Log: zerolog.Nop(),
		Process: func(ctx context.Context, in stream.Input) (*schema.ProcessedCrash, error) {
			switch does[in.Raw.CrashID] {
			case "panic":
				panic("a bug")
			case "failure":
				return nil, errors.New("failed")
			case "too slow":
				<-ctx.Done()
				return nil, ctx.Err()
			case "too large":
				return &schema.ProcessedCrash{Signature: strings.Repeat("x", schema.MaxProcessedBytes)}, nil
			}
			if !bytes.Equal(in.Dump, data) {
				return nil, errors.New("the dump has other bytes")
			}
			return &schema.ProcessedCrash{CrashID: in.Raw.CrashID, Raw: in.Position, SignatureVersion: 1}, nil
		},
	}
	go func() { ended <- loop.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})

	var good, bad int
	for _, class := range want {
		if class == "" {
			good++
		} else {
			bad++
		}
	}
	for _, r := range streamtest.Committed(t, k, schema.ProcessedTopic(1), good) {
		crash, err := schema.Decode[schema.ProcessedCrash](r.Value)
		if err != nil || crash.CrashID != string(r.Key) || want[crash.CrashID] != "" {
			t.Errorf("%s (%s) was processed: %v", r.Key, does[string(r.Key)], err)
		}
	}
	dead := streamtest.Committed(t, k, schema.TopicDeadLetter, bad)
	if len(dead) != bad {
		t.Errorf("%d dead letters, want %d", len(dead), bad)
	}
	for _, r := range dead {
		headers := map[string]string{}
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		key := string(r.Key)
		if headers[stream.HeaderClass] != want[key] {
			t.Errorf("%s (%s): class %q, want %q", key, does[key], headers[stream.HeaderClass], want[key])
		}
		if !bytes.Equal(r.Value, sent[key]) {
			t.Errorf("%s: its bytes were changed", key)
		}
		if headers[stream.HeaderTopic] != schema.TopicRaw || headers[stream.HeaderSignatureVersion] != "1" || headers[stream.HeaderOffset] == "" {
			t.Errorf("%s: headers %v", key, headers)
		}
		if key == "garbage" && headers["theirs"] != "kept" {
			t.Errorf("the record's own headers are gone: %v", headers)
		}
	}
}

func TestOverflownAnnotationsComeBack(t *testing.T) {
	k, _ := streamtest.Broker(t, 2, schema.TopicRaw, schema.ProcessedTopic(1), schema.TopicDeadLetter)
	value := strings.Repeat("long ", 1000)
	store := &shelf{blobs: map[string][]byte{"a": []byte(value)}}
	id, _ := rawCrash(t, 1, schema.Dump{Encoding: schema.EncodingNone})
	event, err := schema.Encode(&schema.RawCrash{
		CrashID: id, Annotations: map[string]string{"short": "1"},
		AnnotationOverflow: []schema.AnnotationRef{{Name: "long", Size: int64(len(value)), SHA256: sha256.Sum256([]byte(value)), Blob: "a"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(id), Value: event})
	got := make(chan map[string]string, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	loop := &stream.Processor{
		Kafka: k, Instance: "0", Version: 1, Workers: stream.NewWorkers(1, 1), Blobs: store, Log: zerolog.Nop(),
		Process: func(_ context.Context, in stream.Input) (*schema.ProcessedCrash, error) {
			got <- in.Raw.Annotations
			return &schema.ProcessedCrash{CrashID: in.Raw.CrashID}, nil
		},
	}
	go func() { ended <- loop.Run(ctx) }()
	select {
	case annotations := <-got:
		if d := cmp.Diff(map[string]string{"short": "1", "long": value}, annotations); d != "" {
			t.Error(d)
		}
	case <-time.After(20 * time.Second):
		t.Error("not processed")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
