package stream_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

func idOf(n int, day time.Time) string {
	return fmt.Sprintf("%08x-0000-4000-8000-000000%s", n, day.Format("060102"))
}

func TestTheFirstRawRecordOfACrashIsFound(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 3, schema.TopicRaw)
	midnight := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	put := func(n int, received time.Time, value string) string {
		id := idOf(n, received)
		streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(id), Value: []byte(value), Timestamp: received})
		return id
	}
	want := map[string]string{}
	for n := range 30 { // ten days
		value := fmt.Sprint("crash ", n)
		want[put(n, midnight.AddDate(0, 0, n/3), value)] = value
		if n == 5 {
			want[put(101, midnight.Add(24*time.Hour-time.Second), "behind the next day's")] = "behind the next day's"
		}
	}
	want[put(100, midnight.AddDate(0, 0, 9).Add(24*time.Hour-time.Millisecond), "the day's last")] = "the day's last"
	put(7, midnight.AddDate(0, 0, 7/3), "a duplicate")

	ids := slices.Sorted(func(yield func(string) bool) {
		for id := range want {
			if !yield(id) {
				return
			}
		}
	})
	absent := []string{idOf(55, midnight), idOf(7, midnight.AddDate(0, 0, 8)), idOf(7, midnight.AddDate(1, 0, 0))}
	got := map[string]string{}
	missing, err := stream.FindRaws(t.Context(), k, append(append(ids, absent...), ids[0], absent[0]), func(r *kgo.Record) error {
		got[string(r.Key)] += string(r.Value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for id, value := range want {
		if got[id] != value {
			t.Errorf("%s: %q, want %q", id, got[id], value)
		}
	}
	if len(got) != len(want) || len(missing) != len(absent) {
		t.Errorf("%d found of %d, missing %v", len(got), len(want), missing)
	}
	for _, id := range absent {
		_, err := stream.FindRaw(t.Context(), k, id)
		if !errors.Is(err, stream.ErrNotFound) || !strings.Contains(err.Error(), id) {
			t.Errorf("%s: %v", id, err)
		}
	}
	r, err := stream.FindRaw(t.Context(), k, ids[3])
	if err != nil || string(r.Key) != ids[3] {
		t.Errorf("%v, %v", r, err)
	}
	if _, err := stream.FindRaw(t.Context(), k, "../../etc"); err == nil || errors.Is(err, stream.ErrNotFound) {
		t.Errorf("what is no id: %v", err)
	}
	stop := errors.New("stop")
	if _, err := stream.FindRaws(t.Context(), k, ids, func(*kgo.Record) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

func TestSoManyCrashesAreFoundAtATime(t *testing.T) {
	k, _ := streamtest.Broker(t, 1, schema.TopicRaw)
	var ids []string
	for n := range stream.MaxFind {
		ids = append(ids, idOf(n, dayOfCrashes))
	}
	none := func(*kgo.Record) error { return nil }
	if missing, err := stream.FindRaws(t.Context(), k, ids, none); err != nil || len(missing) != len(ids) {
		t.Errorf("%d missing, %v", len(missing), err)
	}
	if _, err := stream.FindRaws(t.Context(), k, append(ids, ids[0]), none); err == nil {
		t.Error("one more was looked for")
	}
}

func TestLettersAreRead(t *testing.T) {
	in := &kgo.Record{Topic: schema.ProcessedTopic(3), Partition: 4, Offset: 5, Headers: []kgo.RecordHeader{{Key: stream.HeaderStage, Value: []byte("not ours")}}}
	letter := stream.DeadLetter(in, schema.DeadPanic, "sink", 3)
	l, err := stream.ReadLetter(letter)
	want := stream.Letter{Class: schema.DeadPanic, Stage: "sink", From: schema.Position{Topic: schema.ProcessedTopic(3), Partition: 4, Offset: 5}, SignatureVersion: 3, Attempt: 1}
	if err != nil || l != want {
		t.Errorf("%+v, %v", l, err)
	}
	for i := range 7 { // ours
		for name, value := range map[string]string{"empty": "", "no code": "\x1b[31m", "too long": strings.Repeat("9", 65), "negative": "-1"} {
			bad := stream.DeadLetter(in, schema.DeadPanic, "sink", 3)
			bad.Headers[i].Value = []byte(value)
			text := bad.Headers[i].Key == stream.HeaderClass || bad.Headers[i].Key == stream.HeaderStage || bad.Headers[i].Key == stream.HeaderTopic
			if _, err := stream.ReadLetter(bad); err == nil && (!text || name != "negative") {
				t.Errorf("%s in %s was read", name, bad.Headers[i].Key)
			}
		}
	}
	if _, err := stream.ReadLetter(&kgo.Record{}); err == nil {
		t.Error("a record without headers was read")
	}
	letter.Headers[0].Value = []byte(strings.Repeat("a", 64))
	if _, err := stream.ReadLetter(letter); err != nil {
		t.Errorf("the longest code: %v", err)
	}
}
