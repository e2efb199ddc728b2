package stream

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// HeaderIdentity is the header of an output by which a second one of the same
// meaning is known and left out: the result of one crash in one revision.
const HeaderIdentity = "aftershock_id"

// Identify sets a record's identity.
func Identify(r *kgo.Record, identity string) *kgo.Record {
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: HeaderIdentity, Value: []byte(identity)})
	return r
}

func identity(r *kgo.Record) string {
	for _, h := range r.Headers {
		if h.Key == HeaderIdentity {
			return string(h.Value)
		}
	}
	return ""
}

// recent remembers, by partition, the identities of what was produced lately.
//
// A crash id comes a second time when a producer repeated what a dying broker
// had taken already, and when a broker that is no Kafka (the embedded one) was
// killed between a transaction's commit and that of its offsets. Both follow the
// first within seconds, so a window is enough. It is read back from the end of
// the output topics when the first records of a partition come: the outputs
// themselves say what has been done, and no state of its own can be wrong or lost.
//
// Outputs lie in the partition of their input: the topics are keyed alike and
// have as many partitions.
type recent struct {
	// tail is how many records of a partition are read back.
	tail int64

	mu      sync.Mutex
	windows map[int32]*window
}

const (
	// recentWindow is how many identities of a partition are remembered.
	recentWindow = 20_000
	// recentTail is how many of them are read back at least: the records of several
	// transactions, and the markers between them.
	recentTail = 4 * identifiedPoll
	// recentDeadline bounds reading them back.
	recentDeadline = 20 * time.Second
)

// window is a set that forgets its oldest members.
type window struct {
	have  map[string]bool
	order []string // a ring, oldest at next when full
	next  int
}

func (w *window) add(id string) {
	if id == "" || w.have[id] {
		return
	}
	if len(w.order) < recentWindow {
		w.order = append(w.order, id)
	} else {
		delete(w.have, w.order[w.next])
		w.order[w.next] = id
		w.next = (w.next + 1) % recentWindow
	}
	w.have[id] = true
}

// forget drops what is known of partitions that have just been assigned: another
// member may have worked on them meanwhile.
func (r *recent) forget(partitions []int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range partitions {
		delete(r.windows, p)
	}
}

// load reads back what was produced for partitions of which nothing is known. It
// must be called when records of them have come, and not when they are assigned:
// until then the member before may still commit.
func (r *recent) load(ctx context.Context, k Kafka, topics []string, inputs []*kgo.Record) error {
	fresh := map[int32]*window{}
	r.mu.Lock()
	for _, in := range inputs {
		if r.windows[in.Partition] == nil {
			fresh[in.Partition] = &window{have: map[string]bool{}}
		}
	}
	r.mu.Unlock()
	if len(fresh) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, recentDeadline)
	defer cancel()
	for _, topic := range topics {
		err := k.tail(ctx, topic, slices.Collect(maps.Keys(fresh)), r.tail, func(rec *kgo.Record) { fresh[rec.Partition].add(identity(rec)) })
		if err != nil {
			return fmt.Errorf("what was produced lately: %w", err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.windows == nil {
		r.windows = map[int32]*window{}
	}
	maps.Copy(r.windows, fresh)
	return nil
}

// without leaves out the outputs that have been produced already, in the window
// or earlier in the batch. done must be called when what is left is committed.
func (r *recent) without(inputs []*kgo.Record, outputs [][]*kgo.Record) (left [][]*kgo.Record, duplicates int, done func()) {
	type output struct {
		partition int32
		id        string
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	batch := map[output]bool{}
	left = make([][]*kgo.Record, len(outputs))
	for i, out := range outputs {
		p := inputs[i].Partition
		w := r.windows[p]
		for _, rec := range out {
			at := output{p, identity(rec)}
			if at.id != "" && (batch[at] || w != nil && w.have[at.id]) {
				duplicates++
				continue
			}
			batch[at] = true
			left[i] = append(left[i], rec)
		}
	}
	return left, duplicates, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		for at := range batch {
			if w := r.windows[at.partition]; w != nil {
				w.add(at.id)
			}
		}
	}
}
