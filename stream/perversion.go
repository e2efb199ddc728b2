package stream

import (
	"context"
	"sync"
	"time"

	"aftershock/schema"
)

// PerVersion follows the versions log and keeps run going for every signature
// version that wanted says yes to. run gets a context that is cancelled when
// the version is no longer wanted or ctx is done; when run returns an error
// before that, failed is told and it is started again after a pause. PerVersion
// returns when ctx is done and every run has returned.
func PerVersion(ctx context.Context, k Kafka, p VersionLoop) {
	var all sync.WaitGroup
	defer all.Wait()
	running := map[int32]context.CancelFunc{}
	FollowVersions(ctx, k, func(state *schema.VersionEvent) {
		if p.Changed != nil {
			p.Changed(ctx, state)
		}
		for _, v := range state.Versions {
			stop, runs := running[v.Number]
			switch wanted := p.Wanted(state, v); {
			case wanted && !runs:
				vctx, cancel := context.WithCancel(ctx) //nolint:gosec // called below, or when the version goes
				running[v.Number] = cancel
				all.Go(func() { p.keep(vctx, v) })
			case !wanted && runs:
				stop()
				delete(running, v.Number)
			}
		}
	})
	for _, stop := range running {
		stop()
	}
}

// VersionLoop is what PerVersion runs.
type VersionLoop struct {
	// Changed is called with each new state before any run starts or stops; may be nil.
	Changed func(ctx context.Context, state *schema.VersionEvent)
	// Wanted says whether run should go on for v.
	Wanted func(state *schema.VersionEvent, v schema.SignatureVersion) bool
	Run    func(ctx context.Context, v schema.SignatureVersion) error
	Failed func(v schema.SignatureVersion, err error)
}

const versionPause = 5 * time.Second

func (p VersionLoop) keep(ctx context.Context, v schema.SignatureVersion) {
	for {
		err := p.Run(ctx, v)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			p.Failed(v, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(versionPause):
		}
	}
}
