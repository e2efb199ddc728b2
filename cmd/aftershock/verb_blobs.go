package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/blob"
	"aftershock/schema"
	"aftershock/stream"
)

// blobsVerbs look after the blob store.
type blobsVerbs struct {
	GC blobsGCVerb `cmd:"" name:"gc" help:"List blobs of old days that no raw crash and no dead letter names any more, with what killed doors left of others, and delete them. It reads both topics to their ends, and does nothing unless it can read every record."`
}

// blobsGCVerb collects garbage. A raw crash may become a dead letter on its last
// day in crash.raw, and its dead letter may be retried on the last of its own.
type blobsGCVerb struct {
	kafkaFlags
	blobFlag
	OlderThan dayCount `help:"Age of the days that are looked at. A blob may be wanted while crash.raw keeps its crash (180 days) and then while crash.deadletter keeps a dead letter of it (180 more); topics keep records somewhat longer than they must. So the default is 375d." default:"375d" placeholder:"DAYS"`
	Force     bool     `help:"Allow an age below the two topics' retention. Blobs that a record names stay nevertheless."`
	Delete    bool     `help:"Delete what is orphaned; without it nothing is changed."`
	Ignore    []string `help:"A record that cannot be decoded and that you know to name no blob. Repeat it." placeholder:"TOPIC/PARTITION/OFFSET"`
	JSON      bool     `help:"One JSON object a day, and one for the total." name:"json"`
}

// dayCount is a flag like 375d.
type dayCount int

// maxDays is a hundred years.
const maxDays = 36525

// UnmarshalText wants a number of days.
func (d *dayCount) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(strings.TrimSuffix(string(text), "d"))
	if err != nil || !strings.HasSuffix(string(text), "d") || n < 1 || n > maxDays {
		return fmt.Errorf("%.32q: want days, from 1d to %dd", text, maxDays)
	}
	*d = dayCount(n)
	return nil
}

func (d dayCount) duration() time.Duration { return time.Duration(d) * 24 * time.Hour }

// Run looks at one day after the other.
func (v *blobsGCVerb) Run(r *run) error {
	if err := storeExists(v.Blob); err != nil {
		return err
	}
	store, err := openBlobs(r.ctx, v.Blob)
	if err != nil {
		return err
	}
	kafka, err := v.kafka(r.log)
	if err != nil {
		return err
	}
	if err := v.oldEnough(r.ctx, kafka); err != nil {
		return err
	}
	days, err := store.Days(r.ctx)
	if err != nil {
		return err
	}
	days = blob.Before(days, time.Now().Add(-v.OlderThan.duration()))
	named := blob.NewReferences(days, blob.MaxReferences)
	if len(days) > 0 {
		if err := v.references(r, kafka, named); err != nil {
			return fmt.Errorf("nothing was deleted: %w", err)
		}
	}
	var total blob.Stock
	for _, day := range days {
		stock, err := blob.Collect(r.ctx, store, day, named, v.Delete)
		total.Add(stock)
		if err = errors.Join(err, v.print(r.stdout, day.Format(time.DateOnly), stock)); err != nil {
			return fmt.Errorf("%w (%d blobs deleted until then)", err, total.Deleted)
		}
	}
	return v.print(r.stdout, "total", total)
}

// storeExists refuses a directory that is not there: it would be made, and be empty.
func storeExists(name string) error {
	if strings.Contains(name, ":/") {
		return nil
	}
	if _, err := os.Stat(name); err != nil {
		return fmt.Errorf("--blob: %w", err)
	}
	return nil
}

// oldEnough refuses an age at which a record may still name a blob.
func (v *blobsGCVerb) oldEnough(ctx context.Context, kafka stream.Kafka) error {
	var needed time.Duration
	for _, topic := range []string{schema.TopicRaw, schema.TopicDeadLetter} {
		kept, err := stream.Retention(ctx, kafka, topic)
		if err != nil {
			return err
		}
		needed += min(kept, math.MaxInt64-needed)
	}
	switch {
	case v.Force || v.OlderThan.duration() >= needed:
		return nil
	case needed == stream.KeptForever:
		return &usageError{fmt.Sprintf("%s or %s keeps records for ever, and so their blobs are wanted for ever; --force deletes those that no record names", schema.TopicRaw, schema.TopicDeadLetter)}
	}
	days := math.Ceil(needed.Hours() / 24)
	return &usageError{fmt.Sprintf("--older-than %dd: by the retention of %s and %s together a blob may be wanted for %.0fd; give that or more, or --force", v.OlderThan, schema.TopicRaw, schema.TopicDeadLetter, days)}
}

// maxUnreadable is how many records that cannot be decoded are looked for, to be
// told at once: to read both topics takes long.
const maxUnreadable = 100

// errUnreadable: a record that cannot be decoded could name any blob.
var errUnreadable = errors.New("records that could name a blob cannot be decoded")

// references reads what names blobs. Raw crashes come first: one that becomes a
// dead letter meanwhile is seen at least once.
func (v *blobsGCVerb) references(r *run, kafka stream.Kafka, named *blob.References) error {
	var unreadable []string
	for _, topic := range []string{schema.TopicRaw, schema.TopicDeadLetter} {
		records := 0
		err := stream.EachCommitted(r.ctx, kafka, topic, func(rec *kgo.Record) error {
			records++
			raw, err := rawCrash(rec)
			if err == nil {
				return named.Add(raw)
			}
			if at := fmt.Sprintf("%s/%d/%d", topic, rec.Partition, rec.Offset); !slices.Contains(v.Ignore, at) {
				unreadable = append(unreadable, at)
			}
			if len(unreadable) == maxUnreadable {
				return errUnreadable
			}
			return nil
		})
		if errors.Is(err, blob.ErrTooManyReferences) {
			return fmt.Errorf("%w: look at older days first, with a larger --older-than", err)
		}
		if errors.Is(err, errUnreadable) {
			break // these are enough
		}
		if err != nil {
			return err
		}
		r.log.Info().Str("topic", topic).Int("records", records).Msg("topic read")
	}
	if len(unreadable) > 0 {
		return fmt.Errorf("%w: look at them, and if they name none: --ignore %s", errUnreadable, strings.Join(unreadable, ","))
	}
	return nil
}

// rawCrash decodes a raw crash or a dead letter of one. What is derived from raw
// crashes names no blobs, and so its dead letters are as good as empty ones.
func rawCrash(rec *kgo.Record) (*schema.RawCrash, error) {
	if rec.Topic == schema.TopicDeadLetter {
		if from := stream.DeadFrom(rec); from != "" && from != schema.TopicRaw {
			return new(schema.RawCrash), nil
		}
	}
	return schema.Decode[schema.RawCrash](rec.Value)
}

// print writes a line for people, or for programs.
func (v *blobsGCVerb) print(w io.Writer, day string, s blob.Stock) error {
	if v.JSON {
		return json.NewEncoder(w).Encode(struct {
			Day string `json:"day"`
			blob.Stock
		}{day, s})
	}
	_, err := fmt.Fprintf(w, "%-10s  %d blobs, %d bytes, %d referenced, %d orphaned, %d deleted\n", day, s.Blobs, s.Bytes, s.Referenced, s.Orphaned, s.Deleted)
	return err
}
