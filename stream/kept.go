package stream

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// kept is what a process asks the brokers with, again and again: one client for questions
// about topics and groups, and one that reads single records.
type kept struct {
	asking *kgo.Client
	reader *reader
}

// Keep returns a Kafka whose questions share one connection, and what ends it. Without it
// each question connects anew, which is right for a verb that asks a few.
func (k Kafka) Keep() (Kafka, func(), error) {
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		return k, nil, fmt.Errorf("kafka: %w", err)
	}
	held := &kept{asking: cl, reader: &reader{kafka: k}}
	k.kept = held
	return k, func() {
		cl.Close()
		held.reader.close()
	}, nil
}

// ask is a client for questions; done must be called afterwards.
func (k Kafka) ask() (cl *kgo.Client, done func(), err error) {
	if k.kept != nil {
		return k.kept.asking, func() {}, nil
	}
	if cl, err = kgo.NewClient(k.Options()...); err != nil {
		return nil, nil, err
	}
	return cl, cl.Close, nil
}

// reader reads single records of crash.raw, one after the other, with one client. It is safe
// for concurrent use.
type reader struct {
	kafka Kafka

	mu      sync.Mutex
	cl      *kgo.Client
	parts   map[int32]bool // that the client knows
	answers answers
}

// readerBytes bounds an answer: a record is asked for, and what follows it comes along.
const readerBytes = schema.MaxRawBytes + 64<<10

// answers are the last that the brokers gave, the newest last: who asks for many records asks
// for most of them in order (clickhouse.EachLacking), and finds the next ones here.
type answers []answer

// answer is what a partition has from one offset to another, but for what was rolled back.
type answer struct {
	partition  int32
	from, last int64 // offsets, of control records too
	records    []*kgo.Record
	bytes      int
}

const (
	// keptBytes and keptAnswers bound answers; the newest is kept whatever its size.
	keptBytes   = 16 << 20
	keptAnswers = 64
	// aliasedBytes of an answer are kept as they came, parts of a batch; of less, which may be
	// the last records of a large one, copies are.
	aliasedBytes = 256 << 10
)

// cloned are records with bytes of their own.
func cloned(records []*kgo.Record) []*kgo.Record {
	out := make([]*kgo.Record, len(records))
	for i, r := range records {
		own := *r
		own.Key, own.Value, own.Headers = bytes.Clone(r.Key), bytes.Clone(r.Value), slices.Clone(r.Headers)
		for j := range own.Headers {
			own.Headers[j].Key, own.Headers[j].Value = strings.Clone(own.Headers[j].Key), bytes.Clone(own.Headers[j].Value)
		}
		out[i] = &own
	}
	return out
}

// find returns the record at an offset, or nil when there is none; known is whether the
// answers say.
func (a answers) find(partition int32, offset int64) (rec *kgo.Record, known bool) {
	for _, one := range a {
		if one.partition != partition || offset < one.from || offset > one.last {
			continue
		}
		i, found := slices.BinarySearchFunc(one.records, offset, func(r *kgo.Record, offset int64) int { return cmp.Compare(r.Offset, offset) })
		if !found || one.records[i].Attrs.IsControl() {
			return nil, true
		}
		return one.records[i], true
	}
	return nil, false
}

// keep is the answers with one more, of a partition from an offset.
func (a answers) keep(partition int32, from int64, records []*kgo.Record) answers {
	one := answer{partition: partition, from: from, last: records[len(records)-1].Offset, records: records}
	for _, r := range records {
		one.bytes += len(r.Key) + len(r.Value)
	}
	if one.bytes < aliasedBytes {
		one.records = cloned(records)
	}
	a = append(a, one)
	bytes, first := 0, len(a)
	for first > 0 && len(a)-first < keptAnswers {
		if bytes += a[first-1].bytes; bytes > keptBytes && first < len(a) {
			break
		}
		first--
	}
	return slices.Delete(a, 0, first)
}

func (r *reader) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cl != nil {
		r.cl.Close()
	}
	r.cl = nil
}

// at returns the committed record at an offset, which callers share. The error wraps ErrGone
// when there is none.
func (r *reader) at(ctx context.Context, at schema.Position) (*kgo.Record, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec, known := r.answers.find(at.Partition, at.Offset); known {
		return orGone(rec)
	}
	if err := r.seek(at); err != nil {
		return nil, err
	}
	defer r.cl.PauseFetchPartitions(map[string][]int32{at.Topic: {at.Partition}})
	ctx, cancel := context.WithTimeout(ctx, maxSilence)
	defer cancel()
	for {
		fetches := r.cl.PollFetches(ctx)
		records := slices.DeleteFunc(fetches.Records(), func(rec *kgo.Record) bool {
			return rec.Partition != at.Partition || rec.Offset < at.Offset // of the question before
		})
		if len(records) > 0 {
			r.answers = r.answers.keep(at.Partition, at.Offset, records)
			rec, _ := r.answers.find(at.Partition, at.Offset)
			return orGone(rec)
		}
		for _, e := range fetches.Errors() {
			switch {
			case errors.Is(e.Err, kerr.OffsetOutOfRange) && e.Partition == at.Partition:
				return nil, ErrGone
			case errors.Is(e.Err, kerr.OffsetOutOfRange):
			default:
				r.cl.Close() // the next question connects anew
				r.cl = nil
				return nil, e.Err
			}
		}
	}
}

func orGone(rec *kgo.Record) (*kgo.Record, error) {
	if rec == nil {
		return nil, ErrGone
	}
	return rec, nil
}

// seek lets the client fetch from an offset.
func (r *reader) seek(at schema.Position) error {
	from := kgo.NewOffset().At(at.Offset)
	if r.cl == nil {
		cl, err := kgo.NewClient(append(r.kafka.Options(),
			kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{at.Topic: {at.Partition: from}}),
			kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.KeepControlRecords(),
			kgo.ConsumeResetOffset(kgo.NoResetOffset()),
			kgo.FetchMaxBytes(readerBytes), kgo.FetchMaxPartitionBytes(readerBytes),
			kgo.FetchMaxWait(500*time.Millisecond),
		)...)
		if err != nil {
			return err
		}
		r.cl, r.parts = cl, map[int32]bool{at.Partition: true}
		return nil
	}
	if !r.parts[at.Partition] {
		r.parts[at.Partition] = true
		r.cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{at.Topic: {at.Partition: from}})
		return nil
	}
	r.cl.SetOffsets(map[string]map[int32]kgo.EpochOffset{at.Topic: {at.Partition: {Epoch: -1, Offset: at.Offset}}})
	r.cl.ResumeFetchPartitions(map[string][]int32{at.Topic: {at.Partition}})
	return nil
}
