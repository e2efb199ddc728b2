package stream

import (
	"context"
	"errors"
	"fmt"
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

	mu    sync.Mutex
	cl    *kgo.Client
	parts map[int32]bool // that the client knows
}

// readerBytes bounds an answer: a record is asked for, and not what follows it.
const readerBytes = schema.MaxRawBytes + 64<<10

func (r *reader) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cl != nil {
		r.cl.Close()
	}
	r.cl = nil
}

// at returns the committed record at an offset. The error wraps ErrGone when there is none.
func (r *reader) at(ctx context.Context, at schema.Position) (*kgo.Record, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.seek(at); err != nil {
		return nil, err
	}
	defer r.cl.PauseFetchPartitions(map[string][]int32{at.Topic: {at.Partition}})
	ctx, cancel := context.WithTimeout(ctx, maxSilence)
	defer cancel()
	for {
		fetches := r.cl.PollFetches(ctx)
		for _, rec := range fetches.Records() {
			switch {
			case rec.Partition != at.Partition || rec.Offset < at.Offset: // of the question before
			case rec.Offset == at.Offset && !rec.Attrs.IsControl():
				return rec, nil
			default:
				return nil, ErrGone
			}
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
