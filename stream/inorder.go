package stream

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// errTooMuch means that what a batch makes does not fit into memory.
var errTooMuch = errors.New("a batch makes too much")

// maxHeldBytes bounds what a batch holds until all of it is done.
const maxHeldBytes = 48 << 20

// workFunc makes the records to produce of one input.
type workFunc func(context.Context, *kgo.Record) ([]*kgo.Record, error)

// inOrder calls work for each input, at most workers at once, and returns the
// outputs in the order of the inputs. What has begun is finished, also when ctx
// is done; but an input that a passing fault hinders is tried again only until
// then, and failing is told; with ErrUnwanted nothing is finished. Any other error
// ends it. With errTooMuch, done says how many inputs there was room for.
func inOrder(ctx context.Context, inputs []*kgo.Record, workers int, work workFunc, failing func(*PassingError)) (outputs [][]*kgo.Record, done int, err error) {
	working, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() {
		if unwanted(ctx) {
			cancel(context.Cause(ctx))
		}
	})()
	outputs = make([][]*kgo.Record, len(inputs))
	var next, held, finished atomic.Int64
	var all sync.WaitGroup
	for range min(max(workers, 1), len(inputs)) {
		all.Go(func() {
			for working.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= len(inputs) {
					return
				}
				out, err := patiently(ctx, working, inputs[i], i == 0, work, failing)
				if err != nil {
					cancel(err)
					return
				}
				for _, r := range out {
					held.Add(int64(len(r.Value)))
				}
				if held.Load() > maxHeldBytes && len(inputs) > 1 {
					cancel(errTooMuch)
					return
				}
				outputs[i] = out
				finished.Add(1)
			}
		})
	}
	all.Wait()
	if working.Err() != nil {
		return nil, int(finished.Load()), context.Cause(working)
	}
	return outputs, len(inputs), nil
}

// How long a record waits that could not be worked on.
const (
	firstPatience = 100 * time.Millisecond
	mostPatience  = 10 * time.Second
	// expectedPatience is for what is a matter of time.
	expectedPatience = time.Second
)

// patiently works on a record until no passing fault hinders it, or ctx is done. What must
// not make others wait is waited for only by the first of a batch, and else is too much
// for the batch.
func patiently(ctx, working context.Context, in *kgo.Record, first bool, work workFunc, failing func(*PassingError)) ([]*kgo.Record, error) {
	most := mostPatience
	for pause := firstPatience; ; pause = min(2*pause, most) {
		out, err := work(working, in)
		var passing *PassingError
		if !errors.As(err, &passing) || working.Err() != nil {
			return out, err
		}
		if passing.Later && !first {
			return nil, errTooMuch
		}
		if passing.Expected {
			most = expectedPatience
		}
		failing(passing)
		select {
		case <-working.Done():
			return nil, working.Err()
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}
