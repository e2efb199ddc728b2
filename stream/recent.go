package stream

import (
	"context"
	"crypto/sha256"
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
	// recentWindow is how many identities of a partition are remembered at most, and
	// recentTotal of all partitions of a loop: about 60 bytes each, 16 MB.
	recentWindow = 20_000
	recentTotal  = 1 << 18
	// recentTail is how many of them are read back at least: the records of several
	// transactions, and the markers between them.
	recentTail = 4 * identifiedPoll
	// recentDeadline bounds reading them back.
	recentDeadline = 20 * time.Second
)

// identityHash stands for an identity: two with the same one are not to be expected.
type identityHash [16]byte

func hashIdentity(identity string) identityHash {
	sum := sha256.Sum256([]byte(identity))
	return identityHash(sum[:16])
}

// window is a set that forgets its oldest members.
type window struct {
	most  int
	have  map[identityHash]struct{}
	order []identityHash // a ring, oldest at next when full
	next  int
}

func newWindow(most int) *window { return &window{most: most, have: map[identityHash]struct{}{}} }

func (w *window) has(id string) bool {
	_, has := w.have[hashIdentity(id)]
	return has
}

func (w *window) add(id string) {
	if id == "" {
		return
	}
	h := hashIdentity(id)
	if _, has := w.have[h]; has {
		return
	}
	if len(w.order) < w.most {
		w.order = append(w.order, h)
	} else {
		delete(w.have, w.order[w.next])
		w.order[w.next] = h
		w.next = (w.next + 1) % len(w.order)
	}
	w.have[h] = struct{}{}
}

// shrink leaves room for the newest members alone.
func (w *window) shrink(most int) {
	if w.most <= most {
		return
	}
	newest := slices.Concat(w.order[w.next:], w.order[:w.next])
	newest = newest[max(0, len(newest)-most):]
	w.most, w.next, w.order, w.have = most, 0, slices.Clone(newest), make(map[identityHash]struct{}, len(newest))
	for _, h := range newest {
		w.have[h] = struct{}{}
	}
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
			fresh[in.Partition] = newWindow(recentWindow)
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
	r.bound()
	return nil
}

// bound shares recentTotal among the partitions; each keeps what is read back of it.
func (r *recent) bound() {
	most := max(min(recentWindow, recentTotal/max(len(r.windows), 1)), int(r.tail))
	for _, w := range r.windows {
		w.shrink(most)
	}
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
			if at.id != "" && (batch[at] || w != nil && w.has(at.id)) {
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
