package collector

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// errFull says that the door has no room for a report now: it is asked to come again.
var errFull = errors.New("the door is full")

// room is what all reports share: who may be read, what their bodies take, and
// the places where they are worked on.
type room struct {
	arriving   *semaphore.Weighted
	perAddress int
	mu         sync.Mutex
	addresses  map[netip.Prefix]int

	folder string // of the files of bodies
	small  int64  // bytes of a body that may lie in memory
	memory *semaphore.Weighted
	disk   *semaphore.Weighted

	smallPlaces *semaphore.Weighted
	largePlaces *semaphore.Weighted

	full  atomic.Bool
	ready func(error)
}

func newRoom(l Limits, folder string, ready func(error)) room {
	return room{
		arriving: semaphore.NewWeighted(l.Arriving), perAddress: l.PerAddress, addresses: map[netip.Prefix]int{},
		folder: folder, small: l.SmallBytes, memory: semaphore.NewWeighted(l.HeldBytes), disk: semaphore.NewWeighted(l.DiskBytes),
		smallPlaces: semaphore.NewWeighted(l.Reports), largePlaces: semaphore.NewWeighted(l.LargeReports),
		ready: ready,
	}
}

// say tells whether the door is full, when that has changed.
func (r *room) say(full bool) {
	if r.full.Swap(full) == full {
		return
	}
	if full {
		r.ready(errFull)
		return
	}
	r.ready(nil)
}

// enter lets a report of that address be read, and returns the function that
// ends it, which may be called again.
func (r *room) enter(ctx context.Context, remote netip.Addr) (leave func(), err error) {
	from := prefixOf(remote)
	r.mu.Lock()
	if r.addresses[from] >= r.perAddress {
		r.mu.Unlock()
		return nil, fmt.Errorf("reports of one address: %w", errFull) // its own affair: the door is not full
	}
	r.addresses[from]++
	r.mu.Unlock()
	out := func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.addresses[from]--; r.addresses[from] == 0 {
			delete(r.addresses, from)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, arriveWait)
	defer cancel()
	if r.arriving.Acquire(ctx, 1) != nil {
		out()
		r.say(true)
		return nil, fmt.Errorf("reports that arrive: %w", errFull)
	}
	var once sync.Once
	return func() {
		once.Do(func() {
			r.arriving.Release(1)
			out()
			r.say(false)
		})
	}, nil
}

// prefixOf is what a client cannot choose at will of its address: of IPv6 its network.
func prefixOf(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits)
	return p
}

// place is where a report that has arrived is worked on. It holds one of the small
// or of the large ones at a time, never both: large reports wait for each other, and
// small ones never wait for them.
type place struct {
	room *room
	held *semaphore.Weighted
}

func (p *place) small(ctx context.Context) error { return p.move(ctx, p.room.smallPlaces) }
func (p *place) large(ctx context.Context) error { return p.move(ctx, p.room.largePlaces) }

func (p *place) move(ctx context.Context, to *semaphore.Weighted) error {
	if p.held == to {
		return nil
	}
	p.leave()
	ctx, cancel := context.WithTimeout(ctx, placeWait)
	defer cancel()
	if err := to.Acquire(ctx, 1); err != nil {
		p.room.say(true)
		return fmt.Errorf("a place for the report: %w", errFull)
	}
	p.held = to
	return nil
}

func (p *place) leave() {
	if p.held != nil {
		p.held.Release(1)
		p.held = nil
		p.room.say(false)
	}
}
