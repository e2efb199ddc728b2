package replay

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"aftershock/schema"
	"aftershock/stream"
)

// Who names no brokers is told so by every operation.
func TestNobodyOperatesWithoutBrokers(t *testing.T) {
	t.Parallel()
	o := &Operator{Kafka: stream.Kafka{Log: zerolog.Nop()}, Now: time.Now, Log: zerolog.Nop()}
	for name, do := range map[string]func(ctx context.Context) error{
		"start": func(ctx context.Context) error {
			_, err := o.Start(ctx, starting(t, func(*StartOptions) {}))
			return err
		},
		"promote":  func(ctx context.Context) error { _, err := o.Promote(ctx, 1, at(begin), at(end), soon); return err },
		"rollback": func(ctx context.Context) error { _, err := o.Rollback(ctx, 0, soon); return err },
		"behind":   func(ctx context.Context) error { _, err := o.behind(ctx, []int32{1}); return err },
		"retire":   func(ctx context.Context) error { return o.Retire(ctx, 1) },
		"reopen":   func(ctx context.Context) error { return o.Reopen(ctx, 1, 1) },
		"archive":  func(ctx context.Context) error { return o.Archive(ctx, 1) },
		"drop":     func(ctx context.Context) error { return o.Drop(ctx, 1) },
		"pause":    func(ctx context.Context) error { return o.Pause(ctx, 1) },
		"abort":    func(ctx context.Context) error { return o.Abort(ctx, 1) },
		"look":     func(ctx context.Context) error { _, err := o.Look(ctx); return err },
		"repair":   func(ctx context.Context) error { return o.Repair(ctx, []stream.Gone{{}}) },
		"plan":     func(ctx context.Context) error { _, err := o.Plan(ctx, PlanOptions{}); return err },
		"estimate": func(ctx context.Context) error {
			return o.estimate(ctx, &Plan{}, &schema.VersionEvent{}, &schema.SignatureVersion{}, PlanOptions{})
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if err := do(ctx); err == nil {
			t.Errorf("%s: nobody is told", name)
		}
		cancel()
	}
}
