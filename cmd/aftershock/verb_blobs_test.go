package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/blob"
	"aftershock/internal/bucket/buckettest"
	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// garbage is a blob store with a broker, and what the two have.
type garbage struct {
	t     *testing.T
	name  string
	store blob.Backend
	kafka stream.Kafka
}

func newGarbage(t *testing.T, name string) *garbage {
	t.Helper()
	store, err := blob.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	k, _ := streamtest.Broker(t, 1)
	if err := stream.CreateTopics(t.Context(), k, 1, schema.Topics(1)...); err != nil {
		t.Fatal(err)
	}
	return &garbage{t, name, store, k}
}

// put stores a blob of a crash of that day and returns its raw crash's record.
func (g *garbage) put(crash int, day time.Time) (key string, record *kgo.Record) {
	g.t.Helper()
	id := fmt.Sprintf("%08x-0000-4000-8000-000000%s", crash, day.Format("060102"))
	key, err := blob.Key(id, schema.MainDump, sha256.Sum256([]byte(id)))
	if err == nil {
		err = g.store.Put(g.t.Context(), key, []byte(id))
	}
	if err != nil {
		g.t.Fatal(err)
	}
	value, err := schema.Encode(&schema.RawCrash{CrashID: id, Dumps: []schema.Dump{{Name: schema.MainDump, Encoding: schema.EncodingNone, Blob: &key}}})
	if err != nil {
		g.t.Fatal(err)
	}
	return key, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(id), Value: value}
}

// gc runs the verb.
func (g *garbage) gc(args ...string) (out, errs string, code int) {
	g.t.Helper()
	var stdout, stderr bytes.Buffer
	code = Main(append([]string{"blobs", "gc", "--brokers", g.kafka.Brokers[0], "--blob", g.name}, args...), &stdout, &stderr)
	return stdout.String(), stderr.String(), code
}

func (g *garbage) has(key string) bool {
	g.t.Helper()
	_, err := g.store.Get(g.t.Context(), key, 1000)
	if err != nil && !errors.Is(err, blob.ErrNotFound) {
		g.t.Fatal(err)
	}
	return err == nil
}

var leapDay = time.Date(2020, 2, 29, 0, 0, 0, 0, time.UTC)

func TestOrphanedBlobsOfOldDaysAreCollected(t *testing.T) {
	t.Run("directory", func(t *testing.T) { collectGarbage(t, t.TempDir()) })
	t.Run("S3", func(t *testing.T) { collectGarbage(t, buckettest.Start(t).Name(buckettest.Bucket+"/blobs")) })
}

func collectGarbage(t *testing.T, name string) {
	g := newGarbage(t, name)
	today := time.Now().UTC()
	kept := map[string]string{}
	key, raw := g.put(1, leapDay)
	kept["named by a raw crash"] = key
	streamtest.Put(t, g.kafka, raw)
	key, raw = g.put(2, leapDay)
	kept["named by a dead letter"] = key
	streamtest.Put(t, g.kafka, stream.DeadLetter(raw, schema.DeadBlobMissing, "process", 1))
	kept["young"], _ = g.put(3, today)
	kept["of a day a year ago"], _ = g.put(4, today.AddDate(0, 0, -370))
	var orphans []string
	for crash := range 3 {
		key, raw := g.put(10+crash, leapDay.AddDate(0, 0, crash))
		orphans = append(orphans, key)
		// What is derived names no blobs, whatever its bytes.
		derived := stream.DeadLetter(raw, schema.DeadProcess, "telemetry", 1)
		derived.Headers[2].Value = []byte(schema.ProcessedTopic(1))
		streamtest.Put(t, g.kafka, derived)
	}
	type line struct {
		Day string `json:"day"`
		blob.Stock
	}
	want := []line{
		{"2020-02-29", blob.Stock{Blobs: 3, Bytes: 108, Referenced: 2, Orphaned: 1}},
		{"2020-03-01", blob.Stock{Blobs: 1, Bytes: 36, Orphaned: 1}},
		{"2020-03-02", blob.Stock{Blobs: 1, Bytes: 36, Orphaned: 1}},
		{"total", blob.Stock{Blobs: 5, Bytes: 180, Referenced: 2, Orphaned: 3}},
	}
	gcJSON := func(args ...string) (got []line) {
		t.Helper()
		out, errs, code := g.gc(append(args, "--json")...)
		if code != 0 {
			t.Fatalf("exit code %d: %s", code, errs)
		}
		for _, text := range lines(out) {
			var l line
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				t.Fatal(err)
			}
			got = append(got, l)
		}
		return got
	}
	if d := cmp.Diff(want, gcJSON()); d != "" {
		t.Errorf("dry run: %s", d)
	}
	for _, key := range orphans {
		if !g.has(key) {
			t.Error("a dry run deleted a blob")
		}
	}
	for i := range want {
		want[i].Deleted = want[i].Orphaned
	}
	if d := cmp.Diff(want, gcJSON("--delete")); d != "" {
		t.Error(d)
	}
	for _, key := range orphans {
		if g.has(key) {
			t.Errorf("%s is left", key)
		}
	}
	for what, key := range kept {
		if !g.has(key) {
			t.Errorf("the blob %s was deleted", what)
		}
	}
	out, _, code := g.gc("--delete")
	if want := "2020-02-29  2 blobs, 72 bytes, 2 referenced, 0 orphaned, 0 deleted\ntotal       2 blobs, 72 bytes, 2 referenced, 0 orphaned, 0 deleted\n"; out != want || code != 0 {
		t.Errorf("exit code %d, second run: %s", code, out)
	}
}

func TestNothingIsCollectedWhileARecordCannotBeRead(t *testing.T) {
	bad := kgo.Record{Topic: schema.TopicRaw, Value: []byte("no event")}
	for name, tc := range map[string]struct {
		record *kgo.Record
		at     string
	}{
		"a raw crash":                           {&bad, "crash.raw/0/0"},
		"a raw crash's dead letter":             {stream.DeadLetter(&bad, schema.DeadRawUndecodable, "process", 1), "crash.deadletter/0/0"},
		"a dead letter from nobody knows where": {&kgo.Record{Topic: schema.TopicDeadLetter}, "crash.deadletter/0/0"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGarbage(t, t.TempDir())
			orphan, _ := g.put(1, leapDay)
			streamtest.Put(t, g.kafka, tc.record)
			if out, errs, code := g.gc("--delete"); code != exitFailed || out != "" || !strings.Contains(errs, "--ignore "+tc.at) || !g.has(orphan) {
				t.Errorf("exit code %d, %s%s", code, out, errs)
			}
			if _, errs, code := g.gc("--delete", "--ignore", tc.at); code != 0 || g.has(orphan) {
				t.Errorf("exit code %d although the record is ignored: %s", code, errs)
			}
		})
	}
}

func TestRecordsThatCannotBeReadAreToldAtOnce(t *testing.T) {
	g := newGarbage(t, t.TempDir())
	orphan, _ := g.put(1, leapDay)
	unreadable := func(n int) {
		t.Helper()
		for range n {
			streamtest.Put(t, g.kafka, &kgo.Record{Topic: schema.TopicRaw, Value: []byte("no event")})
		}
	}
	told := func() int {
		t.Helper()
		_, errs, code := g.gc("--delete")
		if code != exitFailed || !g.has(orphan) {
			t.Errorf("exit code %d", code)
		}
		return strings.Count(errs, "crash.raw/0/")
	}
	unreadable(maxUnreadable)
	if n := told(); n != maxUnreadable {
		t.Errorf("told of %d, want %d", n, maxUnreadable)
	}
	unreadable(1)
	if n := told(); n != maxUnreadable {
		t.Errorf("one past the limit: told of %d, want %d", n, maxUnreadable)
	}
}

func TestCollectionWantsAnAgeAtWhichNothingIsWanted(t *testing.T) {
	g := newGarbage(t, t.TempDir())
	today := time.Now().UTC()
	young, _ := g.put(1, today)
	orphan, _ := g.put(3, today.AddDate(0, 0, -10))
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"one day less than both retentions": {[]string{"--older-than", "359d"}, exitUsage, "360d"},
		"both retentions":                   {[]string{"--older-than", "360d"}, 0, ""},
		"no day":                            {[]string{"--older-than", "0d", "--force"}, exitUsage, "from 1d"},
		"a hundred years":                   {[]string{"--older-than", "36525d"}, 0, ""},
		"a day more":                        {[]string{"--older-than", "36526d"}, exitUsage, "to 36525d"},
		"hours":                             {[]string{"--older-than", "9000h"}, exitUsage, "want days"},
		"a store that is not there":         {[]string{"--blob", filepath.Join(t.TempDir(), "typo")}, exitFailed, "no such file"},
		"a name that is no store":           {[]string{"--blob", "s3:/typo"}, exitUsage, "s3://bucket/prefix"},
	} {
		if _, errs, code := g.gc(append(tc.args, "--delete")...); code != tc.code || !strings.Contains(errs, tc.want) {
			t.Errorf("%s: exit code %d, %s", name, code, errs)
		}
	}
	if !g.has(orphan) {
		t.Error("a blob was deleted")
	}
	if _, errs, code := g.gc("--older-than", "1d", "--force", "--delete"); code != 0 {
		t.Errorf("forced: exit code %d, %s", code, errs)
	}
	if g.has(orphan) || !g.has(young) {
		t.Errorf("forced: a blob of ten days ago is there: %v, today's: %v", g.has(orphan), g.has(young))
	}
}

func TestRolesWantTheirBlobStoreToBeThere(t *testing.T) {
	server := buckettest.Start(t)
	k, _ := streamtest.Broker(t, 1)
	roles := map[string][]string{
		"collect": {"collect", "--brokers", k.Brokers[0]},
		"process": {"process", "--brokers", k.Brokers[0]},
		"up":      {"up", "--data-dir", t.TempDir()},
		"gc":      {"blobs", "gc", "--brokers", k.Brokers[0]},
	}
	for role, args := range roles {
		for name, want := range map[string]struct {
			code int
			text string
		}{
			server.Name("nowhere"):      {exitFailed, "no such bucket"},
			"s3://bucket?endpoint=typo": {exitUsage, "endpoint: want http"},
			server.URL + "/x":           {exitUsage, "want a directory or s3://bucket/prefix"},
			"s3://key:s3cr3t@host":      {exitUsage, "belong in the environment"},
		} {
			var stdout, stderr bytes.Buffer
			code := Main(append(args, "--blob", name), &stdout, &stderr)
			if errs := stderr.String(); code != want.code || !strings.Contains(errs, want.text) || strings.Contains(errs, "s3cr3t") {
				t.Errorf("%s --blob %s: exit code %d, %s", role, name, code, errs)
			}
		}
	}
}
