package stream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/blob"
	"aftershock/schema"
)

// Violation is how a raw record breaks the contract with collectors that are not ours
// (docs/raw-events.md).
type Violation struct {
	Code string `json:"code"` // of RawViolations
	What string `json:"what"` // for people, without a value of the report
}

// Codes of violations.
const (
	RawUndecodable = "undecodable"
	RawKey         = "key"
	RawCrashID     = "crash_id"
	RawDay         = "day"
	RawTimestamp   = "timestamp"
	RawPartition   = "partition"
	RawTooLarge    = "too_large"
	RawAnnotation  = "annotation"
	RawNeverStored = "never_stored"
	RawDump        = "dump"
	RawDumpBytes   = "dump_bytes"
	RawBlob        = "blob"
	RawThrottle    = "throttle"
	RawNote        = "note"
	RawKind        = "kind"
)

// RawViolations says what becomes of each.
var RawViolations = []schema.Code{
	{Code: RawUndecodable, Doc: "the value is no RawCrash in the Confluent wire format: a dead letter, raw_undecodable"},
	{Code: RawKey, Doc: "the record's key is not the crash id: a dead letter, crash_id_invalid"},
	{Code: RawCrashID, Doc: "the crash id has not its shape: a dead letter, crash_id_invalid"},
	{Code: RawDay, Doc: "the day in the crash id is not that of received_at: get, verify and reprocess do not find the crash"},
	{Code: RawTimestamp, Doc: "the record's timestamp is not received_at: replays of a part of time, get and verify go by the one, the activation by the other"},
	{Code: RawPartition, Doc: "the record is not where Kafka's partitioner puts its key: get and reprocess do not find the crash, and a second record of it may count twice"},
	{Code: RawTooLarge, Doc: "the event is larger than events are: brokers with their own limits may refuse what is made of it"},
	{Code: RawAnnotation, Doc: "an annotation's name is empty, too long or has control characters, or its text is no UTF-8: it is kept, protected"},
	{Code: RawNeverStored, Doc: "an annotation is of a class that is never stored: nothing that is made of the crash has it, but crash.raw keeps it until it expires"},
	{Code: RawDump, Doc: "a dump's name is reserved, too long, twice there or has other characters than letters, digits and _; or it has bytes both in the event and in the store, or in neither: a dead letter, blob_corrupt, when it is the main one, or a ping's stack"},
	{Code: RawDumpBytes, Doc: "a dump's bytes are not of its size and digest, or take more than they unpack to: a dead letter, blob_corrupt, when it is the main one"},
	{Code: RawBlob, Doc: "a blob is not in the store, or its key is not that of its crash: a dead letter, blob_missing or blob_corrupt, when it is the main dump's or an annotation's; blobs gc may remove it too early"},
	{Code: RawThrottle, Doc: "the rule is no name or the rate not above 0 and up to 1: the rate is 1 and the rule has no name, with the note throttle_malformed; or the result is neither accept nor defer: it counts as accept"},
	{Code: RawKind, Doc: "the kind is neither report nor ping: it counts as a report"},
	{Code: RawNote, Doc: "a note is no code of the door: it is dropped, with the note door_note_unknown"},
}

// rawDumpName is a dump's name as the door keeps it.
var rawDumpName = regexp.MustCompile(fmt.Sprintf(`^[A-Za-z0-9_]{1,%d}$`, schema.MaxDumpName))

// RawChecker checks records of crash.raw.
type RawChecker struct {
	Kafka    Kafka
	Registry *schema.Registry
	// Blobs may be nil: then what lies there is not looked at.
	Blobs blob.Store
}

// Last hands about the last n records to each, with what breaks the contract.
func (c *RawChecker) Last(ctx context.Context, n int64, each func(r *kgo.Record, found []Violation) error) error {
	spans, err := c.Kafka.committedSpans(ctx, schema.TopicRaw)
	if err != nil {
		return fmt.Errorf("partitions of %s: %w", schema.TopicRaw, err)
	}
	return c.Kafka.last(ctx, schema.TopicRaw, spans, n, func(r *kgo.Record) error {
		found, err := CheckRaw(ctx, r, len(spans), c.Registry, c.Blobs)
		if err != nil {
			return err
		}
		return each(r, found)
	})
}

// CheckRaw tells how a record of crash.raw breaks the contract; none when it does not.
// partitions is how many the topic has, and blobs may be nil: then what lies there is not
// looked at. An error is one of the store.
func CheckRaw(ctx context.Context, r *kgo.Record, partitions int, registry *schema.Registry, blobs blob.Store) (out []Violation, err error) {
	add := func(code, format string, args ...any) {
		out = append(out, Violation{code, fmt.Sprintf(format, args...)})
	}
	raw, err := schema.Decode[schema.RawCrash](r.Value)
	if err != nil {
		add(RawUndecodable, "%v", err)
		return out, nil
	}
	day, err := schema.CrashDay(raw.CrashID)
	if err != nil {
		add(RawCrashID, "its crash id has not the shape of one")
		return out, nil //nolint:nilerr // it is what was found
	}
	if string(r.Key) != raw.CrashID {
		add(RawKey, "the key is not the crash id")
	} else if want := kgo.StickyKeyPartitioner(nil).ForTopic(r.Topic).Partition(r, partitions); want != int(r.Partition) {
		add(RawPartition, "partition %d, want %d of %d", r.Partition, want, partitions)
	}
	if off := raw.ReceivedAt.Sub(day); off < -time.Hour || off > 25*time.Hour {
		add(RawDay, "the crash id is of %s, received_at %s", day.Format(time.DateOnly), raw.ReceivedAt.UTC().Format(time.RFC3339))
	}
	if !r.Timestamp.Equal(raw.ReceivedAt) {
		add(RawTimestamp, "the timestamp is %v off received_at", r.Timestamp.Sub(raw.ReceivedAt))
	}
	if len(r.Value) > schema.MaxRawBytes {
		add(RawTooLarge, "%d bytes, want at most %d", len(r.Value), schema.MaxRawBytes)
	}
	if t := raw.Throttle; !t.Valid() || t.Result != schema.ThrottleAccept && t.Result != schema.ThrottleDefer {
		add(RawThrottle, "a rate of %g, or rule and result that are none", raw.Throttle.Rate)
	}
	if schema.KindOf(raw.Kind) != raw.Kind {
		add(RawKind, "a kind that is none")
	}
	for _, code := range raw.Notes {
		if !slices.ContainsFunc(schema.Catalogue, func(c schema.Code) bool { return c.Code == code }) {
			add(RawNote, "a note that is no code")
		}
	}
	checkRawAnnotations(raw, registry, add)
	return out, checkRawDumps(ctx, raw, blobs, add)
}

func checkRawAnnotations(raw *schema.RawCrash, registry *schema.Registry, add func(code, format string, args ...any)) {
	check := func(name string) {
		switch {
		case !schema.ValidAnnotationName(name):
			add(RawAnnotation, "the name %.40q", name)
		case registry.Lookup(name).Class == schema.ClassNeverStore:
			add(RawNeverStored, "%s", name)
		}
	}
	for name, value := range raw.Annotations {
		if check(name); !utf8.ValidString(value) {
			add(RawAnnotation, "%.40q is no UTF-8", name)
		}
	}
	for _, ref := range raw.AnnotationOverflow {
		check(ref.Name)
	}
}

func checkRawDumps(ctx context.Context, raw *schema.RawCrash, blobs blob.Store, add func(code, format string, args ...any)) error {
	blobOf := func(name, key string, sum schema.SHA256) bool {
		want, err := blob.Key(raw.CrashID, name, sum)
		if err != nil || key != want {
			add(RawBlob, "the key of %.40q is not %s", name, want)
		}
		return err == nil && key == want
	}
	names := map[string]bool{}
	for i := range raw.Dumps {
		d := &raw.Dumps[i]
		if !rawDumpName.MatchString(d.Name) || schema.ReservedDumpName(d.Name) || names[d.Name] {
			add(RawDump, "the name %.40q", d.Name)
		}
		names[d.Name] = true
		if (d.Blob != nil) == (d.Inline != nil) {
			add(RawDump, "%.40q has its bytes in the event and in the store, or nowhere", d.Name)
			continue
		}
		if d.Blob != nil && (!blobOf(d.Name, *d.Blob, d.SHA256) || blobs == nil) {
			continue
		}
		switch _, err := FetchDump(ctx, blobs, d); {
		case errors.Is(err, blob.ErrNotFound):
			add(RawBlob, "%.40q is not in the store", d.Name)
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			add(RawDumpBytes, "%.40q: %v", d.Name, err)
		}
	}
	for _, ref := range raw.AnnotationOverflow {
		if !blobOf("annotation_"+ref.Name, ref.Blob, ref.SHA256) || blobs == nil {
			continue
		}
		if _, err := blobs.Get(ctx, ref.Blob, math.MaxInt32); errors.Is(err, blob.ErrNotFound) {
			add(RawBlob, "the annotation %.40q is not in the store", ref.Name)
		} else if err != nil {
			return err
		}
	}
	return nil
}
