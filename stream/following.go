package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// Following follows the versions log for all loops of a process. It is safe for
// concurrent use. A nil one is for loops that no version event concerns: it has no
// state, and always is current.
type Following struct {
	kafka Kafka

	asking sync.Mutex // one question at a time is enough for all

	mu      sync.Mutex
	newest  *schema.VersionEvent
	next    int64         // the offset behind what was followed
	changed chan struct{} // closed when one of the two changes
	seen    time.Time     // when the log held nothing newer
}

const (
	// CurrentAge is how long after an event no member commits under the state before it.
	CurrentAge = 2 * currentAge
	// currentAge is how old the answer may be that the log holds nothing newer. It is
	// well below the session's timeout: a member that was halted for longer than the
	// one, between its look at the log and its commit, is soon beyond the other, and
	// brokers refuse the offsets of a member that they have expelled.
	currentAge = time.Second
	// followDeadline bounds waiting for an event that is in the log.
	followDeadline = 5 * time.Second
	followPause    = time.Second
)

// errNotFollowed: the log holds an event that has not come to us.
var errNotFollowed = errors.New("the versions log holds something newer that does not come")

// NewFollowing is a follower that has seen nothing yet; Run lets it see.
func NewFollowing(k Kafka) *Following {
	return &Following{kafka: k, changed: make(chan struct{})}
}

// Run follows the log until ctx is done. It rides out brokers that are away.
func (f *Following) Run(ctx context.Context) {
	for ctx.Err() == nil {
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		f.kafka.Log.Warn().Err(err).Msg("versions log not readable, trying again")
		select {
		case <-ctx.Done():
		case <-time.After(followPause):
		}
	}
}

// Newest is the newest event of the log that has come, or nil before the first. It
// must not be changed.
func (f *Following) Newest() *schema.VersionEvent {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.newest
}

// Each calls follow with the newest event and then with newer ones, until ctx is
// done. Of events that come while follow is busy it sees the last: each holds the
// complete state.
func (f *Following) Each(ctx context.Context, follow func(*schema.VersionEvent)) {
	var last *schema.VersionEvent
	for ctx.Err() == nil {
		f.mu.Lock()
		newest, changed := f.newest, f.changed
		f.mu.Unlock()
		if newest != last {
			follow(newest)
			last = newest
			continue
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

// Current returns the state that the log held at a moment after joined and within
// the last second. A member of a group that asks so, with the time at which it got its
// partitions, before it commits anything, commits nothing under a state that is no
// more: who changed the state waits until the group has no members, and brokers
// refuse the commit of who is none.
func (f *Following) Current(ctx context.Context, joined time.Time) (*schema.VersionEvent, error) {
	if f == nil {
		return nil, nil //nolint:nilnil // no state concerns the loop
	}
	f.asking.Lock()
	defer f.asking.Unlock()
	if state, ok := f.fresh(joined); ok {
		return state, nil
	}
	ctx, cancel := context.WithTimeout(ctx, followDeadline)
	defer cancel()
	asked := time.Now()
	end, err := f.end(ctx)
	if err != nil {
		return nil, fmt.Errorf("versions log: %w", Named(err, "READ", schema.TopicVersions, "", ""))
	}
	return f.await(ctx, end, asked)
}

// fresh is the newest state if the log was seen to hold nothing newer.
func (f *Following) fresh(joined time.Time) (*schema.VersionEvent, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.newest, f.seen.After(joined) && time.Since(f.seen) < currentAge
}

// await waits until the log is followed to its end, which it had when it was asked.
func (f *Following) await(ctx context.Context, end int64, asked time.Time) (*schema.VersionEvent, error) {
	for {
		f.mu.Lock()
		if f.next >= end {
			defer f.mu.Unlock()
			f.seen = asked
			return f.newest, nil
		}
		changed := f.changed
		f.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", errNotFollowed, ctx.Err())
		case <-changed:
		}
	}
}

// end is the offset behind the last committed record of the log.
func (f *Following) end(ctx context.Context) (int64, error) {
	cl, done, err := f.kafka.ask()
	if err != nil {
		return 0, err
	}
	defer done()
	ends, err := listed(kadm.NewClient(cl).ListCommittedOffsets(ctx, schema.TopicVersions))
	if err != nil {
		return 0, err
	}
	at, ok := ends.Lookup(schema.TopicVersions, 0)
	if !ok {
		return 0, errors.New("the brokers do not tell its end")
	}
	return at.Offset, nil
}

// follow is Run until the first error.
func (f *Following) follow(ctx context.Context) error {
	// The state before the follower began is given once, not as a history.
	newest, at, err := newestVersions(ctx, f.kafka)
	if err != nil {
		return err
	}
	next := int64(0)
	if newest != nil {
		next = at + 1
		f.came(newest, next)
	}
	cl, err := kgo.NewClient(append(f.kafka.Options(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{schema.TopicVersions: {0: kgo.NewOffset().At(next)}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // else the end of the log would never be seen
	)...)
	if err != nil {
		return fmt.Errorf("versions log: %w", err)
	}
	defer cl.Close()
	for {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fetchError(fetches); err != nil {
			return fmt.Errorf("versions log: %w", err)
		}
		for _, r := range fetches.Records() {
			if r.Attrs.IsControl() {
				f.came(nil, r.Offset+1)
				continue
			}
			event, err := schema.Decode[schema.VersionEvent](r.Value)
			if err != nil {
				return fmt.Errorf("versions log: offset %d: %w", r.Offset, err)
			}
			f.came(event, r.Offset+1)
		}
	}
}

// came takes what was followed: an event, or a control record's nil.
func (f *Following) came(event *schema.VersionEvent, next int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if event != nil && next > f.next { // what is read again after an error is no news
		f.newest = event
	}
	f.next = max(f.next, next)
	close(f.changed)
	f.changed = make(chan struct{})
}

// sameFor tells whether two states say the same about which crashes are processed in
// a version, and shown in it.
func sameFor(version int32, a, b *schema.VersionEvent) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil || a.Activation.Epoch != b.Activation.Epoch {
		return false
	}
	v, w := a.Version(version), b.Version(version)
	if v == nil || w == nil {
		return v == w
	}
	return v.State == w.State && sameTime(v.From, w.From) && sameTime(v.To, w.To)
}

func sameTime(a, b *time.Time) bool {
	return a == b || a != nil && b != nil && a.Equal(*b)
}
