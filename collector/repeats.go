package collector

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"aftershock/schema"
)

// A client that got no answer sends its report again, as does a user who presses the button
// twice. The same report within a while is answered with the first one's crash id and
// stored once. Only reports with a dump, and pings with an id, can be told to be the same:
// what two machines say without one may well be equal.

// maxRepeats bounds how many reports are remembered: about 10 MB.
const maxRepeats = 1 << 16

// volatile are annotations that differ between two tries of one report: who sent it, and
// whether it may be throttled (Firefox, CrashAnnotations.yaml).
var volatile = map[string]bool{"SubmittedFrom": true, "SubmittedFromInfobar": true, "Throttleable": true}

// repeats remembers reports. It is safe for concurrent use.
type repeats struct {
	window time.Duration // 0 remembers nothing

	mu    sync.Mutex
	known map[[sha256.Size]byte]*kept
	order []*kept // the first begun first
}

// kept is a report that was stored, or is being stored.
type kept struct {
	key  [sha256.Size]byte
	at   time.Time
	done chan struct{}
	raw  *schema.RawCrash // nil when it was not stored
}

// begin returns what is remembered of a report, and whether this one is the first.
func (r *repeats) begin(key [sha256.Size]byte, now time.Time) (k *kept, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.order) > 0 && now.Sub(r.order[0].at) >= r.window {
		r.forgetOldest()
	}
	if k := r.known[key]; k != nil {
		return k, false
	}
	if len(r.order) == maxRepeats {
		r.forgetOldest()
	}
	k = &kept{key: key, at: now, done: make(chan struct{})}
	if r.known == nil {
		r.known = map[[sha256.Size]byte]*kept{}
	}
	r.known[key] = k
	r.order = append(r.order, k)
	return k, true
}

func (r *repeats) forgetOldest() {
	r.forget(r.order[0])
	r.order = r.order[1:]
}

func (r *repeats) forget(k *kept) {
	if r.known[k.key] == k {
		delete(r.known, k.key)
	}
}

// end says what became of the first: nil when it is not stored, and the next one is the
// first.
func (r *repeats) end(k *kept, raw *schema.RawCrash) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k.raw = raw; raw == nil {
		r.forget(k)
	}
	close(k.done)
}

// once lets keep store a report, unless the same one is stored already, or is being stored:
// then that is waited for, without a place.
func (c *Collector) once(ctx context.Context, rep *report, chosen string, p *place, keep func() (*schema.RawCrash, error)) (*schema.RawCrash, error) {
	if c.repeats.window <= 0 || len(rep.dumps) == 0 || rep.kind == schema.KindPing && rep.pingID == "" {
		return keep()
	}
	key := rep.identity(chosen)
	for {
		k, first := c.repeats.begin(key, c.o.Now())
		if first {
			var known *schema.RawCrash
			defer func() { c.repeats.end(k, known) }() // also when it panics
			raw, err := keep()
			if err == nil && stored(raw) {
				known = &schema.RawCrash{CrashID: raw.CrashID, Throttle: schema.Throttle{Result: resultRepeated}}
			}
			return raw, err
		}
		p.leave()
		select {
		case <-k.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("the same report is being stored: %w", ctx.Err())
		}
		if k.raw != nil {
			return k.raw, nil
		}
		if err := p.small(ctx); err != nil {
			return nil, err
		}
	}
}

// identity is the digest of what makes a report the same one: the crash id that its client
// has chosen, the id of a ping, its dumps, and its annotations but those that are volatile.
func (r *report) identity(chosen string) (key [sha256.Size]byte) {
	h := sha256.New()
	write := func(s string) {
		var size [8]byte
		binary.LittleEndian.PutUint64(size[:], uint64(len(s)))
		h.Write(size[:])
		h.Write([]byte(s))
	}
	write(chosen)
	if r.pingID != "" {
		write(r.pingID)
	}
	for _, d := range r.dumps {
		write(d.name)
		h.Write(d.sum[:])
	}
	for _, name := range slices.Sorted(maps.Keys(r.annotations)) {
		if !volatile[name] {
			write(name)
			write(r.annotations[name])
		}
	}
	h.Sum(key[:0])
	return key
}
