package stream

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// inOrder calls work for each input, at most workers at once, and returns the
// results in the order of the inputs. The first error cancels the rest.
func inOrder[In, Out any](ctx context.Context, inputs []In, workers int, work func(context.Context, In) (Out, error)) ([]Out, error) {
	outputs := make([]Out, len(inputs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(workers, 1))
	for i, in := range inputs {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			out, err := work(ctx, in)
			outputs[i] = out
			return err
		})
	}
	return outputs, g.Wait()
}
