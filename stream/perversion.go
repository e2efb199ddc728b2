package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"aftershock/schema"
)

// Part is what one loop is for: a signature version, or what the activation shows
// of it since an epoch. Epoch is 0 for the whole version.
type Part struct {
	Version int32
	Epoch   int64
}

// String is v2, or v2.e5.
func (p Part) String() string {
	if p.Version == schema.Archived {
		return "archived"
	}
	if p.Epoch == 0 {
		return fmt.Sprintf("v%d", p.Version)
	}
	return fmt.Sprintf("v%d.e%d", p.Version, p.Epoch)
}

// ErrUnwanted is the cause with which a loop's context is cancelled when the
// versions log does not want it any more. What it had begun must not be
// committed, and it leaves its group: somebody waits for that.
var ErrUnwanted = errors.New("the signature version is not wanted any more")

// ErrDone is returned by a run that has nothing left to do: it is not started
// again.
var ErrDone = errors.New("nothing is left to do")

// VersionLoop is what PerVersion runs.
type VersionLoop struct {
	// Changed is called with each new state before any run starts or stops; may be nil.
	Changed func(ctx context.Context, state *schema.VersionEvent)
	// Wanted are the parts whose runs should go on.
	Wanted func(state *schema.VersionEvent) []Part
	// Run is called again after a pause when it returns, unless with ErrDone. v is the
	// part's version in the state of then, and must not be changed.
	Run    func(ctx context.Context, v *schema.SignatureVersion, part Part) error
	Failed func(part Part, err error)
	// Ended is told of each part when nothing is run for it any more; may be nil.
	Ended func(part Part)
}

// PerVersion keeps run going for every part of the newest state that is wanted. run
// gets a context that is cancelled when ctx is done, or, with ErrUnwanted, when the
// part is no longer wanted; when run returns an error before that, failed is told and
// it is started again after a pause. Of one part, no run begins before the one
// before has returned. PerVersion returns when ctx is done and every run has
// returned.
func PerVersion(ctx context.Context, f *Following, p VersionLoop) {
	var all sync.WaitGroup
	defer all.Wait()
	running := map[Part]context.CancelCauseFunc{}
	ended := map[Part]chan struct{}{}
	f.Each(ctx, func(state *schema.VersionEvent) {
		if p.Changed != nil {
			p.Changed(ctx, state)
		}
		wanted := p.Wanted(state)
		for part, stop := range running {
			if !slices.Contains(wanted, part) {
				stop(ErrUnwanted)
				delete(running, part)
			}
		}
		for _, part := range wanted {
			if running[part] != nil {
				continue
			}
			pctx, cancel := context.WithCancelCause(ctx)
			before, now := ended[part], make(chan struct{})
			running[part], ended[part] = cancel, now
			all.Go(func() {
				defer close(now)
				if before != nil {
					<-before
				}
				p.keep(pctx, f, part)
			})
		}
	})
	for _, stop := range running {
		stop(nil)
	}
}

const versionPause = 5 * time.Second

func (p VersionLoop) keep(ctx context.Context, f *Following, part Part) {
	if p.Ended != nil {
		defer p.Ended(part)
	}
	for ctx.Err() == nil {
		v := f.Newest().Version(part.Version)
		if v == nil {
			return // wanted and yet not there cannot be
		}
		err := p.Run(ctx, v, part)
		if ctx.Err() != nil || errors.Is(err, ErrDone) {
			return
		}
		if err != nil {
			p.Failed(part, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(versionPause):
		}
	}
}
