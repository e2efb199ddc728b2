package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// twins notices that another process has this one's --instance: the two fence each other, and
// neither does any work. A process that is replaced is fenced as well, once.
type twins struct {
	found chan error // of one

	mu     sync.Mutex
	fenced map[string][]time.Time // by part
}

const (
	// maxFenced is how often one part may fail for having been fenced within fencedWithin. A loop
	// that fails so has itself begun anew some times before.
	maxFenced    = 2
	fencedWithin = 2 * time.Minute
)

func newTwins() *twins {
	return &twins{found: make(chan error, 1), fenced: map[string][]time.Time{}}
}

// failed looks at why a part failed.
func (t *twins) failed(part string, err error, now time.Time) {
	if !errors.Is(err, kerr.ProducerFenced) && !errors.Is(err, kerr.InvalidProducerEpoch) && !errors.Is(err, kerr.FencedInstanceID) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var lately []time.Time
	for _, at := range append(t.fenced[part], now) {
		if now.Sub(at) < fencedWithin {
			lately = append(lately, at)
		}
	}
	t.fenced[part] = lately
	if len(lately) < maxFenced {
		return
	}
	select {
	case t.found <- fmt.Errorf("%s was fenced again and again: another process runs with this one's --instance, which must be unique: %w", part, err):
	default: // one reason is enough
	}
}

// watch returns an error when there is another process, or nil when ctx is done.
func (t *twins) watch(ctx context.Context) error {
	select {
	case err := <-t.found:
		return err
	case <-ctx.Done():
		return nil
	}
}
